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
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import trustme
from werkzeug.wrappers import Request, Response

from .service import DropConnectionError

Dispatch = Callable[[str, bool, Request], Response]
"""``(host, tunnelled, request)`` → response. An empty host means a request to the proxy itself."""

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


class Body(io.RawIOBase):
    """The request body, ended where its length or its last chunk says (RFC 9112, section 6)."""

    def __init__(self, source: io.BufferedIOBase, length: int, chunked: bool) -> None:
        self._source = source
        self._left = 0 if chunked else length
        self._chunked = chunked
        self.finished = not chunked and length == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.finished:
            return 0
        if self._left == 0 and not self._next_chunk():
            return 0
        view = memoryview(buffer)[: self._left]
        data = self._source.read(len(view))
        if not data:
            self.finished = True
            raise ConnectionError("the body ended early")
        view[: len(data)] = data
        self._left -= len(data)
        if self._left == 0:
            if self._chunked:
                self._source.readline(8)
            else:
                self.finished = True
        return len(data)

    def _next_chunk(self) -> bool:
        size = self._source.readline(1024).partition(b";")[0].strip()
        self._left = int(size, 16)
        if self._left:
            return True
        while self._source.readline(65537).strip():
            pass
        self.finished = True
        return False


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server: Listener

    tunnel: str | None = None

    def setup(self) -> None:
        super().setup()
        self.server.track(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            pass
        finally:
            self.server.forget(self.connection)
            self.connection.close()

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, DropConnectionError, ValueError):
            self.close_connection = True

    def version_string(self) -> str:
        return "msauth-sandbox"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Requests are logged by stats.RequestLog, without their queries."""

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            if self.command == "CONNECT" and self.tunnel is None:
                self._open_tunnel()
            else:
                self._serve()
            self.wfile.flush()

    def _open_tunnel(self) -> None:
        host, _, port = self.path.rpartition(":")
        host = host.lower()
        if not self.server.may_tunnel(host, port):
            self._send(Response(f"the sandbox does not serve {host}:{port}\n", 502), close=True)
            self.close_connection = True
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        plain = self.connection
        self.server.forget(plain)
        tls = self.server.certificates.context(host).wrap_socket(plain, server_side=True)
        self.server.track(tls)
        self.connection = self.request = tls
        self.rfile = cast(io.BufferedIOBase, tls.makefile("rb", 64 * 1024))
        self.wfile = cast(io.BufferedIOBase, tls.makefile("wb", self.wbufsize))
        self.tunnel = host
        self.close_connection = False

    def _serve(self) -> None:
        target = self.path
        host, tunnelled = self.tunnel or "", self.tunnel is not None
        if not tunnelled and target.startswith("http://"):
            parts = urlsplit(target)
            host = (parts.hostname or "").lower()
            if host in ("127.0.0.1", "localhost") and parts.port == self.server.port:
                host = ""
            target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        body = self._body()
        request = Request(self._environ(target, host, body))
        response = self.server.dispatch(host, tunnelled, request)
        try:
            self._send(response)
        finally:
            response.close()
        self._drain(body)

    def _body(self) -> Body:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        return Body(self.rfile, int(self.headers.get("Content-Length") or 0), chunked)

    def _environ(self, target: str, host: str, body: Body) -> dict[str, Any]:
        """PEP 3333, so that werkzeug can read the request."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "REQUEST_URI": target,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": host or "127.0.0.1",
            "SERVER_PORT": "443" if self.tunnel else "80",
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if self.tunnel else "http",
            "wsgi.input": io.BufferedReader(body, 64 * 1024),
            "wsgi.input_terminated": True,
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name in set(self.headers.keys()):
            key = "HTTP_" + name.upper().replace("-", "_")
            if key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
                environ[key] = ",".join(self.headers.get_all(name, []))
        return environ

    def _send(self, response: Response, close: bool = False) -> None:
        status = response.status_code
        bodiless = self.command == "HEAD" or status in (204, 304)
        if response.is_sequence and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.get_data()))
        chunked = "Content-Length" not in response.headers and not bodiless
        if chunked and self.request_version == "HTTP/1.0":
            chunked, close = False, True
        self.send_response(status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bodiless:
            for data in response.iter_encoded():
                if not data:
                    continue
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                if chunked:
                    self.wfile.flush()
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _drain(self, body: Body) -> None:
        """Read what the service left unread, or give the connection up if that is too much."""
        left = _BODY_TO_DRAIN
        while not body.finished and left > 0:
            left -= len(body.read(64 * 1024) or b"")
        if not body.finished:
            self.close_connection = True


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
        port: int = 0,
    ) -> None:
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
