"""Bars of how many times as long as a bare Python everything takes, for a light and a dark page."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .report import digits, duration
from .rounds import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONTS = ["DejaVu Sans", "Segoe UI", "Helvetica", "Arial"]
"""The first measures the texts here, and is wider than what a machine without it shows instead."""
LABEL = "times as long as a bare Python in its place, on a logarithmic scale"
TIMES = "\N{MULTIPLICATION SIGN}"
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Theme:
    """Colours, as on GitHub's pages."""

    page: str
    text: str
    quiet: str
    line: str
    ours: str
    theirs: str


THEMES = {
    "light": Theme("#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#0969da", "#afb8c1"),
    "dark": Theme("#0d1117", "#f0f6fc", "#9198a1", "#3d444d", "#4493f8", "#656c76"),
}


@dataclass(frozen=True)
class Bar:
    """A row as it is drawn; ratio: to a bare Python."""

    at: float
    name: str
    ratio: float
    seconds: float

    @property
    def ours(self) -> bool:
        return "msauth" in self.name.lower()


def draw(rows: Sequence[Row], folder: Path) -> None:
    """Write `chart-light.svg` and `chart-dark.svg` of rows whose names are `GROUP: WHAT`."""
    groups, bars = arranged(rows)
    for name, theme in THEMES.items():
        _draw(groups, bars, theme, folder / f"chart-{name}.svg")


def arranged(rows: Sequence[Row]) -> tuple[dict[str, float], list[Bar]]:
    """Return where the groups' names and the bars stand, from the top, the shortest bar first.

    A row without a ratio is a base, or was not measured, and has no bar.
    """
    groups: dict[str, float] = {}
    bars: list[Bar] = []
    at = 0.0
    for group in dict.fromkeys(row.name.partition(": ")[0] for row in rows):
        mine = [
            (row.ratio.median, row.seconds.median, row.name.partition(": ")[2])
            for row in rows
            if row.ratio and row.seconds and row.name.startswith(f"{group}: ")
        ]
        if not mine:
            continue
        groups[group] = at
        for number, (ratio, seconds, name) in enumerate(sorted(mine), 1):
            bars.append(Bar(at + number, name, ratio, seconds))
        at += len(mine) + 1.5
    return groups, bars


def _draw(groups: dict[str, float], bars: list[Bar], theme: Theme, path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # It would complain of each font that is not on this machine.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    height = 0.29 * bars[-1].at + 1.35
    with mpl.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": FONTS,
            "font.size": 10,
            "svg.fonttype": "none",  # texts stay texts
            "svg.hashsalt": "msauth",  # the same numbers give the same file
            "text.color": theme.text,
        }
    ):
        figure = Figure(figsize=(8.6, height), facecolor=theme.page)
        axes = figure.add_axes((0.3, 0.62 / height, 0.6, 1 - 1.0 / height), facecolor=theme.page)
        _scale(axes, bars, theme)
        for group, at in groups.items():
            _beside(axes, at, group, theme.text, weight="bold")
        for bar in bars:
            _bar(axes, bar, theme)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def _scale(axes: "Axes", bars: list[Bar], theme: Theme) -> None:
    ratios = [bar.ratio for bar in bars]
    least, most = min(0.5, *ratios) * 0.85, max(2, *ratios) * 2
    ticks = [each for each in TICKS if least <= each <= most]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{each:g}{TIMES}" for each in ticks], color=theme.quiet)
    axes.minorticks_off()
    axes.set_xlim(least, most)
    axes.set_ylim(bars[-1].at + 0.6, -0.6)
    axes.set_yticks([])
    axes.set_xlabel(LABEL, color=theme.quiet, labelpad=6)
    axes.grid(axis="x", color=theme.line, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.axvline(1, color=theme.text, linewidth=1)
    axes.annotate(
        *("a bare Python", (1, 1), (0, 4)),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
    )


def _bar(axes: "Axes", bar: Bar, theme: Theme) -> None:
    colour = theme.ours if bar.ours else theme.theirs
    text = theme.ours if bar.ours else theme.text
    axes.barh(bar.at, bar.ratio - 1, left=1, height=0.56, color=colour)
    # Its end is seen also where it is as long as the line is broad.
    ends = [bar.at - 0.28, bar.at + 0.28]
    axes.plot([bar.ratio] * 2, ends, color=colour, linewidth=4, solid_capstyle="butt")
    axes.annotate(
        *(f"{digits(bar.ratio)}{TIMES}", (max(bar.ratio, 1), bar.at), (7, 0)),
        textcoords="offset points",
        va="center",
        color=text,
        bbox={"facecolor": theme.page, "edgecolor": "none", "pad": 1},
    )
    _beside(axes, bar.at, bar.name, text)
    axes.text(
        *(1.15, bar.at, duration(bar.seconds)),
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        color=theme.quiet,
    )


def _beside(axes: "Axes", at: float, text: str, colour: str, weight: str = "normal") -> None:
    axes.text(
        *(-0.02, at, text),
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        color=colour,
        weight=weight,
    )
