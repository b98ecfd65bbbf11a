"""The endpoint of msauth-run --serve under load: what it holds, what it costs, what it remembers.

Nothing here is timed: counted are connections, threads, bytes, imports and reads of the cache.
"""

import errno
import os
import resource
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from msauth.broker.remembered import Remembered
from msauth.protocols.token_endpoint import Refused, TokenQuery
from msauth.request.clouds import PUBLIC
from msauth.request.request import Token
from msauth.request.selection import select
from msauth.run import acceptor, serve, server
from msauth.run.serve import TokenSource, allowed_scopes
from msauth.run.server import Endpoint, Wanted
from msauth_sandbox import Record, Sandbox

from .cache import store
from .cache.seed import seed
from .conftest import Environment, run_program
from .test_credential import here
from .test_endpoint import ARM, PROG, VERSION, Served, serving
from .test_remembered import reads, settled

__all__ = ["here", "reads", "settled"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
MEGABYTE = 1024 * 1024


@pytest.fixture
def seeded(bare_env: Environment) -> Environment:
    """An environment without a sign-in, whose cache has tokens."""
    env = bare_env | {"MSAUTH_TENANT": "11111111-1111-1111-1111-111111111111"}
    seed(env)
    return env


def status(served: Served, name: str) -> int:
    """A number of /proc/PID/status; memory in kB."""
    lines = Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def held(served: Served, number: int, first: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that have sent the beginning of a request and stay."""
    with ExitStack() as stack:
        connections = []
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", served.port))
            connections.append(stack.enter_context(connection))
            connection.sendall(first)
        yield connections


def without_end(connection: socket.socket) -> bool:
    """Whether the endpoint has neither answered nor closed."""
    connection.setblocking(False)
    try:
        connection.recv(1)
    except BlockingIOError:
        return True
    return False


@LINUX
@pytest.mark.parametrize("number", [500, pytest.param(2000, marks=pytest.mark.long)])
def test_connections_are_held_in_little_memory_and_no_threads(
    number: int, seeded: Environment
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < number + 100:  # our ends of them
        resource.setrlimit(resource.RLIMIT_NOFILE, (number + 100, hard))
    with serving(seeded) as served:
        head = (
            f"POST /msi/token?{VERSION}&resource={ARM} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{served.port}\r\nsecret: {served.secret}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nhalf"
        )
        assert served.get(ARM)[0] == 200
        began = time.monotonic()
        with (
            held(served, number // 2, b"") as silent,
            held(served, number // 2, head.encode()) as slow,
        ):
            assert served.get(ARM)[0] == 200  # everything before it was accepted
            assert len(os.listdir(f"/proc/{served.process.pid}/fd")) > number
            assert status(served, "Threads") <= 3  # one may still be with that answer
            assert status(served, "VmRSS") * 1024 <= 25 * MEGABYTE
            untouched = all(map(without_end, (*silent, *slow)))
            assert untouched or time.monotonic() - began > 10


@LINUX
def test_the_command_has_the_limits_that_it_was_given(bare_env: Environment) -> None:
    """Ours is raised, for the connections."""
    program = (
        "import os, resource, time\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "def ours():\n"
        "    with open(f'/proc/{os.getppid()}/limits') as file:\n"
        "        line = next(line for line in file if line.startswith('Max open files'))\n"
        "    return line.split()[3:5]\n"
        "deadline = time.monotonic() + 20\n"
        "while ours()[0] == '300' and time.monotonic() < deadline:\n"
        "    pass\n"
        "print(*ours())\n"
    )
    line = f"ulimit -Sn 300; ulimit -Hn 2000; exec {PROG} --serve -- " + '"$@"'
    done = run_program("sh", "-c", line, "sh", sys.executable, "-c", program, env=bare_env)
    assert done.stdout.splitlines() == [b"300 2000", b"2000 2000"], done.stderr


HEAVY = {
    *("asyncio", "azure", "concurrent", "email", "hashlib", "hmac", "http", "logging", "msal"),
    *("requests", "ssl", "subprocess", "typing", "urllib3"),
}
"""What costs milliseconds and megabytes, and only a sign-in needs."""
AT_START = HEAVY | {"json", "re", "urllib", "dataclasses", "random", "tempfile", "traceback"}


def imported(env: Environment, *command: str) -> set[str]:
    """What msauth-run has imported at the end of a command, beside its endpoint."""
    hidden = ("env", "-u", "PYTHONPROFILEIMPORTTIME", *command)
    done = run_program(PROG, "--serve", "--", *hidden, env=env | {"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()}


def test_what_is_imported_before_a_miss(seeded: Environment) -> None:
    run_program(PROG, "true", env=seeded)  # the merged file is made, which imports a lot
    ask = "import os, urllib.request as r\n"
    for body in ("None", "b''"):
        ask += (
            f"url = os.environ['IDENTITY_ENDPOINT'] + '?{VERSION}&resource={ARM}'\n"
            "secret = {'X-IDENTITY-HEADER': os.environ['IDENTITY_HEADER'],\n"
            "    'Content-Type': 'application/x-www-form-urlencoded'}\n"
            f"r.urlopen(r.Request(url, {body}, secret)).read()\n"
        )
    start = imported(seeded, "true")
    assert "msauth.run.acceptor" in start
    assert not AT_START & {name.partition(".")[0] for name in start}
    answered = imported(seeded, sys.executable, "-c", ask)
    assert "json" in answered
    assert not HEAVY & {name.partition(".")[0] for name in answered}


@pytest.fixture
def source(here: Environment, settled: None) -> TokenSource:
    return TokenSource(select({}, os.environ), allowed_scopes([], PUBLIC))


def test_a_known_token_is_answered_from_memory(
    source: TokenSource, reads: Callable[[], int], cloud: Sandbox
) -> None:
    wanted = source.wanted(TokenQuery((ARM,)))
    assert source.known(wanted) is None
    token = source.get(wanted)
    reads()
    for spelling in (ARM, f"{ARM}/", f"{ARM}//.default", "https://management.core.windows.net"):
        known = source.known(source.wanted(TokenQuery((spelling,))))
        assert known is not None
        assert known.text == token.text
    assert reads() == 0
    assert token.text not in repr(vars(source))
    assert source.known(source.wanted(TokenQuery((ARM,), tenant="fabrikam.com"))) is None
    assert source.known(source.wanted(TokenQuery((ARM,), refresh=True))) is None
    assert source.known(source.wanted(TokenQuery((ARM,), claims='{"access_token":{}}'))) is None
    assert cloud.count("token") == 1


@pytest.mark.parametrize("query", [{"refresh": True}, {"claims": '{"access_token":{}}'}])
def test_a_refresh_is_never_answered_from_memory(
    source: TokenSource, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch, query: dict[str, Any]
) -> None:
    """Not even where a token could be remembered at once."""
    monkeypatch.setattr(
        serve, "remember", lambda _, token: Remembered(token, token.expires_on, [], time.time())
    )
    wanted = source.wanted(TokenQuery((ARM,), **query))
    for _ in range(2):
        assert source.known(wanted) is None
        source.get(wanted)
    assert cloud.count("token") == 2


def test_a_refusal_ends_what_is_known(source: TokenSource) -> None:
    wanted = source.wanted(TokenQuery((ARM,)))
    token = source.get(wanted)
    assert source.known(wanted) is not None
    assert store.reject(token.text, None)
    assert source.known(wanted) is None
    assert source.get(wanted).text != token.text


def test_what_is_refused_is_not_remembered(here: Environment, settled: None) -> None:
    selection = select({"--tenant": "contoso.com"}, os.environ)
    source = TokenSource(selection, allowed_scopes([], PUBLIC))
    wanted = source.wanted(TokenQuery((ARM,), tenant="fabrikam.com", azd=True))
    for _ in range(2):
        assert source.known(wanted) is None
        with pytest.raises(Refused, match="only the tenant"):
            source.get(wanted)


class Slow:
    """A source whose tokens come when they are let go; each claims challenge is one of its own."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.asked: list[Wanted] = []

    def wanted(self, query: TokenQuery) -> Wanted:
        return query.wanted[0], "", query.claims, False

    def known(self, wanted: Wanted) -> None:
        return None

    def get(self, wanted: Wanted) -> Token:
        self.asked.append(wanted)
        assert self.go_on.wait(20)
        return Token("eyJ.x.y", int(time.time()) + 3600)


class Started:
    """An endpoint in this process."""

    def __init__(self, source: Slow) -> None:
        self.source = source
        self.endpoint = Endpoint(source)
        self.endpoint.start()
        self.served = Served(None, self.endpoint.variables())  # type: ignore[arg-type]

    def wait_for(self, waiting: int) -> None:
        """Return once so many wait for their tokens."""
        deadline = time.monotonic() + 20
        while len(self.endpoint._sign_ins) < waiting and time.monotonic() < deadline:
            pass


@pytest.fixture
def started() -> Iterator[Started]:
    source = Slow()
    yield Started(source)
    source.go_on.set()


def test_a_request_must_arrive(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "READ_TIMEOUT", 0)
    assert started.served.raw(b"").startswith(b"HTTP/1.1 408")


def test_so_many_sign_ins_at_once_and_no_more(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_SIGN_INS", 4)
    ask = started.served.azd
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, ARM, claims=f'{{"a":{n % 4}}}') for n in range(8)]
        started.wait_for(8)
        more = ask(ARM, claims='{"a":4}')[1]
        assert (more["status"], more["message"]) == ("error", "too many sign-ins at once")
        started.source.go_on.set()
        assert {each.result()[1]["status"] for each in answers} == {"success"}
    assert len(started.source.asked) == 4


def test_without_another_thread_there_is_an_answer(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    started.source.go_on.set()
    assert started.served.get(ARM)[0] == 200

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        message = "no more threads can be had"
        assert started.served.get(ARM) == (503, {"statusCode": 503, "message": message})
    assert started.served.get(ARM)[0] == 200


def test_a_connection_that_cannot_be_watched_is_closed(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel has a limit for each user (fs.epoll.max_user_watches); others go on."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    started.source.go_on.set()
    with monkeypatch.context() as patch:
        patch.setattr(selectors.DefaultSelector, "register", refuse)
        assert started.served.raw(b"GET ") == b""
    assert started.served.get(ARM)[0] == 200


def test_who_waits_for_a_token_leaves_descriptors_to_get_it_with(
    env: Environment, cloud: Sandbox
) -> None:
    go_on = threading.Event()

    def slowly(request: Record) -> None:
        assert go_on.wait(20)

    cloud.on_token(slowly)
    with serving(env, limit=64) as served, ThreadPoolExecutor(48) as pool:
        answers = [pool.submit(served.get, ARM) for _ in range(48)]
        try:
            deadline = time.monotonic() + 20
            while sum(each.done() for each in answers) < 16 and time.monotonic() < deadline:
                pass
            assert {each.result()[0] for each in answers if each.done()} == {503}
        finally:
            go_on.set()
        assert sorted(each.result()[0] for each in answers) == [200] * 32 + [503] * 16
    assert cloud.count("token") == 1


FORM = f"resource={ARM}&api-version=2018-02-01".encode()


def post(served: Served) -> bytes:
    head = (
        f"POST /msi/token HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"secret: {served.secret}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(FORM)}\r\n\r\n"
    )
    return head.encode() + FORM


def test_pipelined_requests_get_one_answer(seeded: Environment) -> None:
    """`Connection: close` says that the rest was not taken."""
    with serving(seeded) as served:
        answer = served.raw(post(served) * 3)
        assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b"Connection: close") == 1


def test_a_request_in_small_pieces(seeded: Environment) -> None:
    with serving(seeded) as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in post(served):
                connection.sendall(bytes((byte,)))
            answer = connection.recv(100)
        assert answer.startswith(b"HTTP/1.1 200 OK")


def test_who_never_reads_holds_up_nobody(seeded: Environment) -> None:
    with serving(seeded) as served, ExitStack() as stack:
        for _ in range(100):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.connect(("127.0.0.1", served.port))
            connection.sendall(post(served))
        assert served.get(ARM)[0] == 200
