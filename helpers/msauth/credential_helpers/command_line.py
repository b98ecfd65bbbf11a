"""The command line of the helpers that a tool starts with a word of its protocol and no options.

A person may still ask for --help, and a wrapper script may choose how to sign in.
"""

import os
import sys

from ..request.options import FLAG, SIGN_IN, Options, parse
from .feeds import profile_of_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT = {"--help": FLAG, "-h": FLAG, "--version": FLAG}
OPTIONS = {**SIGN_IN, **ABOUT}


def read(
    program: str, argv: list[str], table: dict[str, str], text: "Callable[[], str]"
) -> tuple[Options, list[str]] | None:
    """Return options and words; None once the help or the version is printed.

    program: the helper's own name; what argv[0] has behind it chooses the profile, unless an
    option does. text: returns the help. Raises UsageError.
    """
    options, words = parse(argv, table)
    if "--help" in options or "-h" in options:
        sys.stdout.write(text())
        return None
    if "--version" in options:
        from .. import __version__

        sys.stdout.write(f"{program} {__version__}\n")
        return None
    profile = profile_of_program(sys.argv[0], program)
    if profile:
        options.setdefault("--profile", profile)
    return options, words


def write(data: bytes) -> None:
    """Write all of the bytes to stdout at once, past Python's buffers. Raises OSError."""
    while data:
        data = data[os.write(1, data) :]
