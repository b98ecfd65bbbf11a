"""Every knob that a test can turn, and what it can ask of a running cloud."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from cryptography import x509

from .entra.aadsts import SignInError
from .entra.directory import (
    AKS,
    ARM,
    AZURE_CLI,
    DEVOPS,
    GRAPH,
    Application,
    Certificate,
    Resource,
    Tenant,
    stable_guid,
)
from .entra.state import Settings, TokenFault
from .entra.token_request import consented, find_wanted
from .network.faults import HttpFault
from .network.records import Record
from .world import World

_AUDIENCES = {"devops": DEVOPS, "arm": ARM, "graph": GRAPH, "aks": AKS}
_SETTINGS = {f.name for f in fields(Settings)}


class Knobs:
    """``defaults`` are the settings that ``reset`` returns to."""

    _world: World

    def __init__(self, defaults: Settings) -> None:
        self._defaults = defaults

    def _tenant(self, name: str) -> Tenant:
        organization = self._world.devops.organizations.get(name)
        if organization is not None and organization.tenant is not None:
            return organization.tenant
        tenant = self._world.state.directory.tenant(name)
        if tenant is None:
            raise ValueError(f"no tenant or organisation {name!r}")
        return tenant

    # -- what happened

    def stats(self) -> dict[str, Any]:
        return self._world.log.snapshot()

    @property
    def requests(self) -> list[Record]:
        return self._world.log.records()

    def count(self, kind: str = "request", **filters: Any) -> int:
        """Requests of a kind whose record has these values; ``tenant`` also by its short name."""
        if "tenant" in filters:
            tenant = self._world.state.directory.tenant(str(filters["tenant"]))
            filters["tenant"] = tenant.id if tenant else filters["tenant"]
        return self._world.log.count(kind, filters)

    # -- knobs

    def reset(self, repositories: bool = False) -> None:
        """Counters, settings, faults, revocations and half-done sign-ins back to the start.

        Tokens and refresh tokens that were issued stay valid; with ``repositories`` all that was
        pushed or published is undone too.
        """
        self._world.state.settings = replace(self._defaults)
        self._world.state.on_token = None
        self._world.state.faults.clear()
        self._world.http_faults.clear()
        self._world.state.mint.reset()
        self._world.state.sessions.reset()
        self._world.managed_identity.reset()
        application = self._world.state.directory.service_principal
        application.certificates.clear()
        if application.expired_secrets:  # the first of them is the one that the tests know
            application.secret = application.expired_secrets[0]
            application.expired_secrets.clear()
        self._world.log.clear()
        for registry in self._world.registries:
            registry.reset(images=repositories)
        if repositories:
            self._world.devops.repositories.reset()
            self._world.devops.feeds.reset()

    def configure(self, **settings: Any) -> None:
        """See ``state.Settings`` for the names."""
        unknown = set(settings) - _SETTINGS
        if unknown:
            raise ValueError(f"unknown setting {', '.join(sorted(unknown))}")
        self._world.state.settings = replace(self._world.state.settings, **settings)

    def on_token(self, callback: Callable[[Record], None] | None) -> None:
        """Called in the server's thread before each token response is sent, success or not."""
        self._world.state.on_token = callback

    def issue_token(
        self,
        tenant: str = "contoso",
        scope: str = f"{DEVOPS}/.default",
        *,
        user: str | None = None,
        client: str | None = None,
        expires_in: float | None = None,
        cae: bool = False,
        **overrides: Any,
    ) -> str:
        """A validly signed access token, as the token endpoint would give out; not counted.

        Claims in ``overrides`` replace the usual ones, so a wrong audience or issuer is possible.
        """
        place = self._tenant(tenant)
        wanted = find_wanted(self._world.state.directory, scope, place)
        directory = self._world.state.directory
        person = directory.users[user] if user else None
        client_id = client or (AZURE_CLI if person else directory.service_principal.client_id)
        application: Application = directory.applications[client_id]
        lifetime = self._world.state.settings.expires_in if expires_in is None else expires_in
        return self._world.state.mint.access_token(
            tenant=place,
            resource=wanted.resource,
            audience=wanted.audience,
            application=application,
            user=person,
            scopes=consented(application, wanted) if person else (),
            lifetime=lifetime,
            cae=cae,
            overrides=overrides,
        )

    def _audience(self, audience: str) -> str:
        if audience in _AUDIENCES:
            return _AUDIENCES[audience]
        resource = self._world.state.directory.resource(audience)
        if resource is None:
            raise ValueError(f"no API {audience!r}")
        return resource.id

    def revoke(self, token: str) -> None:
        """APIs answer 401 to this access token from now on."""
        self._world.state.mint.revoke(token)

    def revoke_all(self, audience: str | None = None) -> None:
        """APIs (or one: devops, arm, graph, aks, or any id) refuse all tokens issued before now."""
        self._world.state.mint.revoke_all(self._audience(audience) if audience else None)

    def require_claims(
        self,
        audience: str = "devops",
        claims: Mapping[str, Any] | str | None = None,
        strict: bool = False,
    ) -> str:
        """Continuous access evaluation: the API wants ``claims``, by default an ``nbf`` claim.

        A token issued before now whose request did not carry them is answered with a claims
        challenge; with ``strict`` also one issued later. Returns the challenge's JSON text.
        """
        parsed = json.loads(claims) if isinstance(claims, str) else claims
        return self._world.state.mint.require_claims(self._audience(audience), parsed, strict)

    def fail_tokens(
        self,
        error_code: int = 50076,
        error: str | None = None,
        times: int | None = 1,
        *,
        http_status: int | None = None,
        grant: str | None = None,
        suberror: str | None = None,
        claims: str | None = None,
        tenant: str | None = None,
        client_id: str | None = None,
        message: str = "",
    ) -> None:
        """The next ``times`` matching token requests (None: all until reset) fail with AADSTS…"""
        fault = SignInError(
            error_code,
            message,
            error=error,
            http_status=http_status,
            suberror=suberror,
            claims=claims,
        )
        tenant_id = self._tenant(tenant).id if tenant else None
        self._world.state.faults.add(TokenFault(times, fault, grant, tenant_id, client_id))

    def fail_http(
        self,
        host: str = "login.microsoftonline.com",
        status: int = 503,
        times: int | None = 1,
        retry_after: int | None = None,
        path: str = "*",
    ) -> None:
        """The next requests to ``host`` and ``path`` (shell patterns) get this ``status``."""
        self._world.http_faults.add(HttpFault(times, host, status, retry_after, path))

    def drop_connections(self, times: int | None = 1, host: str = "*", path: str = "*") -> None:
        """The next requests get no answer: the connection is closed."""
        self.fail_http(host, 0, times, path=path)

    def revoke_refresh_tokens(self, user: str | None = None, error_code: int = 50173) -> None:
        """Refresh tokens issued before now (to ``user``, or to all) are ``invalid_grant``."""
        self._world.state.sessions.revoke_refresh(user, error_code)

    def revoke_registry_tokens(self) -> None:
        """Container registries refuse all refresh and access tokens that they gave out."""
        for registry in self._world.registries:
            registry.tokens.revoke()

    def device_code(self, mode: str = "auto", interval: int | None = None) -> None:
        """What becomes of new device codes: ``auto`` approves them, ``manual`` waits."""
        if mode not in ("auto", "manual", "deny"):
            raise ValueError(f"unknown device code mode {mode!r}")
        self.configure(device_code=mode)
        if interval is not None:
            self.configure(device_code_interval=interval)

    def pending_device_codes(self) -> list[str]:
        return [code.user_code for code in self._world.state.sessions.pending()]

    def approve(self, user_code: str, user: str = "alex@contoso.com") -> None:
        if not self._world.state.sessions.decide(
            user_code, self._world.state.directory.users[user]
        ):
            raise ValueError("no such device code")

    def deny(self, user_code: str) -> None:
        if not self._world.state.sessions.decide(user_code, None):
            raise ValueError("no such device code")

    def renew_secret(self) -> str:
        """The service principal's secret has expired; returns the new one. ``reset`` undoes it."""
        application = self._world.state.directory.service_principal
        assert application.secret is not None
        application.expired_secrets.append(application.secret)
        application.secret = "s8~" + secrets.token_urlsafe(30)
        return application.secret

    def register_certificate(self, pem: bytes, subject_name: str | None = None) -> None:
        """Lets the service principal sign in with this certificate until ``reset``.

        With ``subject_name`` the certificate is an issuer: every leaf it signed with that common
        name is accepted when the assertion carries its chain (``x5c``; subject name and issuer).
        """
        certificate = x509.load_pem_x509_certificate(pem)
        self._world.state.directory.service_principal.certificates.append(
            Certificate(certificate, subject_name)
        )

    def register_resource(
        self, uri: str, scopes: tuple[str, ...] = ("user_impersonation",), tenant: str | None = None
    ) -> str:
        """An API of one's own, such as ``api://hello``; returns its app id."""
        app_id = stable_guid("resource", uri)
        tenants = (self._tenant(tenant).id,) if tenant else None
        resource = Resource(app_id, uri, (uri.rstrip("/"),), scopes=scopes, tenants=tenants)
        self._world.state.directory.resources.append(resource)
        return app_id
