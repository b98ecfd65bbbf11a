"""What a command is asked about: the options they share, and the request these make."""

import os
import sys

from ..errors import SEE_HELP, UsageError
from ..request.option_help import TEXT
from ..request.options import FLAG, MANY, SIGN_IN, Options, parse
from ..request.request import TokenRequest
from ..request.selection import select

SIGN_IN_OPTIONS = {**SIGN_IN, "--scope": MANY}
SIGN_IN_HELP = (
    TEXT + "  --scope SCOPE          instead of PRODUCT: a resource or a full scope (repeatable)\n"
)
_HELP = {"--help": FLAG, "-h": FLAG}


def parse_or_help(
    argv: list[str], table: dict[str, str], text: str, *, words: int = 0
) -> tuple[Options, list[str]] | None:
    """Return options and words, or None when `--help` was asked for and shown.

    words: how many are allowed. Raises UsageError.
    """
    options, found = parse(argv, {**table, **_HELP})
    if "--help" in options or "-h" in options:
        sys.stdout.write(text)
        return None
    if len(found) > words:
        raise UsageError(f"unexpected argument {found[words]}", SEE_HELP)
    return options, found


def request(options: Options, words: list[str], *, interactive: bool) -> TokenRequest:
    """Return the request for a product, for --scope, for the profile's own scopes, or for arm.

    Raises UsageError.
    """
    selection = select(options, os.environ)
    scopes = selection.chosen_scopes(words[0] if words else "", "arm")
    return selection.request(scopes, interactive=interactive)
