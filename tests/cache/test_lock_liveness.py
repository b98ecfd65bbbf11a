"""A holder of the lock that dies or stops holds up nobody for long."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from msauth.broker import broker, flight, renewal
from msauth.cache import lock
from msauth.cache.folder import Folder
from msauth.request.request import TokenRequest
from msauth.request.selection import select
from msauth_sandbox import Sandbox

from .. import hot_path
from ..conftest import Environment, start_program
from ..test_git_credential import HELLO
from . import store
from .conftest import REQUEST, Cache, made_up

WAIT = f"""
import os, sys
from msauth.broker import broker
from msauth.cache import lock
from msauth.request.request import TokenRequest
before = {{*sys.modules}} - {{name for name in sys.modules if name.startswith("msauth")}}
request = TokenRequest(
    {REQUEST.scopes!r}, {{**os.environ}}, credential={REQUEST.credential!r},
    tenant={REQUEST.tenant!r},
)
real, said = lock.time.sleep, []
def sleep(seconds):
    if not said:
        said.append(print("waiting", flush=True))
    real(seconds)
lock.time = type("time", (), {{"sleep": sleep, "monotonic": lock.time.monotonic}})
token = broker.get_token(request)
print(token.text, *({{*sys.modules}} - before), flush=True)
"""
HOLD = """
import os, sys
from msauth.cache.folder import Folder
with Folder.open(sys.argv[1]) as folder, folder.lock(sys.argv[2], timeout=30) as held:
    os.write(1, b"held" if held else b"free")
    os.read(0, 1)
"""


def devops_request(env: Environment) -> TokenRequest:
    return broker.devops_request(select({}, env), "contoso", [])


@pytest.fixture
def holder(cache: Cache) -> Iterator["subprocess.Popen[bytes]"]:
    store.opened().__exit__()
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", HOLD, str(cache.place), cache.stem],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(4) == b"held"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_holder_is_replaced_at_once(
    cache: Cache, holder: "subprocess.Popen[bytes]"
) -> None:
    with store.opened() as folder, folder.lock(cache.stem, timeout=0) as held:
        assert not held
    inode = cache.lock.stat().st_ino
    holder.kill()
    holder.wait()
    began = time.monotonic()
    with store.opened() as folder, folder.lock(cache.stem, timeout=10) as held:
        waited = time.monotonic() - began
        assert held
        assert cache.lock.stat().st_ino == inode, "the lock file is permanent"
    assert cache.lock.stat().st_size == 0
    # Generous for a busy machine; the median is below a millisecond.
    assert waited < 1
    print(f"taken over after {waited * 1000:.1f} ms")


def test_a_stopped_holder_is_not_waited_for_longer_than_the_timeout(
    cache: Cache, holder: "subprocess.Popen[bytes]", capfd: pytest.CaptureFixture[str]
) -> None:
    holder.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with store.opened() as folder, folder.lock(cache.stem, timeout=0.2, aloud=True) as held:
        assert not held
    assert 0.15 < time.monotonic() - began < 5
    assert capfd.readouterr().err == ""
    # An erase goes on as well.
    cache.put(made_up("rejected"))
    store.reject(made_up("rejected").text)
    assert cache.get() is None
    holder.send_signal(signal.SIGCONT)


def test_a_renewal_goes_on_without_a_stopped_neighbour(
    env: Environment,
    cloud: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    records: Callable[[], list[Path]],
) -> None:
    """The whole renewal with a timeout of a fifth of a second instead of half a minute."""
    assert flight.LOCK_TIMEOUT == 30
    monkeypatch.setattr(flight, "LOCK_TIMEOUT", 0.2)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    request = devops_request(env)
    with Folder.cache(env, create=True) as folder:
        place = folder.path
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", HOLD, place, request.record_name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(4) == b"held"
    process.send_signal(signal.SIGSTOP)
    try:
        token = broker.get_token(request)
    finally:
        process.kill()
        process.communicate()
    assert token.text.startswith("ey")
    assert cloud.count("token") == 1
    assert len(records()) == 1


def test_who_reads_a_pipe_is_told_of_a_long_wait(
    cache: Cache,
    holder: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """After a fifth of a second instead of two, and only where the lock is waited for aloud."""
    assert lock.QUIET == 2
    monkeypatch.setattr(lock, "QUIET", 0.2)
    for aloud in (False, True):
        with store.opened() as folder, folder.lock(cache.stem, timeout=1, aloud=aloud) as held:
            assert not held
        said = "msauth: note: waiting for another process that is signing in\n" if aloud else ""
        assert capfd.readouterr().err == said


@pytest.mark.parametrize("first", ["ours", "filelock"])
def test_ours_and_filelock_exclude_each_other(cache: Cache, first: str) -> None:
    """The same file and the same kind of lock, so every version and every platform agrees."""
    theirs = FileLock(cache.lock, preserve_lock_file=True)
    with store.opened() as folder:
        if first == "ours":
            with folder.lock(cache.stem, timeout=0) as held:
                assert held
                with pytest.raises(Timeout):
                    theirs.acquire(timeout=0)
            with theirs.acquire(timeout=0):
                pass
        else:
            with theirs.acquire(timeout=0), folder.lock(cache.stem, timeout=0) as held:
                assert held is False
            with folder.lock(cache.stem, timeout=0) as held:
                assert held


def test_without_flock_it_is_filelock(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "fcntl", None)
    with store.opened() as folder:
        with folder.lock(cache.stem, timeout=0) as held, folder.lock(cache.stem, timeout=0) as two:
            assert (held, two) == (True, False)
        with folder.lock(cache.stem, timeout=0) as held:
            assert held


def test_a_lock_file_that_was_unlinked_is_no_lock(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder unlinks it between our open and our lock: what we then hold, nobody else sees."""
    real, unlinked = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not unlinked:
            unlinked.append(True)
            cache.lock.unlink()
        real(descriptor, operation)

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with store.opened() as folder, folder.lock(cache.stem, timeout=1) as held:
        assert held
        assert cache.lock.exists()
        with folder.lock(cache.stem, timeout=0) as other:
            assert other is False


def test_a_lock_file_of_long_ago_goes_unless_it_is_held(cache: Cache) -> None:
    with store.opened() as folder:
        for name in ("old", "held"):
            with folder.lock(name, timeout=0):
                pass
            os.utime(folder.path_of(name + ".lock"), (1, 1))
        with folder.lock("held", timeout=0) as held:
            assert held
            store.let_tidy()
            cache.put(made_up("one"))
        assert not folder.exists("old.lock")
        assert folder.exists("held.lock")


def test_who_waits_takes_the_answer_from_the_cache_without_the_lock(
    cache: Cache, holder: "subprocess.Popen[bytes]", bare_env: Environment
) -> None:
    """And imports nothing for it that a cached answer does not."""
    env = bare_env | {"MSAUTH_CACHE_DIR": str(cache.base)}
    waiter = subprocess.Popen(
        [sys.executable, "-I", "-c", WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
    )
    assert waiter.stdout is not None
    assert waiter.stdin is not None
    assert waiter.stdout.readline() == b"waiting\n"
    cache.put(made_up("answer"))
    text, modules = waiter.stdout.readline().split(b" ", 1)
    waiter.communicate()
    assert text.decode() == made_up("answer").text
    ours = {name for name in modules.decode().split() if name.startswith("msauth")}
    assert ours - hot_path.OURS == {"msauth.broker.flight", "msauth.cache.lock"}
    assert not {"filelock", "contextlib", "json", "threading"} & set(modules.decode().split())
    assert holder.poll() is None


def test_a_holder_killed_in_its_request_is_replaced(env: Environment, cloud: Sandbox) -> None:
    """Two programs; the first is killed while the cloud thinks, the second signs in itself."""
    asked, go = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        if not asked.is_set():
            asked.set()
            go.wait(30)

    cloud.on_token(hold)
    first = start_program("git-credential-msauth", "get", env=env)
    assert first.stdin is not None
    first.stdin.write(HELLO)
    first.stdin.close()
    first.stdin = None
    assert asked.wait(30)
    second = start_program("git-credential-msauth", "get", env=env)
    first.kill()
    first.communicate()
    output, _ = second.communicate(HELLO, timeout=30)
    go.set()
    assert b"password=ey" in output


def test_the_second_read_under_the_lock_saves_the_request(
    env: Environment, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbour wrote the record between our miss and our lock."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    request = devops_request(env)
    since = time.time_ns()
    first = renewal.renew(request)
    second = renewal.renew(request, requested_at=since)
    assert second.text == first.text
    assert cloud.count("token") == 1
