"""Personal access tokens, in files and in the environment."""

from collections.abc import Iterator

from .. import pats
from ..finding import Finding
from ..pat_places import MOST_FOLDERS
from .machine import Machine


def files(machine: Machine) -> Iterator[Finding]:
    """Look at the files of git and of package managers."""
    yield from pats.findings_in(machine.places)
    if not machine.places.whole:
        yield Finding(
            "search-ended",
            "note",
            f"more than {MOST_FOLDERS} folders: not all of them were searched for tokens",
            "a token in one of the others would not be found",
            " ".join(machine.folders),
            "",
        )


def variables(machine: Machine) -> Iterator[Finding]:
    """Look at the environment."""
    yield from pats.findings_of(machine.env)
