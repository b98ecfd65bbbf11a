"""What a command is asked about: the options they share, and the request these make."""

import os
import sys

from ..errors import UsageError
from ..request.clouds import PRODUCTS, normalise_scope, scopes_for
from ..request.option_help import TEXT
from ..request.options import FLAG, MANY, SIGN_IN, Options, many, parse
from ..request.request import TokenRequest
from ..request.selection import authority_of, profile_scopes, request_for

SIGN_IN_OPTIONS = {**SIGN_IN, "--scope": MANY}
SIGN_IN_HELP = (
    TEXT + "  --scope SCOPE          instead of PRODUCT: a resource or a full scope (repeatable)\n"
)
_HELP = {"--help": FLAG, "-h": FLAG}


def understood(
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
        raise UsageError(f"unexpected argument {found[words]}", "see --help")
    return options, found


def request(options: Options, words: list[str], *, interactive: bool) -> TokenRequest:
    """Return the request for a product, for --scope, for the profile's own scopes, or for arm.

    Raises UsageError.
    """
    env = os.environ
    scopes = tuple(map(normalise_scope, many(options, "--scope")))
    if words and scopes:
        raise UsageError("a product and --scope exclude each other")
    if words:
        scopes = scopes_for(words[0], authority_of(options, env))
    elif not scopes:
        scopes = profile_scopes(options, env) or scopes_for("arm", authority_of(options, env))
    return request_for(scopes, options, env, interactive=interactive)


def may_ask() -> bool:
    """Say whether a person is there to be asked: a terminal, and no CI."""
    return not os.environ.get("CI") and (os.isatty(0) or os.isatty(2))


def product_of(scopes: str, authority: str) -> str:
    """Return a product's short name for its scope (several are joined by a space), else ""."""
    from ..request.clouds import cloud_of

    try:
        cloud = cloud_of(authority)
    except UsageError:
        return ""
    for name, resources in PRODUCTS.items():
        if resources[cloud] and scopes == resources[cloud] + "/.default":
            return name
    return ""
