"""Signing in: which azure-identity credential, with which tenant, client, cloud and network.

Every kind of credential is one function `(Attempt) -> Token` in the table of `kinds`; the chain
behind `auto` is a list of their names in `chain`.
"""

import logging
from collections.abc import Callable

from ..errors import SignInError
from ..request.request import Token, TokenRequest

_QUIET = logging.NullHandler()
"""Without any handler Python prints the libraries' warnings on stderr, in the server's words."""


def acquire(
    request: TokenRequest,
    *,
    claims: str | None,
    prog: str,
    rejected: Callable[[str], bool] | None = None,
    anew: bool = False,
) -> Token:
    """Return a new token from the request's kind of credential.

    claims: the JSON of a claims challenge to satisfy. rejected: says of a token whether a server
    rejected it; such a token is never returned. anew: ask the person even when an earlier
    interactive sign-in could answer silently (`msauth login`).
    Raises SignInError: nothing could sign in, or only a person can.
    """
    from .attempt import Attempt
    from .chain import sign_in

    for library in ("azure", "msal"):
        logging.getLogger(library).addHandler(_QUIET)
    return sign_in(Attempt(request, claims, prog, rejected or (lambda _: False), anew=anew))


def prompting() -> bool:
    """Say whether some process of this user is waiting for the person at the terminal."""
    from .prompts import somebody_asks

    return somebody_asks()


def busy(kind: str) -> SignInError:
    """Return the error for another process's prompt that nobody answered in time."""
    from .prompts import busy as error

    return error(kind)


def forget(profile: str | None) -> int:
    """Forget the interactive sign-ins of a profile ("" without one), or all (None).

    Removes what `browser` and `device-code` keep: the account and its refresh tokens. Returns
    how many sign-ins were forgotten; never raises.
    """
    from .persistence import forget as forget_stored

    return forget_stored(profile)
