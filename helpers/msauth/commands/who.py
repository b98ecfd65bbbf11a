"""Who would be signed in for a request, from what is on this machine alone; nothing is asked."""

import os
from typing import NamedTuple

from ..errors import UsageError
from ..request import TokenRequest


class Who(NamedTuple):
    """credential: a kind, or "" when none would answer. problem: why not, or what is missing."""

    credential: str
    account: str
    tenant: str
    problem: str | None


def would_answer(request: TokenRequest) -> Who:
    """Return who would sign in if a token were needed now."""
    from ..signin import chain
    from ..signin.attempt import Attempt
    from ..signin.kinds import KINDS

    attempt = Attempt(request, None, "msauth", lambda _: False)
    kinds: tuple[str, ...] = (request.credential,)
    if request.credential == "auto":
        try:
            kinds = chain.order(attempt.env.get("AZURE_TOKEN_CREDENTIALS", ""))
        except UsageError as error:
            return Who("", "", "", error.message)
    reasons = []
    for kind in kinds:
        if kind not in KINDS:
            return Who("", "", "", f"{kind} is not available in this version")
        why = KINDS[kind][0](attempt)
        if why is None:
            return _named(kind, request, attempt.client_id)
        reasons.append(f"{kind}: {why}")
    return Who("", "", "", reasons[0] if len(reasons) == 1 else "no credential is set up")


def _named(kind: str, request: TokenRequest, client_id: str) -> Who:
    tenant = request.tenant or ""
    if kind in ("azure-cli", "azure-cli-cache"):
        from ..signin.az_cache import AzCache

        account = AzCache(os.environ).account(request.tenant)
        if account is None:
            return Who(kind, "", tenant, "not signed in: az login")
        return Who(kind, account.name, account.tenant, None)
    if kind in ("environment", "service-principal", "workload-identity"):
        return Who(kind, client_id, tenant or os.environ.get("AZURE_TENANT_ID", ""), None)
    if kind in ("browser", "device-code", "broker"):
        return Who(kind, request.username, tenant, None)
    return Who(kind, client_id if kind == "managed-identity" else "", tenant, None)
