"""The small part of Markdown that the topics are written in, taken apart. Pure.

Headings (`#`, `##`), paragraphs, `-` lists, pipe tables and fenced code; in a text `code` and
**bold**. Nothing else has a meaning, so a topic reads well as it is, too.
"""

import re
from typing import NamedTuple


class Heading(NamedTuple):
    """level: 1 or 2."""

    level: int
    text: str


class Paragraph(NamedTuple):
    """Text without its line breaks."""

    text: str


class Bullets(NamedTuple):
    """A list; each item without its line breaks."""

    items: list[str]


class Table(NamedTuple):
    """rows: the first one is the heading; its cells may be empty."""

    rows: list[list[str]]


class Code(NamedTuple):
    """language: what stands after the fence; `console` is run by a test."""

    language: str
    lines: list[str]


Block = Heading | Paragraph | Bullets | Table | Code

_SPAN = re.compile(r"(`[^`]+`|\*\*.+?\*\*)")
_CELL = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\|[-| :]+\|")


def blocks(text: str) -> list[Block]:
    """Return the blocks of a text. Raises ValueError for a fence that is not closed."""
    found: list[Block] = []
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        if not line.strip():
            continue
        if line.startswith("```"):
            end = lines.index("```")
            found.append(Code(line[3:], lines[:end]))
            del lines[: end + 1]
        elif line.startswith("#"):
            marks, _, title = line.partition(" ")
            found.append(Heading(len(marks), title))
        elif line.startswith("|"):
            rows = [line, *_while(lines, lambda each: each.startswith("|"))]
            found.append(Table([_cells(row) for row in rows if not _RULE.fullmatch(row)]))
        elif line.startswith("- "):
            items = [line[2:]]
            for below in _while(lines, lambda each: each.startswith(("- ", "  "))):
                if below.startswith("- "):
                    items.append(below[2:])
                else:
                    items[-1] += " " + below.strip()
            found.append(Bullets(items))
        else:
            more = _while(lines, lambda each: each.strip() and not each.startswith(_STARTS))
            found.append(Paragraph(" ".join([line.strip(), *(each.strip() for each in more)])))
    return found


_STARTS = ("#", "|", "- ", "```")


def spans(text: str) -> list[tuple[str, str]]:
    """Return a text's runs as (kind, text); kind: "", "code" or "bold"."""
    found = []
    for run in _SPAN.split(text):
        if run.startswith("`"):
            found.append(("code", run[1:-1]))
        elif run.startswith("**"):
            found.append(("bold", run[2:-2]))
        elif run:
            found.append(("", run))
    return found


def plain(text: str) -> str:
    """Return a text without its marks."""
    return "".join(run for _, run in spans(text))


def _while(lines: list[str], holds: "Callable[[str], object]") -> list[str]:
    taken = []
    while lines and holds(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(row.strip()[1:-1])]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
