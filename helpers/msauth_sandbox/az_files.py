"""The files in which az keeps who is signed in, written as az writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msauth.signin.az_cache import CLIENT_ID

if TYPE_CHECKING:
    from .entra.directory import Tenant, User
    from .entra.state import State

PROFILE, CACHE = "azureProfile.json", "msal_token_cache.json"
_LOGIN_HOST = "login.microsoftonline.com"
_ARM = "https://management.core.windows.net//.default"


def sign_in(folder: Path, state: State, user: User, chosen: Tenant) -> None:
    """Leave what ``az login`` leaves: the user's subscriptions and the tokens of one sign-in.

    chosen: the tenant whose subscription becomes the current one.
    """
    write(folder / CACHE, _token_cache(state, user))
    there = [t for t in state.directory.tenants.values() if t.id in user.object_ids]
    write_profile(folder, [_subscription(t, user, current=t is chosen) for t in there])


def write_profile(folder: Path, subscriptions: list[dict[str, Any]]) -> None:
    """With a byte order mark, as az writes it."""
    write(folder / PROFILE, "\ufeff" + json.dumps({"subscriptions": subscriptions}))


def write(path: Path, text: str) -> None:
    """Whole or not at all, and private from the start."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def _token_cache(state: State, user: User) -> str:
    """MSAL's cache after this sign-in, made by MSAL from the answer of our token endpoint."""
    import msal

    from .entra.grants import Grants
    from .entra.token_request import find_wanted

    scope = f"{_ARM} openid profile offline_access"
    body = Grants(state).user_tokens(
        state.directory.applications[CLIENT_ID],
        user.home,
        user,
        find_wanted(state.directory, scope, user.home),
        requested={},
        cae=True,
        host=_LOGIN_HOST,
        nonce=None,
        form={"scope": scope},
    )
    cache = msal.SerializableTokenCache()
    cache.add(
        {
            "client_id": CLIENT_ID,
            "scope": body["scope"].split(),
            "token_endpoint": f"https://{_LOGIN_HOST}/{user.home.id}/oauth2/v2.0/token",
            "response": body,
            "data": {},
        }
    )
    return str(cache.serialize())


def _subscription(tenant: Tenant, user: User, *, current: bool) -> dict[str, Any]:
    from .entra.directory import subscription_id

    return {
        "id": subscription_id(tenant),
        "name": f"{tenant.display_name} Development",
        "state": "Enabled",
        "user": {"name": user.upn, "type": "user"},
        "isDefault": current,
        "tenantId": tenant.id,
        "environmentName": "AzureCloud",
        "homeTenantId": tenant.id,
        "tenantDefaultDomain": tenant.domains[-1],
        "tenantDisplayName": tenant.display_name,
        "managedByTenants": [],
    }
