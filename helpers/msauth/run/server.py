"""The loopback server: sockets and threads around the pure protocol of `protocols.token_endpoint`.

One thread per connection, so that a sign-in that waits for a person holds up nobody else; one
flight per question, so that two hundred SDKs that miss together make one sign-in.
"""

import secrets
import socket
import threading
import time
from collections.abc import Callable

from ..errors import MsauthError, SignInError
from ..protocols import token_endpoint as protocol
from ..request.request import Token

MAX_CONNECTIONS = 512
"""More wait in the listen queue: a program with a leak cannot exhaust our memory."""
READ_TIMEOUT = 10
"""Seconds in which a request must have arrived completely."""

Answer = Callable[[protocol.Question], Token]


class Endpoint:
    """A server on 127.0.0.1, a random port and a random secret of 256 bits.

    answer: from a question to a token; raises Refused for what is not allowed, MsauthError for
    a sign-in that failed. It is called from many threads at once.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._secret = secrets.token_urlsafe(32)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.port: int = self._listener.getsockname()[1]

    def variables(self) -> dict[str, str]:
        """Return the environment that leads an SDK here."""
        return protocol.variables(self.port, self._secret)

    def start(self) -> None:
        """Serve from background threads until the process ends."""
        threading.Thread(target=self._accept, name="endpoint", daemon=True).start()

    def _accept(self) -> None:
        while True:
            self._room.acquire()
            try:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            except (OSError, RuntimeError):  # no descriptor or no thread left: let some end first
                self._room.release()
                time.sleep(0.05)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                deadline = time.monotonic() + READ_TIMEOUT
                try:
                    data = self._respond(_Reader(connection, deadline))
                except protocol.Refused as refused:
                    data = protocol.refusal(refused.status, refused.message)
                connection.settimeout(READ_TIMEOUT)
                connection.sendall(data)
        except OSError:
            pass  # the caller went away
        finally:
            self._room.release()

    def _respond(self, reader: "_Reader") -> bytes:
        head = protocol.head_of(reader.head())
        protocol.check(head, secret=self._secret, port=self.port)
        question = protocol.question_of(head, reader.body(head.body_length))
        try:
            token = self._answer(question)
        except protocol.Refused as refused:
            if not question.azd:
                raise
            return protocol.failed(question, refused.message, again=False)
        except MsauthError as error:
            text = error.message if error.hint is None else f"{error.message}\n{error.hint}"
            signed_out = isinstance(error, SignInError)
            again = signed_out and not getattr(error, "deterministic", True)
            return protocol.failed(question, text, again=again, signed_out=signed_out)
        except Exception as error:  # noqa: BLE001 - no fault of ours may show a traceback
            text = f"internal error ({type(error).__name__})"
            return protocol.failed(question, text, again=isinstance(error, OSError))
        return protocol.granted(question, token.text, token.expires_on, now=int(time.time()))


class _Reader:
    """Reads one request within limits of size and time. Raises Refused or OSError."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._data = b""

    def head(self) -> bytes:
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            if len(self._data) > protocol.MAX_HEAD:
                raise protocol.Refused(431, "the request's head is too long")
            self._more()
        head, self._data = self._data[:end], self._data[end + 4 :]
        return head

    def body(self, length: int) -> bytes:
        while len(self._data) < length:
            self._more()
        return self._data[:length]

    def _more(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise protocol.Refused(408, "the request took too long")
        self._connection.settimeout(left)
        try:
            data = self._connection.recv(8192)
        except TimeoutError:
            raise protocol.Refused(408, "the request took too long") from None
        if not data:
            raise ConnectionError("the request ended early")
        self._data += data


class Flights:
    """Single flight within the process: threads that ask the same share one answer or error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[bytes, _Flight] = {}

    def share(self, key: bytes, ask: Callable[[], Token]) -> Token:
        """Return ask()'s token, or that of the thread that is asking for this key already."""
        with self._lock:
            flight = self._flying.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flying[key] = _Flight()
        if leads:
            try:
                flight.token = ask()
            except MsauthError as error:
                flight.error = error
            finally:
                with self._lock:
                    del self._flying[key]
                flight.landed.set()
        else:
            flight.landed.wait()
        if flight.token is None:
            raise flight.error or SignInError("the sign-in failed", deterministic=False)
        return flight.token


class _Flight:
    def __init__(self) -> None:
        self.landed = threading.Event()
        self.token: Token | None = None
        self.error: MsauthError | None = None
