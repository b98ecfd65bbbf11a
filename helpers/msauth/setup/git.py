"""git: one `include.path` line in a configuration, which leads to a file of ours.

Everything that we tell git stands in the included file, which is ours alone; the person's file
gets one section at its end, added and removed byte for byte (`gitconfig`) under git's own lock
(`files`). Each scope of git's has an included file of its own.

Every function raises MsauthError with the command that helps, and then has changed nothing.
"""

import os
import re
import shlex
import stat
import sys
from collections.abc import Mapping
from pathlib import PurePath

from ..errors import MsauthError, UsageError, failed, say
from ..request.options import FLAG, SIGN_IN, Options
from . import files, git_findings, git_settings, programs
from .finding import Finding
from .git_findings import findings
from .git_places import Place, config_file, place, place_of
from .gitconfig import HOSTS, added, quoted, removed
from .targets import DRY_RUN, State, Target

__all__ = ["TARGET", "findings", "include_text", "main"]

_OURS = (
    "# Made by msauth and included by git's configuration. Changes are lost: msauth rewrites it."
)
_FOLDERS = "# folders made with this file: "
_HELPER = "git-credential-msauth"
# What everybody's PATH has: by it alone may a configuration for all users name a program.
_EVERYBODYS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


# --- The file of ours ---------------------------------------------------------------------------


def include_text(helper: str, hosts: tuple[str, ...] = HOSTS) -> str:
    """Return the included file's text for a helper as `helper_command` gives it.

    The empty `helper =` resets the list: no other helper sees, stores or answers for these hosts.
    proactiveAuth (git 2.46; older ones ignore it) sends the token with the first request, and so
    saves the one that the server would answer 401. git-lfs learns by a 401 for each kind of its
    requests, a whole upload too, unless `access` says so.
    """
    lines = [_OURS]
    for host in hosts:
        lines += [f'[credential "{host}"]', "\thelper =", f"\thelper = {quoted(helper)}"]
        lines.append("\tuseHttpPath = true")
    for host in hosts:
        lines += [f'[http "{host}"]', "\tproactiveAuth = auto"]
    for host in hosts:
        lines += [f'[lfs "{host}"]', "\taccess = basic"]
    return "\n".join(lines) + "\n"


def helper_command(program: str, env: Mapping[str, str]) -> str:
    """Return what `credential.helper` is to be for an executable `git-credential-NAME`.

    `!git-credential-NAME` if PATH leads to that very executable, else its absolute path; git hands
    either to a shell, so the path is escaped for one. For a mere NAME git would start itself once
    more for each question (`git credential-NAME`).
    """
    called = programs.called(program, env)
    return _escaped(called) if os.path.isabs(called) else f"!{called}"


def _escaped(word: str) -> str:
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", word, flags=re.ASCII)


# --- Files --------------------------------------------------------------------------------------


def add(
    where: Place, text: str, env: Mapping[str, str], *, dry_run: bool = False
) -> list[files.Change]:
    """Make a configuration include a file with text; return what that changes: nothing if done."""
    config, include, values, mode = where
    new = os.fsencode(text)
    missing = files.missing_folders(include)

    def whole(data: bytes | None) -> bytes:
        made = missing if data is None else _folders_made(data, include)
        return new + (f"{_FOLDERS}{made}\n".encode() if made else b"")

    def including(data: bytes | None) -> bytes:
        _check(data, config, env)
        for other in values[1:]:
            data = removed(data, other) if other != values[0] else data
        return added(data, values[0])

    # Both without writing first: where one cannot be changed, the other is not.
    changes = files.edit(include, whole, dry_run=True) + files.edit(config, including, dry_run=True)
    if dry_run or not changes:
        return changes
    folder = os.path.dirname(include)
    try:
        os.makedirs(folder, exist_ok=True)
        if missing:  # whatever the umask: git fails for whom an included file is out of reach
            os.chmod(folder, mode | (mode & 0o444) >> 2)
    except OSError as error:
        raise MsauthError(f"cannot make a folder for {include}: {error.strerror}") from error
    return files.edit(include, whole, mode=mode) + files.edit(config, including)


def remove(where: Place, env: Mapping[str, str], *, dry_run: bool = False) -> list[files.Change]:
    """Undo `add`, and the block of an older version; return what that changes."""
    config, include, values, _ = where

    def without(data: bytes | None) -> bytes | None:
        after = data
        for value in values:
            after = removed(after, value)
        if after != data:
            _check(data, config, env)
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


def _folders_made(data: bytes, include: str) -> int:
    """Return how many folders above it the included file says were made for it."""
    if not data.startswith(_OURS.encode()):
        hint = f"mv {shlex.quote(include)} {shlex.quote(include + '.old')}"
        raise MsauthError(f"{include} exists and was not made by msauth", hint)
    found = re.search(rb"(?m)^" + _FOLDERS.encode() + rb"(\d{1,3})$", data)
    return int(found[1]) if found else 0


def _check(data: bytes | None, config: str, env: Mapping[str, str]) -> None:
    """Raise unless git can read a configuration: what it cannot read is not ours to mend."""
    folder = os.path.dirname(os.path.realpath(config))
    if not os.path.isdir(folder):
        raise MsauthError(
            f"cannot change {config}: its folder does not exist", f"mkdir -p {shlex.quote(folder)}"
        )
    # Not in the current directory, which may be a repository of somebody else's.
    arguments = ("config", "--file", "-", "--no-includes", "--list")
    done = git_settings.ask(*arguments, env=env, stdin=data or b"")
    if done.returncode:
        what = git_settings.said(done)
        raise MsauthError(f"git cannot read {config}: {what}", files.editor(config))


# --- `msauth setup git` -------------------------------------------------------------------------

_SCOPES = ("--global", "--system", "--local")
_HELP = f"""\
One line of git's configuration leads to a file of msauth's. For dev.azure.com and
*.visualstudio.com nobody else is asked then; other hosts stay as they are.

  --global               in your own configuration (the default)
  --system               in that of all users of this machine
  --local                in that of the current repository, for all of its work trees
  --profile NAME, --tenant ID and the like
                         what the helper is called with (`{_HELPER} --help`)
"""
_PASSED_ON = {name: kind for name, kind in SIGN_IN.items() if name != "--force-refresh"}


def _add(options: Options, env: Mapping[str, str]) -> list[files.Change]:
    where = place(_scope(options), env)
    text = include_text(_helper(options, env))
    asked = [] if DRY_RUN in options else _asked(env)
    changes = add(where, text, env, dry_run=DRY_RUN in options)
    if asked and changes:
        still = _asked(env)
        for name in dict.fromkeys(name for name in asked if name not in still):
            say("note", f"git no longer asks {name} for Azure DevOps")
    return changes


def _remove(options: Options, env: Mapping[str, str]) -> list[files.Change]:
    return remove(place(_scope(options), env), env, dry_run=DRY_RUN in options)


def _scope(options: Options) -> str:
    chosen = [scope for scope in _SCOPES if scope in options]
    if len(chosen) > 1:
        raise UsageError(
            f"{chosen[0]} and {chosen[1]} exclude each other", "msauth setup git --help"
        )
    return chosen[0] if chosen else "--global"


def _helper(options: Options, env: Mapping[str, str]) -> str:
    """Return the helper's command with the options that it is to be called with."""
    from ..request.selection import select

    given = {name: value for name, value in options.items() if name in _PASSED_ON}
    select(given, env)  # raises where it could not be called so
    program = programs.installed(_HELPER)
    if _scope(options) == "--system":
        env = {"PATH": _EVERYBODYS_PATH}
        hint = "msauth setup git --global"
        if not _is_everybodys(program):
            raise MsauthError(f"{program} is not for all users to run", hint)
        if _is_anothers(program):
            raise MsauthError(f"{program} can be changed by a user who is not root", hint)
    words = [helper_command(program, env)]
    for name, value in given.items():
        words += [name] if _PASSED_ON[name] == FLAG else [name, _escaped(str(value))]
    return " ".join(words)


def _is_everybodys(program: str) -> bool:
    """Say whether all users may run a program: it, what it leads to, and all folders above."""
    for name in (os.path.abspath(program), os.path.realpath(program)):
        for path in (name, *map(str, PurePath(name).parents)):
            if not os.stat(path).st_mode & stat.S_IXOTH:
                return False
    return True


def _is_anothers(program: str) -> bool:
    """Say whether somebody but root and us can put another program in a program's place.

    Below a folder like /tmp the owner alone can (the sticky bit).
    """
    for name in (os.path.abspath(program), os.path.realpath(program)):
        for path in (name, *map(str, PurePath(name).parents)):
            status = os.stat(path)
            anybodys = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
            if anybodys or status.st_uid not in (0, os.geteuid()):
                return True
    return False


def _asked(env: Mapping[str, str]) -> list[str]:
    """Return the names of the helpers that git asks for our hosts, ours left out."""
    try:
        settings = git_settings.listed(git_settings.elsewhere(env), _here(env))
    except MsauthError:
        return []  # `add` says what is wrong with it
    return [
        git_findings.describe(setting)
        for url in git_findings.PROBES
        for setting in git_settings.helpers(settings, url, env)
        if not git_settings.is_ours(setting)
    ]


def _here(env: Mapping[str, str]) -> str:
    """Return the directory whose repository counts for git here; `/` where that is gone."""
    try:
        here = os.path.abspath(env.get("GIT_DIR") or os.curdir)
    except OSError:
        return "/"
    return here if os.path.isdir(here) else "/"


def _state(env: Mapping[str, str]) -> State:
    version = git_settings.version(env)
    config = config_file(env)
    if not git_settings.says_scopes(version):
        return State(version and f"git {version}", done=False, place=config)
    settings = git_settings.listed(git_settings.elsewhere(env))
    for url in git_findings.PROBES:
        ours = [s for s in git_settings.helpers(settings, url, env) if git_settings.is_ours(s)]
        if not ours:
            return State(f"git {version}", done=False, place=config)
    return State(f"git {version}", done=True, place=ours[0].file)


def _in_the_way(env: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong still; that others are asked as well, or only, is a failure here."""
    found = findings(env, _here(env))
    return [
        one._replace(severity="error") if one.id in ("git-not-set-up", "git-helper-first") else one
        for one in found
    ]


TARGET = Target(
    name="git",
    what="make git ask msauth for Azure DevOps",
    options={**dict.fromkeys(_SCOPES, FLAG), **_PASSED_ON},
    add=_add,
    remove=_remove,
    state=_state,
    help=_HELP,
    findings=_in_the_way,
)


# --- For install.sh -----------------------------------------------------------------------------


def _chosen(include: str, env: Mapping[str, str]) -> list[str]:
    """Return the options that the helper is called with now: an upgrade asks for none, and is not
    to lose those of `msauth setup git --tenant ID`.
    """
    name = f"credential.{HOSTS[0]}.helper"
    done = git_settings.ask("config", "--file", include, "--get-all", name, env=env)
    commands = os.fsdecode(done.stdout).split("\n")
    try:
        return shlex.split(next(filter(None, reversed(commands)), ""))[1:]
    except ValueError:
        return []  # no command of ours


def main(argv: list[str]) -> int:
    """`where`, `show PROGRAM` (exit code 3: something would change), `add PROGRAM`, `remove`.

    CONFIG and INCLUDE may follow `remove`, and say what to undo.
    """
    action, *rest = argv
    env = os.environ
    try:
        undo = action == "remove" and rest
        where = place_of(rest[0], rest[1], env) if undo else place("--global", env)
        if action == "where":
            print(where.config, where.include, sep="\n")
            return 0
        if action == "remove":
            changes = remove(where, env)
        else:
            words = [helper_command(rest[0], env), *map(_escaped, _chosen(where.include, env))]
            text = include_text(" ".join(words))
            changes = add(where, text, env, dry_run=action == "show")
    except MsauthError as error:
        return failed(error)
    if action == "show":
        sys.stdout.write(files.diff(changes))
        return 3 if changes else 0
    for change in changes:
        print("Removed" if change.after is None else "Wrote", change.file)
    return 0
