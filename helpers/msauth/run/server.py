"""The loopback server: sockets and threads around the pure protocol of `protocols.token_endpoint`.

One thread accepts connections and reads what they ask. Only a request that knows the secret gets
a thread of its own, so strangers on this machine cannot use them up; a sign-in that waits for a
person then holds up nobody else.
"""

import errno
import os
import resource
import secrets
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ..errors import MsauthError, SignInError
from ..protocols import token_endpoint as protocol
from ..request.request import Token
from . import peers

MAX_WAITING = 512
"""Connections that have not told the secret yet; beyond it the one that waits longest is closed.

With few descriptors (`ulimit -n`) half of them is the limit: signing in needs some too.
"""
MAX_WORKERS = 512
"""Answers that are worked on at once; a program with a leak cannot exhaust our memory."""
READ_TIMEOUT = 10
"""Seconds in which a request must have arrived completely."""
STRANGER_TIMEOUT = 2
"""The same for a connection of another user, who seldom has business here."""
STRANGER_CONNECTIONS = 16
"""How many of them may wait for each other user. A command under `sudo -u` has the secret too."""
_CROWD = 32
"""So many more waiting connections are worth a look at whose they are."""

Answer = Callable[[protocol.TokenQuery], Token]


class Endpoint:
    """A server on 127.0.0.1, a random port and a random secret of 256 bits.

    answer: from a query to a token; raises Refused for what is not allowed, MsauthError for a
    sign-in that failed. It is called from many threads at once.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._secret = secrets.token_urlsafe(32)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_WAITING)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    def variables(self) -> dict[str, str]:
        """Return the environment that leads an SDK here."""
        return protocol.variables(self.port, self._secret)

    def start(self) -> None:
        """Serve from background threads until the process ends."""
        self._workers = ThreadPoolExecutor(MAX_WORKERS)
        door = _Door(self._listener, self.port, self._enter)
        threading.Thread(target=door.watch, name="endpoint", daemon=True).start()

    def _enter(self, connection: socket.socket, data: bytes, rest: bytes) -> None:
        """Take a request whose head is complete: refuse it, or answer it from a thread."""
        head = protocol.head_of(data)
        protocol.check(head, secret=self._secret, port=self.port)
        length = head.body_length
        try:
            self._workers.submit(self._serve, connection, head, rest, length)
        except RuntimeError:
            pass  # no thread can be had now; a worker that is there takes it when it is free

    def _serve(
        self, connection: socket.socket, head: protocol.Head, body: bytes, length: int
    ) -> None:
        try:
            with connection:
                try:
                    data = self._respond(head, _whole_body(connection, body, length))
                except protocol.Refused as refused:
                    data = protocol.refusal(refused.status, refused.message)
                connection.settimeout(READ_TIMEOUT)
                connection.sendall(data)
        except OSError:
            pass  # the caller went away

    def _respond(self, head: protocol.Head, body: bytes) -> bytes:
        query = protocol.query_of(head, body)
        try:
            token = self._answer(query)
        except protocol.Refused as refused:
            if not query.azd:
                raise
            return protocol.failed(query, refused.message, again=False)
        except MsauthError as error:
            text = error.message if error.hint is None else f"{error.message}\n{error.hint}"
            signed_out = isinstance(error, SignInError)
            again = signed_out and not getattr(error, "deterministic", True)
            return protocol.failed(query, text, again=again, signed_out=signed_out)
        except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
            text = f"internal error ({type(error).__name__})"
            return protocol.failed(query, text, again=isinstance(error, OSError))
        return protocol.granted(query, token.text, token.expires_on, now=int(time.time()))


def _whole_body(connection: socket.socket, data: bytes, length: int) -> bytes:
    """Return the body of a request that knew the secret. Raises Refused or OSError."""
    deadline = time.monotonic() + READ_TIMEOUT
    while len(data) < length:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            more = connection.recv(8192)
        except TimeoutError:
            raise protocol.Refused(408, "the request took too long") from None
        if not more:
            raise ConnectionError("the request ended early")
        data += more
    return data[:length]


class _Waiting:
    """A connection whose request has not arrived completely, since when and from which port."""

    def __init__(self, connection: socket.socket, port: int) -> None:
        self.connection = connection
        self.port = port
        self.since = time.monotonic()
        self.data = b""


class _Door:
    """Accepts connections and reads the heads of their requests, all in one thread.

    enter: takes a connection, its head and what followed that; raises Refused.
    """

    def __init__(
        self,
        listener: socket.socket,
        port: int,
        enter: Callable[[socket.socket, bytes, bytes], None],
    ) -> None:
        self._listener = listener
        self._port = port
        self._enter = enter
        self._waiting: dict[_Waiting, None] = {}  # in the order of their arrival
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = MAX_WAITING if descriptors < 0 else min(MAX_WAITING, descriptors // 2)
        self._next_look = 0.0
        self._crowd = _CROWD
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def watch(self) -> None:
        """Serve until the process ends."""
        while True:
            timeout = self._next_look - time.monotonic() if self._waiting else None
            for key, _ in self._selector.select(timeout):
                if key.data is None:
                    for _ in range(_CROWD):
                        if not self._accept():
                            break
                elif key.data in self._waiting:
                    self._read(key.data)
            crowded = len(self._waiting) >= self._crowd
            if self._waiting and (crowded or time.monotonic() >= self._next_look):
                self._look()

    def _accept(self) -> bool:
        """Take one connection that waits in the listen queue; say whether there was one."""
        try:
            connection, (_, port) = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                time.sleep(0.05)  # every descriptor is at work: let some end first
            return False
        connection.setblocking(False)
        waiting = _Waiting(connection, port)
        if not self._waiting:
            self._next_look = waiting.since + STRANGER_TIMEOUT
        self._waiting[waiting] = None
        self._selector.register(connection, selectors.EVENT_READ, waiting)
        self._read(waiting)  # most have sent their request by now
        if len(self._waiting) > self._most:
            self._refuse(next(iter(self._waiting)), 503, "too many connections")
        return True

    def _read(self, waiting: _Waiting) -> None:
        try:
            data = waiting.connection.recv(8192)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._let_go(waiting).close()
            return
        waiting.data += data
        head, end, rest = waiting.data.partition(b"\r\n\r\n")
        if end:
            try:
                self._enter(self._let_go(waiting), head, rest)
            except protocol.Refused as refused:
                _send(waiting.connection, refused.status, refused.message)
        elif len(waiting.data) > protocol.MAX_HEAD:
            self._refuse(waiting, 431, "the request's head is too long")

    def _look(self) -> None:
        """Close what waits for too long, and what strangers hold beyond their share.

        Where the system does not say whose a connection is, it is taken for our own user's.
        """
        now, ours = time.monotonic(), os.getuid()
        owners = peers.owners(self._port)
        held: Counter[int] = Counter()
        self._next_look = now + READ_TIMEOUT
        for waiting in reversed(list(self._waiting)):  # the newest of a stranger may stay
            owner = owners.get(waiting.port, ours)
            held[owner] += 1
            until = waiting.since + (READ_TIMEOUT if owner == ours else STRANGER_TIMEOUT)
            if now >= until:
                self._refuse(waiting, 408, "the request took too long")
            elif owner != ours and held[owner] > STRANGER_CONNECTIONS:
                self._refuse(waiting, 503, "too many connections")
            else:
                self._next_look = min(self._next_look, until)
        self._next_look = min(self._next_look, now + STRANGER_TIMEOUT)
        self._crowd = len(self._waiting) + _CROWD

    def _refuse(self, waiting: _Waiting, status: int, message: str) -> None:
        _send(self._let_go(waiting), status, message)

    def _let_go(self, waiting: _Waiting) -> socket.socket:
        """Return a connection that the selector no longer watches."""
        del self._waiting[waiting]
        self._selector.unregister(waiting.connection)
        return waiting.connection


def _send(connection: socket.socket, status: int, message: str) -> None:
    """Send a refusal and close. It fits into an empty buffer, so nobody is waited for."""
    with connection:
        try:
            connection.send(protocol.refusal(status, message))
        except OSError:
            pass  # the caller went away


class SingleFlight:
    """Threads that ask for the same token at the same time share one answer or error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: dict[bytes, Future[Token]] = {}

    def share(self, key: bytes, ask: Callable[[], Token]) -> Token:
        """Return ask()'s token, or that of the thread that is asking for this key already."""
        with self._lock:
            future = self._asking.get(key)
            first = future is None
            if future is None:
                future = self._asking[key] = Future()
        if first:
            try:
                future.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - it is raised in every thread that asked
                future.set_exception(error)
            finally:
                with self._lock:
                    del self._asking[key]
        return future.result()
