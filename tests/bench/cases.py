"""What a measurement consists of: cases that run in turn, and the place they find prepared.

A module of measurements has a context manager `cases(place)` that yields the list of its cases, and
cleans up behind them. The cases of a list run interleaved, one round after another, so that a busy
machine slows all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class Missing(Exception):
    """Raised by a case whose program is not there, with the reason; the table says so."""


@dataclass(frozen=True)
class Place:
    """Where the measured programs are. The folders hold `git-credential-msauth` and the others."""

    python: str
    """The Python of the environment that msauth is installed in."""
    pip: Path
    """The folder of the programs as pip installs them."""
    installed: Path | None
    """The folder of the programs as install.sh installs them, where that was done."""
    scratch: Path
    """An empty folder for this module alone."""

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a measured program has: nothing of whoever measures, and this."""
        always = {"PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "LANG": "C.UTF-8"}
        return always | more


@dataclass(frozen=True)
class Case:
    """One thing that is timed."""

    name: str
    """What the table calls it; unique among the cases of all modules."""
    run: Callable[[], float | None]
    """Does it once. Returns the seconds it took, or None: then the call itself is timed."""
    base: str | None = None
    """The name of the case of the same list that it is compared with; None for such a base."""
    limit: float | None = None
    """The ratio to the base that is wanted."""
    rounds: int = 60
    """How often it is run; a base runs as often as the most frequent case that needs it."""
