"""Secrets in the XML of NuGet and Maven."""

import re
from typing import NamedTuple
from xml.parsers import expat

from .secret import (
    AUTHORIZATION,
    Cut,
    Names,
    Secret,
    is_pat,
    is_secret,
    is_token,
    names_ours,
    urls,
    whole_line,
)

_DEEPEST, _MOST = 60, 20_000
"""So deep may elements be, and so many: no settings have more, and some that are made to harm."""


class Element(NamedTuple):
    """An element: the names of those around it and its own, and where it starts and ends.

    inside: the place of its content. tag_end: where its first tag ends.
    """

    path: tuple[str, ...]
    attributes: dict[str, str]
    text: str
    start: int
    end: int
    inside: tuple[int, int]


class _Refused(Exception):  # noqa: N818 - it ends the parser, nothing has gone wrong
    pass


def elements(text: str) -> list[Element]:
    """Return the elements of a document; none of one that is broken, or that declares entities.

    A document type is refused altogether: entities can be made to grow without bound.
    """
    parser = expat.ParserCreate("utf-8")
    data = text.encode("latin-1")
    stack: list[tuple[str, dict[str, str], int, list[str]]] = []
    found: list[Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) >= _DEEPEST or len(found) >= _MOST:
            raise _Refused
        stack.append((name, attributes, parser.CurrentByteIndex, []))

    def end(_: str) -> None:
        at = parser.CurrentByteIndex
        path = tuple(item[0] for item in stack)
        attributes, begin, words = stack.pop()[1:]
        inside = _tag_end(text, begin)
        last = at if at > begin else inside  # `<a/>` ends where it starts
        stop = text.find(">", at) + 1 if at > begin else inside
        found.append(Element(path, attributes, "".join(words).strip(), begin, stop, (inside, last)))

    def characters(words: str) -> None:
        if stack:
            stack[-1][3].append(words)

    def refuse(*_: object) -> None:
        raise _Refused

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (_Refused, expat.ExpatError, ValueError):
        return []
    return found


def _tag_end(text: str, start: int) -> int:
    match = re.compile(r"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>").match(text, start)
    return match.end() if match else start


def nuget_names(text: str) -> dict[str, bool]:
    """Return the names of package sources, and whether they are ours."""
    return {
        e.attributes.get("key", "").lower(): names_ours(e.attributes.get("value", ""))
        for e in elements(text)
        if e.path[-2:] == ("packageSources", "add")
    }


def nuget(text: str, names: Names = frozenset()) -> list[Secret]:
    """Find the credentials of package sources in a NuGet.config; each source's go as a whole."""
    found = urls(text)
    every = elements(text)
    ours = _ours(nuget_names(text), names)
    sources = {e.path: e for e in every if e.path[-2:-1] == ("packageSourceCredentials",)}
    for element in every:
        key = element.attributes.get("key", "").lower()
        if element.path[-3:-2] != ("packageSourceCredentials",) or element.path[-1] != "add":
            continue
        value = element.attributes.get("value", "")
        if key not in ("cleartextpassword", "password") or not is_secret(value):
            continue
        name = re.sub(r"_x([0-9a-fA-F]{4})_", lambda m: chr(int(m[1], 16)), element.path[-2])
        if name.lower() not in ours and not is_pat(value):
            continue
        source = sources[element.path[:-1]]
        place = re.compile(r"\bvalue\s*=\s*[\"']([^\"']*)").search(text, element.start, element.end)
        span = place.span(1) if place else (element.start, element.end)
        line_start, line_end = whole_line(text, source.start, source.end)
        alone = not text[line_start : source.start].strip()
        alone = alone and not text[source.end : line_end].strip()
        cut = Cut(line_start, line_end) if alone else Cut(source.start, source.end)
        what = f"as {'an encrypted' if key == 'password' else 'the'} password of a source"
        found.append(Secret(*span, what, cut, is_token(value)))
    return found


def maven_names(text: str) -> dict[str, bool]:
    """Return the ids of repositories and mirrors of a settings.xml or pom.xml, whether ours."""
    every = elements(text)
    found: dict[str, bool] = {}
    for repository in [e for e in every if e.path[-1] in _REPOSITORIES][:200]:
        depth = len(repository.path) + 1
        children = {
            e.path[-1]: e.text
            for e in every
            if len(e.path) == depth and repository.start < e.start < repository.end
        }
        if "id" in children and "url" in children:
            ours = names_ours(children["url"])
            found[children["id"]] = found.get(children["id"], True) and ours
    return found


def _ours(here: dict[str, bool], elsewhere: Names) -> set[str]:
    """Return the names of ours: what this file itself says of a name counts first."""
    return {name for name, ours in here.items() if ours} | (elsewhere - here.keys())


_REPOSITORIES = (
    *("repository", "pluginRepository", "mirror", "snapshotRepository"),
    "distributionRepository",
)


def maven(text: str, names: Names = frozenset()) -> list[Secret]:
    """Find the passwords of servers in Maven's settings.xml.

    Maven reads variables there, so the token's place is taken by the one that msauth-run sets.
    """
    found = urls(text)
    every = elements(text)
    ours = _ours(maven_names(text), names)
    servers = [e for e in every if e.path[-2:] == ("servers", "server")][:200]
    for server in servers:
        within = [e for e in every if server.start < e.start < server.end]
        name = next((e.text for e in within if e.path[-2:] == ("server", "id")), "")
        for element in within:
            value, tail = element.text, element.path[-2:]
            instead = "${env.AZURE_ACCESS_TOKEN}"
            header = AUTHORIZATION.fullmatch(value)
            if tail == ("property", "value") and header:
                value, instead = header[2], f"Bearer {instead}"
            elif tail != ("server", "password"):
                continue
            if not is_secret(value) or (name not in ours and not is_pat(value)):
                continue
            what = "in a header of a server" if header else "as the password of a server"
            cut = Cut(*element.inside, instead)
            found.append(Secret(*element.inside, what, cut, is_token(value)))
    return found
