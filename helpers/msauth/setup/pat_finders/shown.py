"""A text with secrets as a person may see it."""

import re
from collections.abc import Iterable

from . import find
from .git import SECTION
from .secret import Names, is_ours

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
    if not line.strip() or (SECTION.fullmatch(line.rstrip()) and "@" not in line):
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
