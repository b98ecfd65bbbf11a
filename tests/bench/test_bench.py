"""The benchmark's own arithmetic, and that each of its measurements runs. None asserts a time."""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS
from . import __main__ as program
from . import chart, report, rivals
from .cases import Case, Missing, Place
from .rounds import Row, Spread, measure, schedule, spread

HERE = [name for name in program.MODULES if importlib.util.find_spec(f"{__package__}.{name}")]


def counted(value: float | None = None) -> tuple[Callable[[], float | None], list[int]]:
    """A case's `run` that takes so many seconds, and the list that grows with its calls."""
    calls: list[int] = []

    def run() -> float | None:
        calls.append(1)
        return value

    return run, calls


def case(name: str, base: str | None = None, rounds: int = 60) -> Case:
    return Case(name, lambda: 1.0, base=base, rounds=rounds)


def row(name: str, low: float, high: float, *, ratio: float | None = None, **more: object) -> Row:
    middle = (low + high) / 2
    spreads = {
        "seconds": Spread(middle, low, high),
        "ratio": None if ratio is None else Spread(ratio, ratio, ratio),
    }
    values = {"module": "m", "base": None, "limit": None, "rounds": 9} | spreads | more
    return Row(name=name, **values)  # type: ignore[arg-type]  # a test's short cut


def names(rounds: list[list[Case]]) -> list[set[str]]:
    return [{each.name for each in these} for these in rounds]


def no_progress(done: int, of: int) -> None:
    assert 0 <= done <= of


# -- rounds


def test_a_rare_case_runs_in_rounds_that_lie_evenly() -> None:
    rounds = names(schedule([case("often"), case("rare", rounds=15)], 60))
    assert len(rounds) == 60
    assert [number for number, these in enumerate(rounds) if "rare" in these] == [*range(3, 60, 4)]
    assert all("often" in these for these in rounds)


def test_a_base_runs_whenever_a_case_needs_it_and_no_more_often() -> None:
    cases = [
        case("bare"),
        case("two bare", "bare"),
        case("one", "two bare", rounds=20),
        case("two", "bare", rounds=12),
        case("alone"),
    ]
    rounds = names(schedule(cases, 60))
    for these in rounds:
        assert ("two bare" in these) == ("one" in these)
        assert ("bare" in these) == bool(these & {"one", "two"})
    assert [sum(name in these for these in rounds) for name in ("one", "two")] == [20, 12]


@pytest.mark.parametrize("usual", [1, 7, 60, 120])
def test_every_case_runs_however_few_the_rounds_are(usual: int) -> None:
    rounds = schedule(
        [case("often"), case("rare", rounds=3), case("base"), case("x", "base")], usual
    )
    assert len(rounds) == usual
    assert set().union(*names(rounds)) == {"often", "rare", "base", "x"}


def test_the_order_within_a_round_changes_and_is_the_same_another_day() -> None:
    cases = [case(name) for name in "abcdefgh"]
    orders = [[each.name for each in these] for these in schedule(cases, 60)]
    assert orders == [[each.name for each in these] for these in schedule(cases, 60)]
    assert len({order[0] for order in orders}) == len(cases)
    assert all(sorted(order) == list("abcdefgh") for order in orders)


def test_a_ratio_is_to_the_base_of_the_same_round() -> None:
    """A machine that is three times as slow in some of the rounds does not change it."""
    slowness = [1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 1.0, 3.0, 1.0, 1.0]  # of the warming up first
    ran = {"a": 0, "b": 0}

    def run(name: str, seconds: float) -> float:
        ran[name] += 1
        return seconds * slowness[ran[name] - 1]

    cases = [Case("a", lambda: run("a", 0.5)), Case("b", lambda: run("b", 2.0), "a", 4.5)]
    rows = measure("m", cases, 10, no_progress)
    assert [each.rounds for each in rows] == [10, 10]
    assert [each.ratio for each in rows] == [None, Spread(4.0, 4.0, 4.0)]
    assert [each.seconds for each in rows] == [Spread(0.5, 0.5, 1.5), Spread(2.0, 2.0, 6.0)]
    assert [each.reached for each in rows] == [None, True]


def test_what_fails_or_is_missing_says_so_and_the_others_go_on() -> None:
    def fails() -> None:
        calls.append(1)
        raise RuntimeError("it is broken")

    def is_missing() -> None:
        raise Missing("there is no such program")

    calls: list[int] = []
    works, works_calls = counted(1.0)
    cases = [
        Case("broken", fails, "works"),
        Case("absent", is_missing),
        Case("works", works),
        Case("compared", lambda: 2.0, "broken"),
    ]
    rows = {each.name: each for each in measure("m", cases, 5, no_progress)}
    assert rows["broken"].problem == "failed: it is broken"
    assert rows["absent"].problem == "missing: there is no such program"
    assert rows["works"].seconds == Spread(1.0, 1.0, 1.0)
    assert rows["compared"].ratio is None
    assert (len(calls), len(works_calls)) == (1, 6)


def test_a_call_is_timed_where_the_case_does_not_say() -> None:
    run, calls = counted()
    (only,) = measure("m", [Case("x", run)], 3, no_progress)
    assert len(calls) == 4
    assert only.seconds is not None
    assert only.seconds.median > 0


@pytest.mark.parametrize(
    "cases", [[case("a"), case("a")], [case("a", base="b")]], ids=["twice", "no base"]
)
def test_a_list_that_cannot_be_measured_is_refused(cases: list[Case]) -> None:
    with pytest.raises(ValueError, match="a"):
        measure("m", cases, 1, no_progress)


def test_spread() -> None:
    assert spread([5]) == Spread(5, 5, 5)
    assert spread([4, 1, 3, 2, 5]) == Spread(3, 2, 4)


# -- the table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (7.8e-6, "7.80 µs"),
        (0.0009994, "999 µs"),
        (0.0009996, "1.00 ms"),
        (0.00912, "9.12 ms"),
        (0.0456, "45.6 ms"),
        (0.301, "301 ms"),
        (3.05, "3.05 s"),
        (123.4, "123 s"),
    ],
)
def test_a_duration_has_three_digits(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_the_table_names_limits_and_what_is_missing() -> None:
    rows = [
        row("bare", 0.009, 0.011),
        row("in time", 0.009, 0.011, ratio=1.004, limit=1.1, base="bare"),
        row("a | b", 0.02, 0.03, ratio=2.5, limit=2, base="bare"),
        Row("other", "gone", "bare", 1.0, problem="missing: there\nis | none"),
    ]
    text = report.table(report.Results({"day": "today"}, rows), {"m": "About m."})
    assert "- day: today\n" in text
    assert "## m\n\nAbout m.\n\n|" in text
    assert (
        "| in time | 10.0 ms | 9.00 ms … 11.0 ms | 9 | 1.00 | 1.00 … 1.00 | bare | ≤ 1.10 |" in text
    )
    assert "| reached |" in text
    assert "| a \\| b | 25.0 ms |" in text
    assert "| **not reached** |" in text
    assert "## other\n\n|" in text
    assert "| gone | | | | | | | | missing: there is \\| none |" in text
    lines = [line.replace("\\|", "") for line in text.split("\n") if line.startswith("|")]
    assert {line.count("|") for line in lines} == {10}


def test_the_numbers_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [row("a", 1, 2), row("b", 1, 2, ratio=3, limit=1), Row("m", "c", "a", None, problem="p")]
    results = report.Results({"day": "today"}, rows)
    report.write(results, tmp_path / "x.json")
    assert report.read(tmp_path / "x.json") == results


def test_only_what_changed_places_beyond_its_spread_is_another_order() -> None:
    before = [row("fast", 1, 2), row("slow", 3, 4), row("also slow", 3.5, 5), row("gone", 1, 1)]
    same = [row("fast", 2.5, 3.5), row("slow", 3, 4), row("also slow", 2.9, 4), row("new", 0, 0)]
    assert report.reversed_order(before, same) == []
    turned = [row("fast", 6, 7), row("slow", 3, 4), row("also slow", 1, 2)]
    assert report.reversed_order(before, turned) == [("fast", "slow"), ("fast", "also slow")]
    loaded = [row("one", 1, 2, ratio=1.0, base="b"), row("other", 3, 4, ratio=2.0, base="b")]
    quiet = [row("one", 9, 9, ratio=1.1, base="b"), row("other", 4, 4, ratio=1.9, base="b")]
    assert report.reversed_order(loaded, quiet) == []
    assert (
        report.reversed_order(
            [row("fast", 1, 2), row("slow", 3, 4, module="n")],
            [row("fast", 6, 7), row("slow", 3, 4, module="n")],
        )
        == []
    )


# -- the chart

RIVALS = [
    row("git: python", 1, 1),
    row("git: store", 0.5, 0.5, ratio=0.5),
    row("git: msauth", 1, 1, ratio=0.98),
    row("scripts: az", 30, 30, ratio=31.0),
    row("scripts: msauth-token", 1, 1, ratio=0.96),
    Row("m", "scripts: kubelogin", None, None, problem="missing: there is no kubelogin"),
    Row("m", "none: gone", None, None, problem="missing: nothing"),
]


def test_the_chart_has_the_shortest_bar_of_each_group_first() -> None:
    groups, bars = chart.arranged(RIVALS)
    assert list(groups) == ["git", "scripts"]
    assert [(bar.name, bar.ours) for bar in bars] == [
        ("store", False),
        ("msauth", True),
        ("msauth-token", True),
        ("az", False),
    ]
    heights = sorted([*groups.values(), *(bar.at for bar in bars)])
    assert all(b - a >= 1 for a, b in pairwise(heights))


@pytest.mark.real_client
def test_the_chart_is_drawn_with_texts_for_both_pages(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    chart.draw(RIVALS, tmp_path)
    light, dark = ((tmp_path / f"chart-{name}.svg").read_text() for name in ("light", "dark"))
    for text in (light, dark):
        for word in ("az", "31.0\N{MULTIPLICATION SIGN}", "msauth-token", "a bare Python"):
            assert f">{word}</text>" in text
    assert light != dark
    chart.draw(RIVALS, tmp_path)
    assert (tmp_path / "chart-light.svg").read_text() == light


# -- the whole


def tiny() -> ModuleType:
    """A module of measurements, of two processes."""

    @contextmanager
    def cases(place: Place) -> Iterator[list[Case]]:
        assert not list(place.scratch.iterdir())

        def start() -> None:
            subprocess.run([place.python, "-ISc", "pass"], check=True)

        def twice() -> None:
            start()
            start()

        yield [Case("bare", start), Case("twice", twice, base="bare")]

    module = ModuleType("tiny")
    module.__dict__.update(cases=cases, __doc__="Starts Python.\n\nMore.")
    return module


def test_a_run_writes_a_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "MODULES", ("cases",))
    monkeypatch.setattr(program, "importlib", SimpleNamespace(import_module=lambda _: tiny()))
    monkeypatch.setattr(program, "COMMITTED", tmp_path)
    command = ["bench", "--rounds", "2", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    assert program.main() == 0
    text = (tmp_path / "README.md").read_text()
    assert "\n\nStarts Python.\n\nMore.\n\n|" in text
    assert f"- Python: {sys.version.split()[0]}\n" in text
    assert "| twice | " in text
    assert report.read(tmp_path / report.NUMBERS).rows[1].rounds == 2
    assert program.main() == 0
    assert "order" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rounds", "0"], "--rounds needs 1 or more, not 0"),
        (["--only", "nothing"], "argument --only: invalid choice: 'nothing'"),
        (["--fast"], "unrecognized arguments: --fast"),
        (["--output", "{file}/folder"], "cannot make {file}/folder: not a directory"),
    ],
    ids=["rounds", "only", "unknown", "output"],
)
def test_what_is_typed_wrong_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    complaint: str,
) -> None:
    def measured(*_: object) -> list[Row]:
        raise AssertionError

    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(program, "measured", measured)
    monkeypatch.setattr(sys, "argv", ["bench", *(each.format(file=file) for each in options)])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(f"install/benchmark.sh: error: {complaint.format(file=file)}")
    assert hint == "install/benchmark.sh: hint: sh install/benchmark.sh --help"


def test_a_module_that_cannot_begin_or_end_loses_no_row() -> None:
    def cannot_begin(place: Place) -> None:
        raise RuntimeError("nothing here")

    @contextmanager
    def cannot_end(place: Place) -> Iterator[list[Case]]:
        yield [case("a")]
        raise RuntimeError("it does not end")

    module = ModuleType("broken")
    module.__dict__["cases"] = cannot_begin
    rows = program.measured(module, "broken", 1, None)
    assert [each.problem for each in rows] == ["failed: nothing here"]
    module.__dict__["cases"] = cannot_end
    rows = program.measured(module, "broken", 1, None)
    assert [each.problem for each in rows] == ["", "failed: it does not end"]


@pytest.mark.long
@pytest.mark.parametrize("name", HERE)
def test_each_measurement_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{__package__}.{name}")
    monkeypatch.setattr(module, "SIZE", 8, raising=False)  # of a crowd: other tests run beside it
    rows = program.measured(module, name, 1, None)
    assert [each for each in rows if each.problem.startswith("failed")] == []
    assert any(each.seconds for each in rows)


@pytest.mark.long
def test_what_is_compared_with_us_has_its_token_already(
    cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rivals, "Sandbox", lambda: nullcontext(cloud))
    with rivals.cases(Place(sys.executable, SCRIPTS, None, tmp_path)) as cases:
        measure("rivals", cases, 1, no_progress)
        requests = cloud.count("token")
        rows = measure("rivals", cases, 1, no_progress)
    assert sum(each.seconds is not None for each in rows) > 5
    assert cloud.count("token") == requests
