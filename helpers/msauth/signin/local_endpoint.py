"""Asking a server of this machine or link over plain HTTP: one request, one answer.

The endpoints of managed identities and of `msauth-run --serve`, to which the environment leads.
What is sent and what comes is secret, so no proxy is used and no redirect is followed.
"""

import socket
import time

from ..protocols.plain_http import MAX_BODY, MAX_HEAD, Answer, parse, place, request
from ..waiting import waiting_for


class UnreachableError(OSError):
    """Nobody listens there."""


class StrangeAnswerError(ValueError):
    """What came is no answer; the text says in few words what it is, and repeats nothing of it."""


CONNECT = 2
"""Seconds: who listens on this machine or link is reached at once, or not at all."""
_PIECE = 64 * 1024


def ask(
    url: str, headers: dict[str, str], *, timeout: float, body: bytes | None = None, what: str = ""
) -> Answer:
    """Return the answer to a GET, or with a body to a POST, of an http URL.

    timeout: seconds for the whole of the answer. what: what to say of a long wait, if not the
    host. Raises UnreachableError (within CONNECT seconds), TimeoutError, another OSError when the
    connection ends early, StrangeAnswerError, and ValueError for what cannot be sent. None of
    them repeats what was sent.
    """
    data = request(url, headers, body)
    host, port, _ = place(url)
    with waiting_for(what or host, timeout + CONNECT), _connected(host, port) as connection:
        deadline = time.monotonic() + timeout
        connection.settimeout(timeout)
        connection.sendall(data)
        return _read(connection, deadline)


def _connected(host: str, port: int) -> socket.socket:
    """Return a connection to one of a host's addresses, which share CONNECT seconds.

    IPv4 comes first: an agent that is said to be at `localhost` listens at 127.0.0.1, and any user
    of this machine may listen at [::1], to hand on to the agent what is meant for it.
    Raises UnreachableError.
    """
    try:
        # getaddrinfo(3) takes bytes, and for a text loads the codec of international names.
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    except OSError:
        raise UnreachableError from None
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    for family, kind, protocol, _, address in found:
        try:
            connection = socket.socket(family, kind, protocol)
        except OSError:
            continue  # IPv6 where there is none
        try:
            connection.settimeout(CONNECT / len(found))
            connection.connect(address)
        except OSError:
            connection.close()
        else:
            return connection
    raise UnreachableError


def _read(connection: socket.socket, deadline: float) -> Answer:
    data = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(_PIECE)
        data += piece
        try:
            answer = parse(data, ended=not piece)
        except ValueError as error:
            raise StrangeAnswerError(str(error)) from None
        if answer is not None:
            return answer
        if len(data) > MAX_HEAD + 2 * MAX_BODY:
            raise StrangeAnswerError(f"more than {MAX_BODY} bytes")
