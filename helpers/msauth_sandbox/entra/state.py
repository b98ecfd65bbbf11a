"""What the services of one sandbox share: the directory, what was issued, settings and faults."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..network.faults import Fault, Faults
from ..network.records import Record
from .aadsts import SignInError
from .directory import Directory
from .sessions import Sessions
from .tokens import Mint


@dataclass
class Settings:
    """What ``Sandbox.configure`` can change. All times are seconds.

    ``latency`` is how long the token endpoint takes for each answer, ``devops_latency`` Azure
    DevOps. ``round_trip`` is how far away all hosts behind the proxy are: to connect, the TLS
    handshake and each request take that long.

    ``forbidden_feeds``, named ``organisation/feed``, let nobody in (403). ``registry_expires_in``
    is the life of a container registry's refresh tokens; without ``registry_takes_arm`` its policy
    wants tokens for the registry's own audience, not for Azure Resource Manager;
    ``registry_exchange`` (status, headers, body) replaces what it answers to a good Entra token, to
    play a hostile registry.

    ``challenge`` replaces the whole Bearer challenge of Azure DevOps, to play a hostile server;
    ``challenge_host`` only its sign-in host; ``joined_challenges`` sends the three challenges in
    one comma-joined header. ``user`` is who signs in when a client names nobody. Without ``imds``
    there is no instance metadata service, as on a laptop. With ``managed_identity_caches`` the host
    of a managed identity gives the same token again until it nears its end, as Azure's hosts do.
    ``clock`` is how far this cloud's clock is ahead of the machine's. Of people and applications by
    name, ``newcomers`` have never opened Azure DevOps in a browser (TF401444), and ``strangers``
    are in none of its organisations (TF400813). ``public_projects``, named
    ``organisation/project``, may be read by anybody, with git and git-lfs.
    """

    expires_in: float = 3600
    refresh_in: float | None = None
    latency: float = 0.0
    devops_latency: float = 0.0
    round_trip: float = 0.0
    forbidden_feeds: tuple[str, ...] = ()
    registry_expires_in: float = 3 * 3600
    registry_takes_arm: bool = True
    registry_exchange: tuple[int, dict[str, str], bytes | Iterator[bytes]] | None = None
    device_code: str = "auto"
    device_code_interval: int = 1
    device_code_expires_in: float = 900
    user: str = "alex@contoso.com"
    imds: bool = True
    managed_identity_caches: bool = False
    challenge: str | None = None
    challenge_host: str = "login.windows.net"
    joined_challenges: bool = False
    clock: float = 0.0
    newcomers: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    public_projects: tuple[str, ...] = ()


@dataclass
class TokenFault(Fault):
    """Fields that are None match any token request."""

    error: SignInError
    grant: str | None = None
    tenant: str | None = None
    client_id: str | None = None

    def matches(self, record: Record) -> bool:
        return (
            self.grant in (None, record.grant)
            and self.tenant in (None, record.tenant)
            and self.client_id in (None, record.client_id)
        )


class State:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.directory = Directory()
        self.mint = Mint(self.directory)
        self.sessions = Sessions()
        self.faults: Faults[TokenFault] = Faults()
        self.on_token: Callable[[Record], None] | None = None
        self.closing = threading.Event()
        self.ca_pem = b""  # the authority that signs every server's certificate

    def fail(self, record: Record) -> None:
        """Raises the SignInError that a test wants this token request to meet, if any."""
        fault = self.faults.take(record)
        if fault is not None:
            raise fault.error

    def before_answer(self, record: Record) -> None:
        """What happens just before a token response is sent: latency, then the test's hook."""
        self.closing.wait(self.settings.latency)
        if self.on_token is not None:
            self.on_token(record)
