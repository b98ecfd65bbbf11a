"""git's global configuration: one marked block, added and removed byte for byte.

`git config` itself would leave empty sections behind and may reformat; a block between two
markers can be taken out again exactly. A file that is a link (dotfiles kept elsewhere) stays
one, and keeps its mode.
"""

import os
import re
import sys

_BEGIN = "# >>> msauth >>>\n"
_END = "# <<< msauth <<<\n"
# Notes inside of the block, for an exact way back.
_NO_NEWLINE = "# the line above had no newline\n"
_NEW_FILE = "# this file was made for the lines below\n"
_HOSTS = ("https://dev.azure.com", "https://*.visualstudio.com")


def path(env: "os._Environ[str] | dict[str, str]") -> str:
    """Return git's global configuration file, found as git finds the one it would write."""
    chosen = env.get("GIT_CONFIG_GLOBAL")
    if chosen:
        return chosen
    home = os.path.expanduser("~/.gitconfig")
    xdg = os.path.join(env.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "git/config")
    return xdg if os.path.exists(xdg) and not os.path.exists(home) else home


def block(helper: str) -> str:
    """Return the block that makes git ask a helper; the empty `helper =` resets the list."""
    lines = []
    for host in _HOSTS:
        lines += [f'[credential "{host}"]', "\thelper =", f"\thelper = {helper}"]
        lines.append("\tuseHttpPath = true")
    return _BEGIN + "\n".join(lines) + "\n" + _END


def helper_name(directory: str, env: "os._Environ[str] | dict[str, str]") -> str:
    """Return how git finds the helper: by its short name if PATH has the directory.

    git hands an absolute path to a shell, so what a shell would read is escaped; then once more
    for git's configuration syntax.
    """
    if directory in env.get("PATH", "").split(os.pathsep):
        return "msauth"
    program = os.path.join(directory, "git-credential-msauth")
    escaped = re.sub(r"([^\w@%+=:,./-])", r"\\\1", program, flags=re.ASCII)
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def added(text: str | None, helper: str) -> str:
    """Return the configuration with one block of ours at its end; None is a missing file."""
    bare = removed(text) or ""
    note = ""
    if text is None or _NEW_FILE in text:
        note = _NEW_FILE
    elif bare and not bare.endswith("\n"):
        bare, note = bare + "\n", _NO_NEWLINE
    return bare + block(helper).replace(_BEGIN, _BEGIN + note, 1)


def removed(text: str | None) -> str | None:
    """Return the configuration as it was before `added`; None for a file that was not there."""
    if text is None:
        return None
    start = text.find(_BEGIN)
    end = text.find(_END, start)
    if start < 0 or end < 0:
        return text
    before, ours, after = text[:start], text[start:end], text[end + len(_END) :]
    after = _not_ours(ours) + after
    if _NO_NEWLINE in ours and not after:
        before = before.removesuffix("\n")
    if _NEW_FILE in ours and not before + after:
        return None
    return before + after


def _not_ours(block: str) -> str:
    """Return what `git config` has since written into our sections, with their headings."""
    kept = heading = ""
    for line in block.split("\n"):
        word = line.strip().lower()
        if word.startswith("["):
            heading = line + "\n"
        elif word and not word.startswith(("#", "helper", "usehttppath")):
            kept += heading + line + "\n"
            heading = ""
    return kept


def _read(file: str) -> str | None:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _write(file: str, text: str) -> None:
    """Replace a file's content by rename, through links, keeping its mode."""
    target = os.path.realpath(file)
    temporary = f"{target}.msauth.{os.getpid()}"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        mode = os.stat(target).st_mode & 0o777
    except FileNotFoundError:
        mode = 0o644
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            out.write(text)
            out.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
        raise


def main(arguments: list[str]) -> int:
    """`show|add [--bin DIRECTORY]` or `remove`. `show` exits 0 when nothing would change."""
    action = arguments[0] if arguments else ""
    directory = arguments[2] if arguments[1:2] == ["--bin"] and len(arguments) > 2 else ""
    file = path(os.environ)
    if os.path.exists(file) and not os.path.isfile(file):
        if action == "remove":
            return 0
        print(f"error: git's configuration {file} is not a regular file", file=sys.stderr)
        print("hint: unset GIT_CONFIG_GLOBAL", file=sys.stderr)
        return 2
    before = _read(file)
    if action == "remove":
        after = removed(before)
        if after == before:
            return 0
        if after is None:
            os.unlink(os.path.realpath(file))
        else:
            _write(file, after)
        print(f"Removed the msauth block from {file}.")
        return 0
    if action not in ("show", "add"):
        print("usage: git_config show|add [--bin DIRECTORY] | remove", file=sys.stderr)
        return 2
    helper = helper_name(directory, os.environ)
    after = added(before, helper)
    if action == "show":
        if after == before:
            return 0
        print(f"git's configuration {file} gets, at its end:\n")
        print(block(helper))
        return 1
    if after != before:
        _write(file, after)
        print(f"Added the msauth block to {file}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
