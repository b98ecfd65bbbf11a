"""A slice of a long table by default; all of it with `-m long` (and in CI)."""

from collections.abc import Iterable

import pytest


def sliced(values: Iterable[object], every: int) -> list[object]:
    """Return the values as parameters, of which only every so many is not marked `long`."""
    return [
        pytest.param(value, marks=pytest.mark.long if number % every else ())
        for number, value in enumerate(values)
    ]
