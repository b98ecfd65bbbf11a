"""A clock that is wrong, or is set while a token is on its way: no expired token is served."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.errors import SignInError
from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program
from ..slices import sliced
from ..test_git_credential import HELLO, attributes
from . import store
from .conftest import REQUEST, Cache, made_up
from .warm import Warm

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400
Y2038 = 2**31
STEPS = [
    sign * step
    for step in (0, SECOND, 5 * MINUTE - 1, 5 * MINUTE, 5 * MINUTE + 1, HOUR, DAY, 365 * DAY)
    for sign in (1, -1)
]


@pytest.mark.parametrize("start", [1_800_000_000, Y2038 - HOUR // 2, Y2038 + DAY, 2**32 + 5])
@pytest.mark.parametrize("wrong", STEPS, ids="issued{:+d}s".format)
@pytest.mark.parametrize("min_valid", sliced([1, 0, 300, 3000], 4))
def test_a_wrong_clock_serves_nothing_expired(
    cache: Cache, start: int, wrong: int, min_valid: int
) -> None:
    """The token was written by a clock that was wrong by so much; then the clock is right.

    A clock that was ahead by less than the margin that the caller leaves adds nothing.
    """
    token = made_up("clock")
    token.issued = start + wrong
    token.expires_on = token.issued + HOUR
    cache.put(token)
    really_expires = start + HOUR
    request = REQUEST.with_(min_valid=min_valid)
    served = []
    for after in range(-HOUR, 3 * HOUR, 60):
        now = start + after
        if store.read(request, now=now) is not None:
            served.append(now)
            assert token.expires_on - now >= max(1, min_valid)
            assert token.issued - now <= 300
    if min_valid >= 300 or wrong <= 0:
        assert all(now < really_expires for now in served) or wrong >= min_valid
    if wrong == 0:
        assert served, "a right clock is served"
    if -HOUR < wrong < 300 and min_valid < 300:
        assert served


@pytest.mark.parametrize("min_valid", [0, 1, 300])
def test_the_last_second(cache: Cache, min_valid: int) -> None:
    token = made_up("last")
    cache.put(token)
    request = REQUEST.with_(min_valid=min_valid)
    edge = token.expires_on - max(1, min_valid)
    assert store.read(request, now=edge) is not None
    for now in (edge + 1, token.expires_on, token.expires_on + 1, Y2038, 2**40):
        assert store.read(request, now=now) is None


def test_a_token_from_the_future_is_a_miss(cache: Cache) -> None:
    token = made_up("future", age=0)
    cache.put(token)
    assert store.read(REQUEST, now=token.issued - 300) is not None
    assert store.read(REQUEST, now=token.issued - 301) is None


def test_a_neighbours_short_lived_token_is_never_an_expired_one(cache: Cache) -> None:
    """`since` waives the margin, not the expiry."""
    token = made_up("short", lives=60)
    since = time.time_ns()
    cache.put(token)
    assert store.read(REQUEST, now=token.expires_on - 1, since=since) is not None
    assert store.read(REQUEST, now=token.expires_on, since=since) is None
    assert store.read(REQUEST, now=token.issued, since=time.time_ns()) is None
    assert store.read(REQUEST, now=token.issued, since=None) is None


@pytest.mark.parametrize("step", [-DAY, -HOUR, -301, 61, HOUR, DAY])
def test_a_remembered_failure_does_not_outlive_a_step(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    store.remember(REQUEST, SignInError("no", "hint"))
    assert store.recall(REQUEST) is not None
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + step)
    assert store.recall(REQUEST) is None


@pytest.mark.parametrize("step", [-DAY, -301, DAY + 1, 365 * DAY])
def test_a_remembered_tenant_does_not_outlive_a_step(cache: Cache, step: int) -> None:
    now = int(time.time())
    store.remember_tenant("contoso", "contoso.com", now=now, until=now + DAY)
    assert store.read_tenant("contoso", now=now) == "contoso.com"
    assert store.read_tenant("contoso", now=now + step) is None


@pytest.mark.parametrize(
    "step",
    [pytest.param(s, marks=pytest.mark.long) for s in (1, -1, 300, -300, -HOUR, -DAY, DAY)]
    + [HOUR],
)
def test_the_clock_is_set_while_a_token_is_on_its_way(
    env: Environment,
    cloud: Sandbox,
    home: Path,
    records: Callable[[], list[Path]],
    step: int,
) -> None:
    """The whole program under libfaketime, whose clock steps when the cloud is asked."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("faketime is not installed")
    clock = home / "clock"
    clock.write_text("+0")
    env = env | {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    preload = run_program("faketime", "-f", "+0", "printenv", "LD_PRELOAD", env=env).stdout
    env["LD_PRELOAD"] = preload.decode().strip()
    cloud.on_token(lambda record: clock.write_text(f"{step:+d}"))  # type: ignore[arg-type]
    asked = time.time()
    done = run_program("git-credential-msauth", "get", env=env, stdin=HELLO)
    assert done.returncode == 0, done.stderr
    cloud.on_token(None)
    expires = int(attributes(done.stdout)["password_expiry_utc"])
    # Counted from before the request left: a step forward cannot lengthen it.
    assert abs(expires - (asked + HOUR)) < 60 or expires < asked + HOUR
    for later in (0, HOUR - 301, HOUR - 200, HOUR, HOUR + 1, DAY, 2 * DAY):
        found = reader_at(env, int(asked) + later)
        assert found is None or later < HOUR


def reader_at(env: Environment, now: int) -> str | None:
    """Return what a record of the cache is good for at a time, whatever its key is."""
    from msauth.cache import record

    place = Path(env["MSAUTH_CACHE_DIR"]) / "v1"
    for path in place.glob("*.tok"):
        found = record.decode(path.read_bytes(), None)
        assert found is not None
        expires, issued = (record.number(found[0][name]) for name in ("expires_on", "issued"))
        if expires - now >= 300 and issued <= now + 300:
            return found[1].decode()
    return None


LONG = pytest.mark.long


@pytest.mark.parametrize(
    "offset",
    [
        "+3000",
        "+3301",
        "-400",
        *(pytest.param(value, marks=LONG) for value in ("+0", "+1d", "-1d", "+15y")),
    ],
)
def test_a_cached_get_at_another_time(
    env: Environment, cloud: Sandbox, warm: Warm, offset: str
) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    first = warm.run("msauth.git_credential", "get", env=env, stdin=HELLO).stdout
    cloud.reset()
    # With no way to sign in, whatever is answered comes from the cache.
    env = {k: v for k, v in env.items() if k != "AZURE_CLIENT_SECRET"} | {
        "AZURE_CLIENT_SECRET": "wrong"
    }
    done = run_program(
        "faketime", "-f", offset, "git-credential-msauth", "get", env=env, stdin=HELLO
    )
    if offset in ("+0", "+3000"):
        assert done.stdout == first
        assert cloud.count("token") == 0
    else:
        assert b"password" not in done.stdout
