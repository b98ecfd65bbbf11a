"""`msauth-run --serve`: what it adds to a command's start, and what its endpoint answers a second.

Its throughput is compared with that of the same endpoint with a constant answer, which knows no
cache. A request is a connection of its own, as the endpoint closes each after its answer. Wanted of
the start are 30 ms.
"""

import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .cases import Case, Place
from .hot import with_tokens

_REQUESTS = 400
_ARM = "https://management.azure.com"
_SHOW = "import os, sys; e = os.environ; print(e['AZD_AUTH_ENDPOINT'], e['IDENTITY_HEADER'], "
_SHOW += "flush=True); sys.stdin.read()"


class Load:
    """Requests to one running endpoint, as an SDK's managed identity makes them."""

    def __init__(self, address: str, secret: str) -> None:
        host, _, port = address.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self._request = (
            f"GET /msi/token?api-version=2019-08-01&resource={_ARM} HTTP/1.1\r\n"
            f"Host: {host}:{port}\r\nX-IDENTITY-HEADER: {secret}\r\nAccept: */*\r\n"
            "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
            "User-Agent: azsdk-python-identity/1.25.0 Python/3.12\r\n\r\n"
        ).encode()

    def run(self, requests: int, at_once: int) -> None:
        """Make so many requests; raises AssertionError for an answer without a token."""
        selector = selectors.DefaultSelector()
        begun = ended = 0
        while ended < requests:
            while begun < min(requests, ended + at_once):
                connection = socket.create_connection(self._address)
                connection.sendall(self._request)
                selector.register(connection, selectors.EVENT_READ, [])
                begun += 1
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if data:
                    key.data.append(data)
                    continue
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
                ended += 1
                assert b'"access_token": "ey' in b"".join(key.data), key.data
        selector.close()


@contextmanager
def _endpoint(command: list[str], python: str, env: dict[str, str]) -> Iterator[Load]:
    """An endpoint beside a command that shows where it is and waits."""
    process = subprocess.Popen(
        [*command, python, "-c", _SHOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    )
    with process:
        assert process.stdout is not None
        yield Load(*process.stdout.readline().decode().split())
        process.communicate()


def _seconds(command: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True)
    return time.perf_counter() - began


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Throughput for one client and for 16, and the start over the command's own."""
    env = with_tokens(place)
    true = shutil.which("true", path=env["PATH"]) or "true"
    program = str((place.installed or place.pip) / "msauth-run")
    serve = [program, "--serve", "--"]
    constant_endpoint = [place.python, str(Path(__file__).parent / "constant_endpoint.py")]

    def start() -> float:
        bare = _seconds([true], env)
        return _seconds([*serve, true], env) - bare

    def load(endpoint: Load, at_once: int) -> Callable[[], None]:
        return lambda: endpoint.run(_REQUESTS, at_once)

    with (
        _endpoint(serve, place.python, env) as ours,
        _endpoint(constant_endpoint, place.python, env) as constant,
    ):
        began = time.monotonic()
        while time.monotonic() - began < 3:  # files that have just changed are not relied on
            ours.run(10, 1)
        found = [Case("msauth-run --serve: its start over the command's", start)]
        for at_once in (1, 16):
            base = f"the endpoint with a constant answer, {at_once} at once"
            name = f"msauth-run --serve, {_REQUESTS} requests, {at_once} at once"
            found.append(Case(base, load(constant, at_once)))
            found.append(Case(name, load(ours, at_once), base=base, limit=1 / 0.6))
        yield found
