"""Changing a JSON text (RFC 8259) in one place and leaving every other character as it is.

A place is named by the keys that lead to it. Indentation and spaces are those of the text itself.
Every function raises ValueError for what is no JSON, or has the same key twice where one is meant.
"""

import json
import re
from typing import Any, NamedTuple

Path = tuple[str, ...]
_SPACE = re.compile(r"[ \t\r\n]*")
_RAW = json.JSONDecoder()


class _Member(NamedTuple):
    """Where a member of an object stands: its key's quote, its value, and its end."""

    key: str
    start: int
    value: int
    end: int


class _Object(NamedTuple):
    """Where an object stands: its `{`, its members, its `}`."""

    start: int
    members: list[_Member]
    end: int

    def find(self, key: str) -> _Member | None:
        found = [member for member in self.members if member.key == key]
        if len(found) > 1:
            raise ValueError(f"the key {key!r} stands in it twice")
        return found[0] if found else None


def read(data: bytes | None) -> dict[str, Any]:
    """Return a file's object; a missing or blank one is empty."""
    found = _loaded(text_of(data))
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def text_of(data: bytes | None) -> str:
    """Return a file's text; of a missing or blank one, that of an empty object."""
    text = (data or b"").decode("utf-8")
    return text if text.strip() else "{}\n"


def raw(text: str, path: Path) -> str | None:
    """Return a value as it is written, or None where there is none."""
    place = _root(text)
    for depth, key in enumerate(path, 1):
        member = place.find(key)
        if member is None:
            return None
        if depth == len(path):
            return text[member.value : member.end]
        place = _object(text, member.value)
    raise ValueError("a path has at least one key")


def put(text: str, path: Path, value: str) -> str:
    """Return the text with a value, itself JSON, at a path; what is missing above it is made."""
    style = _Style(text)
    place, depth = _root(text), 0
    while member := place.find(path[depth]):
        depth += 1
        if depth == len(path):
            return text[: member.value] + value + text[member.end :]
        place = _object(text, member.value)
    *above, key = path[depth:]
    for level in range(len(above), 0, -1):
        value = style.wrapped(f"{json.dumps(key)}{style.colon}{value}", depth + level)
        key = above[level - 1]
    new = f"{json.dumps(key)}{style.colon}{value}"
    if not place.members:
        return text[: place.start] + style.wrapped(new, depth) + text[place.end + 1 :]
    last = place.members[-1]
    return text[: last.end] + "," + style.gap(text, place) + new + text[last.end :]


def remove(text: str, path: Path) -> str:
    """Return the text without the member at a path, if there is one."""
    place = _root(text)
    for key in path[:-1]:
        member = place.find(key)
        if member is None:
            return text
        place = _object(text, member.value)
    member = place.find(path[-1])
    if member is None:
        return text
    index = place.members.index(member)
    if index + 1 < len(place.members):
        return text[: member.start] + text[place.members[index + 1].start :]
    if index:
        return text[: place.members[index - 1].end] + text[member.end :]
    return text[: place.start + 1] + text[place.end :]


class _Style:
    """How a text is laid out: what stands before the first member, and after a key."""

    def __init__(self, text: str) -> None:
        root = _root(text)
        self._first, self.colon = "\n\t", ": "
        if root.members:
            first = root.members[0]
            self._first = text[root.start + 1 : first.start]
            self.colon = text[_RAW.raw_decode(text, first.start)[1] : first.value]

    def _before(self, depth: int) -> str:
        """Return what stands before a member of an object at this depth; the root's is 0."""
        line, newline, indent = self._first.rpartition("\n")
        return line + newline + indent * (depth + 1) if newline else self._first

    def wrapped(self, member: str, depth: int) -> str:
        """Return an object at this depth with one member."""
        before = self._before(depth)
        after = self._before(depth - 1) if "\n" in before else before
        return "{" + before + member + after + "}"

    def gap(self, text: str, place: _Object) -> str:
        """Return what stands between a comma and the next member of an object."""
        if len(place.members) > 1:
            comma = _SPACE.match(text, place.members[-2].end)
            assert comma is not None
            return text[comma.end() + 1 : place.members[-1].start]
        before = text[place.start + 1 : place.members[0].start]
        if "\n" in before:
            return before
        return " " if before or " " in self.colon else ""


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _root(text: str) -> _Object:
    _loaded(text)
    return _object(text, _after_space(text, 0))


def _object(text: str, start: int) -> _Object:
    """Return the object that stands at an index of a text, which is JSON."""
    if text[start] != "{":
        raise ValueError("a value in it is no JSON object")
    members: list[_Member] = []
    at = _after_space(text, start + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        key, end = _RAW.raw_decode(text, at)
        value = _after_space(text, _after_space(text, end) + 1)
        stop = _RAW.raw_decode(text, value)[1]
        members.append(_Member(key, at, value, stop))
        at = _after_space(text, stop)
    return _Object(start, members, at)


def _after_space(text: str, index: int) -> int:
    found = _SPACE.match(text, index)
    assert found is not None
    return found.end()
