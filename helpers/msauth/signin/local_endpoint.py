"""Asking a server of this machine or link over plain HTTP: one request, one answer.

The endpoints of managed identities and of `msauth-run --serve`, to which the environment leads.
What is sent and what comes is secret, so no proxy is used and no redirect is followed.
"""

import socket
import time
from urllib.parse import urlsplit

from ..protocols.http_answer import MAX_BODY, MAX_HEAD, Answer, parse
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
    host, port, request = _request(url, headers, body)
    with waiting_for(what or host, timeout + CONNECT):
        try:
            connection = socket.create_connection((host, port), CONNECT)
        except (OSError, UnicodeError):
            raise UnreachableError from None
        with connection:
            deadline = time.monotonic() + timeout
            connection.settimeout(timeout)
            connection.sendall(request)
            return _read(connection, deadline)


def is_plain(url: str) -> bool:
    """Say whether it is an http URL that `ask` takes."""
    try:
        _request(url, {}, None)
    except ValueError:
        return False
    return True


def _request(url: str, headers: dict[str, str], body: bytes | None) -> tuple[str, int, bytes]:
    """Return host, port and the request's bytes. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc:
        raise ValueError("no http URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = {"Host": parts.netloc, "User-Agent": "msauth", "Connection": "close", **headers}
    if body is not None:
        lines["Content-Length"] = str(len(body))
    method = "GET" if body is None else "POST"
    for word in (target, *lines.values()):
        if not (word.isascii() and word.isprintable()):
            raise ValueError("a character that no request may have")
    if " " in target:
        raise ValueError("a space in the URL")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("ascii")
    return parts.hostname, parts.port or 80, request + (body or b"")


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
