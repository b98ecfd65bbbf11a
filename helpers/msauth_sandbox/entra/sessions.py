"""Sign-ins of people that are under way or done: device codes, authorization codes, refresh tokens.

Secrets are held as they are, in memory only; nothing here is ever written or logged.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .directory import User

_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass
class DeviceCode:
    user_code: str
    client_id: str
    tenant: str
    scope: str
    expires_on: float
    user: User | None = None
    denied: bool = False


@dataclass(frozen=True)
class AuthorizationCode:
    client_id: str
    redirect_uri: str
    scope: str
    user: User
    tenant_id: str
    challenge: str | None
    challenge_method: str
    nonce: str | None
    claims: Mapping[str, Any]
    expires_on: float


@dataclass(frozen=True)
class RefreshGrant:
    client_id: str
    user: User
    tenant_id: str
    family: bool
    scope: str
    sequence: int


class Sessions:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._device: dict[str, DeviceCode] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._spent: set[str] = set()
        self._refresh: dict[str, RefreshGrant] = {}
        self._sequence = 0
        self._revoked_up_to: dict[str | None, tuple[int, int]] = {}

    def reset(self) -> None:
        """Forget revocations and half-done sign-ins; finished sign-ins stay valid."""
        with self._lock:
            self._device.clear()
            self._codes.clear()
            self._spent.clear()
            self._revoked_up_to.clear()

    def start_device_code(
        self, client_id: str, tenant: str, scope: str, lifetime: float
    ) -> tuple[str, DeviceCode]:
        user_code = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(9))
        device_code = secrets.token_urlsafe(96)
        entry = DeviceCode(user_code, client_id, tenant, scope, time.time() + lifetime)
        with self._lock:
            self._device[device_code] = entry
        return device_code, entry

    def device_code(self, device_code: str) -> DeviceCode | None:
        with self._lock:
            return self._device.get(device_code)

    def finish_device_code(self, device_code: str) -> bool:
        """True for the one caller that may turn the code into tokens."""
        with self._lock:
            return self._device.pop(device_code, None) is not None

    def pending(self) -> list[DeviceCode]:
        now = time.time()
        with self._lock:
            return [
                code
                for code in self._device.values()
                if code.user is None and not code.denied and code.expires_on > now
            ]

    def decide(self, user_code: str, user: User | None) -> bool:
        """Approve as ``user``, or decline when None. False when there is no such code."""
        wanted = user_code.replace("-", "").strip().upper()
        with self._lock:
            for code in self._device.values():
                if code.user_code == wanted:
                    code.user, code.denied = user, user is None
                    return True
        return False

    def add_code(self, entry: AuthorizationCode) -> str:
        code = "1." + secrets.token_urlsafe(160)
        with self._lock:
            self._codes[code] = entry
        return code

    def take_code(self, code: str) -> tuple[AuthorizationCode | None, bool]:
        """The code's sign-in, once; then None and whether it had been there before."""
        with self._lock:
            entry = self._codes.pop(code, None)
            spent = code in self._spent
            if entry is not None:
                self._spent.add(code)
            return entry, spent

    def add_refresh(
        self, client_id: str, user: User, tenant_id: str, family: bool, scope: str
    ) -> str:
        token = "1.A" + secrets.token_urlsafe(320)
        with self._lock:
            self._sequence += 1
            self._refresh[token] = RefreshGrant(
                client_id, user, tenant_id, family, scope, self._sequence
            )
        return token

    def refresh(self, token: str) -> tuple[RefreshGrant | None, int]:
        """The grant of a refresh token, and the AADSTS code that voids it (0 if it is good)."""
        with self._lock:
            grant = self._refresh.get(token)
            if grant is None:
                return None, 70000
            for key in (None, grant.user.upn):
                sequence, code = self._revoked_up_to.get(key, (0, 0))
                if grant.sequence <= sequence:
                    return grant, code
            return grant, 0

    def revoke_refresh(self, upn: str | None, code: int) -> None:
        with self._lock:
            self._revoked_up_to[upn] = (self._sequence, code)
