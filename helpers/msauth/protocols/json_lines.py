"""A JSON object, and one a line, as package managers ask and local endpoints answer. Pure."""

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read(data: bytes) -> "dict[str, Any] | None":
    """Return the one JSON object that data is, or None for anything else, however deep."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write(value: object) -> bytes:
    """Return a value as one line."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
