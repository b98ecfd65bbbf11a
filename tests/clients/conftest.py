"""The clients that install/clients.sh prepares, as fixtures: a path, or a skip with the reason."""

from collections.abc import Iterator

import pytest

from .places import prepared
from .recorder import Recorder, recording


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A managed identity endpoint that writes down what it is asked."""
    with recording() as result:
        yield result


@pytest.fixture
def git_lfs() -> str:
    """git-lfs 3.8; its folder first on PATH makes `git lfs` and git's filters find it."""
    return prepared("git-lfs")
