"""`get_token(request) -> Token`: the hot or cold decision, once, for every program."""

import time

from ..cache.folder import Folder
from ..request.clouds import DEVOPS_HOST, DEVOPS_SCOPE, LOGIN_HOSTS
from ..request.request import MIN_VALID, Token, TokenRequest, env_forbids_prompts, renews_behind
from .entry import Entry, read_tenant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..request.selection import Selection


def get_token(request: TokenRequest, *, may_prompt: "Callable[[], bool] | None" = None) -> Token:
    """Return a token with at least request.min_valid seconds left, from the cache if it can.

    A cache hit takes no lock and imports nothing. A miss signs in under the key's lock, so that
    however many processes ask, one request is made.

    may_prompt: says whether an interactive request may really ask a person; called only by the
    process that signs in. Raises SignInError when no credential can sign in.
    """
    requested_at = time.time_ns()
    token = cached(request)
    if "MSAUTH_TRACE" in request.env:
        from ..errors import trace

        trace(f"cache {'miss' if token is None else 'hit'}: {request!r}", request.env)
    if token is not None:
        return token
    from . import flight

    token = flight.get_token(request, requested_at, may_prompt)
    if request.min_valid > MIN_VALID:
        _warn_of_a_short_life(request, token)
    return token


def _warn_of_a_short_life(request: TokenRequest, token: Token) -> None:
    """Say that even a new token lives for less than was asked for; it is served all the same."""
    left = max(0, token.expires_on - int(time.time()))
    if left >= request.min_valid:
        return
    from ..errors import say

    where = request.origin("min_valid") or "--min-valid"
    say("warning", f"the token lives {left} seconds, less than the {request.min_valid} of {where}")


def may_prompt(env: "Mapping[str, str]") -> bool:
    """Say whether a person may be asked: somebody sits at a terminal, and nothing forbids it."""
    if env_forbids_prompts(env):
        return False
    from ..signin.prompts import terminal

    return terminal()


def cached(request: TokenRequest) -> Token | None:
    """Return the shared cache's answer, or None; starts a background renewal when one is due."""
    if request.force_refresh:
        return None
    now = int(time.time())
    try:
        with Folder.cache(request.env) as folder:
            token = Entry(folder, request).read(now=now)
    except OSError:
        return None
    if token is not None and 0 < token.refresh_on <= now and renews_behind(request.env):
        from .background import renew_behind

        renew_behind(request)
    return token


def devops_request(
    selection: "Selection", organisation: str, challenges: list[str]
) -> TokenRequest:
    """Return the request for an Azure DevOps organisation, with its own tenant.

    organisation: "" when unknown. challenges: the `WWW-Authenticate` values at hand.
    Tenant: explicit, else the challenge's, else the remembered one, else a probe's, else none.
    Raises UsageError.
    """
    tenant = None
    if not selection.explicit_tenant and (organisation or challenges):
        tenant = _challenged_tenant(organisation, challenges, selection.env)
        if tenant == "":
            from ..errors import say

            name = f"organisation {organisation}" if organisation else "this organisation"
            place = f"{DEVOPS_HOST}/{organisation}".rstrip("/")
            say("warning", f"{name} names no Entra tenant: only a PAT works there")
            say("hint", f"git config --global credential.https://{place}.helper ''")
    return selection.request(
        (DEVOPS_SCOPE,), interactive=True, tenant=tenant, organisation=organisation
    )


def _challenged_tenant(
    organisation: str, challenges: list[str], env: "Mapping[str, str]"
) -> str | None:
    """Return a tenant, "" when the organisation says that it has none, None when nobody knows."""
    if challenges:
        from ..protocols.challenges import tenant_of

        named = tenant_of(challenges, LOGIN_HOSTS)
        if named is not None:
            return named
    if not organisation:
        return None
    try:
        with Folder.cache(env) as folder:
            remembered = read_tenant(folder, organisation, now=int(time.time()))
    except OSError:
        remembered = None
    if remembered is not None:
        return remembered
    from .probe import probe

    return probe(organisation, env)
