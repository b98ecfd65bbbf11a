"""What a token request names: the tenant, the application, the API with permissions, and claims."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .aadsts import SignInError
from .directory import GRAPH, Application, Directory, Resource, Tenant

ANY_TENANT = ("common", "organizations", "consumers")
_OIDC = ("openid", "profile", "offline_access", "email")


@dataclass(frozen=True)
class Wanted:
    """The API and permissions that a ``scope`` parameter names, and its OpenID Connect words."""

    resource: Resource
    audience: str
    permissions: tuple[str, ...]
    oidc: frozenset[str]


def find_tenant(directory: Directory, segment: str) -> Tenant | None:
    """None for ``common`` and its like; AADSTS90002 for a tenant that does not exist."""
    if segment.lower() in ANY_TENANT:
        return None
    tenant = directory.tenant(segment)
    if tenant is None:
        raise SignInError(90002, f"Tenant '{segment[:80]}'.")
    return tenant


def find_application(
    directory: Directory, client_id: str | None, tenant: Tenant | None
) -> Application:
    if not client_id:
        raise SignInError(900144, "client_id is missing.")
    application = directory.applications.get(client_id.lower())
    if application is None or (
        tenant is not None
        and application.tenants is not None
        and tenant.id not in application.tenants
    ):
        raise SignInError(700016, f"Application '{client_id[:80]}'.")
    return application


def find_wanted(directory: Directory, scope: str | None, tenant: Tenant | None) -> Wanted:
    """All words must name one API; ``resource/.default`` stands alone (AADSTS70011)."""
    words = (scope or "").split()
    if not words:
        raise SignInError(70011, "The scope is empty.")
    oidc = frozenset(word for word in words if word in _OIDC)
    audience, permissions = None, []
    for word in words:
        if word in _OIDC:
            continue
        prefix, slash, permission = word.rpartition("/")
        if not permission or (not slash and "." not in word):
            raise SignInError(70011, f"The scope '{word[:120]}' is not valid.")
        prefix = prefix if slash else "https://graph.microsoft.com"
        if audience is not None and audience.rstrip("/") != prefix.rstrip("/"):
            raise SignInError(28000)
        audience = prefix
        permissions.append(permission)
    if audience is None:
        audience, permissions = GRAPH, ["User.Read"]
    if ".default" in permissions and len(permissions) > 1:
        raise SignInError(70011, ".default cannot be combined with other scopes.")
    resource = directory.resource(audience)
    if resource is None or (
        tenant is not None and resource.tenants is not None and tenant.id not in resource.tenants
    ):
        raise SignInError(500011, f"The resource '{audience[:120]}'.")
    return Wanted(resource, audience, tuple(permissions), oidc)


def consented(application: Application, wanted: Wanted) -> tuple[str, ...]:
    """The delegated permissions that go into the token, or AADSTS65001 / 65002."""
    allowed = application.scopes_for(wanted.resource)
    if wanted.permissions == (".default",):
        if not allowed:
            raise SignInError(65001)
        return allowed
    lower = {name.lower(): name for name in allowed}
    missing = [name for name in wanted.permissions if name.lower() not in lower]
    # The user may always read the own profile.
    missing = [n for n in missing if not (wanted.resource.id == GRAPH and n == "User.Read")]
    if missing:
        raise SignInError(65002 if application.first_party else 65001)
    asked = tuple(lower.get(name.lower(), name) for name in wanted.permissions)
    return tuple(dict.fromkeys((*allowed, *asked)))


def parse_claims(text: str | None) -> tuple[dict[str, Any], bool]:
    """The ``access_token`` claims asked for (OpenID Connect Core, 5.5), and whether CP1 is said.

    The client capability ``xms_cc`` is not a claim that was asked for, so it is taken out.
    """
    if not text:
        return {}, False
    try:
        asked = json.loads(text).get("access_token") or {}
        capabilities = asked.pop("xms_cc", None) or {}
        return dict(asked), "CP1" in (capabilities.get("values") or ())
    except (ValueError, AttributeError, TypeError):
        raise SignInError(
            90010, "The claims parameter is not valid JSON.", error="invalid_request"
        ) from None
