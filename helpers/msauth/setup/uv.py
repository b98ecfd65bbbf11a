"""uv: `keyring-provider` and how to sign in to feeds, in the person's uv.toml.

uv asks `keyring` for the feeds only of which it knows that they want a sign-in: by a user name in
the URL, or by `authenticate = "always"`. It goes by the person's list of indexes also where a
project names the same feed without either.

The file is spliced as bytes, and what a TOML parser then reads in it is compared with what it is
to read: where that differs, nothing is written.
"""

import os
import re
from typing import Any

from ..errors import MsauthError
from ..request.kinds import home
from ..request.options import Options
from ..signin.programs import which
from . import files, journal, python_feeds
from .files import Change
from .finding import Finding
from .python_feeds import SUBPROCESS, Index
from .targets import DRY_RUN, Env, State, Target, put_back
from .toml import parsed

_NAME = "uv"
_PROVIDER = "keyring-provider"
_ALWAYS = ("authenticate", "always")
_HELP = """\
  --index URL            sign in to this feed, in all projects that name it; adds it to none
"""


def config_file(env: Env) -> str:
    """Return the person's uv.toml; raises MsauthError where uv reads none."""
    if env.get("UV_NO_CONFIG", "").lower() not in ("", "0", "false", "no", "off"):
        raise MsauthError("UV_NO_CONFIG makes uv read no file", "unset UV_NO_CONFIG")
    if chosen := env.get("UV_CONFIG_FILE"):
        return os.path.abspath(chosen)
    folder = env.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.join(home(env), ".config")
    return os.path.join(folder, "uv", "uv.toml")


def with_settings(data: bytes | None, file: str, indexes: list[Index]) -> bytes:
    """Return a configuration with the provider, and a sign-in for all feeds of ours in it.

    indexes: feeds to be added. Raises MsauthError.
    """
    wanted = _read(data, file)
    text = data or b""
    if wanted.get(_PROVIDER) != SUBPROCESS:
        text = _with_provider(text, there=_PROVIDER in wanted)
        wanted[_PROVIDER] = SUBPROCESS
    listed = _indexes(wanted, file)
    if indexes:
        wanted["index"] = listed
    for number in reversed(range(len(listed))):
        key, value = _ALWAYS
        if key not in listed[number] and _is_ours(listed[number]):
            listed[number][key] = value
            text = _with_line(text, number, f'{key} = "{value}"')
    for one in indexes:
        if not any(python_feeds.same(_url(old), one.url) for old in listed):
            new = _new(one, listed)
            listed.append(new)
            text = _with_table(text, new)
    if parsed(text) != wanted:
        raise python_feeds.by_hand(file, "its indexes")
    return text


def _indexes(settings: dict[str, Any], file: str) -> list[dict[str, Any]]:
    """Return the tables of the indexes; raises MsauthError where they are none."""
    found = settings.get("index", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise python_feeds.unreadable(file, "uv", "index is no array of tables")
    return found


def _url(index: dict[str, Any]) -> str:
    return str(index.get("url", ""))


def _is_ours(index: dict[str, Any]) -> bool:
    return python_feeds.index(python_feeds.without_user(_url(index))) is not None


def _new(one: Index, listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a table for a feed. `explicit`: uv looks for no package in it."""
    base = re.sub(r"[^a-z0-9]+", "-", f"msauth-{one.organisation}-{one.feed}".lower()).strip("-")
    taken = {index.get("name") for index in listed}
    name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 999))) if n not in taken)
    return {"name": name, "url": one.url_with_user, "explicit": True, _ALWAYS[0]: _ALWAYS[1]}


def _read(data: bytes | None, file: str) -> dict[str, Any]:
    """Return a configuration's settings; raises MsauthError."""
    try:
        return parsed(data or b"")
    except ValueError as error:
        raise python_feeds.unreadable(file, "uv", error) from error


def _with_provider(data: bytes, *, there: bool) -> bytes:
    """Give keyring-provider its value: in its place, or at the head, above all tables."""
    if not there:
        return f'{_PROVIDER} = "{SUBPROCESS}"'.encode() + _eol(data) + data
    key = rb"""(?m)^([ \t]*["']?%s["']?[ \t]*=[ \t]*)("[^"\n]*"|'[^'\n]*')""" % _PROVIDER.encode()
    return re.sub(key, rb'\g<1>"%s"' % SUBPROCESS.encode(), data, count=1)


def _with_line(data: bytes, number: int, line: str) -> bytes:
    """Put a line under the heading of an index, counted from 0."""
    headings = re.finditer(rb"""(?m)^[ \t]*\[\[[ \t]*["']?index["']?[ \t]*\]\][^\n]*\n""", data)
    for found in list(headings)[number : number + 1]:
        return data[: found.end()] + line.encode() + _eol(data) + data[found.end() :]
    return data


def _with_table(data: bytes, index: dict[str, Any]) -> bytes:
    """Add an index at the end, which may be done after any table."""
    eol = _eol(data)
    text = data if not data or data.endswith(b"\n") else data + eol
    lines = ["[[index]]"]
    for key, value in index.items():
        lines.append(f"{key} = {'true' if value is True else _quoted(value)}")
    return text + (eol if text else b"") + b"".join(line.encode() + eol for line in lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _eol(data: bytes) -> bytes:
    return b"\r\n" if data.partition(b"\n")[0].endswith(b"\r") else b"\n"


# --- `msauth setup uv` --------------------------------------------------------------------------


def _add(options: Options, env: Env) -> list[Change]:
    indexes = python_feeds.asked(options, _NAME)
    file = config_file(env)

    def change(data: bytes | None) -> bytes:
        return with_settings(data, file, indexes)

    return journal.edit(_NAME, file, change, env, dry_run=DRY_RUN in options)


def _state(env: Env) -> State:
    file = config_file(env)
    settings = _read(files.read(file)[0], file)
    return State(which("uv", env) or "", settings.get(_PROVIDER) == SUBPROCESS, file)


def _findings(env: Env) -> list[Finding]:
    file = config_file(env)
    settings = _read(files.read(file)[0], file)
    found = python_feeds.findings(env) + python_feeds.overruled("UV_KEYRING_PROVIDER", env)
    found += python_feeds.tokens(file, "toml")
    section = settings.get("pip")
    own = section.get(_PROVIDER, SUBPROCESS) if isinstance(section, dict) else SUBPROCESS
    if own != SUBPROCESS:
        message, why = f"[pip] has its own {_PROVIDER}, {own}", "`uv pip` goes by it"
        found.append(Finding("uv-section", "error", message, why, file, files.editor(file)))
    for one in _indexes(settings, file):
        how = one.get(_ALWAYS[0])
        if how != _ALWAYS[1] and _is_ours(one):
            message = f'the index {one.get("name", "")} has authenticate = "{how}"'
            why = "uv may not ask msauth"
            fix = files.editor(file)
            found.append(Finding("uv-index", "warning", message, why, file, fix))
    return found


TARGET = Target(
    name=_NAME,
    what="make uv ask msauth for the token of a feed",
    options=python_feeds.OPTIONS,
    add=_add,
    remove=put_back(_NAME),
    state=_state,
    help=_HELP,
    findings=_findings,
    shown=python_feeds.masked,
)
