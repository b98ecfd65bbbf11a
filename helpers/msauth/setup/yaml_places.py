"""YAML whose places in the text are kept: what stands where, and how to put something else there.

The parser of ruamel.yaml says where every node starts; comments, and where a block ends, are
found here. Pure. Errors are ValueError with one sentence that holds nothing of the text but keys
and line numbers.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

TAG = "tag:yaml.org,2002:"

_LIMIT = 16 << 20
_NEWLINE = re.compile(r"\r\n|\n|\r")
_LINE = re.compile(r"[^\r\n]+")
# Words that no reader takes for anything but text: YAML 1.1, which kubectl reads, has many
# booleans, and numbers and dates with separators in them.
_PLAIN = re.compile(
    r"(?:--)?[a-z/](?:[\w./@+=-]|:(?=[\w/]))*\Z"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"
    r"|[a-z][a-z, -]*[a-z]\Z",
    re.ASCII | re.IGNORECASE,
)
_BOOLEANS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


class Scalar(NamedTuple):
    """A value that is neither text nor null: its YAML tag, and how it is written."""

    tag: str
    text: str


class Edit(NamedTuple):
    """A part of a text, and what comes in its place."""

    start: int
    end: int
    text: str


def decode(data: bytes) -> str:
    """Return the text of a file; raises ValueError."""
    if len(data) > _LIMIT:
        raise ValueError("it is too large")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def compose(content: str) -> Any:
    """Return the root node of YAML's one document, with the places of everything in the text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import ComposerError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(content)
    except MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        if isinstance(error, ComposerError) and "single document" in (error.context or ""):
            raise ValueError(where + "it has more than one YAML document") from None
        raise ValueError(where + "it is not valid YAML") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except YAMLError:
        raise ValueError("it has characters that YAML does not allow") from None


def plain(root: Any) -> dict[Any, Any]:
    """Return a document's value: dicts, lists, text, None, and Scalar for the rest."""
    made: dict[int, Any] = {}

    def value(node: Any) -> Any:
        if id(node) in made:
            return made[id(node)]
        if node.id == "scalar":
            return _scalar(node)
        if node.id == "sequence":
            items: list[Any] = []
            made[id(node)] = items
            items.extend(value(item) for item in node.value)
            return items
        own: dict[Any, Any] = {}
        made[id(node)] = own
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                raise ValueError(f"line {key_node.start_mark.line + 1}: a key is not a word")
            key = _scalar(key_node)
            if key_node.tag == TAG + "merge":
                bases = value(value_node)
                for base in bases if isinstance(bases, list) else [bases]:
                    merged = {**(base if isinstance(base, dict) else {}), **merged}
                continue
            if key in own:
                line = key_node.start_mark.line + 1
                raise ValueError(f"line {line}: the key {key} stands there twice")
            own[key] = value(value_node)
        own.update({key: item for key, item in merged.items() if key not in own})
        return own

    if root is None:
        return {}
    try:
        found = value(root)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError("it is not a kubeconfig")
    return found


def _scalar(node: Any) -> "str | Scalar | None":
    if node.tag == TAG + "str":
        return str(node.value)
    return None if node.tag == TAG + "null" else Scalar(node.tag, node.value)


def same(one: Any, other: Any) -> bool:
    """Compare two values; with aliases, equality itself would take exponential time or no end."""
    seen: set[tuple[int, int]] = set()

    def equal(a: Any, b: Any) -> bool:
        if type(a) is not type(b) or not isinstance(a, dict | list):
            return bool(a == b)
        if (id(a), id(b)) in seen:
            return True
        seen.add((id(a), id(b)))
        if len(a) != len(b):
            return False
        if isinstance(a, list):
            return all(map(equal, a, b))
        return all(key in b and equal(value, b[key]) for key, value in a.items())

    return equal(one, other)


def children(node: Any, key: str) -> Iterator[Any]:
    """Yield the node of a mapping's key, if it is a mapping and has it, also by a merge."""
    if node is None or node.id != "mapping":
        return
    merged: list[Any] = []
    for key_node, value in node.value:
        if key_node.value == key:
            yield value
            return
        if key_node.tag == TAG + "merge":
            merged += value.value if value.id == "sequence" else [value]
    for base in merged:
        for found in children(base, key):
            yield found
            return


def has(mapping: Any, key: str) -> bool:
    """Say whether a key stands in the mapping itself."""
    return any(key_node.value == key for key_node, _ in mapping.value)


def pair(mapping: Any, key: str) -> tuple[Any, Any]:
    """Return the nodes of a key that stands in the mapping itself."""
    for key_node, value in mapping.value if mapping is not None else ():
        if key_node.value == key:
            return key_node, value
    raise ValueError(f"its {key} comes from a YAML merge key")


def leaves(node: Any) -> Iterator[Any]:
    """Yield the scalars of a node in the order in which they are written.

    ValueError for an alias in it: what that stands for is written elsewhere, and may be endless.
    """
    last = start_of(node)

    def below(inner: Any) -> Iterator[Any]:
        nonlocal last
        if start_of(inner) < last:
            raise ValueError("it has a YAML alias")
        last = start_of(inner)
        if inner.id == "scalar":
            yield inner
            return
        for item in inner.value:
            for child in item if inner.id == "mapping" else (item,):
                yield from below(child)

    yield from below(node)


def start_of(node: Any) -> int:
    """Return where a node starts, with its tag and anchor; that of an alias is its anchor's."""
    return int(node.start_mark.index)


def end_of(content: str, node: Any) -> int:
    """Return where a node's text ends; the parser's own mark may be past comments behind it."""
    if node.id == "scalar" and node.style in ("|", ">"):
        return _block_scalar_end(content, node)
    if node.id == "scalar" or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    last = last[1] if node.id == "mapping" else last
    if start_of(last) < start_of(node):
        raise ValueError("it has a YAML alias")
    return end_of(content, last)


def _block_scalar_end(content: str, node: Any) -> int:
    """Return the end of a block scalar's last line that holds any of it, without its newline."""
    start, stop = start_of(node), int(node.end_mark.index)
    header = _NEWLINE.search(content, start)
    if header is None or header.end() >= stop:
        return start + len(content[start:stop].rstrip())
    lines = [m for m in _LINE.finditer(content, header.end(), stop) if m.group().strip()]
    indents = [len(m.group()) - len(m.group().lstrip(" ")) for m in lines]
    texts = [i for i, m in zip(indents, lines, strict=True) if m.group().strip()[0] != "#"]
    indent = min(texts or indents, default=0)
    ends = [m.end() for i, m in zip(indents, lines, strict=True) if i >= indent]
    return max(ends, default=header.start())


def comments_between(content: str, nodes: Sequence[Any]) -> list[str]:
    """Return the comments that stand between nodes."""
    found: list[str] = []
    for one, following in pairwise(nodes):
        gap = content[end_of(content, one) : start_of(following)]
        found += re.findall(r"(?:^|(?<=\s))#[^\r\n]*", gap)
    return [comment.rstrip() for comment in found]


def newline_at(content: str, place: int) -> str:
    """Return how the line at a place ends, or else any line before it."""
    found = _NEWLINE.search(content, place) or _NEWLINE.search(content)
    return found.group() if found else "\n"


def word(value: Any) -> str:
    """Return a value as it stands behind a key or a dash."""
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _BOOLEANS:
        return value
    return flow(value)


def flow(value: Any) -> str:
    """Return a value in flow style, which is JSON."""
    if isinstance(value, Scalar):
        return value.text
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def block(key: str, value: Any, newline: str, indent: str) -> str:
    """Return `key: value` in block style, laid out as kubectl does; indent: that of the key."""
    line = newline + indent
    if isinstance(value, dict):
        inner = indent + "  "
        entries = [block(k, v, newline, inner) for k, v in value.items()]
        return f"{key}:{newline}{inner}" + (newline + inner).join(entries)
    if isinstance(value, list):
        return f"{key}:" + "".join(f"{line}- {word(item)}" for item in value)
    return f"{key}: {word(value)}"


def splice(content: str, edits: Iterable[Edit]) -> str:
    """Return the text with all edits made; two that overlap are ValueError."""
    parts, place = [], 0
    for start, end, new in sorted(edits):
        if start < place:
            raise ValueError("two users share a part that cannot be changed for both")
        parts += [content[place:start], new]
        place = end
    return "".join([*parts, content[place:]])


def outer(edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits that lie in no other one."""
    found: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if not found or edit.start >= found[-1].end:
            found.append(edit)
    return found
