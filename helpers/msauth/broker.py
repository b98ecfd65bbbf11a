"""`get_token(request) -> Token`: the hot or cold decision, once, for every helper."""

import os
import time

from .cache import reader
from .request import Token, TokenRequest


def get_token(request: TokenRequest, *, prog: str = "msauth") -> Token:
    """Return a token with at least request.min_valid seconds left, from the cache if it can.

    A cache hit takes no lock and imports nothing. A miss signs in under the key's lock, so that
    however many processes ask, one request is made.

    Raises SignInError when no credential can sign in.
    """
    token = cached(request)
    if token is not None:
        return token
    from . import renewal

    return renewal.renew(request, prog=prog)


def cached(request: TokenRequest) -> Token | None:
    """Return the shared cache's answer, or None; starts a background renewal when one is due."""
    if request.force_refresh:
        return None
    now = int(time.time())
    token = reader.read(request, now=now)
    if token is not None and 0 < token.refresh_on <= now:
        env = os.environ
        if not env.get("CI") and env.get("MSAUTH_BACKGROUND_REFRESH") != "0":
            from .background import renew_behind

            renew_behind(request, now)
    return token
