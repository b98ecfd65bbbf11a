"""Secrets in a netrc file."""

import re
from collections.abc import Iterator

from .secret import Cut, Names, Secret, is_ours, is_pat, is_secret, is_token, whole_line

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
        if not (is_ours(machine) and is_secret(value)) and not (machine == "" and is_pat(value)):
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
