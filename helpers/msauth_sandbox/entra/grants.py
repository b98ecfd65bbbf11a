"""The grants of the token endpoint: who may have which token (RFC 6749, 7523, 7636 and 8628)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from ..network.records import Record
from . import clients
from .aadsts import SignInError
from .directory import Application, Tenant, User
from .sessions import AuthorizationCode
from .state import State
from .token_request import (
    Wanted,
    consented,
    find_application,
    find_tenant,
    find_wanted,
    parse_claims,
)

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


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
        directory = self._state.directory
        tenant = find_tenant(directory, segment)
        record.tenant = tenant.id if tenant else segment.lower()
        requested, cae = parse_claims(form.get("claims"))
        record.claims, record.cae = bool(requested), cae
        self._state.fail(record)
        if not grant:
            raise SignInError(900144, "grant_type is missing.")
        application = find_application(directory, form.get("client_id"), tenant)
        if grant == "client_credentials":
            if tenant is None:
                raise SignInError(50059)
            if application.secret is None and "client_assertion" not in form:
                raise SignInError(7000218)
            clients.authenticate(application, tenant, form, token_url, self._now())
            wanted = find_wanted(directory, form.get("scope"), tenant)
            if wanted.permissions != (".default",):
                raise SignInError(1002012)
            return self.app_token(application, tenant, wanted, requested=requested, cae=cae)
        if application.secret is not None or "client_assertion" in form:
            home = tenant or next(iter(directory.tenants.values()))
            clients.authenticate(application, home, form, token_url, self._now())
        scope = form.get("scope")
        nonce = None
        if grant == "authorization_code":
            entry = self._authorization_code(application, form)
            user, nonce = entry.user, entry.nonce
            scope = scope or entry.scope
            tenant = tenant or find_tenant(directory, entry.tenant_id)
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
        wanted = find_wanted(directory, scope, tenant)
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

    def _now(self) -> float:
        return time.time() + self._state.settings.clock

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
        # After an audience with a slash of its own there are two: MSAL keeps the token under the
        # scopes of this answer, and finds it again by those that it asked for.
        prefix = wanted.audience + "/"
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
