"""Measures how long everything takes, beside what else does it, interleaved in one run.

`sh install/benchmark.sh` prepares what it needs and starts it. No test asserts what comes out: a
machine's load is not a defect.
"""

import argparse
import importlib
import inspect
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from . import chart, machine, report
from .cases import Place
from .rounds import USUAL, Row, measure

MODULES = ("hot", "crowd", "cold", "network", "serve", "sdk", "scale", "rivals")
COMMITTED = Path(__file__).parent / "results"
CHART = "rivals"
"""The module whose rows are drawn."""


class Parser(argparse.ArgumentParser):
    """Complains as the programs do; the help is that of benchmark.sh, which prints it itself."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n{self.prog}: hint: sh {self.prog} --help\n")


def main() -> int:
    parser = Parser(prog="install/benchmark.sh", add_help=False, allow_abbrev=False)
    here = [name for name in MODULES if find_spec(f"{__package__}.{name}")]
    parser.add_argument("--only", nargs="+", choices=here, default=here)
    parser.add_argument("--rounds", type=int, default=USUAL)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path)
    # What benchmark.sh says of itself: where install.sh has installed, and where --output begins.
    parser.add_argument("--installed", type=Path)
    parser.add_argument("--relative-to", type=Path, default=Path())
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds needs 1 or more, not {options.rounds}")
    folder = None
    if options.output is not None:
        folder = (options.relative_to / options.output).resolve()
        try:  # before the minutes that it takes
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"cannot make {folder}: {(error.strerror or str(error)).lower()}")
    usual = 5 if options.quick else options.rounds
    began = machine.load()
    results = report.Results(machine.about(sys.executable), [])
    notes = {}
    for name in options.only:
        module = importlib.import_module(f"{__package__}.{name}")
        print(f"{name}:", flush=True)
        for row in measured(module, name, usual, options.installed):
            results.rows.append(row)
            print(report.summary(row), flush=True)
        notes[name] = inspect.cleandoc(module.__doc__ or "")
        results.about.update(getattr(module, "versions", dict)())
    results.about["load"] = f"{began:.1f} at the start, {machine.load():.1f} at the end"
    _compare(results)
    if folder is not None:
        _write(results, notes, folder)
    return 1 if any(row.problem.startswith("failed") for row in results.rows) else 0


def measured(module: ModuleType, name: str, usual: int, installed: Path | None) -> list[Row]:
    """Run a module's cases; the rows say what failed, nothing is raised."""
    pip = Path(sysconfig.get_path("scripts"))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(
        prefix="msauth-benchmark-", ignore_cleanup_errors=True
    ) as scratch:
        place = Place(sys.executable, pip, installed, Path(scratch))
        try:
            with module.cases(place) as cases:
                rows = measure(name, cases, usual, _progress)
        except Exception as error:  # noqa: BLE001 - the other modules' minutes are not to be lost
            problem = f"failed: {error or type(error).__name__}"
            rows.append(Row(name, name, None, None, problem=problem))
    return rows


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        end = "\r\033[K" if done == of else ""
        print(f"\r  round {done} of {of}{end}", end="", file=sys.stderr, flush=True)


def _compare(results: report.Results) -> None:
    try:
        before = report.read(COMMITTED / report.NUMBERS)
    except (OSError, ValueError):
        return
    known = {(row.module, row.name) for row in before.rows}
    if known.isdisjoint((row.module, row.name) for row in results.rows):
        return
    found = report.reversed_order(before.rows, results.rows)
    day = before.about.get("day", "another day")
    for one, other in found:
        print(f"not the order of {day}: {one}, {other}")
    if not found:
        print(f"the same order as on {day}")


def _write(results: report.Results, notes: dict[str, str], folder: Path) -> None:
    report.write(results, folder / report.NUMBERS)
    (folder / "README.md").write_text(report.table(results, notes), encoding="utf-8")
    rows = [row for row in results.rows if row.module == CHART]
    if any(row.ratio for row in rows):
        chart.draw(rows, folder)
    print(f"written to {folder}")


if __name__ == "__main__":
    sys.exit(main())
