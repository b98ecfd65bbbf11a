"""Signing tokens, and checking them as the resource servers of the cloud do.

Access tokens have the claims of Entra's version 1.0 tokens (``sts.windows.net`` issuer) and are
signed with RS256. As Entra does, ``iat`` and ``nbf`` lie five minutes before the real moment, so
every decision about "issued before" uses a sequence number that is kept here instead.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .directory import (
    TOKEN_EXCHANGE,
    Application,
    Directory,
    Resource,
    Tenant,
    User,
    exchange_issuer,
    stable_guid,
)
from .keys import Key, TokenRejectedError

CLOCK_SKEW = 300


@dataclass(frozen=True)
class _Issued:
    sequence: int
    requested: Mapping[str, Any]


@dataclass
class _Requirement:
    """A claims requirement: tokens up to ``sequence`` must carry ``wanted``, all when strict."""

    sequence: int
    wanted: Mapping[str, Any]
    strict: bool
    challenge: str


@dataclass
class _Policy:
    revoked: set[str] = field(default_factory=set)
    revoked_up_to: dict[str | None, int] = field(default_factory=dict)
    requirements: dict[str, _Requirement] = field(default_factory=dict)


class Mint:
    """Issues tokens, remembers their order, and decides which are still good."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._sequence = 0
        self._issued: dict[str, _Issued] = {}
        self._policy = _Policy()

    def reset(self) -> None:
        with self._lock:
            self._policy = _Policy()

    def access_token(
        self,
        *,
        tenant: Tenant,
        resource: Resource,
        audience: str,
        application: Application,
        lifetime: float,
        user: User | None = None,
        scopes: tuple[str, ...] = (),
        requested: Mapping[str, Any] | None = None,
        cae: bool = False,
        overrides: Mapping[str, Any] | None = None,
    ) -> str:
        """A signed access token. ``requested`` is the ``access_token`` part of a claims request."""
        now = int(time.time())
        uti = secrets.token_urlsafe(16)
        secret_like = secrets.token_urlsafe
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant.id}/",
            "iat": now - CLOCK_SKEW,
            "nbf": now - CLOCK_SKEW,
            "exp": now + int(lifetime),
            "aio": secret_like(96),
            "appid": application.client_id,
            "appidacr": "1" if application.secret else "0",
            "idtyp": "user" if user else "app",
            "idp": f"https://sts.windows.net/{(user.home if user else tenant).id}/",
            "rh": "1." + secret_like(60),
            "tid": tenant.id,
            "uti": uti,
            "ver": "1.0",
            "xms_ftd": secret_like(48),
            "xms_idrel": "1 " + str(7 + secrets.randbelow(24)),
            "xms_tcdt": 1420070400,
        }
        if user:
            given, _, family = user.name.partition(" ")
            object_id = user.object_ids[tenant.id]
            claims |= {
                "acr": "1",
                "acrs": ["p1"],
                "amr": ["pwd", "mfa"],
                "family_name": family,
                "given_name": given,
                "groups": [stable_guid("group", tenant.id, str(n)) for n in range(6)],
                "ipaddr": "203.0.113.7",
                "name": user.name,
                "oid": object_id,
                "puid": "1003" + object_id.replace("-", "")[:12].upper(),
                "scp": " ".join(scopes),
                "sid": stable_guid("session", user.upn),
                "sub": secret_like(32),
                "unique_name": user.upn,
                "upn": user.upn,
                "wids": [stable_guid("role", str(n)) for n in range(3)],
            }
        else:
            object_id = application.object_id(tenant)
            claims |= {
                "app_displayname": application.name,
                "oid": object_id,
                "sub": object_id,
                "wids": [stable_guid("role", str(n)) for n in range(6)],
                "groups": [stable_guid("group", tenant.id, str(n)) for n in range(6)],
            }
            roles = application.roles_for(resource)
            if roles:
                claims["roles"] = list(roles)
            if application.resource_id:
                claims["xms_mirid"] = application.resource_id
        if resource.id == TOKEN_EXCHANGE:  # the one API here with tokens of version 2.0
            claims |= {"iss": exchange_issuer(tenant), "aud": resource.id, "ver": "2.0"}
        if cae:
            claims["xms_cc"] = ["CP1"]
        requested = dict(requested or {})
        wanted_acrs = requested.get("acrs")
        if isinstance(wanted_acrs, dict) and "value" in wanted_acrs:
            claims["acrs"] = [*claims.get("acrs", []), wanted_acrs["value"]]
        claims |= dict(overrides or {})
        with self._lock:
            self._sequence += 1
            self._issued[str(claims["uti"])] = _Issued(self._sequence, requested)
        return Key.sign(claims)

    def id_token(
        self, *, tenant: Tenant, user: User, client_id: str, host: str, nonce: str | None
    ) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": client_id,
            "iss": f"https://{host}/{tenant.id}/v2.0",
            "iat": now - CLOCK_SKEW,
            "nbf": now - CLOCK_SKEW,
            "exp": now + 3600,
            "name": user.name,
            "oid": user.object_ids[tenant.id],
            "preferred_username": user.upn,
            "rh": "1." + secrets.token_urlsafe(40),
            "sid": stable_guid("session", user.upn),
            "sub": secrets.token_urlsafe(32),
            "tid": tenant.id,
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        }
        if nonce:
            claims["nonce"] = nonce
        return Key.sign(claims)

    def check(
        self, token: str, resource_id: str, tenant_ids: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """The claims of a token that the API ``resource_id`` accepts, or TokenRejectedError."""
        claims = Key.verify(token)
        resource = self._directory.resource(str(claims.get("aud", "")))
        tenant = str(claims.get("tid", ""))
        if resource is None or resource.id != resource_id:
            raise TokenRejectedError("audience")
        if claims.get("iss") not in (
            f"https://sts.windows.net/{tenant}/",
            f"https://login.microsoftonline.com/{tenant}/v2.0",
        ):
            raise TokenRejectedError("issuer")
        now = time.time()
        if float(claims.get("exp", 0)) <= now or float(claims.get("nbf", 0)) > now + CLOCK_SKEW:
            raise TokenRejectedError("expired")
        if tenant_ids is not None and tenant not in tenant_ids:
            raise TokenRejectedError("tenant")
        self._check_policy(str(claims.get("uti")), resource_id)
        return claims

    def _check_policy(self, uti: str, resource_id: str) -> None:
        with self._lock:
            policy = self._policy
            issued = self._issued.get(uti)
            if issued is None or uti in policy.revoked:
                raise TokenRejectedError("revoked")
            for audience in (None, resource_id):
                if issued.sequence <= policy.revoked_up_to.get(audience, 0):
                    raise TokenRejectedError("revoked")
            need = policy.requirements.get(resource_id)
        if need is None or (not need.strict and issued.sequence > need.sequence):
            return
        if any(issued.requested.get(name) != want for name, want in need.wanted.items()):
            raise TokenRejectedError("insufficient_claims", need.challenge)

    def revoke(self, token: str) -> None:
        uti = str(Key.verify(token).get("uti"))
        with self._lock:
            self._policy.revoked.add(uti)

    def revoke_all(self, resource_id: str | None) -> None:
        with self._lock:
            self._policy.revoked_up_to[resource_id] = self._sequence

    def require_claims(
        self, resource_id: str, claims: Mapping[str, Any] | None, strict: bool
    ) -> str:
        """Returns the challenge, JSON text. Without ``claims`` it is the usual ``nbf`` one."""
        if claims is None:
            nbf = {"essential": True, "value": str(int(time.time()))}
            claims = {"access_token": {"nbf": nbf}}
        wanted = claims.get("access_token")
        if not isinstance(wanted, Mapping) or not wanted:
            raise ValueError('claims must look like {"access_token": {…}}')
        challenge = json.dumps(claims, separators=(",", ":"))
        with self._lock:
            self._policy.requirements[resource_id] = _Requirement(
                self._sequence, dict(wanted), strict, challenge
            )
        return challenge

    def drop_requirements(self) -> None:
        with self._lock:
            self._policy.requirements.clear()
