"""The grants of the token endpoint: who may have which token (RFC 6749, 7523, 7636 and 8628)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import clients
from .aadsts import SignInError
from .directory import GRAPH, Application, Resource, Tenant, User
from .sessions import AuthorizationCode
from .state import State
from .stats import Record

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ANY_TENANT = ("common", "organizations", "consumers")
_OIDC = ("openid", "profile", "offline_access", "email")


@dataclass(frozen=True)
class Wanted:
    """The API and permissions that a ``scope`` parameter names, and its OpenID Connect words."""

    resource: Resource
    audience: str
    permissions: tuple[str, ...]
    oidc: frozenset[str]


class Grants:
    def __init__(self, state: State) -> None:
        self._state = state

    def redeem(
        self, segment: str, form: Mapping[str, str], host: str, token_url: str, record: Record
    ) -> dict[str, Any]:
        """The body of a successful token response; raises SignInError for any other."""
        record.grant = grant = form.get("grant_type", "").rpartition(":")[2] or None
        record.scope = form.get("scope")
        record.client_id = form.get("client_id")
        tenant = self.tenant(segment)
        record.tenant = tenant.id if tenant else segment.lower()
        requested, cae = parse_claims(form.get("claims"))
        record.claims, record.cae = bool(requested), cae
        fault = self._state.faults.token(record)
        if fault:
            raise fault
        if not grant:
            raise SignInError(900144, "grant_type is missing.")
        application = self.application(form.get("client_id"), tenant)
        if grant == "client_credentials":
            if tenant is None:
                raise SignInError(50059)
            if application.secret is None and "client_assertion" not in form:
                raise SignInError(7000218)
            clients.authenticate(application, tenant, form, token_url)
            wanted = self.wanted(form.get("scope"), tenant)
            if wanted.permissions != (".default",):
                raise SignInError(1002012)
            return self.app_token(application, tenant, wanted, requested=requested, cae=cae)
        if application.secret is not None or "client_assertion" in form:
            home = tenant or next(iter(self._state.directory.tenants.values()))
            clients.authenticate(application, home, form, token_url)
        scope = form.get("scope")
        nonce = None
        if grant == "authorization_code":
            entry = self._authorization_code(application, form)
            user, nonce = entry.user, entry.nonce
            scope = scope or entry.scope
            tenant = tenant or self.tenant(entry.tenant_id)
            requested = {**entry.claims, **requested}
        elif grant == "refresh_token":
            user, tenant, scope = self._refresh_token(application, tenant, form)
        elif grant == "device_code":
            user, tenant, scope = self._device_code(application, tenant, form)
        else:
            raise SignInError(70003, f"grant_type '{grant[:40]}'.")
        assert tenant is not None
        record.tenant = tenant.id
        record.scope = scope
        wanted = self.wanted(scope, tenant)
        return self.user_tokens(
            application,
            tenant,
            user,
            wanted,
            requested=requested,
            cae=cae,
            host=host,
            nonce=nonce,
            form=form,
        )

    def tenant(self, segment: str) -> Tenant | None:
        """None for ``common`` and its like; AADSTS90002 for a tenant that does not exist."""
        if segment.lower() in ANY_TENANT:
            return None
        tenant = self._state.directory.tenant(segment)
        if tenant is None:
            raise SignInError(90002, f"Tenant '{segment[:80]}'.")
        return tenant

    def application(self, client_id: str | None, tenant: Tenant | None) -> Application:
        if not client_id:
            raise SignInError(900144, "client_id is missing.")
        application = self._state.directory.applications.get(client_id.lower())
        if application is None or (
            tenant is not None
            and application.tenants is not None
            and tenant.id not in application.tenants
        ):
            raise SignInError(700016, f"Application '{client_id[:80]}'.")
        return application

    def wanted(self, scope: str | None, tenant: Tenant | None) -> Wanted:
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
        resource = self._state.directory.resource(audience)
        if resource is None or (
            tenant is not None
            and resource.tenants is not None
            and tenant.id not in resource.tenants
        ):
            raise SignInError(500011, f"The resource '{audience[:120]}'.")
        return Wanted(resource, audience, tuple(permissions), oidc)

    def app_token(
        self,
        application: Application,
        tenant: Tenant,
        wanted: Wanted,
        *,
        requested: Mapping[str, Any],
        cae: bool,
    ) -> dict[str, Any]:
        token = self._state.mint.access_token(
            tenant=tenant,
            resource=wanted.resource,
            audience=wanted.audience,
            application=application,
            lifetime=self._state.settings.expires_in,
            requested=requested,
            cae=cae,
        )
        return self._body(token)

    def user_tokens(
        self,
        application: Application,
        tenant: Tenant,
        user: User,
        wanted: Wanted,
        *,
        requested: Mapping[str, Any],
        cae: bool,
        host: str,
        nonce: str | None,
        form: Mapping[str, str],
    ) -> dict[str, Any]:
        if tenant.id not in user.object_ids:
            raise SignInError(50020, f"User '{user.upn}'.")
        scopes = consented(application, wanted)
        mint = self._state.mint
        token = mint.access_token(
            tenant=tenant,
            resource=wanted.resource,
            audience=wanted.audience,
            application=application,
            user=user,
            scopes=scopes,
            lifetime=self._state.settings.expires_in,
            requested=requested,
            cae=cae,
        )
        body = self._body(token)
        prefix = wanted.audience if wanted.audience.endswith("/") else wanted.audience + "/"
        granted = [prefix + name for name in scopes]
        if ".default" in wanted.permissions:
            granted.append(prefix + ".default")
        body["scope"] = " ".join(granted)
        if "offline_access" in wanted.oidc or form.get("grant_type") == "refresh_token":
            body["refresh_token"] = self._state.sessions.add_refresh(
                application.client_id,
                user,
                user.home.id,
                application.family,
                " ".join(form.get("scope", "").split()),
            )
            if application.family:
                body["foci"] = "1"
        if "openid" in wanted.oidc:
            body["id_token"] = mint.id_token(
                tenant=tenant, user=user, client_id=application.client_id, host=host, nonce=nonce
            )
        uid, _, utid = user.home_account_id.partition(".")
        info = json.dumps({"uid": uid, "utid": utid}).encode()
        body["client_info"] = base64.urlsafe_b64encode(info).rstrip(b"=").decode()
        return body

    def _body(self, token: str) -> dict[str, Any]:
        settings = self._state.settings
        body: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": int(settings.expires_in),
            "ext_expires_in": int(settings.expires_in),
            "access_token": token,
        }
        if settings.refresh_in is not None:
            body["refresh_in"] = int(settings.refresh_in)
        return body

    def _authorization_code(
        self, application: Application, form: Mapping[str, str]
    ) -> AuthorizationCode:
        entry, spent = self._state.sessions.take_code(form.get("code", ""))
        if entry is None:
            raise SignInError(54005 if spent else 70000)
        if entry.client_id != application.client_id:
            raise SignInError(70000, "The code was issued to another client.")
        if entry.expires_on <= time.time():
            raise SignInError(70008)
        if form.get("redirect_uri") != entry.redirect_uri:
            raise SignInError(50011)
        _check_pkce(entry.challenge, entry.challenge_method, form.get("code_verifier"))
        return entry

    def _refresh_token(
        self, application: Application, tenant: Tenant | None, form: Mapping[str, str]
    ) -> tuple[User, Tenant, str]:
        grant, code = self._state.sessions.refresh(form.get("refresh_token", ""))
        if grant is None or code:
            raise SignInError(code or 70000)
        if grant.client_id != application.client_id and not (grant.family and application.family):
            raise SignInError(70000, "The refresh token was issued to another client.")
        home = self._state.directory.tenant(grant.tenant_id)
        assert home is not None
        return grant.user, tenant or home, form.get("scope") or grant.scope

    def _device_code(
        self, application: Application, tenant: Tenant | None, form: Mapping[str, str]
    ) -> tuple[User, Tenant, str]:
        sessions = self._state.sessions
        secret = form.get("device_code") or form.get("code") or ""
        entry = sessions.device_code(secret)
        if entry is None or entry.client_id != application.client_id:
            raise SignInError(70000)
        if entry.expires_on <= time.time():
            raise SignInError(70019)
        if entry.denied:
            raise SignInError(70018)
        if entry.user is None:
            raise SignInError(70016)
        if not sessions.finish_device_code(secret):
            raise SignInError(70000)
        return entry.user, tenant or entry.user.home, form.get("scope") or entry.scope


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


def _check_pkce(challenge: str | None, method: str, verifier: str | None) -> None:
    if challenge is None:
        return
    if not verifier:
        raise SignInError(501481, "code_verifier is missing.")
    computed = verifier
    if method == "S256":
        digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
        computed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not secrets.compare_digest(computed.encode(), challenge.encode()):
        raise SignInError(501481)
