"""pip: `keyring-provider = subprocess` in the person's pip.conf, and the feeds to install from.

The file is spliced as bytes, and what pip's own parser then reads in it is compared with what it
is to read: where that differs, nothing is written.
"""

import configparser
import os
import re
import sys

from ..errors import MsauthError
from ..request.kinds import home
from ..request.options import Options
from ..signin.programs import which
from . import files, journal, python_feeds
from .files import Change
from .finding import Finding
from .python_feeds import SUBPROCESS, Index
from .targets import DRY_RUN, Env, State, Target, put_back

_NAME = "pip"
_SECTION = "global"
_PROVIDER, _URL, _MORE = "keyring-provider", "index-url", "extra-index-url"
_HELP = """\
  --index URL            install from this feed in place of PyPI, which the feed should have as an
                         upstream source; more than one: the others are asked as well
"""


class _Parser(configparser.RawConfigParser):
    """What pip reads its configuration with."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr.lower().replace("_", "-").removeprefix("--")


def config_file(env: Env) -> str:
    """Return the file that `pip config --user` writes; raises MsauthError where pip reads none."""
    chosen = env.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        raise MsauthError("PIP_CONFIG_FILE makes pip read no file", "unset PIP_CONFIG_FILE")
    if chosen and os.path.exists(chosen):
        return os.path.abspath(chosen)
    folder = os.path.join(home(env), ".config")
    if sys.platform == "darwin":
        of_apple = os.path.join(home(env), "Library", "Application Support")
        folder = of_apple if os.path.isdir(os.path.join(of_apple, "pip")) else folder
    else:
        folder = os.path.abspath(env.get("XDG_CONFIG_HOME", "").strip() or folder)
    return os.path.join(folder, "pip", "pip.conf")


def with_settings(data: bytes | None, file: str, indexes: list[Index]) -> bytes:
    """Return a configuration that has the provider and these indexes. Raises MsauthError."""
    before = _read(data, file)
    wanted = {name: dict(values) for name, values in before.items()}
    section = wanted.setdefault(_SECTION, {})
    section[_PROVIDER] = SUBPROCESS
    text = _set(data or b"", _PROVIDER, SUBPROCESS.encode())
    if indexes:
        first, *more = [one.url_with_user for one in indexes]
        if _URL not in section:
            section[_URL] = first
            text = _set(text, _URL, first.encode())
        elif not python_feeds.same(section[_URL], first):
            raise MsauthError(f"{file} has another {_URL}", f"pip config unset {_SECTION}.{_URL}")
        known = section.get(_MORE, "").split()
        new = [url for url in more if not any(python_feeds.same(url, old) for old in known)]
        if new:
            section[_MORE] = "\n".join([*known, *new])
            text = _append(text, _MORE, [url.encode() for url in new])
    after = _read(text, file)
    if _words(after) != _words(wanted):
        raise python_feeds.by_hand(file, f"its section [{_SECTION}]")
    return text


def _read(data: bytes | None, file: str) -> dict[str, dict[str, str]]:
    """Return the sections of a configuration as pip reads them; raises MsauthError."""
    parser = _Parser()
    try:
        parser.read_string((data or b"").decode("utf-8", "surrogateescape"), file)
    except configparser.Error as error:
        raise python_feeds.unreadable(file, "pip", error.message) from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _words(sections: dict[str, dict[str, str]]) -> dict[tuple[str, str], list[str]]:
    """Return each value as its words, which is all that pip's lists are."""
    return {
        (section, name): value.split()
        for section, values in sections.items()
        for name, value in values.items()
    }


def _set(data: bytes, name: str, value: bytes) -> bytes:
    """Give an option of [global] a value, in the place of the one that it has."""
    lines = files.lines(data)
    start, stop = _option(lines, name)
    if start == stop:
        return _added(lines, [name.encode() + b" = " + value])
    key = re.match(rb"[^=:]*[=:][ \t]*", lines[start])
    if key is None:
        return data
    end = _end(lines[stop - 1])
    return b"".join([*lines[:start], key[0] + value + end, *lines[stop:]])


def _append(data: bytes, name: str, values: list[bytes]) -> bytes:
    """Add values to an option of [global] that is a list, one a line."""
    lines = files.lines(data)
    start, stop = _option(lines, name)
    new = [b"    " + value for value in values]
    if start == stop:
        return _added(lines, [name.encode() + b" =", *new])
    return _inserted(lines, stop, new)


def _added(lines: list[bytes], new: list[bytes]) -> bytes:
    """Add lines at the head of [global], with the section where there is none."""
    for number, line in enumerate(lines):
        if line.strip() == b"[%s]" % _SECTION.encode():
            return _inserted(lines, number + 1, new)
    return _inserted(lines, len(lines), [b"[%s]" % _SECTION.encode(), *new])


def _inserted(lines: list[bytes], place: int, new: list[bytes]) -> bytes:
    """Insert lines; a file that ends without a newline goes on doing so."""
    eol = _end(lines[0]) if lines and _end(lines[0]) else b"\n"
    above, below = b"".join(lines[:place]), b"".join(lines[place:])
    if above and not above.endswith(b"\n"):
        return above + eol + eol.join(new)
    return above + b"".join(line + eol for line in new) + below


def _option(lines: list[bytes], name: str) -> tuple[int, int]:
    """Return where an option of [global] starts and stops; the same twice where there is none.

    The lines below it that are indented belong to it. Where this reads a file otherwise than pip
    does, `with_settings` notices.
    """
    section = ""
    for start, line in enumerate(lines):
        text = line.decode("utf-8", "surrogateescape")
        if text[:1] == "[":
            section = text.strip().strip("[]")
        key = re.match(r"([^\s=:#;\[][^=:]*)[=:]", text)
        if section != _SECTION or key is None or _Parser().optionxform(key[1].strip()) != name:
            continue
        stop = start + 1
        while stop < len(lines) and lines[stop][:1] in b" \t" and lines[stop].strip():
            stop += 1
        return start, stop
    return 0, 0


def _end(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


# --- `msauth setup pip` -------------------------------------------------------------------------


def _add(options: Options, env: Env) -> list[Change]:
    indexes = python_feeds.asked(options, _NAME)
    file = config_file(env)

    def change(data: bytes | None) -> bytes:
        return with_settings(data, file, indexes)

    return journal.edit(_NAME, file, change, env, dry_run=DRY_RUN in options)


def _state(env: Env) -> State:
    program = which("pip", env) or which("pip3", env) or ""
    file = config_file(env)
    sections = _read(files.read(file)[0], file)
    done = sections.get(_SECTION, {}).get(_PROVIDER) == SUBPROCESS
    return State(program, done, file)


def _findings(env: Env) -> list[Finding]:
    file = config_file(env)
    found = python_feeds.findings(env) + python_feeds.overruled("PIP_KEYRING_PROVIDER", env)
    found += python_feeds.tokens(file, "ini")
    for section, values in _read(files.read(file)[0], file).items():
        value = values.get(_PROVIDER, SUBPROCESS)
        if section != _SECTION and value != SUBPROCESS:
            message = f"[{section}] has its own {_PROVIDER}, {value}"
            fix = f"pip config unset {section}.{_PROVIDER}"
            why = f"it beats [{_SECTION}]"
            found.append(Finding("pip-section", "error", message, why, file, fix))
    return found


TARGET = Target(
    name=_NAME,
    what="make pip ask msauth for the token of a feed",
    options=python_feeds.OPTIONS,
    add=_add,
    remove=put_back(_NAME),
    state=_state,
    help=_HELP,
    findings=_findings,
    shown=python_feeds.masked,
)
