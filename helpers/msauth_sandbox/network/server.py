"""The one listening socket: HTTP/1.1, a CONNECT proxy, and TLS ended here under any served name.

A thread per connection, so that a request that waits (for latency, or for a test's hook) never
holds up another. The services see only ``Call`` and never learn that there was a proxy.
"""

from __future__ import annotations

import io
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import h11
import trustme
from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from .distance import Distance
from .service import DropConnectionError

Dispatch = Callable[[str, bool, Request], Response]
"""``(host, tunnelled, request)`` → response. An empty host means a request to the proxy itself."""

_CHUNK = 64 * 1024
_BODY_TO_DRAIN = 4 * 1024 * 1024


class Certificates:
    """A certificate authority in memory; one leaf and TLS context per host, made on demand."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="msauth sandbox")
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def pem(self) -> bytes:
        return self._authority.cert_pem.bytes()

    def context(self, host: str) -> ssl.SSLContext:
        with self._lock:
            context = self._contexts.get(host)
            if context is None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.set_alpn_protocols(["http/1.1"])
                self._authority.issue_cert(host).configure_cert(context)
                self._contexts[host] = context
            return context


class Stream:
    """HTTP/1.1 events of one socket; ``http`` is h11's account of both sides (RFC 9112)."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=_CHUNK)

    def receive(self) -> Any:
        """The next event of the client, which learns first that its body is awaited."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            if self.http.they_are_waiting_for_100_continue:
                self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self.http.receive_data(self._socket.recv(_CHUNK))
        return event

    def send(self, *events: Any) -> None:
        self._socket.sendall(b"".join(self.http.send(event) or b"" for event in events))


class Body(io.RawIOBase):
    """The body of the request that the stream has just received."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._data = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._data:
            if self._stream.http.their_state is not h11.SEND_BODY:
                return 0
            try:
                event = self._stream.receive()
            except h11.RemoteProtocolError as error:
                raise ConnectionError("the body ended early") from error
            if isinstance(event, h11.Data):
                self._data = bytes(event.data)
        size = min(len(buffer), len(self._data))
        buffer[:size], self._data = self._data[:size], self._data[size:]
        return size


class Connection(socketserver.BaseRequestHandler):
    server: Listener
    tunnel: str | None = None
    """The host that the client asked to be connected to, from then on."""
    distance: Distance | None = None

    def handle(self) -> None:
        self._use(self.request)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while self._exchange():
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(error)
        except (OSError, DropConnectionError, h11.LocalProtocolError):
            pass
        finally:
            self.server.forget(self.request)
            self.request.close()
            if self.distance is not None:
                self.distance.join()

    def _use(self, connection: socket.socket) -> None:
        self.server.track(connection)
        self.request, self.stream = connection, Stream(connection)

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self.stream.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            try:
                self._send(Response("bad request\n", error.error_status_hint), close=True)
            except (OSError, h11.LocalProtocolError):
                pass

    def _exchange(self) -> bool:
        """One request and its answer; whether the connection can carry another."""
        http, request = self.stream.http, self.stream.receive()
        if not isinstance(request, h11.Request):
            return False
        if request.method == b"CONNECT" and self.tunnel is None:
            return self._open_tunnel(request.target.decode("ascii"))
        host, target = self._locate(request.target.decode("ascii"))
        body = Body(self.stream)
        environ = self._environ(request, target, host, body)
        response = self.server.dispatch(host, self.tunnel is not None, Request(environ))
        unsent = http.they_are_waiting_for_100_continue
        try:
            self._send(response, head_only=request.method == b"HEAD", close=unsent)
        finally:
            response.close()
        left = _BODY_TO_DRAIN
        while left > 0 and http.our_state is h11.DONE and (data := body.read(_CHUNK)):
            left -= len(data)
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return False
        http.start_next_cycle()
        return True

    def _open_tunnel(self, target: str) -> bool:
        host, _, port = target.lower().rpartition(":")
        if not self.server.may_tunnel(host, port):
            self._send(Response(f"the sandbox does not serve {host}:{port}\n", 502), close=True)
            return False
        round_trip = self.server.round_trip()
        time.sleep(round_trip)  # for the connection to the host, which a proxy makes now
        self.stream.send(h11.Response(status_code=200, headers=[], reason=b"Established"))
        self.server.forget(self.request)
        if round_trip:
            self.distance = Distance(self.request, round_trip)
            self.distance.start()
            self.request = self.distance.far
        context = self.server.certificates.context(host)
        self._use(context.wrap_socket(self.request, server_side=True))
        self.tunnel = host
        return True

    def _locate(self, target: str) -> tuple[str, str]:
        """The host whose service is meant, and the request target in origin form."""
        if self.tunnel is not None or not target.startswith("http://"):
            return self.tunnel or "", target
        parts = urlsplit(target)
        host = (parts.hostname or "").lower()
        if host in ("127.0.0.1", "localhost") and parts.port == self.server.port:
            host = ""
        return host, (parts.path or "/") + ("?" + parts.query if parts.query else "")

    def _environ(self, request: h11.Request, target: str, host: str, body: Body) -> dict[str, Any]:
        """PEP 3333, so that werkzeug can read the request."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method.decode("ascii"),
            "REQUEST_URI": target,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": host or "127.0.0.1",
            "SERVER_PORT": "443" if self.tunnel else "80",
            "SERVER_PROTOCOL": "HTTP/" + request.http_version.decode("ascii"),
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.url_scheme": "https" if self.tunnel else "http",
            "wsgi.input": io.BufferedReader(body, _CHUNK),
            "wsgi.input_terminated": True,
        }
        for name, value in request.headers:
            key = name.decode("ascii").upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = "HTTP_" + key
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        return environ

    def _send(self, response: Response, head_only: bool = False, close: bool = False) -> None:
        """h11 adds the framing: chunks, or the connection's end for HTTP/1.0."""
        bodiless = response.status_code in (204, 304)
        if response.is_sequence and not bodiless:
            response.content_length = len(response.get_data())
        response.headers["Date"] = http_date()
        if close:
            response.headers["Connection"] = "close"
        head = h11.Response(
            status_code=response.status_code,
            reason=response.status.partition(" ")[2].encode("ascii", "replace"),
            headers=[
                (name.encode("ascii"), value.encode("latin-1", "replace"))
                for name, value in response.headers.items()
            ],
        )
        end = h11.EndOfMessage()
        if head_only or bodiless:
            self.stream.send(head, end)
        elif response.is_sequence:
            self.stream.send(head, h11.Data(data=response.get_data()), end)
        else:
            self.stream.send(head)
            for data in response.iter_encoded():
                self.stream.send(h11.Data(data=data))
            self.stream.send(end)


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(
        self,
        certificates: Certificates,
        dispatch: Dispatch,
        may_tunnel: Callable[[str, str], bool],
        round_trip: Callable[[], float],
        port: int = 0,
    ) -> None:
        self.round_trip = round_trip
        self.certificates = certificates
        self.dispatch = dispatch
        self.may_tunnel = may_tunnel
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Connection)
        self.port: int = self.server_address[1]

    def track(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or a failed TLS handshake, is nobody's news."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
