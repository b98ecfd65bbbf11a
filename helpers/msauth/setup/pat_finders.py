"""Where a text holds a secret for Azure DevOps, and what may be put in its place: pure functions.

A text is a file's bytes decoded as latin-1, so that an index is an offset and everything can be
written back byte for byte. A finder returns `Secret`s, and none for the secrets of other hosts.
A password, token or header that is for one of our hosts is a personal access token (PAT) whatever
it looks like, because these hosts take nothing else; elsewhere only what has a PAT's own shape is.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from ..request.clouds import DEVOPS_HOST, LEGACY_DOMAIN


class Cut(NamedTuple):
    """Text from start to end is replaced by instead."""

    start: int
    end: int
    instead: str = ""


class Secret(NamedTuple):
    """A secret at start to end. what: for a person, where in the file. cut: None, by hand.

    token: it is a signed token that expires within the hour, not a PAT.
    """

    start: int
    end: int
    what: str
    cut: Cut | None
    token: bool = False


Names = frozenset[str]
"""Feeds, registries and servers that other files say are ours, by the name they give them."""

# 52 characters of base32; since 2024 84 characters, with a signature that has AZDO before its end.
_OLD = re.compile(r"[a-z2-7]{52}")
_NEW = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])")
_SIGNED = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_PLACEHOLDER = re.compile(
    r"\$\{.*\}|\$\(.*\)|\$\w+|%\w+%|<.*>|\[.*\]|\{\{.*\}\}|\*+|\.\.\.|…", re.DOTALL
)
_URL = re.compile(r"(?i)https?://([^\s\"'<>/\\]+)@([a-z0-9.-]+)(?::\d+)?(?![\w.@-])")
_ANY_URL = re.compile(r"(?i)https?://(?:[^\s\"'<>/@]*@)?([a-z0-9.*-]+)")
_BASIC = re.compile(r"(?i)\b(basic|bearer)[ \t]+([A-Za-z0-9+/=._~-]+)")
_SECRET_KEY = re.compile(
    r"(?i)_?(auth)?(token|password)|_auth|npmAuthToken|npmAuthIdent|personal access token"
)


_LINE = re.compile(r"[^\n]+")
_LONGEST = 4096
"""Characters of a line with a key and a value; longer ones are only searched for URLs."""
_DEEPEST, _MOST = 60, 20_000
"""So deep may elements be, and so many: no settings have more, and some that are made to harm."""


def _lines(text: str) -> Iterator["re.Match[str]"]:
    return (line for line in _LINE.finditer(text) if len(line[0]) <= _LONGEST)


def is_ours(host: str) -> bool:
    """Say whether a host (`*.` in front is a pattern) belongs to Azure DevOps."""
    host = host.lower()
    return host == DEVOPS_HOST or host.endswith(("." + DEVOPS_HOST, LEGACY_DOMAIN))


def names_ours(text: str) -> bool:
    """Say whether a text holds a URL of ours."""
    return any(is_ours(match[1]) for match in _ANY_URL.finditer(text))


def is_pat(text: str) -> bool:
    """Say whether a text has the shape of a PAT, plain or as base64 of it or of `user:PAT`."""
    return any(
        bool(_OLD.fullmatch(word) or _NEW.fullmatch(word))
        for plain in (text, _decoded(text))
        for word in (plain, plain.partition(":")[2])
    )


def is_token(text: str) -> bool:
    """Say whether a text is a signed token (RFC 7519), plain, in base64 or after `Bearer`."""
    return any(_SIGNED.fullmatch(word.rpartition(":")[2]) for word in (text, _decoded(text)))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _is_secret(text: str) -> bool:
    return bool(text) and not _PLACEHOLDER.fullmatch(unquote(text))


def whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the lines that a stretch of text is on, with the newline."""
    stop = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if stop < 0 else stop + 1


# --- In any file ----------------------------------------------------------------------------------


def urls(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find passwords in URLs, also a PAT in the place of the user name."""
    found = []
    for match in _URL.finditer(text):
        user, _, password = match[1].partition(":")
        start = match.end(1) - len(password)
        if not is_ours(match[2]):
            continue
        if not _is_secret(password):
            password, start = user, match.start(1)
            if not is_pat(unquote(user)) and not is_token(unquote(user)):
                continue
        organisation = re.match(r"/([\w-]+)", text[match.end() : match.end() + 64])
        kept = organisation is not None and user.lower() == organisation[1].lower()
        cut = Cut(match.start(1), match.end(1) + 1, f"{user}@" if kept else "")
        what = f"in a URL of {match[2]}"
        end = start + len(password)
        found.append(Secret(start, end, what, cut, is_token(unquote(password))))
    return found


def shapes(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find what can only be a PAT, wherever it is; what to do with it, a person must say."""
    return [Secret(*match.span(), "as a word of its own", None) for match in _NEW.finditer(text)]


# --- git ------------------------------------------------------------------------------------------

_SECTION = re.compile(r'[ \t]*\[[ \t]*([\w.-]+)(?:[ \t]+"((?:[^"\\\n]|\\.)*)")?[ \t]*\]')
_GIT_KEY = re.compile(r"[ \t]*([A-Za-z][\w-]*)[ \t]*=[ \t]*([^\n]*)")


def git_config(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find tokens in URLs, in `http.extraHeader` and in a credential helper's own text."""
    found = urls(text)
    section = subsection = ""
    for line in _lines(text):
        position = line.start()
        header = _SECTION.match(text, position)
        if header:
            section, subsection = header[1].lower(), header[2] or ""
            position = header.end()
        key = _GIT_KEY.match(text, position)
        if key is None or section not in ("http", "credential"):
            continue
        cut = None if header else Cut(*whole_line(text, *key.span()))
        elsewhere = bool(subsection) and not names_ours(subsection)
        if key[1].lower() == "extraheader" and not elsewhere:
            found += _headers(text, key, cut, any_secret=bool(subsection))
        elif section == "credential" and not elsewhere:
            for word in re.finditer(r"[A-Za-z0-9]{52,}", key[2]):
                if is_pat(word[0]):
                    start = key.start(2) + word.start()
                    what = f"in credential.{key[1]}"
                    found.append(Secret(start, start + len(word[0]), what, cut))
    return found


def _headers(
    text: str, key: "re.Match[str]", cut: Cut | None, *, any_secret: bool
) -> Iterator[Secret]:
    for match in _BASIC.finditer(text, *key.span(2)):
        if any_secret or is_pat(match[2]):
            yield Secret(*match.span(2), "in http.extraHeader", cut, is_token(match[2]))


def git_credentials(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find the entries of git-credential-store's file, one URL a line."""
    return [
        secret._replace(cut=Cut(*whole_line(text, secret.start, secret.end)), what="in an entry")
        for secret in urls(text)
    ]


# --- netrc ----------------------------------------------------------------------------------------

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


def netrc(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find the entries of our machines, of `default` only what has a PAT's shape.

    The files are odd in the wild; `netrc` of the standard library gives up at the first oddity.
    """
    found = []
    for machine, start, end, password in _netrc_entries(text):
        if password is None:
            continue
        value = text[slice(*password)].strip('"')
        if not (is_ours(machine) and _is_secret(value)) and not (machine == "" and is_pat(value)):
            continue
        cut = None
        if machine:
            line_start, line_end = whole_line(text, start, end)
            alone = not text[line_start:start].strip() and not text[end:line_end].strip()
            cut = Cut(line_start, line_end) if alone else Cut(start, end)
        what = f"of machine {machine}" if machine else "of the default entry"
        found.append(Secret(*password, what, cut, is_token(value)))
    return found


def _netrc_entries(text: str) -> Iterator[tuple[str, int, int, tuple[int, int] | None]]:
    """Return machine ("" for default), start, end and the place of the password."""
    words = _netrc_words(text)
    entry: list[tuple[str, int, int, tuple[int, int] | None]] = []
    for word in words:
        key = word[0]
        if key in ("machine", "default", "macdef"):
            yield from entry
            entry = []
            name = next(words, None) if key != "default" else None
            if key == "macdef":
                continue
            machine = name[0].strip('"') if name else ""
            if key == "default" or name:
                entry = [(machine, word.start(), (name or word).end(), None)]
            continue
        value = next(words, None)
        if value is None or not entry:
            continue
        machine, start, _, password = entry[0]
        entry = [(machine, start, value.end(), value.span() if key == "password" else password)]
    yield from entry


def _netrc_words(text: str) -> Iterator["re.Match[str]"]:
    position, value_next = 0, False
    while word := _WORD.search(text, position):
        position = word.end()
        if word[0].startswith("#") and not value_next:
            line_end = text.find("\n", word.start())
            position = len(text) if line_end < 0 else line_end
            continue
        if word[0] == "macdef" and not value_next:  # a macro ends at an empty line
            blank = re.compile(r"\r?\n[ \t]*\r?\n").search(text, position)
            yield word
            position = blank.end() if blank else len(text)
            yield word
            continue
        value_next = not value_next and word[0] in ("machine", "login", "password", "account")
        yield word


# --- Files of `key = value` lines -----------------------------------------------------------------


class Entry(NamedTuple):
    """A key with the table that it is in; the place of its value, and of all of it."""

    table: str
    key: str
    value: str
    start: int
    line: tuple[int, int]


def _keyed(
    entries: list[Entry], names: Names, instead: Callable[[Entry], str | None]
) -> list[Secret]:
    """Find secrets among entries: those of a table that holds a URL of ours, or is known as ours.

    instead: what takes the value's place, None to remove the whole line.
    """
    ours = {e.table for e in entries if names_ours(e.value) or names_ours(e.table)}
    found = []
    for entry in entries:
        if not _SECRET_KEY.fullmatch(entry.key) or not _is_secret(entry.value):
            continue
        last = _last(entry.table)
        value = entry.value.rpartition(" ")[2]
        if entry.table not in ours and last not in names and not is_pat(value):
            continue
        end = entry.start + len(entry.value)
        text = instead(entry)
        cut = Cut(*entry.line) if text is None else Cut(entry.start, end, text)
        what = f"as {entry.key} in [{entry.table}]"
        if not entry.table or names_ours(what) or is_pat(last):
            what = f"as {entry.key}"
        found.append(Secret(entry.start, end, what, cut, is_token(value)))
    return found


_TABLE_LINE = re.compile(
    r"[ \t]*\[{1,2}[ \t]*([^\s\[\]](?:[^\]\n]*[^\s\]])?)[ \t]*\]{1,2}[ \t]*(?:[#;].*)?\r?\Z"
)
_TOML_LINE = re.compile(
    r"[ \t]*([\w-]+|\"[^\"\n]*\")[ \t]*=[ \t]*(?:\"([^\"\\\n]*)\"|'([^'\n]*)')[ \t]*(?:#.*)?\r?\Z"
)
_INI_LINE = re.compile(r"([A-Za-z_][\w .-]*?)[ \t]*[=:][ \t]*(.*?)[ \t\r]*\Z")


def toml(text: str, names: Names = frozenset()) -> list[Secret]:
    """Find tokens of cargo, poetry, uv and bun, and URLs with one."""
    found = _keyed(list(_entries(text, _TOML_LINE, numbered=True)), names, lambda _: None)
    return found + urls(text)


def ini(text: str, names: Names = frozenset()) -> list[Secret]:
    """Find passwords of .pypirc, tokens of the Azure DevOps extension of az, and URLs with one."""
    return _keyed(list(_entries(text, _INI_LINE)), names, lambda _: None) + urls(text)


def _entries(text: str, pattern: "re.Pattern[str]", *, numbered: bool = False) -> Iterator[Entry]:
    table, count = "", 0
    for line in _lines(text):
        header = _TABLE_LINE.match(line[0])
        if header:
            count += 1
            table = header[1]
            if numbered and line[0].lstrip().startswith("[["):
                table = f"{table}.#{count}"  # each of an array of tables is one of its own
            continue
        match = pattern.match(line[0])
        if match is None:
            continue
        group = next((i for i in range(2, len(match.groups()) + 1) if match[i] is not None), 2)
        place = whole_line(text, *line.span())
        yield Entry(
            table, match[1].strip('"'), match[group], line.start() + match.start(group), place
        )


_NPM_LINE = re.compile(
    r"[ \t]*(?:(//[^\s=]*?):)?(_authToken|_password|_auth)[ \t]*="
    r"[ \t]*\"?([^\"\r\n]*?)\"?[ \t]*\r?\Z"
)


def npmrc(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find `//HOST/path/:_authToken`, `_password` and `_auth`, of npm and pnpm."""
    found = urls(text)
    registries = re.findall(r"(?m)^[ \t]*registry[ \t]*=.*", text)
    ours_by_default = any(map(names_ours, registries))
    for line in _lines(text):
        match = _NPM_LINE.match(line[0])
        if match is None or not _is_secret(match[3]):
            continue
        host = (match[1] or "").removeprefix("//").partition("/")[0].partition(":")[0]
        if not (is_ours(host) if host else ours_by_default or is_pat(match[3])):
            continue
        start = line.start() + match.start(3)
        what = f"as {match[2]} of {host}" if host else f"as {match[2]}"
        cut = Cut(*whole_line(text, *line.span()))
        found.append(Secret(start, start + len(match[3]), what, cut, is_token(match[3])))
    return found


_YAML_LINE = re.compile(
    r"([ \t]*)(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s:#\"'][^:#\n]*?))[ \t]*:"
    r"(?:[ \t]+(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s\"'#][^\n#]*?)))?[ \t]*(?:#.*)?\r?\Z"
)


def yarnrc(text: str, names: Names = frozenset()) -> list[Secret]:
    """Find `npmAuthToken` and `npmAuthIdent` in Yarn's .yarnrc.yml.

    Yarn reads variables there, so the token's place is taken by the one that msauth-run sets.
    """
    entries: list[Entry] = []
    path: list[tuple[int, str]] = []
    for line in _lines(text):
        match = _YAML_LINE.match(line[0])
        if match is None:
            continue
        key = match[2] or match[3] or match[4]
        path = [(depth, name) for depth, name in path if depth < len(match[1])]
        table = " > ".join(name if "//" not in name else f"https:{name}" for _, name in path)
        path.append((len(match[1]), key))
        for group in (5, 6, 7):
            if match[group]:
                start = line.start() + match.start(group)
                place = whole_line(text, *line.span())
                entries.append(Entry(table, key, match[group], start, place))

    def instead(entry: Entry) -> str:
        value = "${AZURE_ACCESS_TOKEN:-}"
        if entry.key == "npmAuthIdent":
            value = f"x:{value}"
        return value if text[entry.start - 1] in "\"'" else f'"{value}"'

    return _keyed(entries, names, instead) + urls(text)


VARIABLES = frozenset(
    (
        *("AZURE_DEVOPS_EXT_PAT", "AZURE_DEVOPS_PAT", "AZDO_PERSONAL_ACCESS_TOKEN", "AZDO_PAT"),
        *("ADO_PAT", "ADO_MCP_AUTH_TOKEN", "AZP_TOKEN", "VSTS_PAT", "VSTS_TOKEN"),
        *("SYSTEM_ACCESSTOKEN", "VSS_NUGET_ACCESSTOKEN", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"),
        "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    )
)
"""Environment variables that hold a PAT, by their name alone."""
_ASSIGNMENT = re.compile(
    r"[ \t]*(?:export[ \t]+|set[ \t]+-\w+[ \t]+)?([A-Za-z_]\w*)[= ]([\"']?)([^\n]*?)\2[ \t;]*\r?\Z"
)


def shell(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find assignments to variables that hold a PAT, in a shell's or a program's start file."""
    found = urls(text)
    for line in _lines(text):
        match = _ASSIGNMENT.match(line[0])
        if match and match[1] in VARIABLES and _is_secret(match[3]) and "$" not in match[3]:
            start = line.start() + match.start(3)
            found.append(Secret(start, start + len(match[3]), f"in {match[1]}", None))
    return found


def variable(name: str, value: str, env: Callable[[str], str]) -> bool:
    """Say whether an environment variable holds a PAT. env: gives another one's value.

    What msauth-run puts into them is a signed token, and no finding.
    """
    if is_token(value) or not _is_secret(value):
        return False
    if name in VARIABLES and "_FEED_ENDPOINTS" not in name:
        return not (name == "SYSTEM_ACCESSTOKEN" and env("TF_BUILD"))
    if name in VARIABLES:
        return bool(re.search(r'"password"\s*:\s*"[^"]', value)) and not _SIGNED.search(value)
    host = re.match(r"(?i)npm_config_//([^/:]+)", name)
    if host:
        return is_ours(host[1])
    if is_pat(value) or _NEW.search(value) or any(not s.token for s in urls(value)):
        return True
    header = _BASIC.search(value)
    key = name.replace("GIT_CONFIG_VALUE_", "GIT_CONFIG_KEY_")
    url = env(key) if key != name else value
    elsewhere = bool(_ANY_URL.search(url)) and not names_ours(url)
    return header is not None and not elsewhere and (is_pat(header[2]) or names_ours(url))


# --- XML ------------------------------------------------------------------------------------------


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
        if key not in ("cleartextpassword", "password") or not _is_secret(value):
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


def table_names(text: str) -> dict[str, bool]:
    """Return the tables of TOML or INI that hold a URL, or their `name`, and whether it is ours."""
    found: dict[str, bool] = {}
    table = name = url = ""
    for line in [*(line[0] for line in _lines(text)), "[]"]:
        header = _TABLE_LINE.match(line) or line == "[]"
        if header:
            if url:
                word = name or table
                found[word] = found.get(word, True) and names_ours(url)
            table = "" if header is True else _last(header[1])
            name = url = ""
            continue
        match = _TOML_LINE.match(line) or _INI_LINE.match(line)
        if match and match[1] == "name":
            name = (match[2] or "").strip("\"'")
        elif _ANY_URL.search(line):
            url += f" {line}"
    return found


def _last(table: str) -> str:
    return re.split(r"\.(?=[^.]*\Z)", table)[-1].strip("\"'")


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
            header = _BASIC.fullmatch(value)
            if tail == ("property", "value") and header:
                value, instead = header[2], f"Bearer {instead}"
            elif tail != ("server", "password"):
                continue
            if not _is_secret(value) or (name not in ours and not is_pat(value)):
                continue
            what = "in a header of a server" if header else "as the password of a server"
            cut = Cut(*element.inside, instead)
            found.append(Secret(*element.inside, what, cut, is_token(value)))
    return found


# --- All of them ----------------------------------------------------------------------------------

FINDERS: dict[str, Callable[[str, Names], list[Secret]]] = {
    "git-config": git_config,
    "git-credentials": git_credentials,
    "ini": ini,
    "maven": maven,
    "netrc": netrc,
    "npmrc": npmrc,
    "nuget": nuget,
    "shell": shell,
    "toml": toml,
    "urls": urls,
    "yarnrc": yarnrc,
}
"""What finds the secrets of a file of some format."""


def find(form: str, text: str, names: Names = frozenset()) -> list[Secret]:
    """Return all secrets of a text in a format of FINDERS, in their order, none twice."""
    end = 0
    kept = []
    for _, secret in sorted(enumerate((*FINDERS[form](text, names), *shapes(text))), key=_order):
        if secret.start >= end:
            kept.append(secret)
            end = secret.end
    return kept


def _order(numbered: tuple[int, Secret]) -> tuple[int, bool, int]:
    """Order by place; of two at the same place the one that can be cut, then the first, counts."""
    number, secret = numbered
    return secret.start, secret.cut is None, number


def without(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text with every cut made; one that lies within another is a part of that."""
    cuts = sorted({secret.cut for secret in secrets if secret.cut}, key=lambda c: (c.start, -c.end))
    parts, position = [], 0
    for cut in cuts:
        if cut.start >= position:
            parts += [text[position : cut.start], cut.instead]
            position = cut.end
    return "".join(parts) + text[position:]


_SHOWN = re.compile(r"[^=:>\n]*[=:>]")
_PLAIN = re.compile(
    r"([\w \t.=\"'-]{0,40})https?://(?:[\w-]{1,50}@)?([\w.-]+)(?:/[\w./%-]*)?[\"']?\r?"
)
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{50,}")
_IN_URL = re.compile(r"//[^/\s\"'<>]+@")
_TELLS = re.compile(r"(?i)pass|token|secret|auth|key|basic\b|bearer\b|machine\b|value|@")


def masked(form: str, text: str, names: Names = frozenset()) -> str:
    """Return a text to be shown: no secret of ours, and of other lines only what comes first.

    They may hold the secrets of other hosts, of which nothing is known here.
    """
    found = find(form, text, names)
    shown = []
    first = 0  # of those that are not all on lines above
    for line in re.finditer(r"[^\n]*\n|[^\n]+\Z", text):
        end = "\n" if line[0].endswith("\n") else ""
        stop = line.end() - len(end)
        part, rest, position = "", "", line.start()
        while first < len(found) and found[first].end <= line.start():
            first += 1
        following = first
        while following < len(found) and found[following].start < stop:
            secret = found[following]
            between = text[position : max(position, secret.start)]
            part, rest = f"{part}{_IN_URL.sub('//***@', between)}***", rest + between
            position = max(position, min(secret.end, stop))
            following += 1
        if not part:
            shown.append(_skeleton(form, text[line.start() : stop]) + end)
            continue
        between = text[position:stop]
        # A second secret on the same line may be another host's.
        crowded = len(_TELLS.findall(rest + between)) > 3
        shown.append(("… *** …" if crowded else part + _IN_URL.sub("//***@", between)) + end)
    # Also where one stands a second time, as no secret of a key's.
    words = {text[secret.start : secret.end] for secret in found}
    return _LONG.sub("***", _without_words("".join(shown), words))


_LEAST = 8
"""Characters of a secret that is looked for everywhere; shorter ones are in many words."""


def _without_words(text: str, words: Iterable[str]) -> str:
    """Return a text with `***` for these words, in one pass however many they are."""
    wanted = {word for word in words if len(word) >= _LEAST}
    beginnings = {word[:_LEAST] for word in wanted}
    lengths = sorted({len(word) for word in wanted}, reverse=True)
    parts, done, place = [], 0, 0
    while wanted and place + _LEAST <= len(text):
        if text[place : place + _LEAST] in beginnings:
            size = next((n for n in lengths if text[place : place + n] in wanted), 0)
            if size:
                parts += [text[done:place], "***"]
                done = place = place + size
                continue
        place += 1
    return "".join([*parts, text[done:]])


def _skeleton(form: str, line: str) -> str:
    if not line.strip() or (_SECTION.fullmatch(line.rstrip()) and "@" not in line):
        return line
    if form in ("netrc", "git-credentials"):
        return "…"
    plain = _PLAIN.fullmatch(line)
    if plain and is_ours(plain[2]) and not _TELLS.search(plain[1]):
        return line
    match = _SHOWN.match(line)
    if match is None or "//" in line[: match.end()] or "@" in line[: match.end()]:
        return "…"
    return match[0] + ("…" if line[match.end() :].strip() else "")
