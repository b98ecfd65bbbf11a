"""Signing in: which azure-identity credential, with which tenant, client, cloud and network.

Every kind of credential is one function `(Attempt) -> Token` in the table of `kinds`; the chain
behind `auto` is a list of their names in `chain`.
"""

from collections.abc import Callable

from ..request import Token, TokenRequest


def acquire(
    request: TokenRequest,
    *,
    claims: str | None,
    prog: str,
    rejected: Callable[[str], bool] | None = None,
) -> Token:
    """Return a new token from the request's kind of credential.

    claims: the JSON of a claims challenge to satisfy. rejected: says of a token whether a server
    rejected it; such a token is never returned.
    Raises SignInError: nothing could sign in, or only a person can.
    """
    import logging

    from .attempt import Attempt
    from .chain import sign_in

    # Without any handler Python prints their warnings on stderr, with the server's own words.
    for library in ("azure", "msal"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    return sign_in(Attempt(request, claims, prog, rejected or (lambda _: False)))
