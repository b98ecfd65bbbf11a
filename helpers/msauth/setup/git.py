"""git's configuration: one `include.path` line that leads to a file of ours.

Everything that we tell git stands in the included file, which is ours alone; the person's file
gets one section at its end, added and removed byte for byte. `git config` cannot do this: it puts
a new `include.path` into an `[include]` section that is there already (so the person's own
helpers may come after ours), writes LF into CRLF files, adds a final newline where there was
none, and leaves an empty file behind. So bytes are edited here, under git's own lock.

The functions on bytes are pure; None stands for a file that does not exist. The others raise
MsauthError with the command that helps, and then have changed nothing.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping

from ..errors import MsauthError, failed
from ..request.clouds import DEVOPS_HOST, LEGACY_DOMAIN
from ..request.options import Options
from . import files
from .targets import DRY_RUN, State, Target

HOSTS = (f"https://{DEVOPS_HOST}", f"https://*{LEGACY_DOMAIN}")
"""The URLs, as `credential.<url>` takes them, that are asked of us."""

_OURS = (
    "# Made by msauth and included by git's configuration. Changes are lost: msauth rewrites it."
)
_FOLDERS = "# folders made with this file: "
# A backslash at the end of the person's file would make our first line a part of their value.
_CONTINUED = b"# msauth: a comment, because the line above ends in a backslash"


# --- The file of ours ---------------------------------------------------------------------------


def include_text(helper: str, hosts: tuple[str, ...] = HOSTS) -> str:
    """Return the included file's text for a helper as `helper_command` gives it.

    The empty `helper =` resets the list: no other helper sees, stores or answers for these hosts.
    """
    lines = [_OURS]
    for host in hosts:
        lines += [f'[credential "{host}"]', "\thelper =", f"\thelper = {_quoted(helper)}"]
        lines.append("\tuseHttpPath = true")
    return "\n".join(lines) + "\n"


def include_file(env: Mapping[str, str]) -> str:
    """Return where the file of ours is kept: with msauth's settings, not with its programs."""
    folder = env.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # a relative one is to be ignored (XDG Base Directory)
        folder = os.path.join(_home(env), ".config")
    return os.path.join(folder, "msauth", "gitconfig")


def helper_command(program: str, env: Mapping[str, str]) -> str:
    """Return what `credential.helper` is to be for an executable `git-credential-NAME`.

    NAME if PATH leads to that very executable, else its absolute path, which git hands to a shell
    and which is therefore escaped for one.
    """
    name = os.path.basename(program)
    path = [part for part in env.get("PATH", "").split(os.pathsep) if os.path.isabs(part)]
    found = shutil.which(name, path=os.pathsep.join(path)) if path else None
    try:
        if found and os.path.samefile(found, program):
            return name.removeprefix("git-credential-")
    except OSError:
        pass
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", os.path.abspath(program), flags=re.ASCII)


# --- The person's file, as bytes ----------------------------------------------------------------


def include_value(include: str, home: str | None = None) -> bytes:
    """Return a file's name as the value of `include.path`, in git's quoting.

    Below home it starts with `~/`, so that the line still holds when the home directory moves.
    """
    path = os.path.abspath(include)
    if home:
        inside = os.path.join(os.path.abspath(home), "")
        if path.startswith(inside):
            path = "~/" + path.removeprefix(inside)
    return os.fsencode(_quoted(path))


def added(data: bytes | None, value: bytes) -> bytes:
    """Return a configuration that includes value, at its end: what is read last decides.

    An `[include]` of ours stays where it is unless something that may matter comes after it. A
    file that ends without a newline goes on doing so, which is how `removed` knows.
    """
    text = _without_block(data)
    if text is not None:
        ours = _find(text, value)
        if ours and not re.search(rb"(?im)^[ \t]*\[[ \t]*(credential|include)", text[ours.end() :]):
            return text
    text = removed(text, value)
    eol = b"\r\n" if re.search(rb"\r\n[^\n]*\Z", text or b"") else b"\n"
    block = b"[include]" + eol + b"\tpath = " + value
    if text is None:
        return block + eol
    if re.search(rb"(?<!\\)(\\\\)*\\(\r?\n)?\Z", text):
        block = _CONTINUED + eol + block
    if text.endswith(b"\n"):
        return text + block + eol
    return text + (eol if text else b"") + block


def removed(data: bytes | None, value: bytes) -> bytes | None:
    """Return a configuration as it was before `added`, with all that was written into it since."""
    text = _without_block(data)
    while text is not None and (line := _find(text, value)):
        before, after = text[: line.start()], text[line.end() :]
        header = re.search(rb"(?i)(?:^|(?<=\n))[ \t]*\[include\][ \t]*(\r?\n)\Z", before)
        # git puts another `include.path` into this section: then its heading must stay.
        if header is None or re.match(rb"(?:\s|[#;][^\n]*(?:\n|\Z))*[^\s#;\[]", after):
            text = before + after
            continue
        eol, before = header[1], before[: header.start()]
        if not after:
            before = before.removesuffix(_CONTINUED + eol)
        if not line[0].endswith(b"\n"):
            before = before.removesuffix(eol)
        elif not before + after:
            return None  # only a file that we made has our lines alone, and a newline
        text = before + after
    return text


def _find(text: bytes, value: bytes) -> "re.Match[bytes] | None":
    """Return the first line with our path that stands in a section `[include]`."""
    pattern = rb"(?m)^[ \t]*(?i:path)[ \t]*=[ \t]*" + re.escape(value) + rb"[ \t]*(?:\r?\n|\r?\Z)"
    for line in re.finditer(pattern, text):
        headers = re.findall(rb"(?m)^[ \t]*\[([^\]\n]*)", text[: line.start()])
        if headers and headers[-1].strip().lower() == b"include":
            return line
    return None


def _quoted(value: str) -> str:
    r"""Return a value as git's configuration writes it, in quotes only where it must be."""
    if re.fullmatch(r"[^\s\"\\#;]+( [^\s\"\\#;]+)*", value):
        return value
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


# --- What msauth 0.1 wrote: a marked block instead of an include --------------------------------

_BEGIN, _END = b"# >>> msauth >>>", b"# <<< msauth <<<"
_NO_NEWLINE = b"# the line above had no newline"
_NEW_FILE = b"# this file was made for the lines below"
_BLOCK_HEADERS = tuple(f'[credential "{host}"]'.encode() for host in HOSTS)
_BLOCK_KEY = re.compile(rb'(?i)(helper\s*=|helper\s*=\s*("?)[^"]*msauth\2|usehttppath\s*=\s*true)')


def _without_block(data: bytes | None) -> bytes | None:
    """Take the block of an older version out: of all lines within it, only those that it wrote."""
    if data is None or (_BEGIN not in data and _END not in data):
        return data
    lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", data)
    start, stop = _block(lines)
    if start == stop:
        return data
    before, after = b"".join(lines[:start]), b"".join(lines[stop:])
    notes = [line.strip() for line in lines[start:stop]]
    after = _not_ours(lines[start:stop]) + after
    if _NO_NEWLINE in notes and not after:
        before = before.removesuffix(b"\n").removesuffix(b"\r")
    if _NEW_FILE in notes and not before + after:
        return None
    return _without_block(before + after)


def _block(lines: list[bytes]) -> tuple[int, int]:
    """Return where the block starts and stops (line numbers), also when a marker is missing."""
    bare = [line.strip() for line in lines]
    if _BEGIN in bare:
        start = bare.index(_BEGIN)
        for stop in range(start + 1, len(bare)):
            if bare[stop] == _END:
                return start, stop + 1
            if bare[stop] == _BEGIN:
                return start, stop
        for stop in range(start + 1, len(bare)):
            if bare[stop].startswith(b"[") and bare[stop] not in _BLOCK_HEADERS:
                return start, stop
        return start, len(bare)
    if _END not in bare:
        return 0, 0
    start = bare.index(_END)
    stop = start + 1
    while start and (bare[start - 1] in _BLOCK_HEADERS or _BLOCK_KEY.fullmatch(bare[start - 1])):
        start -= 1
    while bare[start] not in (*_BLOCK_HEADERS, _END):  # keys above belong to a section not ours
        start += 1
    return start, stop


def _not_ours(lines: list[bytes]) -> bytes:
    """Return what the person, or `git config`, has written into the block, with its headings."""
    kept = heading = b""
    ours = True
    for line in lines:
        bare = line.strip()
        if bare.startswith(b"["):
            ours = bare in _BLOCK_HEADERS
            heading = line if ours else b""
            kept += b"" if ours else line
        elif bare in (_BEGIN, _END, _NO_NEWLINE, _NEW_FILE):
            continue
        elif not ours or not bare or bare.startswith((b"#", b";")):
            kept += line
        elif not _BLOCK_KEY.fullmatch(bare):
            kept += heading + line
            heading = b""
    return kept


# --- Files --------------------------------------------------------------------------------------


def config_file(env: Mapping[str, str]) -> str:
    """Return the file that `git config --global` writes, found as git finds it."""
    if chosen := env.get("GIT_CONFIG_GLOBAL"):
        return chosen
    home = os.path.join(_home(env), ".gitconfig")
    folder = env.get("XDG_CONFIG_HOME") or os.path.join(_home(env), ".config")
    xdg = os.path.join(folder, "git", "config")
    return xdg if os.path.exists(xdg) and not os.path.exists(home) else home


def add(
    config: str,
    include: str,
    text: str,
    env: Mapping[str, str],
    *,
    mode: int = 0o600,
    dry_run: bool = False,
) -> list[files.Change]:
    """Make config include a file with text, and return what that changes: nothing, if done before.

    mode: the permissions of the included file (0o644 where others are to read it, too).
    """
    new = os.fsencode(text)
    missing = files.missing_folders(include)
    value, absolute = _spellings(include, env)

    def whole(data: bytes | None) -> bytes:
        made = missing if data is None else _folders_made(data, include)
        return new + (f"{_FOLDERS}{made}\n".encode() if made else b"")

    def including(data: bytes | None) -> bytes:
        _check(data, config)
        return added(data if value == absolute else removed(data, absolute), value)

    # Both without writing first: where one cannot be changed, the other is not.
    changes = files.edit(include, whole, dry_run=True) + files.edit(config, including, dry_run=True)
    if dry_run or not changes:
        return changes
    try:
        os.makedirs(os.path.dirname(include), mode | (mode & 0o444) >> 2, exist_ok=True)
    except OSError as error:
        raise MsauthError(f"cannot make a folder for {include}: {error.strerror}", None) from error
    return files.edit(include, whole, mode=mode) + files.edit(config, including)


def remove(
    config: str, include: str, env: Mapping[str, str], *, dry_run: bool = False
) -> list[files.Change]:
    """Undo `add`, and the block of an older version; return what that changes."""

    def without(data: bytes | None) -> bytes | None:
        after = data
        for value in _spellings(include, env):
            after = removed(after, value)
        if after != data:
            _check(data, config)
        return after

    ours, _ = files.read(include)
    made = 0 if ours is None else _folders_made(ours, include)
    changes = files.edit(config, without, dry_run=dry_run) if os.path.isfile(config) else []
    if ours is None:
        return changes
    changes += files.edit(include, lambda _: None, dry_run=dry_run)
    if not dry_run:
        files.remove_folders(include, made)
    return changes


def _spellings(include: str, env: Mapping[str, str]) -> tuple[bytes, bytes]:
    return include_value(include, env.get("HOME")), include_value(include)


def _folders_made(data: bytes, include: str) -> int:
    """Return how many folders above it the included file says were made for it."""
    if not data.startswith(_OURS.encode()):
        hint = f"move it away: mv {shlex.quote(include)} {shlex.quote(include + '.old')}"
        raise MsauthError(f"{include} exists and was not made by msauth", hint)
    found = re.search(rb"(?m)^" + _FOLDERS.encode() + rb"(\d{1,3})$", data)
    return int(found[1]) if found else 0


def _check(data: bytes | None, config: str) -> None:
    """Raise unless git can read a configuration: what it cannot read is not ours to mend."""
    folder = os.path.dirname(os.path.realpath(config))
    if not os.path.isdir(folder):
        raise MsauthError(
            f"cannot change {config}: its folder does not exist", f"mkdir -p {shlex.quote(folder)}"
        )
    try:
        # Not in the current directory, which may be a repository of somebody else's.
        command = ["git", "config", "--file", "-", "--no-includes", "--list"]
        done = subprocess.run(command, input=data or b"", capture_output=True, cwd="/", check=False)
    except FileNotFoundError:
        raise MsauthError("git is not installed", "apt-get install git") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise MsauthError(
            f"git cannot read {config}: {said}", f"mend it: ${{EDITOR:-vi}} {shlex.quote(config)}"
        )


def _home(env: Mapping[str, str]) -> str:
    if home := env.get("HOME"):
        return home
    raise MsauthError("HOME is not set", "export HOME=/your/home/directory")


# --- For install.sh -----------------------------------------------------------------------------


def main(argv: list[str]) -> int:
    """`where`, `show PROGRAM` (exit code 3: something would change), `add PROGRAM`, `remove`.

    CONFIG and INCLUDE may follow `remove`, and say what to undo.
    """
    action, *rest = argv
    env = os.environ
    try:
        undo = action == "remove" and rest
        config, include = rest if undo else (config_file(env), include_file(env))
        if action == "where":
            print(config, include, sep="\n")
            return 0
        if action == "remove":
            changes = remove(config, include, env)
        else:
            text = include_text(helper_command(rest[0], env))
            changes = add(config, include, text, env, dry_run=action == "show")
    except MsauthError as error:
        return failed(error)
    if action == "show":
        sys.stdout.write(files.diff(changes))
        return 3 if changes else 0
    for change in changes:
        print("Removed" if change.after is None else "Wrote", change.file)
    return 0


# --- For `msauth setup git` ---------------------------------------------------------------------


def helper_program() -> str:
    """Return the executable `git-credential-msauth` that was installed with the running program.

    The one beside it in the folder that it was called from comes first: an installer's link stays
    when what it leads to moves. Raises MsauthError where there is none.
    """
    name = "git-credential-msauth"
    called = shutil.which(sys.argv[0]) or sys.argv[0]
    for beside in (os.path.abspath(called), os.path.realpath(called), sys.executable):
        path = os.path.join(os.path.dirname(beside), name)
        if os.access(path, os.X_OK):
            return path
    if found := shutil.which(name):
        return os.path.abspath(found)
    raise MsauthError(f"{name} is not installed", "pipx install msauth")


def _add(options: Options, env: Mapping[str, str]) -> list[files.Change]:
    text = include_text(helper_command(helper_program(), env))
    return add(config_file(env), include_file(env), text, env, dry_run=DRY_RUN in options)


def _remove(options: Options, env: Mapping[str, str]) -> list[files.Change]:
    return remove(config_file(env), include_file(env), env, dry_run=DRY_RUN in options)


def _state(env: Mapping[str, str]) -> State:
    config = config_file(env)
    data, _ = files.read(config)
    done = any(_find(data or b"", value) for value in _spellings(include_file(env), env))
    return State("git" if shutil.which("git") else "", done, config)


TARGET = Target("git", "make git ask msauth for Azure DevOps", {}, _add, _remove, _state)
