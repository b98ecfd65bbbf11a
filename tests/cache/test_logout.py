"""A logout wins over every renewal in flight, and an erase over every late write.

The steps of a renewal (read the epoch, ask, write) and those of a logout or an erase are
interleaved: by a scheduler at each access of the file system, with a seed, and for real by
holding back the cloud's answer.
"""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from msauth import signin
from msauth.broker import renewal
from msauth.cache.folder import Folder
from msauth.errors import OnlyRejectedError
from msauth.request.request import Token, TokenRequest
from msauth_sandbox import Sandbox

from ..conftest import Environment, start_program
from ..test_git_credential import HELLO, attributes
from . import store
from .conftest import REQUEST, Cache, made_up
from .warm import Warm

GIT = "msauth.git_credential"
DEADLINE = 30


class Scheduler:
    """Lets exactly one of several threads run between two accesses of the file system."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._turns: dict[threading.Thread, threading.Semaphore] = {}
        self._back = threading.Semaphore(0)

    def step(self) -> None:
        mine = self._turns.get(threading.current_thread())
        if mine is not None:
            self._back.release()
            assert mine.acquire(timeout=DEADLINE)

    def run(self, *actions: Callable[[], object]) -> None:
        errors: list[BaseException] = []

        def body(action: Callable[[], object]) -> None:
            try:
                self.step()
                action()
            except BaseException as error:  # noqa: BLE001 - shown by the main thread
                errors.append(error)
            finally:
                del self._turns[threading.current_thread()]
                self._back.release()

        threads = [threading.Thread(target=body, args=(action,)) for action in actions]
        for thread in threads:
            self._turns[thread] = threading.Semaphore(0)
        for thread in threads:
            thread.start()
            assert self._back.acquire(timeout=DEADLINE)
        # The first action gets a head start of its own, else the shorter one is mostly done first.
        for _ in range(self._random.randrange(30)):
            if threads[0] in self._turns:
                self._turns[threads[0]].release()
                assert self._back.acquire(timeout=DEADLINE)
        while self._turns:
            ready = [thread for thread in threads if thread in self._turns]
            self._turns[self._random.choice(ready)].release()
            assert self._back.acquire(timeout=DEADLINE)
        for thread in threads:
            thread.join()
        assert errors == []


@pytest.fixture
def stepping(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scheduler], None]:
    """Make every access of the cache's files a point where the other thread may go on."""
    now: list[Scheduler] = []

    def stepped(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            now[0].step()
            return function(*arguments, **named)

        return call

    def use(scheduler: Scheduler) -> None:
        now[:] = [scheduler]

    use(Scheduler(0))
    for name in ("read", "remove", "listing", "age", "exists", "_open_file", "_replace"):
        monkeypatch.setattr(Folder, name, stepped(getattr(Folder, name)))
    # The lock is left out on purpose: the proof must hold for those who could not have it.
    monkeypatch.setattr(Folder, "lock", lambda *_, **__: contextlib.nullcontext(None))
    return use


SEEDS = [range(60), pytest.param(range(60, 1060), marks=pytest.mark.long)]


def on_disk(cache: Cache, text: str) -> bool:
    return any(
        text.encode() in path.read_bytes() for path in cache.place.iterdir() if path.is_file()
    )


def renew(monkeypatch: pytest.MonkeyPatch, text: str, asked: threading.Event) -> Token | None:
    """Sign in as the programs do, with a cloud that answers at once."""

    def acquire(
        request: TokenRequest,
        *,
        claims: str | None,
        rejected: Callable[[str], bool],
        prompt: bool,
    ) -> Token:
        asked.set()
        token = made_up(text)
        if rejected(token.text):
            raise OnlyRejectedError("rejected", None, token)
        return token

    monkeypatch.setattr(signin, "acquire", acquire)
    with store.opened() as folder:
        try:
            return renewal.sign_in(folder, REQUEST)
        except OnlyRejectedError:
            return None


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"{len(seeds)}-seeds")
@pytest.mark.parametrize("profile", [None, ""], ids=["everybody", "one-profile"])
def test_a_logout_is_never_undone(
    cache: Cache,
    stepping: Callable[[Scheduler], None],
    monkeypatch: pytest.MonkeyPatch,
    seeds: range,
    profile: str | None,
) -> None:
    late = 0
    for seed in seeds:
        cache.put(made_up("before"))
        asked = threading.Event()
        in_flight: list[bool] = []

        def logout(asked: threading.Event = asked, in_flight: list[bool] = in_flight) -> None:
            in_flight.append(asked.is_set())
            store.logout(profile)

        scheduler = Scheduler(seed)
        stepping(scheduler)
        scheduler.run(lambda asked=asked: renew(monkeypatch, "late", asked), logout)  # type: ignore[misc]
        late += in_flight[0]
        assert not on_disk(cache, made_up("before").text), seed
        if in_flight[0]:
            # Asked for before the logout began: gone, from every file.
            assert cache.get() is None, seed
            assert not on_disk(cache, made_up("late").text), seed
        store.logout(None)
    assert late > len(seeds) // 3, "too few renewals were in flight"
    print(f"{len(seeds)} interleavings, {late} with a renewal in flight, 0 resurrected")


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"{len(seeds)}-seeds")
def test_an_erase_is_never_undone(
    cache: Cache,
    stepping: Callable[[Scheduler], None],
    monkeypatch: pytest.MonkeyPatch,
    seeds: range,
) -> None:
    """Whoever writes the rejected token, and whenever: it is never served again."""
    for seed in seeds:
        text = f"rejected-{seed}"
        rejected = made_up(text).text
        if seed % 2:
            cache.put(made_up(text))
        scheduler = Scheduler(seed)
        stepping(scheduler)
        scheduler.run(
            lambda text=text: renew(monkeypatch, text, threading.Event()),  # type: ignore[misc]
            lambda rejected=rejected: store.reject(rejected),  # type: ignore[misc]
        )
        assert cache.get() is None, seed
        assert not on_disk(cache, rejected), seed


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"{len(seeds)}-seeds")
def test_a_late_erase_spares_the_newer_token(
    cache: Cache, stepping: Callable[[Scheduler], None], seeds: range
) -> None:
    """Under the lock, which erase takes: without it a compare and an unlink have a gap."""
    lock = threading.Lock()
    for seed in seeds:
        old, new = made_up(f"old-{seed}"), made_up(f"new-{seed}")
        cache.put(old)
        scheduler = Scheduler(seed)
        stepping(scheduler)

        @contextlib.contextmanager
        def locked(*_: object, scheduler: Scheduler = scheduler, **__: object) -> Iterator[bool]:
            while not lock.acquire(blocking=False):
                scheduler.step()
            try:
                yield True
            finally:
                lock.release()

        def put(new: Token, locked: Callable[[], AbstractContextManager[bool]]) -> None:
            with locked():
                cache.put(new)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Folder, "lock", locked)
            scheduler.run(
                lambda new=new, locked=locked: put(new, locked),  # type: ignore[misc]
                lambda old=old: store.reject(old.text),  # type: ignore[misc]
            )
        assert cache.get() == new.text, seed


def test_logout_of_one_profile_leaves_the_others(cache: Cache) -> None:
    work, home = REQUEST.with_(profile="work"), REQUEST.with_(profile="home")
    cache.put(made_up("work"), work)
    cache.put(made_up("home"), home)
    cache.put(made_up("none"))
    assert store.logout("work") == 1
    assert [cache.get(work), cache.get(home), cache.get()] == [
        None,
        made_up("home").text,
        made_up("none").text,
    ]
    assert store.logout(None) == 2
    assert [cache.get(work), cache.get(home), cache.get()] == [None] * 3


def test_logout_that_cannot_write_removes_nothing(cache: Cache) -> None:
    cache.put(made_up("kept"))
    (cache.place / "epoch").mkdir()
    with pytest.raises(OSError, match="directory"):
        store.logout(None)
    assert cache.record.exists()


@pytest.mark.parametrize("action", ["logout", "erase"])
def test_while_the_cloud_thinks(
    env: Environment,
    cloud: Sandbox,
    warm: Warm,
    monkeypatch: pytest.MonkeyPatch,
    records: Callable[[], list[Path]],
    action: str,
) -> None:
    """The whole program: its token request is answered only after the logout (or the erase)."""
    monkeypatch.setenv("MSAUTH_CACHE_DIR", env["MSAUTH_CACHE_DIR"])
    first = attributes(warm.run(GIT, "get", env=env, stdin=HELLO).stdout)["password"]
    asked, go = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        asked.set()
        assert go.wait(DEADLINE)

    cloud.on_token(hold)
    process = start_program("git-credential-msauth", "--force-refresh", "get", env=env)
    assert process.stdin is not None
    process.stdin.write(HELLO)
    process.stdin.close()
    process.stdin = None
    assert asked.wait(DEADLINE)
    if action == "logout":
        assert store.logout("") == 1
    else:
        warm.run(GIT, "erase", env=env, stdin=HELLO + f"password={first}\n".encode())
    go.set()
    output, errors = process.communicate(timeout=DEADLINE)
    cloud.on_token(None)
    assert (process.returncode, errors) == (0, b"")
    late = attributes(output)["password"]
    cloud.reset()
    after = attributes(warm.run(GIT, "get", env=env, stdin=HELLO).stdout)["password"]
    assert after != first
    if action == "logout":
        assert after != late
        assert cloud.count("token") == 1
    else:
        # The newer token is not what was rejected.
        assert after == late
        assert cloud.count("token") == 0
    assert len(records()) == 1
