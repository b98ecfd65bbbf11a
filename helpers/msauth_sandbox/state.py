"""Everything the services of one sandbox share, and the faults a test has asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from .aadsts import SignInError
from .directory import Directory
from .sessions import Sessions
from .stats import Record, RequestLog
from .tokens import Mint


@dataclass
class Settings:
    """What ``Sandbox.configure`` can change. All times are seconds.

    ``challenge`` replaces the whole Bearer challenge of Azure DevOps, to play a hostile server;
    ``challenge_host`` only its sign-in host; ``joined_challenges`` sends the three challenges in
    one comma-joined header. ``user`` is who signs in when a client names nobody. Without ``imds``
    there is no instance metadata service, as on a laptop.
    """

    expires_in: float = 3600
    refresh_in: float | None = None
    latency: float = 0.0
    devops_latency: float = 0.0
    device_code: str = "auto"
    device_code_interval: int = 1
    device_code_expires_in: float = 900
    user: str = "alex@contoso.com"
    imds: bool = True
    challenge: str | None = None
    challenge_host: str = "login.windows.net"
    joined_challenges: bool = False


@dataclass
class TokenFault:
    error: SignInError
    times: int | None
    grant: str | None = None
    tenant: str | None = None
    client_id: str | None = None


@dataclass
class HttpFault:
    """``host`` is a shell pattern; status 0 drops the connection without an answer."""

    host: str
    status: int
    times: int | None
    retry_after: int | None = None
    path: str = "*"


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: list[TokenFault] = []
        self._http: list[HttpFault] = []

    def clear(self) -> None:
        with self._lock:
            self._token.clear()
            self._http.clear()

    def add_token(self, fault: TokenFault) -> None:
        with self._lock:
            self._token.append(fault)

    def add_http(self, fault: HttpFault) -> None:
        with self._lock:
            self._http.append(fault)

    def token(self, record: Record) -> SignInError | None:
        """The error this token request must answer, if any; counts it as used."""
        with self._lock:
            for fault in self._token:
                if fault.grant not in (None, record.grant):
                    continue
                if fault.tenant not in (None, record.tenant):
                    continue
                if fault.client_id not in (None, record.client_id):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._token.remove(fault)
                return fault.error
        return None

    def http(self, host: str, path: str) -> HttpFault | None:
        with self._lock:
            for fault in self._http:
                if not (fnmatch(host, fault.host) and fnmatch(path, fault.path)):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._http.remove(fault)
                return fault
        return None


@dataclass
class State:
    directory: Directory
    mint: Mint
    sessions: Sessions
    log: RequestLog
    root: Path
    settings: Settings = field(default_factory=Settings)
    faults: Faults = field(default_factory=Faults)
    on_token: Callable[[Record], None] | None = None
    closing: threading.Event = field(default_factory=threading.Event)
