"""Telling people: tables, times and durations. On a terminal with rich, if it is installed.

Everything that came from a server or a file is escaped first (`errors.printable`).
"""

import json
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..errors import printable
from ..protocols import exec_credential

Rows = Sequence[Sequence[str]]


def as_json(value: object) -> None:
    """Write a value as JSON, for programs; its keys are told by `msauth help commands`."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def table(title: str, columns: Sequence[str], rows: Rows) -> None:
    """Write a table under a title; with no rows, nothing."""
    if not rows:
        return
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and _rich_table(title, columns, cells):
        return
    widths = [max(len(row[i]) for row in [columns, *cells]) for i in range(len(columns))]
    lines = [f"{title}:"] if title else []
    for row in [columns, *cells]:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(("  " + padded).rstrip())
    sys.stdout.write("\n".join(lines) + "\n")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Write `name  value` lines, the values in one column; empty values are left out."""
    shown = [(name, printable(value)) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        sys.stdout.write(f"{name:{width}}  {value}\n")


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


def _rich_table(title: str, columns: Sequence[str], rows: Rows) -> bool:
    """Write the table with rich; say whether rich is there."""
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    grid: Any = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))  # Text: brackets in a name are no markup
    Console(highlight=False).print(grid)
    return True
