"""Secrets in the files of npm, pnpm and Yarn."""

import re

from .secret import (
    Cut,
    Names,
    Secret,
    is_ours,
    is_pat,
    is_secret,
    is_token,
    lines,
    names_ours,
    urls,
    whole_line,
)
from .tables import Entry, keyed

_NPM_LINE = re.compile(
    r"[ \t]*(?:(//[^\s=]*?):)?(_authToken|_password|_auth)[ \t]*="
    r"[ \t]*\"?([^\"\r\n]*?)\"?[ \t]*\r?\Z"
)


def npmrc(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find `//HOST/path/:_authToken`, `_password` and `_auth`, of npm and pnpm."""
    found = urls(text)
    registries = re.findall(r"(?m)^[ \t]*registry[ \t]*=.*", text)
    ours_by_default = any(map(names_ours, registries))
    for line in lines(text):
        match = _NPM_LINE.match(line[0])
        if match is None or not is_secret(match[3]):
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
    for line in lines(text):
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

    return keyed(entries, names, instead) + urls(text)
