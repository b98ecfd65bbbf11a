"""What a run of the benchmark leaves: a table, its numbers, and whether the order is the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from .rounds import Row, Spread

NUMBERS = "results.json"


@dataclass(frozen=True)
class Results:
    """All rows of a run, and where and when it was: `about` has a line for each thing to know."""

    about: dict[str, str]
    rows: list[Row]


def duration(seconds: float) -> str:
    """Return a time with three digits: `7.80 µs`, `9.12 ms`, `3.05 s`."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{digits(seconds * factor)} {unit}"
    return f"{digits(seconds)} s"


def digits(number: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    if number >= 99.95:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


def table(results: Results, notes: Mapping[str, str]) -> str:
    """Return the results as Markdown; notes: what to know of each module, by its name."""
    lines = ["# What was measured", ""]
    lines += [f"- {name}: {value}" for name, value in results.about.items()]
    lines += [
        "",
        "Times are medians, with the quartiles between which half of them lie. A ratio is the",
        "median of the ratios to the base in the same round. `sh install/benchmark.sh` measures",
        "it again.",
    ]
    for module in dict.fromkeys(row.module for row in results.rows):
        rows = [row for row in results.rows if row.module == module]
        note = notes.get(module, "")
        lines += ["", f"## {module}", "", *([note, ""] if note else [])]
        lines += ["| | time | quartiles | rounds | ratio | quartiles | to | wanted | |"]
        lines += ["|---|--:|---|--:|--:|---|---|--:|---|"]
        lines += [_line(row) for row in rows]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    name = row.name.replace("|", "\\|")
    if row.seconds is None:
        problem = (row.problem or "not measured").replace("|", "\\|").replace("\n", " ")
        return f"| {name} | | | | | | | | {problem} |"
    cells = [name, duration(row.seconds.median), _quartiles(row.seconds, duration), str(row.rounds)]
    if row.ratio is None:
        cells += ["", "", ""]
    else:
        group = row.name.partition(": ")[0]
        base = (row.base or "").removeprefix(f"{group}: ")
        cells += [digits(row.ratio.median), _quartiles(row.ratio, digits), base]
    cells.append("" if row.limit is None else f"≤ {digits(row.limit)}")
    cells.append({None: "", True: "reached", False: "**not reached**"}[row.reached])
    return "| " + " | ".join(cells) + " |"


def _quartiles(numbers: Spread, form: Any) -> str:
    return f"{form(numbers.low)} … {form(numbers.high)}"


def summary(row: Row) -> str:
    """Return a row for the terminal."""
    if row.seconds is None:
        return f"  {row.name:56} {row.problem or 'not measured'}"
    text = f"  {row.name:56} {duration(row.seconds.median):>8}"
    if row.ratio is not None:
        text += f"  {digits(row.ratio.median):>5} x"
    if row.reached is not None:
        text += f"  (wanted {digits(row.limit or 0)}: {'ok' if row.reached else 'over'})"
    return text


def reversed_order(before: Sequence[Row], now: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the pairs of cases of a module of which the other one is the faster now.

    Two cases have an order where their quartiles do not overlap; what overlaps is equally fast.
    """
    earlier = {(row.module, row.name): row for row in before}
    found = []
    for one, other in combinations([row for row in now if (row.module, row.name) in earlier], 2):
        if one.module == other.module:
            was = _order(earlier[one.module, one.name], earlier[other.module, other.name])
            if was * _order(one, other) < 0:
                found.append((one.name, other.name))
    return found


def _order(one: Row, other: Row) -> int:
    mine, its = one.seconds, other.seconds
    if one.ratio and other.ratio and one.base == other.base:  # a machine's load matters less
        mine, its = one.ratio, other.ratio
    if mine is None or its is None or (mine.low <= its.high and its.low <= mine.high):
        return 0
    return -1 if mine.high < its.low else 1


def write(results: Results, path: Path) -> None:
    """Write all numbers, to be read back with `read`."""
    text = json.dumps(asdict(results), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> Results:
    """Read what `write` wrote. Raises OSError and ValueError."""
    value = json.loads(path.read_text("utf-8"))
    return Results(value["about"], [_row(row) for row in value["rows"]])


def _row(value: dict[str, Any]) -> Row:
    spreads = {
        name: None if value[name] is None else Spread(**value[name])
        for name in ("seconds", "ratio")
    }
    return Row(**(value | spreads))
