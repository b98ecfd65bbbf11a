"""Telling people: tables, times and durations.

Everything that came from a server or a file is escaped first (`errors.printable`).
"""

import json
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from ..errors import printable
from ..protocols import exec_credential

Rows = Sequence[Sequence[str]]


def as_json(value: object) -> None:
    """Write a value as JSON, for programs; its keys are told by `msauth help commands`."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def table(title: str, columns: Sequence[str], rows: Rows) -> None:
    """Write a table under a title; with no rows, nothing.

    Nothing is folded or cut, because ids are there to be copied: a terminal that is narrower
    than the table gets a block for each row, in lines of `column  value`.
    """
    if not rows:
        return
    lines = [[printable(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    strong = may_style()
    if title:
        sys.stdout.write(bold(f"{title}:", strong) + "\n")
    if sys.stdout.isatty() and 2 * len(widths) + sum(widths) > shutil.get_terminal_size().columns:
        heading, *records = lines
        for number, record in enumerate(records):
            sys.stdout.write("\n" if number else "")
            _facts([*zip(heading, record, strict=True)], "  ", strong)
        return
    for number, line in enumerate(lines):
        text = "  ".join(_padded(cell, width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  " + bold(text.rstrip(), strong and not number) + "\n")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Write `name  value` lines, the values in one column; empty values are left out."""
    _facts([(name, printable(value)) for name, value in pairs], "", False)


def _facts(pairs: Sequence[tuple[str, str]], indent: str, strong: bool) -> None:
    shown = [(name, value) for name, value in pairs if value]
    width = max((_width(name) for name, _ in shown), default=0)
    for name, value in shown:
        sys.stdout.write(f"{indent}{bold(_padded(name, width), strong)}  {value}\n")


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal (UAX #11), after `printable`."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def may_style() -> bool:
    """Say whether stdout may be styled: a terminal, and nobody forbids it (https://no-color.org)."""
    forbidden = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not forbidden


def bold(text: str, strong: bool) -> str:
    """Return text in bold, or as it is unless strong."""
    return f"\x1b[1m{text}\x1b[0m" if strong else text


def paragraph(text: str) -> None:
    """Write text, escaped, with its line breaks kept."""
    sys.stdout.write("".join(f"{printable(line)}\n" for line in text.split("\n")))


def local(epoch: int) -> str:
    """Return epoch seconds as local time with its zone, to the minute."""
    try:
        return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(epoch)).strip()
    except (OverflowError, OSError, ValueError):
        return str(epoch)


def when(epoch: int, now: int) -> str:
    """Return a time and its distance: `2026-11-22 23:40 CET (in 59 minutes)`."""
    if epoch >= now:
        return f"{local(epoch)} (in {words(epoch - now)})"
    return f"{local(epoch)} ({words(now - epoch)} ago)"


def words(seconds: int) -> str:
    """Return a duration in its largest unit and the next one: `1 hour 5 minutes`."""
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    for (name, size), (below, part) in pairwise(units):
        if seconds >= size:
            rest = seconds % size // part if size > 60 else 0
            return _count(seconds // size, name) + (f" {_count(rest, below)}" if rest else "")
    return _count(seconds, "second")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' * (number != 1)}"


def rfc3339(epoch: int) -> str | None:
    """Return epoch seconds as RFC 3339 in UTC; None for 0 (unknown) and for no year of its."""
    if not 0 < epoch < 253_402_300_800:
        return None
    return exec_credential.rfc3339(epoch)
