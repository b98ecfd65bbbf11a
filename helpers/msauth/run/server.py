"""The loopback server around the pure protocol of `protocols.token_endpoint`.

One thread reads the requests (`acceptor`) and answers those whose token is known. A token that is
not known has a thread of its own, which answers everybody who asked for it in the meantime: a
sign-in that waits for a person holds up nobody else. Only requests that know the secret get that
far, so strangers on this machine cannot use the threads up.
"""

import os
import resource
import socket
import sys
import threading
import time

from ..errors import MsauthError, SignInError
from ..protocols import token_endpoint as protocol
from ..request.request import Token
from .acceptor import Acceptor, send

MAX_CONNECTIONS = 2500
"""Connections open at once; beyond it the one is closed that has waited for longest.

With few descriptors (`ulimit -n`) half of them is the limit: signing in needs some too.
"""
MAX_SIGN_INS = 128
"""Tokens that are got at once; a program with a leak cannot exhaust our memory."""

Wanted = tuple[str, str, str | None, bool]
"""A scope, a tenant or "", a claims challenge, and whether a known token will not do."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """Where the tokens come from."""

        def wanted(self, query: protocol.TokenQuery) -> Wanted:
            """Return what a query asks for; equal ones share an answer. Raises Refused."""

        def known(self, wanted: Wanted) -> Token | None:
            """Return the answer if it is at hand, without waiting for anything."""

        def get(self, wanted: Wanted) -> Token:
            """Return the answer; called in a thread. Raises Refused, MsauthError."""


class Endpoint:
    """A server on 127.0.0.1, a random port and a random secret of 256 bits."""

    def __init__(self, source: "Source") -> None:
        self._source = source
        self._secret = os.urandom(32).hex()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    def variables(self) -> dict[str, str]:
        """Return the environment that leads an SDK here."""
        return protocol.variables(self.port, self._secret)

    def start(self) -> None:
        """Serve from background threads until the process ends."""
        most = _most_connections()
        self._sign_ins = _SignIns(self._source, most)
        acceptor = Acceptor(
            self._listener, self._secret, lambda: most - len(self._sign_ins), self._answer
        )
        threading.Thread(target=acceptor.serve, name="endpoint", daemon=True).start()

    def _answer(self, connection: socket.socket, head: protocol.Head, body: bytes) -> None:
        """Answer a request that knew the secret, or let it wait for its token."""
        query = None
        try:
            query = protocol.query_of(head, body)
            wanted = self._source.wanted(query)
            token = self._source.known(wanted)
            if token is None:
                self._sign_ins.join(wanted, connection, query)
                return
            data = _granted(query, token)
        except Exception as error:  # noqa: BLE001 - no fault of ours may end the endpoint
            data = _failed(query, error)
        send(connection, data)


class _SignIns:
    """The tokens that are being got, and who waits for each; its length is how many wait."""

    def __init__(self, source: "Source", most: int) -> None:
        self._source = source
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[Wanted, list[tuple[socket.socket, protocol.TokenQuery]]] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def join(self, wanted: Wanted, connection: socket.socket, query: protocol.TokenQuery) -> None:
        """Answer once the token is there; it is asked for once, however many wait.

        Raises Refused where too many wait.
        """
        if len(self) >= self._most:
            raise protocol.Refused(503, "too many connections")
        with self._lock:
            if wanted in self._waiting:
                self._waiting[wanted].append((connection, query))
                return
            if len(self._waiting) >= MAX_SIGN_INS:
                raise protocol.Refused(503, "too many sign-ins at once")
            self._waiting[wanted] = [(connection, query)]
        try:
            threading.Thread(target=self._get, args=(wanted,), daemon=True).start()
        except RuntimeError:
            # Nobody else can have joined: there is one thread that reads requests.
            del self._waiting[wanted]
            raise protocol.Refused(503, "no more threads can be had") from None

    def _get(self, wanted: Wanted) -> None:
        outcome: Token | Exception
        try:
            outcome = self._source.get(wanted)
        except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
            outcome = error
        with self._lock:
            waiting = self._waiting.pop(wanted)
        for connection, query in waiting:
            if isinstance(outcome, Token):
                send(connection, _granted(query, outcome))
            else:
                send(connection, _failed(query, outcome))


def _granted(query: protocol.TokenQuery, token: Token) -> bytes:
    return protocol.granted(query, token.text, token.expires_on, now=int(time.time()))


def _failed(query: protocol.TokenQuery | None, error: Exception) -> bytes:
    """Return the response to a query that gets no token; None: it was not even understood."""
    if isinstance(error, protocol.Refused):
        if query is not None and query.azd:
            return protocol.failed(query, error.message, again=False)
        return protocol.refusal(error.status, error.message)
    if isinstance(error, MsauthError):
        text = error.message if error.hint is None else f"{error.message}\n{error.hint}"
        signed_out = isinstance(error, SignInError)
        again = signed_out and not getattr(error, "deterministic", True)
    else:
        text = f"internal error ({type(error).__name__})"
        signed_out, again = False, isinstance(error, OSError)
    if query is None:
        return protocol.refusal(400, text)
    return protocol.failed(query, text, again=again, signed_out=signed_out)


def _most_connections() -> int:
    """Return how many connections may be open, with our own limit of descriptors raised to that.

    The command was started before, and has the limit that it was given.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (sys.maxsize if limit < 0 else limit for limit in limits)
    wanted = min(2 * MAX_CONNECTIONS, hard)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limits[1]))
            soft = wanted
        except (OSError, ValueError):
            pass
    return min(MAX_CONNECTIONS, soft // 2)
