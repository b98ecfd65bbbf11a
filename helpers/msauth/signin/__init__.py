"""Signing in: which azure-identity credential, with which tenant, client, cloud and network.

Every kind of credential is a `Way` (see `attempt`), named by the table of `request.kinds`; the
chain behind `auto` is in `chain`. Nothing here reads the process's own environment: what a
sign-in may know of it is the request's `env`.
"""

import logging
import sys
from collections.abc import Callable, Mapping

from ..errors import SignInError
from ..request.request import Token, TokenRequest
from ..system import environment
from ..waiting import waiting_for

if sys.flags.no_site:
    # The launchers of install.sh leave `site` out for a cached answer. From here on packages of
    # others are imported, and a company's .pth file may be what gives Python its certificates.
    import site

    site.main()
    environment()  # which such a file may also have changed

_QUIET = logging.NullHandler()
"""Without any handler Python prints the libraries' warnings on stderr, in the server's words."""


def acquire(
    request: TokenRequest,
    *,
    claims: str | None,
    rejected: Callable[[str], bool] | None = None,
    prompt: bool = False,
) -> Token:
    """Return a new token from the request's kind of credential.

    claims: the JSON of a claims challenge to satisfy. rejected: says of a token whether a server
    rejected it; such a token is never returned. prompt: ask the person even when an earlier
    interactive sign-in could answer silently (`msauth login`).
    Raises SignInError: nothing could sign in, only a person can, or what came is no token (RFC
    6750 b64token) or one of another tenant.
    """
    from .attempt import Attempt
    from .chain import sign_in

    for library in ("azure", "msal"):
        logging.getLogger(library).addHandler(_QUIET)
    with waiting_for("the sign-in", 0):
        return sign_in(Attempt(request, claims, rejected or (lambda _: False), prompt=prompt))


def exchange(request: TokenRequest, entra: Token, rejected: Callable[[str], bool]) -> Token:
    """Return the own token of request.registry in exchange for one of Entra ID.

    rejected: as for `acquire`. Raises ExchangeRefusedError or SignInError.
    """
    from .registry import exchange as ask

    return ask(request, entra, rejected)


def prompting(env: Mapping[str, str]) -> bool:
    """Say whether some process of this user is waiting for the person at the terminal."""
    from .prompts import somebody_asks

    return somebody_asks(env)


def busy(kind: str) -> SignInError:
    """Return the error for another process's prompt that nobody answered in time."""
    from .prompts import busy as error

    return error(kind)


def kept_in(request: TokenRequest) -> str:
    """Return where a browser or device code sign-in is kept: a file's path, `keyring` or ""."""
    from .az_cache import CLIENT_ID
    from .persistence import Store

    return Store(request, request.client_id or CLIENT_ID).place()


def forget(profile: str | None, env: Mapping[str, str]) -> int:
    """Forget the interactive sign-ins of a profile ("" without one), or all (None).

    Removes what `browser` and `device-code` keep: the account and its refresh tokens. Returns
    how many sign-ins were forgotten; never raises.
    """
    from .persistence import forget as forget_stored

    return forget_stored(profile, env)
