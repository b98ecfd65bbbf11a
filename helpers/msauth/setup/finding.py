"""What was found wrong on this machine: `msauth doctor` and `msauth setup` say it alike."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing that is wrong; neither message nor place ever holds a secret."""

    id: str
    severity: Literal["error", "warning", "note"]
    message: str
    why: str
    place: str
    fix: str
    """The one command that mends it, which runs as printed, or ""."""
