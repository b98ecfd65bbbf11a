"""Reading the TOML of a person's file, whose only failure is ValueError."""

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def parsed(data: bytes) -> dict[str, Any]:
    """Return what a file says. Raises ValueError (UnicodeDecodeError, TOMLDecodeError are)."""
    try:
        found: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found
