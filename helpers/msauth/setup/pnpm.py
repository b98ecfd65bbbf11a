"""pnpm: a `tokenHelper` line for each organisation, and a name of pnpm-token-msauth for each.

pnpm tells its helper nothing and takes no arguments for it, so that name says whose token it is.
Project files may not name a helper, so the lines stand in the person's own: `auth.ini` since
pnpm 11, before that `~/.npmrc`, where npm warns of what it does not know.
https://pnpm.io/npmrc

Every function raises MsauthError with the command that helps, and then has changed nothing.
"""

import os
import re
import subprocess
import sys

from ..errors import MsauthError, UsageError, command
from ..request import profiles
from ..request.clouds import FEED_HOST, LEGACY_DOMAIN
from ..request.kinds import home
from ..request.options import FLAG, Options
from ..request.organisations import name_in
from ..signin.programs import run, which
from . import files, journal, programs
from .files import Change
from .finding import Finding
from .targets import DRY_RUN, WORDS, Env, State, Target

_NAME = "pnpm"
_PROGRAM = "pnpm-token-msauth"
_NPMRC = "--npmrc"
_HELP = """\
pnpm is told which program prints the token of an organisation: a name of ours for each, made below
~/.local/share/msauth. Without a word, and for a profile, it is all of pkgs.dev.azure.com.

  --npmrc                write ~/.npmrc, which all of pnpm reads, and of which npm says a warning
                         (default: if the pnpm on PATH is older than 11)
"""
_HELPER = b":tokenHelper"
_SECRETS = (b":_authToken", b":_password", b":_auth")
_SAFE = re.compile(r"[\w@%+,./:-]+")
"""A path that pnpm 10, which gives it to a shell, and pnpm 12, which says which characters it does
not take, both run."""


# --- The lines ----------------------------------------------------------------------------------


def with_line(data: bytes | None, key: bytes, value: bytes) -> bytes:
    """Return an INI file with a key's value: in the line that counts now, else as a last line.

    What stands below a `[section]` is another thing's to npm and pnpm, so a new line goes above.
    """
    lines = files.lines(data)
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    stop = next((i for i, line in enumerate(lines) if line.lstrip().startswith(b"[")), len(lines))
    places = [i for i in range(stop) if _key(lines[i]) == key]
    if places:
        if _value(lines[places[-1]]) != value:
            lines[places[-1]] = key + b"=" + value + end
        return b"".join(lines)
    if stop and not lines[stop - 1].endswith(b"\n"):
        lines[stop - 1] += end
    lines.insert(stop, key + b"=" + value + end)
    return b"".join(lines)


def _key(line: bytes) -> bytes:
    return line.partition(b"=")[0].strip()


def _value(line: bytes) -> bytes:
    return line.partition(b"=")[2].strip()


def _keys(organisation: str) -> list[bytes]:
    """Return where pnpm is to look for an organisation's helper; "": for all of Azure Artifacts."""
    places = [f"{FEED_HOST}/"]
    if organisation:
        places = [f"{FEED_HOST}/{organisation}/", f"{organisation}.pkgs{LEGACY_DOMAIN}/"]
    return [b"//" + place.encode() + _HELPER for place in places]


# --- Files --------------------------------------------------------------------------------------


def _auth_ini(env: Env) -> str:
    """Return pnpm's own file of credentials (pnpm 11 and later)."""
    if chosen := env.get("XDG_CONFIG_HOME"):
        return os.path.join(os.path.abspath(chosen), "pnpm", "auth.ini")
    folder = "Library/Preferences" if sys.platform == "darwin" else ".config"
    return os.path.join(home(env), folder, "pnpm", "auth.ini")


def _npmrc(env: Env) -> str:
    """Return npm's file of the person, which pnpm reads too."""
    chosen = env.get("npm_config_userconfig") or env.get("NPM_CONFIG_USERCONFIG")
    return os.path.abspath(chosen) if chosen else os.path.join(home(env), ".npmrc")


def _links(env: Env) -> str:
    """Return the folder of the helper's other names, which need not be on PATH."""
    base = env.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # a relative one is to be ignored (XDG Base Directory)
        base = os.path.join(home(env), ".local", "share")
    return os.path.join(base, "msauth", "pnpm")


def _file(options: Options, env: Env) -> str:
    return _npmrc(env) if _NPMRC in options or _is_old(env) else _auth_ini(env)


def _is_old(env: Env) -> bool:
    """Say whether the pnpm on PATH is one that reads `~/.npmrc` only."""
    pnpm = which("pnpm", env)
    if pnpm is None:
        return False
    offline = {**env, "COREPACK_ENABLE_NETWORK": "0", "COREPACK_ENABLE_STRICT": "0"}
    try:
        done = run([pnpm, "--version"], offline, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    number = done.stdout.partition(".")[0]
    return number.isascii() and number.isdigit() and len(number) < 5 and int(number) < 11


# --- Setting up ---------------------------------------------------------------------------------


def _add(options: Options, env: Env) -> list[Change]:
    words = options.get(WORDS) or [""]
    assert isinstance(words, list)
    helpers = {key: path for word in words for key, path in _helpers(word, env)}
    file = _file(options, env)
    program = _program()

    def changed(data: bytes | None) -> bytes | None:
        for key, path in helpers.items():
            data = with_line(data, key, os.fsencode(path))
        return data

    changes = _linked(helpers.values(), program) + journal.edit(
        _NAME, file, changed, env, dry_run=True
    )
    if DRY_RUN in options or not changes:
        return changes
    try:
        for change in changes:
            if change.file != file:
                _link(change.file, program)
    except OSError as error:
        raise MsauthError(f"cannot make {error.filename}: {error.strerror}") from error
    journal.edit(_NAME, file, changed, env)
    return changes


def _helpers(word: str, env: Env) -> list[tuple[bytes, str]]:
    """Return the keys and the program of a profile, an organisation, or "" for neither."""
    if not word:
        return [(key, _program()) for key in _keys("")]
    known = profiles.exists(word, env)
    organisation = "" if known else name_in(os.fsencode(word))
    if not known and not organisation:
        raise UsageError(
            f"{word!r} is neither a profile nor the name of an organisation",
            "msauth setup pnpm ORGANISATION",
        )
    path = os.path.join(_links(env), f"{_PROGRAM}-{organisation or word}")
    return [(key, _checked(path)) for key in _keys(organisation)]


def _program() -> str:
    return _checked(os.path.abspath(programs.installed(_PROGRAM)))


def _checked(path: str) -> str:
    """Return a path that pnpm can run. Raises MsauthError."""
    if not _SAFE.fullmatch(path):
        message = f"pnpm cannot run {path}: it takes no blanks or special characters in a path"
        raise MsauthError(message, "XDG_DATA_HOME=/another/folder msauth setup pnpm")
    return path


def _linked(paths: "Iterable[str]", program: str) -> list[Change]:
    """Return what making links to the program changes."""
    changes = []
    for path in dict.fromkeys(paths):
        target = os.readlink(path) if os.path.islink(path) else None
        if program in (path, target):
            continue
        if target is None and os.path.lexists(path):
            raise MsauthError(f"{path} exists and is no link of ours", command("rm", "-r", path))
        changes.append(Change(path, _shown(target), _shown(program)))
    return changes


def _shown(target: str | None) -> bytes | None:
    """Return how a diff shows a link."""
    return None if target is None else b"a link to " + os.fsencode(target) + b"\n"


def _link(path: str, program: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    new = f"{path}.{os.getpid()}"
    os.symlink(program, new)
    os.replace(new, path)


def _remove(options: Options, env: Env) -> list[Change]:
    if options.get(WORDS) or _NPMRC in options:
        raise UsageError("--undo takes back all of it", "msauth setup pnpm --undo")
    dry_run = DRY_RUN in options
    changes = journal.undo_all(_NAME, env, dry_run=dry_run)
    folder = _links(env)
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if os.path.islink(path) and name.startswith(_PROGRAM + "-"):
            changes.append(Change(path, _shown(os.readlink(path)), None))
            if not dry_run:
                os.unlink(path)
    if not dry_run:
        files.remove_folders(os.path.join(folder, _PROGRAM), 2)
    return changes


def _lines(env: Env) -> "Iterator[tuple[str, bytes]]":
    """Yield what pnpm reads of the person's files: the file, and a line."""
    for file in (_auth_ini(env), _npmrc(env)):
        try:
            data = files.read(os.path.realpath(file))[0]
        except (MsauthError, OSError):
            continue
        for line in files.lines(data):
            yield file, line


def _masked(line: str) -> str:
    """Return a line of a diff without the secret in it."""
    return _SECRET.sub(r"\1=…", line)


_SECRET = re.compile(r"(^.*(?:_auth|_authToken|_password)\s*)=.*", re.S)


def _state(env: Env) -> State:
    available = "pnpm" if which("pnpm", env) else ""
    for file, line in _lines(env):
        if _key(line).endswith(_HELPER) and _PROGRAM.encode() in _value(line):
            return State(available, done=True, place=file)
    return State(available, done=False, place=_auth_ini(env))


def _findings(env: Env) -> list[Finding]:
    """Return the tokens that pnpm sends in place of ours."""
    found = []
    for file, line in _lines(env):
        key = _key(line)
        place = key.rpartition(b":")[0]
        ours = place.startswith(f"//{FEED_HOST}/".encode()) or (
            place.partition(b"/_")[0].rstrip(b"/").endswith(f".pkgs{LEGACY_DOMAIN}".encode())
        )
        if ours and key.endswith(_SECRETS):
            shown = key.decode("utf-8", "replace")
            message = f"{shown} is set, and pnpm sends that token"
            fix = command("msauth", "setup", "pats", file)
            found.append(
                Finding("pnpm-token", "warning", message, "it is not asked for ours", file, fix)
            )
    return found


TARGET = Target(
    _NAME,
    "make pnpm ask msauth for the feeds of Azure Artifacts",
    {_NPMRC: FLAG},
    _add,
    _remove,
    _state,
    _HELP,
    words="[ORGANISATION | PROFILE …]",
    findings=_findings,
    shown=_masked,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
