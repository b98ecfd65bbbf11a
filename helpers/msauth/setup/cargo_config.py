"""One more entry in cargo's list of credential providers, spliced into the bytes of its config.

https://doc.rust-lang.org/cargo/reference/config.html. Nothing else of the file changes: whatever
the splice would make of it is parsed, and compared with what it was. Pure.
"""

import re

from .toml import parsed

DEFAULT = "cargo:token"
"""What cargo asks where nothing is configured: its own file of tokens."""
_KEY = "global-credential-providers"
# A key of TOML, bare or quoted, and what may stand between two of them.
_DOTTED = rb"[ \t]*registry[ \t]*\.[ \t]*"
_NAME = rb"(?:%s|\"%s\"|'%s')" % ((_KEY.encode(),) * 3)
_HEADER = re.compile(rb"(?m)^[ \t]*\[[ \t]*registry[ \t]*\][ \t]*(?:#[^\n]*|\r)?(?:\n|\Z)")
_ANY_HEADER = re.compile(rb"(?m)^[ \t]*\[")
_STRING = re.compile(rb"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_BETWEEN = re.compile(rb"(?:[ \t\r\n,]|#[^\n]*\n)+")


def providers(data: bytes) -> list[str] | None:
    """Return the configured providers, the one that is asked first last; None without any.

    Raises ValueError for what cargo could not read either.
    """
    registry = parsed(data).get("registry", {})
    if not isinstance(registry, dict):
        raise ValueError("registry is no table")
    found = registry.get(_KEY)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(f"registry.{_KEY} is no list of texts")
    return found


def with_provider(data: bytes, provider: str) -> bytes:
    """Return the file with a provider as the last of the list, which cargo asks first.

    Raises ValueError where that cannot be written without touching anything else.
    """
    before = providers(data)
    wanted = [*([DEFAULT] if before is None else before), provider]
    after = _with_list(data, wanted) if before is None else _with_item(data, provider)
    expected = parsed(data)
    expected.setdefault("registry", {})[_KEY] = wanted
    try:
        found = parsed(after)
    except ValueError:
        found = {}
    if found != expected:
        raise ValueError(f"registry.{_KEY} stands there in a way that msauth does not edit")
    return after


def _with_list(data: bytes, wanted: list[str]) -> bytes:
    """Add the whole list, to the table `registry` if the file has one."""
    line = _KEY.encode() + b" = [" + b", ".join(map(_quoted, wanted)) + b"]"
    line += b"\r\n" if b"\r\n" in data else b"\n"
    header = _HEADER.search(data)
    if header is not None:
        above = data[: header.end()]
        return _ended(above) + line + data[header.end() :]
    if "registry" in parsed(data):  # dotted keys, above the first table
        first = _ANY_HEADER.search(data)
        place = len(data) if first is None else first.start()
        return _ended(data[:place]) + b"registry." + line + data[place:]
    gap = b"\n" if data else b""
    return _ended(data) + gap + b"[registry]\n" + line


def _with_item(data: bytes, provider: str) -> bytes:
    """Add an item behind the last one of the list that is there."""
    header = _HEADER.search(data)
    key = re.compile(rb"(?m)^" + _DOTTED + _NAME + rb"[ \t]*=[ \t]*\[")
    found = key.search(data)
    if found is None and header is not None:
        key = re.compile(rb"(?m)^[ \t]*" + _NAME + rb"[ \t]*=[ \t]*\[")
        found = key.search(data, header.end())
    if found is None:
        return data
    place, last = found.end(), 0
    while place < len(data) and data[place : place + 1] != b"]":
        string = _STRING.match(data, place)
        other = _BETWEEN.match(data, place)
        if string is not None:
            place = last = string.end()
        elif other is not None:
            place = other.end()
        else:
            return data
    item = _quoted(provider)
    if not last:
        return data[: found.end()] + item + data[found.end() :]
    return data[:last] + b", " + item + data[last:]


def _ended(data: bytes) -> bytes:
    return data if not data or data.endswith(b"\n") else data + b"\n"


def _quoted(text: str) -> bytes:
    """Return a TOML string; a path has no character that none can hold."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return b'"' + escaped.encode("utf-8") + b'"'
