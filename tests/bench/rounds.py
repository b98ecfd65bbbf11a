"""Running cases interleaved, and what their times come to."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .cases import Case, Missing

USUAL = 60
"""The number of rounds that `Case.rounds` is a part of."""


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, and the quartiles between which half of them lie."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What became of one case."""

    module: str
    name: str
    base: str | None
    limit: float | None
    rounds: int = 0
    seconds: Spread | None = None
    ratio: Spread | None = None
    """To the base in the same round; of a base itself None."""
    problem: str = ""
    """Why it was not measured: `missing: …` or `failed: …`."""

    @property
    def reached(self) -> bool | None:
        """Whether the wanted limit is kept; None where there is none or nothing was measured."""
        if self.limit is None or self.ratio is None:
            return None
        return round(self.ratio.median, 2) <= self.limit  # as the table shows it


def spread(numbers: Sequence[float]) -> Spread:
    """Return the median and the quartiles of at least one number."""
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Spread(median, low, high)


def schedule(cases: Sequence[Case], usual: int) -> list[list[Case]]:
    """Return which cases each round runs, in which order, when a usual case runs `usual` times.

    A case that runs less often does so in rounds that lie evenly between the others. A base runs
    whenever one that needs it does. The order is shuffled, by the round's number: what runs behind
    a large program finds the processor's caches cold, and that should not always be the same one.
    """
    bases = {case.base for case in cases}
    counts = {
        case.name: max(1, round(case.rounds * usual / USUAL))
        for case in cases
        if case.name not in bases
    }
    most = max(counts.values(), default=0)
    by_name = {case.name: case for case in cases}
    rounds = []
    for number in range(most):
        due = {name for name, n in counts.items() if (number + 1) * n // most > number * n // most}
        for name in list(due):
            base = by_name[name].base
            while base is not None:
                due.add(base)
                base = by_name[base].base
        these = [case for case in cases if case.name in due]
        random.Random(number).shuffle(these)
        rounds.append(these)
    return rounds


def measure(
    module: str, cases: Sequence[Case], usual: int, progress: Callable[[int, int], None]
) -> list[Row]:
    """Run all cases once to warm up, then in rounds; return a row for each, in their order.

    progress is told how many rounds are done, and of how many. A case that fails is not run
    again, and the others go on.
    """
    _check(cases)
    problems: dict[str, str] = {}
    for case in cases:
        _run(case, problems)
    rounds = schedule(cases, usual)
    times: dict[str, dict[int, float]] = {case.name: {} for case in cases}
    for number, these in enumerate(rounds):
        progress(number, len(rounds))
        for case in these:
            if case.name not in problems:
                seconds = _run(case, problems)
                if seconds is not None:
                    times[case.name][number] = seconds
    progress(len(rounds), len(rounds))
    return [_row(module, case, times, problems.get(case.name, "")) for case in cases]


def _check(cases: Sequence[Case]) -> None:
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        raise ValueError(f"two cases have the same name: {sorted(names)}")
    for case in cases:
        if case.base is not None and case.base not in names:
            raise ValueError(f"{case.name} is compared with {case.base}, which is not there")


def _run(case: Case, problems: dict[str, str]) -> float | None:
    began = time.perf_counter()
    try:
        seconds = case.run()
    except Missing as error:
        problems[case.name] = f"missing: {error}"
        return None
    except Exception as error:  # noqa: BLE001 - the other cases' minutes are not to be lost
        problems[case.name] = f"failed: {error or type(error).__name__}"
        return None
    return time.perf_counter() - began if seconds is None else seconds


def _row(module: str, case: Case, times: dict[str, dict[int, float]], problem: str) -> Row:
    row = Row(module, case.name, case.base, case.limit, problem=problem)
    mine = times[case.name]
    if problem or not mine:
        return row
    base = times[case.base] if case.base is not None else {}
    ratios = [seconds / base[number] for number, seconds in mine.items() if number in base]
    return Row(
        module,
        case.name,
        case.base,
        case.limit,
        len(mine),
        spread(list(mine.values())),
        spread(ratios) if ratios else None,
    )
