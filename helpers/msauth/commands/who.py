"""Who would be signed in for a request, from what is on this machine alone; nothing is asked."""

import json
import os
from typing import NamedTuple

from ..errors import UsageError
from ..request import TokenRequest, az_directory


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
        account, home = az_account()
        if not account:
            return Who(kind, "", tenant, "not signed in: az login")
        return Who(kind, account, tenant or home, None)
    if kind in ("environment", "service-principal", "workload-identity"):
        return Who(kind, client_id, tenant or os.environ.get("AZURE_TENANT_ID", ""), None)
    if kind in ("browser", "device-code", "broker"):
        return Who(kind, request.username, tenant, None)
    return Who(kind, client_id if kind == "managed-identity" else "", tenant, None)


def az_account() -> tuple[str, str]:
    """Return account and tenant of az's default subscription; ("", "") when nobody is signed in.

    azureProfile.json begins with a byte order mark, which Python's json refuses.
    """
    try:
        with open(az_directory(os.environ) + "/azureProfile.json", encoding="utf-8-sig") as file:
            subscriptions = json.load(file)["subscriptions"]
        found = [entry for entry in subscriptions if entry.get("isDefault")] or subscriptions
        return str(found[0]["user"]["name"]), str(found[0]["tenantId"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "", ""
