"""Accepting the endpoint's connections and reading their requests, all in one thread.

Whoever is slow, silent or a stranger costs a place in a table and no thread.
"""

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable

from ..protocols import token_endpoint as protocol
from . import peers

READ_TIMEOUT = 10
"""Seconds in which a request must have arrived completely."""
STRANGER_TIMEOUT = 2
"""The same for a connection of another user, who seldom has business here."""
STRANGER_CONNECTIONS = 16
"""How many of them may wait for each other user. A command under `sudo -u` has the secret too."""
_CHECK_EVERY = 0.5
"""Seconds after which those that wait are checked again."""
_CHECK_AFTER = 32
"""So many more waiting connections are checked at once; where many wait, a quarter more."""


class _Waiting:
    """A connection whose request has not arrived completely, since when and from which port."""

    __slots__ = ("connection", "data", "head", "length", "owner", "port", "since")

    def __init__(self, connection: socket.socket, port: int) -> None:
        self.connection = connection
        self.port = port
        self.owner: int | None = None  # not looked up yet
        self.since = time.monotonic()
        self.data = b""
        self.head: protocol.Head | None = None
        self.length = 0


class Acceptor:
    """Reads requests, and passes on those that know the secret.

    capacity: says how many connections may wait at present. answer: takes a connection, its head
    and its body, and must not wait for anything.
    """

    def __init__(
        self,
        listener: socket.socket,
        secret: str,
        capacity: Callable[[], int],
        answer: Callable[[socket.socket, protocol.Head, bytes], None],
    ) -> None:
        self._listener = listener
        self._port: int = listener.getsockname()[1]
        self._secret = secret
        self._capacity = capacity
        self._answer = answer
        self._waiting: dict[_Waiting, None] = {}  # in the order of their arrival
        self._next_check = 0.0
        self._step = max(1, min(_CHECK_AFTER, capacity() // 4))
        self._check_at = self._step
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until the process ends."""
        while True:
            timeout = max(0, self._next_check - time.monotonic()) if self._waiting else None
            for key, _ in self._selector.select(timeout):
                if key.data is None:
                    for _ in range(self._step):
                        if not self._accept():
                            break
                else:
                    self._receive(key.data)
            crowded = len(self._waiting) >= self._check_at
            if self._waiting and (crowded or time.monotonic() >= self._next_check):
                self._check_waiting()

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
        if self._receive(waiting):  # most have sent their request by now
            return True
        try:
            self._selector.register(connection, selectors.EVENT_READ, waiting)
        except OSError:  # the kernel watches no more for us
            connection.close()
        else:
            self._waiting[waiting] = None
        return True

    def _receive(self, waiting: _Waiting) -> bool:
        """Read what has arrived; say whether the connection is done with here."""
        try:
            head = self._read(waiting)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._unregistered(waiting).close()
            return True
        except protocol.Refused as refused:
            self._refuse(waiting, refused.status, refused.message)
            return True
        if head is None:
            return False
        self._answer(self._unregistered(waiting), head, waiting.data[: waiting.length])
        return True

    def _read(self, waiting: _Waiting) -> protocol.Head | None:
        """Return the head of a request once its body is there too. Raises Refused, OSError."""
        data = waiting.connection.recv(8192)
        if not data:
            raise ConnectionError("the request ended early")
        waiting.data += data
        if waiting.head is None:
            text, end, body = waiting.data.partition(b"\r\n\r\n")
            if len(text) > protocol.MAX_HEAD:
                raise protocol.Refused(431, "the request's head is too long")
            if not end:
                return None
            head = protocol.head_of(text)
            protocol.check(head, secret=self._secret, port=self._port)
            waiting.head, waiting.data, waiting.length = head, body, head.body_length
        return waiting.head if len(waiting.data) >= waiting.length else None

    def _check_waiting(self) -> None:
        """Close what waits for too long, what strangers hold beyond their share, and the oldest.

        Where the system does not say whose a connection is, it is taken for our own user's.
        """
        now, ours = time.monotonic(), os.getuid()
        unknown = [waiting for waiting in self._waiting if waiting.owner is None]
        owners = peers.owners(self._port, [waiting.port for waiting in unknown])
        for waiting in unknown:
            waiting.owner = owners.get(waiting.port, ours)
        held: dict[int | None, int] = {}
        for waiting in reversed(list(self._waiting)):  # the newest of a stranger may stay
            owner = waiting.owner
            held[owner] = held.get(owner, 0) + 1
            if now >= waiting.since + (READ_TIMEOUT if owner == ours else STRANGER_TIMEOUT):
                self._refuse(waiting, 408, "the request took too long")
            elif owner != ours and held[owner] > STRANGER_CONNECTIONS:
                self._refuse(waiting, 503, "too many connections")
        for waiting in list(self._waiting)[: max(0, len(self._waiting) - self._capacity())]:
            self._refuse(waiting, 503, "too many connections")
        self._next_check = now + _CHECK_EVERY
        self._check_at = len(self._waiting) + max(self._step, len(self._waiting) // 4)

    def _refuse(self, waiting: _Waiting, status: int, message: str) -> None:
        send(self._unregistered(waiting), protocol.refusal(status, message))

    def _unregistered(self, waiting: _Waiting) -> socket.socket:
        """Return a connection that the selector no longer watches."""
        if waiting in self._waiting:
            del self._waiting[waiting]
            self._selector.unregister(waiting.connection)
        return waiting.connection


def send(connection: socket.socket, data: bytes) -> None:
    """Send a response and close. It fits into an empty buffer, so nobody is waited for."""
    with connection:
        try:
            connection.send(data)
        except OSError:
            pass  # the caller went away
