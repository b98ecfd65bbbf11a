"""Who would be signed in for a request, from what is on this machine alone; nothing is asked."""

from typing import TYPE_CHECKING, NamedTuple

from ..errors import SignInError, UsageError
from ..request.kinds import INTERACTIVE
from ..request.request import TokenRequest

if TYPE_CHECKING:
    from ..signin.attempt import Attempt


class Who(NamedTuple):
    """credential: a kind, or "" when none would answer. problem: why not, or what is missing."""

    credential: str
    account: str
    tenant: str
    problem: str | None


def would_answer(request: TokenRequest) -> Who:
    """Return who would sign in if a token were needed now."""
    from ..request import kinds
    from ..signin import chain
    from ..signin.attempt import Attempt

    attempt = Attempt(request, None, lambda _: False)
    names: tuple[str, ...] = (request.credential,)
    if request.credential == "auto":
        try:
            names = kinds.order(request.env.get("AZURE_TOKEN_CREDENTIALS", ""))
        except UsageError as error:
            return Who("", "", "", error.message)
    reasons = []
    for name in names:
        why = chain.why_not(name, attempt, among_others=len(names) > 1)
        if why is None:
            who = _named(name, attempt)
            if who.problem is None or len(names) == 1:
                return who
            why = who.problem
        reasons.append(f"{name}: {why}")
    return Who("", "", "", reasons[0] if len(reasons) == 1 else "nobody can sign in")


def _named(kind: str, attempt: "Attempt") -> Who:
    request, client_id = attempt.request, attempt.client_id
    tenant = request.tenant or ""
    if kind in ("azure-cli", "azure-cli-cache"):
        from ..signin.az_cache import AzCache

        try:
            account = AzCache(attempt.env).account(request.tenant)
        except SignInError as error:
            return Who(kind, "", tenant, error.message)
        if account is None:
            return Who(kind, "", tenant, "not signed in: az login")
        return Who(kind, account.name, account.tenant, None)
    if kind in ("environment", "service-principal", "workload-identity"):
        return Who(kind, client_id, tenant or attempt.env.get("AZURE_TENANT_ID", ""), None)
    if kind in INTERACTIVE:
        return _kept(kind, request)
    return Who(kind, client_id if kind == "managed-identity" else "", tenant, None)


def _kept(kind: str, request: TokenRequest) -> Who:
    """Return the account of an earlier interactive sign-in, or that a person would be asked."""
    from ..signin.az_cache import CLIENT_ID
    from ..signin.persistence import Store

    tenant = request.tenant or ""
    records = []
    if kind != "broker":
        records = Store(request, request.client_id or CLIENT_ID).records(request.tenant)
    if records:
        return Who(kind, records[0].username, tenant or records[0].tenant_id, None)
    problem = None if request.interactive else "nobody has signed in yet: msauth login"
    return Who(kind, request.username, tenant, problem)
