"""`profiles.toml`: what a profile may hold, and an error with file, line and the nearest key.

Only the profile that is asked for is checked, so a mistake in one does not stop the others.
"""

import os
import re
import stat
import sys
import time
from collections.abc import Callable
from typing import Any

from ..errors import UsageError, command, nearest
from . import values
from .clouds import is_guid, normalise_scope
from .kinds import ASSERTION, COMMAND, FILE, MANAGED_IDENTITY, NAMES, file_stamp
from .options import ALL_NAMES, MATCH, PROFILE_KEYS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_RACY = 2
"""Seconds: a file this young may change again without a new stamp (FAT, NFS), so it is not kept."""
_MAX_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def load(where: str, name: str) -> tuple[dict[str, str], str]:
    """Return a profile's values as texts, and the file's stamp ("" when it is not to be kept).

    The name MATCH asks for that table: `organisation.NAME` and `host.NAME`, each to a profile;
    ALL_NAMES for a `name.NAME` of each profile.
    Raises UsageError: no such file or profile, a file that others may write, bad TOML, an
    unknown key, a wrong type or a value that cannot be meant.
    """
    if name != ALL_NAMES and not is_name(name):
        raise UsageError(
            f"profile name {name!r} is not one",
            "letters, digits and _ . @ - only, at most 64 of them",
        )
    text, mark = _read(where, name)
    document = _parse(where, text)
    if name == ALL_NAMES:
        return {f"name.{each}": "1" for each in _profiles(document)}, mark
    if name == MATCH:
        return _matches(where, text, document), mark
    table = document.get(name)
    if table is None:
        raise _no_profile(where, name, list(document))
    found = {}
    for word, value in table.items():
        line = _line(text, name, word)
        if word not in PROFILE_KEYS:
            raise _wrong(where, line, f"unknown key {word!r} in profile {name!r}", _near(word))
        problem, shown = _CHECKS[word](value)
        if problem:
            raise _wrong(where, line, f"{word} of profile {name!r} {problem}", None)
        if shown:
            found[word] = shown
    if "assertion" in found and found.setdefault("credential", "federated") != "federated":
        line = _line(text, name, "assertion")
        problem = f"assertion of profile {name!r} is read by the credential federated alone"
        raise _wrong(where, line, problem, 'leave credential out, or say credential = "federated"')
    return found, mark


def is_name(text: str) -> bool:
    """Say whether a table of this name can be a profile."""
    return _NAME.fullmatch(text) is not None


def names(where: str) -> list[str]:
    """Return the names of the profiles in a file, in its order; none when it is missing.

    Raises UsageError, as `load`.
    """
    if not os.path.exists(where):
        return []
    return _profiles(_parse(where, _read(where, "")[0]))


def _profiles(document: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name in document if name != MATCH and is_name(name)]


def _matches(where: str, text: str, document: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return `[match]` flat: a registry is a host, and a name is compared in lower case."""
    found = {}
    for kind, names in document.get(MATCH, {}).items():
        line = _line(text, MATCH, kind)
        if kind not in _MATCHES:
            near = nearest(kind, _MATCHES)
            hint = f"did you mean {near}?" if near else "the keys are: " + ", ".join(_MATCHES)
            raise _wrong(where, line, f"unknown key {kind!r} in [{MATCH}]", hint)
        if not isinstance(names, dict):
            raise _wrong(where, line, f"{kind} of [{MATCH}] must be a table", None)
        for name, profile in names.items():
            line = _line(text, f"{MATCH}.{kind}", name)
            if not _MATCHES[kind].fullmatch(name):
                raise _wrong(where, line, f"{name!r} is no name of a {kind}", None)
            named = isinstance(profile, str) and is_name(profile) and profile in document
            if not named or profile == MATCH:
                problem = f"{name!r} is matched to {profile!r}, which is no profile"
                raise _wrong(where, line, problem, f"profiles there: {', '.join(document)}")
            key = "organisation" if kind == "organisation" else "host"
            found[f"{key}.{name.lower()}"] = profile
    return found


_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_MATCHES = {"organisation": re.compile(r"[A-Za-z0-9-]{1,50}"), "registry": _HOST, "host": _HOST}


def _read(where: str, name: str) -> tuple[str, str]:
    try:
        descriptor = os.open(where, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise UsageError(
            f"no profile {name!r}: there is no file {where}", f"create it, with a table [{name}]"
        ) from None
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        _check_safe(where, before)
        data = file.read(_MAX_BYTES + 1)
        after = os.fstat(descriptor)
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{where}: larger than {_MAX_BYTES} bytes")
    settled = file_stamp(before) == file_stamp(after) and abs(time.time() - after.st_mtime) >= _RACY
    try:
        return data.decode("utf-8-sig"), file_stamp(after) if settled else ""
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(where, line, "not UTF-8", None) from None


def _check_safe(where: str, status: os.stat_result) -> None:
    """Refuse a file in which somebody else could choose who signs in where."""
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{where}: not a file")
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"{where} belongs to another user (uid {status.st_uid})")
    if status.st_mode & 0o022:
        raise UsageError(
            f"{where} can be written by others (mode {status.st_mode & 0o777:04o})",
            command("chmod", "go-w", where),
        )


def _parse(where: str, text: str) -> dict[str, dict[str, Any]]:
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = text.count("\n") + 1
        if place and place[1]:
            line = int(place[1])
        what = _PLACE.sub("", message).strip().rstrip(".")
        raise _wrong(where, line, f"not valid TOML: {what[:1].lower()}{what[1:]}", None) from None
    for word, table in document.items():
        if not isinstance(table, dict):
            raise _wrong(
                where,
                _line(text, "", word),
                f"{word!r} is outside of any profile",
                "put it under a table such as [work]",
            )
    return document


def _text(value: object) -> tuple[str, str]:
    if not isinstance(value, str):
        return "must be a string", ""
    if not value.isprintable() or value != value.strip():
        return "holds white space around it or an unprintable character", ""
    return "", value


def _checked(check: Callable[[str], object]) -> Callable[[object], tuple[str, str]]:
    """Return the check of a text that options have too; check raises UsageError."""

    def checked(value: object) -> tuple[str, str]:
        problem, shown = _text(value)
        if problem or not shown:
            return problem, shown
        try:
            check(shown)
        except UsageError as error:
            return f"is wrong: {error.message}", ""
        return "", shown

    return checked


def _kind(value: object) -> tuple[str, str]:
    problem, shown = _text(value)
    if problem or shown in NAMES:
        return problem, shown
    near = nearest(shown, NAMES)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"is {shown!r}, which is no kind of credential{hint}", ""


def _folder(value: object) -> tuple[str, str]:
    problem, shown = _text(value)
    if not problem and not shown.startswith("~/") and not os.path.isabs(shown):
        problem = "must be an absolute path, or begin with ~/"
    return problem, shown


def _assertion(value: object) -> tuple[str, str]:
    """A managed identity, a file, or a command as the list of its words: no shell reads it."""
    words = value if isinstance(value, list) else [value]
    for word in words:
        problem, _ = _text(word)
        if problem:
            return problem, ""
    if value == MANAGED_IDENTITY:
        return "", value
    problem, first = _folder(words[0] if words else "")
    if problem:
        return f"{problem}; it is managed-identity, a file, or a list: a program and its words", ""
    if not isinstance(value, list):
        return "", FILE + ASSERTION + first
    return "", ASSERTION.join([COMMAND, *words])


def _identity(value: object) -> tuple[str, str]:
    problem, shown = _text(value)
    if not problem and shown and not is_guid(shown) and not shown.startswith("/subscriptions/"):
        problem = "is neither a client id nor a resource id of a managed identity"
    return problem, shown


def _scopes(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or not all(isinstance(scope, str) for scope in value):
        return "must be an array of strings", ""
    try:
        return "", " ".join(map(normalise_scope, value))
    except UsageError as error:
        return f"is wrong: {error.message}", ""


def _boolean(value: object) -> tuple[str, str]:
    if not isinstance(value, bool):
        return "must be true or false", ""
    return "", "1" if value else ""


def _unless(value: object) -> tuple[str, str]:
    problem, shown = _boolean(value)
    return problem, "" if problem or shown else "1"


def _seconds(value: object) -> tuple[str, str]:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 999_999:
        return "must be a number of seconds", ""
    return "", str(value)


_CHECKS: dict[str, Callable[[object], tuple[str, str]]] = {
    "tenant": _checked(lambda text: values.name("tenant", text)),
    "credential": _kind,
    "client_id": _checked(lambda text: values.name("client id", text)),
    "authority_host": _checked(lambda text: values.authority("authority host", text)),
    "disable_instance_discovery": _boolean,
    "min_valid": _seconds,
    "username": _text,
    "identity_resource_id": _text,
    "persist": _unless,
    "scopes": _scopes,
    "assertion": _assertion,
    "assertion_audience": _text,
    "assertion_identity": _identity,
    "az_config_dir": _folder,
}


def _wrong(where: str, line: int, message: str, hint: str | None) -> UsageError:
    place = f"{where}, line {line}" if line else where
    return UsageError(f"{place}: {message}", hint)


def _near(word: str) -> str:
    near = nearest(word.lower().replace("-", "_"), PROFILE_KEYS)
    return f"did you mean {near}?" if near else "the keys are: " + ", ".join(PROFILE_KEYS)


def _no_profile(where: str, name: str, there: list[str]) -> UsageError:
    near = nearest(name, there)
    hint = "profiles there: " + ", ".join(there)
    if near:
        hint = f"did you mean {command('--profile', near)}?"
    return UsageError(f"no profile {name!r} in {where}", hint if there else f"add a table [{name}]")


def _line(text: str, table: str, word: str) -> int:
    """Return the line on which a table's key stands (its header's line if not found, or 0).

    A second, rough look at the text, only to say where: TOML parsers keep no places.
    """
    header = re.compile(r"\s*\[\s*(['\"]?)(.*?)\1\s*\]\s*(#.*)?$")
    assignment = re.compile(rf"\s*(['\"]?){re.escape(word)}\1\s*[=.]")
    current, fallback = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        found = header.match(line)
        if found:
            current = found[2]
            if current == table or current.startswith(table + "."):
                fallback = fallback or number
            if table and current == f"{table}.{word}":
                return number
        elif current == table and assignment.match(line):
            return number
    return fallback
