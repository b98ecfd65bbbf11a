"""The tokens of a container registry: from Entra's to a refresh token, and on to an access token.

https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md and
https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable
from typing import Any

from ..entra.directory import ARM, Tenant
from ..entra.keys import Key, TokenRejectedError
from ..entra.state import State

ACR = "6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26"
USER = "00000000-0000-0000-0000-000000000000"
"""The user name that goes with a refresh token."""

_ISSUER = "Azure Container Registry"
_ACCESS_LIFE = 75 * 60  # seconds


class RegistryTokens:
    """Tokens of one registry, which trusts one tenant."""

    def __init__(self, state: State, service: str, tenant: Tenant) -> None:
        self._state = state
        self._service = service
        self.tenant = tenant
        self._lock = threading.Lock()
        self._sequence = 0
        self._revoked_up_to = 0

    def reset(self) -> None:
        with self._lock:
            self._revoked_up_to = 0

    def revoke(self) -> None:
        """Refresh and access tokens given out before now are refused."""
        with self._lock:
            self._revoked_up_to = self._sequence

    def entra_claims(self, token: str) -> dict[str, Any]:
        """The claims of an Entra token that this registry takes, or TokenRejectedError."""
        check, tenants = self._state.mint.check, (self.tenant.id,)
        try:
            return check(token, ACR, tenants)
        except TokenRejectedError as rejected:
            if rejected.reason != "audience" or not self._state.settings.registry_takes_arm:
                raise
        return check(token, ARM, tenants)

    def _sign(self, kind: str, life: float, more: dict[str, Any]) -> str:
        now = int(time.time())
        with self._lock:
            self._sequence += 1
            sequence = self._sequence
        return Key.sign(
            {
                "jti": secrets.token_hex(16),
                "iss": _ISSUER,
                "aud": self._service,
                "version": "1.0",
                "iat": now,
                "nbf": now,
                "exp": now + int(life),
                "grant_type": kind,
                "sequence": sequence,
            }
            | more
        )

    def refresh_token(self, entra: dict[str, Any]) -> str:
        """For the caller of an Entra token; it says what its bearer may do at most."""
        more = {
            "sub": entra.get("oid"),
            "appid": entra.get("appid"),
            "tenant": self.tenant.id,
            "permissions": {"actions": ["read", "write", "delete"], "notActions": None},
        }
        return self._sign("refresh_token", self._state.settings.registry_expires_in, more)

    def access_token(self, refresh: dict[str, Any], scopes: Iterable[str]) -> str:
        """For the wanted scopes, such as ``repository:hello:pull,push``."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        more = {"sub": refresh.get("sub"), "appid": refresh.get("appid"), "access": access}
        return self._sign("access_token", _ACCESS_LIFE, more)

    def check(self, token: str, kind: str) -> dict[str, Any]:
        """The claims of our own ``refresh_token`` or ``access_token``, or TokenRejectedError."""
        claims = Key.verify(token)
        if claims.get("iss") != _ISSUER or claims.get("grant_type") != kind:
            raise TokenRejectedError("issuer")
        if claims.get("aud") != self._service:
            raise TokenRejectedError("audience")
        if float(claims["exp"]) <= time.time():
            raise TokenRejectedError("expired")
        with self._lock:
            if claims["sequence"] <= self._revoked_up_to:
                raise TokenRejectedError("revoked")
        return claims


def allows(claims: dict[str, Any], kind: str, name: str, action: str) -> bool:
    return any(
        entry["type"] == kind and entry["name"] == name and {action, "*"} & set(entry["actions"])
        for entry in claims.get("access", ())
    )
