"""`get_token(request) -> Token`: the hot or cold decision, once, for every helper."""

import os
import time

from ..cache import reader
from ..request.options import Options
from ..request.request import DEVOPS_SCOPE, Token, TokenRequest
from ..request.selection import explicit_tenant, request_for

_TENANT_TTL = 24 * 3600
_NO_TENANT_TTL = 600


def get_token(
    request: TokenRequest, *, prog: str = "msauth", may_ask: "Callable[[], bool] | None" = None
) -> Token:
    """Return a token with at least request.min_valid seconds left, from the cache if it can.

    A cache hit takes no lock and imports nothing. A miss signs in under the key's lock, so that
    however many processes ask, one request is made.

    may_ask: says whether an interactive request may really ask a person; called on a miss only.
    Raises SignInError when no credential can sign in.
    """
    asked = time.time_ns()
    token = cached(request)
    if "MSAUTH_TRACE" in os.environ:
        from ..trace import note

        note(prog, f"cache {'miss' if token is None else 'hit'}: {request!r}")
    if token is not None:
        return token
    from . import renewal

    if request.interactive and may_ask is not None and not may_ask():
        request = request.with_(interactive=False)
    return renewal.renew(request, prog=prog, asked=asked)


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


def devops_request(
    options: Options, organisation: str, challenges: list[str], *, prog: str = "msauth"
) -> TokenRequest:
    """Return the request for an Azure DevOps organisation, with its own tenant.

    organisation: "" when unknown. challenges: the `WWW-Authenticate` values at hand.
    Tenant: explicit, else the challenge's, else the remembered one, else a probe's, else none.
    Raises UsageError.
    """
    env = os.environ
    request = request_for((DEVOPS_SCOPE,), options, env, interactive=True)
    if not organisation and not challenges:
        return request
    if explicit_tenant(options, env):
        return request
    tenant = _challenged_tenant(organisation, challenges)
    if tenant == "":
        from ..errors import say

        name = f"organisation {organisation}" if organisation else "this organisation"
        say(prog, "warning", f"{name} names no Entra tenant")
        say(prog, "hint", "if personal accounts own it, only a PAT works: use another helper there")
    return request.with_(tenant=tenant) if tenant else request


def _challenged_tenant(organisation: str, challenges: list[str]) -> str | None:
    """Return a tenant, "" when the organisation says that it has none, None when nobody knows."""
    if challenges:
        from ..protocols.azure_devops import tenant_of

        named = tenant_of(challenges)
        if named is not None:
            return named
    if not organisation:
        return None
    remembered = reader.read_tenant(organisation, now=int(time.time()))
    if remembered is not None:
        return remembered
    return _probe(organisation)


def _probe(organisation: str) -> str | None:
    """Ask the organisation for its tenant, once however many ask, and remember the answer."""
    from ..cache import record, writer
    from ..cache.lock import key_lock
    from ..signin import discovery

    try:
        os.close(writer.create_directory())
    except OSError:
        return discovery.probe(organisation)
    with key_lock(record.name_of(reader.organisation_key(organisation)), timeout=20):
        now = int(time.time())
        tenant = reader.read_tenant(organisation, now=now)
        if tenant is None:
            tenant = discovery.probe(organisation)
            if tenant is not None:
                until = now + (_TENANT_TTL if tenant else _NO_TENANT_TTL)
                writer.write_tenant(organisation, tenant, now=now, until=until)
    return tenant


def reject(secret: str, claims: str | None, *, organisation: str, prog: str) -> None:
    """Take note that a server rejected a token: it is never served again.

    claims: the JSON of the rejection's claims challenge, honoured by the next sign-in.
    """
    from ..cache import writer

    if organisation:
        writer.forget_tenant(organisation)  # the organisation may have moved to another tenant
    if not secret:
        return
    try:
        evicted = writer.reject(secret, claims)
    except OSError:
        return
    if "MSAUTH_TRACE" in os.environ:
        from ..trace import note

        note(prog, f"rejected: {len(evicted)} records evicted, claims {claims is not None}")


def get_another(
    request: TokenRequest,
    fingerprint: str,
    claims: str | None,
    *,
    prog: str,
    may_ask: "Callable[[], bool]",
) -> Token:
    """Return a token in place of the one with this fingerprint, which a server rejected.

    claims: as for `reject`. A cache that cannot be written can note no rejection; the token that
    it then still offers is not taken. Raises SignInError.
    """
    token = reader.read(request.with_(min_valid=0), now=int(time.time()))
    if token is not None and token.fingerprint == fingerprint:
        reject(token.text, claims, organisation="", prog=prog)
    request = request.with_(claims=claims)
    token = get_token(request, prog=prog, may_ask=may_ask)
    if token.fingerprint == fingerprint:
        token = get_token(request.with_(force_refresh=True), prog=prog, may_ask=may_ask)
    return token


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
