"""Secrets in files of `key = value` lines below the headers of tables: TOML and INI."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .secret import (
    ANY_URL,
    Cut,
    Names,
    Secret,
    is_pat,
    is_secret,
    is_token,
    lines,
    names_ours,
    urls,
    whole_line,
)

_SECRET_KEY = re.compile(
    r"(?i)_?(auth)?(token|password)|_auth|npmAuthToken|npmAuthIdent|personal access token"
)


class Entry(NamedTuple):
    """A key with the table that it is in; the place of its value, and of all of it."""

    table: str
    key: str
    value: str
    start: int
    line: tuple[int, int]


def keyed(
    entries: list[Entry], names: Names, instead: Callable[[Entry], str | None]
) -> list[Secret]:
    """Find secrets among entries: those of a table that holds a URL of ours, or is known as ours.

    instead: what takes the value's place, None to remove the whole line.
    """
    ours = {e.table for e in entries if names_ours(e.value) or names_ours(e.table)}
    found = []
    for entry in entries:
        if not _SECRET_KEY.fullmatch(entry.key) or not is_secret(entry.value):
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
    found = keyed(list(_entries(text, _TOML_LINE, numbered=True)), names, lambda _: None)
    return found + urls(text)


def ini(text: str, names: Names = frozenset()) -> list[Secret]:
    """Find passwords of .pypirc, tokens of the Azure DevOps extension of az, and URLs with one."""
    return keyed(list(_entries(text, _INI_LINE)), names, lambda _: None) + urls(text)


def _entries(text: str, pattern: "re.Pattern[str]", *, numbered: bool = False) -> Iterator[Entry]:
    table, count = "", 0
    for line in lines(text):
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


def table_names(text: str) -> dict[str, bool]:
    """Return the tables of TOML or INI that hold a URL, or their `name`, and whether it is ours."""
    found: dict[str, bool] = {}
    table = name = url = ""
    for line in [*(line[0] for line in lines(text)), "[]"]:
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
        elif ANY_URL.search(line):
            url += f" {line}"
    return found


def _last(table: str) -> str:
    return re.split(r"\.(?=[^.]*\Z)", table)[-1].strip("\"'")
