"""A managed identity endpoint that writes down what it is asked, to learn what clients send.

It gives out an unsigned token and knows nothing of msauth: what a client asks of it, it asks of
any endpoint that its environment names.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

TENANT = "72f988bf-0000-4000-8000-000000000000"
LIFE = 3600  # seconds
Expiry = Callable[[float], object]  # an epoch time → the value of expires_on


def epoch_text(now: float) -> str:
    return str(int(now))


def epoch_number(now: float) -> int:
    return int(now)


def american(now: float) -> str:
    """`11/25/2026 11:30:00 AM +00:00`, as App Service writes it for api-version 2017-09-01."""
    return time.strftime("%m/%d/%Y %I:%M:%S %p +00:00", time.gmtime(now))


def short(now: float) -> str:
    """`11/25/2026 11:30:00 +00:00`, as Functions on Linux wrote it."""
    return time.strftime("%m/%d/%Y %H:%M:%S +00:00", time.gmtime(now))


@dataclass
class Asked:
    """One request: its method, path, query, headers (names in lower case) and form."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    at: float


@dataclass
class Recorder:
    """What was asked, and what is answered: a status, and how `expires_on` is written."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    status: int = 200
    expiry: Expiry = epoch_text
    answer_headers: dict[str, str] = field(default_factory=dict)

    def answer(self, resource: str) -> tuple[int, dict[str, object]]:
        if self.status != 200:
            return self.status, {"statusCode": self.status, "message": "not today"}
        now = time.time()
        return 200, {
            "access_token": token_for(resource),
            "expires_in": str(LIFE),
            "expires_on": self.expiry(now + LIFE),
            "resource": resource,
            "token_type": "Bearer",
        }


def token_for(resource: str) -> str:
    parts: list[dict[str, object]] = [
        {"alg": "none", "typ": "JWT"},
        {"aud": resource, "tid": TENANT, "exp": int(time.time()) + LIFE},
    ]
    texts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(text.rstrip("=") for text in texts) + ".c2lnbmF0dXJl"


@contextmanager
def recording() -> Iterator[Recorder]:
    """A recorder that listens on loopback; its `address` is `http://127.0.0.1:PORT`."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            query = dict(parse_qsl(target.query))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, target.path, query, headers, form, time.monotonic())
            recorder.asked.append(asked)
            status, content = recorder.answer((query | form).get("resource", ""))
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in recorder.answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
