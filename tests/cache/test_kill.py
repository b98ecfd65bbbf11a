"""kill -9 at every system call: afterwards the old record or the new one, and life goes on.

The exhaustive sweep drives the cache's own functions in a minimal process, from a mark on; the
whole program is killed at each of the calls that change the file system.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.broker import changes
from msauth.cache import rejections
from msauth.cache.record import HOLDERS, REJECTED, TOKEN
from msauth_sandbox import Sandbox

from ..conftest import Environment
from ..test_git_credential import HELLO, attributes
from . import store, strace
from .conftest import REQUEST, Cache, made_up
from .warm import Warm

MARK = "/the-mark"
OLD, NEW = made_up("old"), made_up("new")
PROGRAM = f"""
import os, hmac, random, time
from msauth.broker import changes
from msauth.cache import record, rejections
from msauth.cache.folder import Folder
from msauth.request.request import Token, TokenRequest
request = TokenRequest(
    {REQUEST.scopes!r}, {{}}, credential={REQUEST.credential!r}, tenant={REQUEST.tenant!r}
)
new = Token({NEW.text!r}, {NEW.expires_on}, issued={NEW.issued})
record.fingerprint(new.text)
def opened():
    return Folder.cache(os.environ, create=True)
def write():
    with opened() as folder:
        generation = folder.generation("")
        changes.keep(folder, request, new, generation=generation, claims=None)
def reject(text, claims):
    with opened() as folder:
        changes.reject(folder, text, "", claims)
def logout(profile):
    with opened() as folder:
        changes.logout(folder, profile)
def prepare():
    from msauth.cache import lock
try:
    os.stat({MARK!r})
except OSError:
    pass
"""
ACTIONS = {
    "cold": "write()",
    "overwrite": "write()",
    "erase": f"reject({OLD.text!r}, '{{}}')",
    "logout": "logout('')",
    "logout-all": "logout(None)",
}


def command(action: str) -> list[str]:
    program = PROGRAM
    if action == "erase":
        # The lock's library is loaded before the mark: its imports write nothing.
        program = program.replace("try:\n    os.stat", "prepare()\ntry:\n    os.stat")
    return strace.python(program + ACTIONS[action])


def set_up(cache: Cache, action: str) -> None:
    shutil.rmtree(cache.base, ignore_errors=True)
    if action != "cold":
        cache.put(OLD)


def check(cache: Cache, action: str, where: str) -> None:
    """The one invariant of a crash, and the way back to work after it."""
    found = cache.get()
    allowed = {
        "cold": (None, NEW.text),
        "overwrite": (OLD.text, NEW.text),
        "erase": (OLD.text, None),
        "logout": (OLD.text, None),
        "logout-all": (OLD.text, None),
    }[action]
    assert found in allowed, where
    if cache.record.exists():
        assert cache.record.stat().st_mode & 0o777 == 0o600
    # Once more, undisturbed.
    if action == "erase":
        store.reject(OLD.text)
        cache.put(OLD)
        assert cache.get() is None, where
    elif action.startswith("logout"):
        store.logout("" if action == "logout" else None)
        assert cache.get() is None, where
        assert OLD.text.encode() not in b"".join(
            path.read_bytes() for path in cache.place.iterdir() if path.is_file()
        )
    else:
        cache.put(NEW)
        assert cache.get() == NEW.text, where


def points(cache: Cache, action: str, env: Environment, log: Path) -> list[tuple[str, int]]:
    set_up(cache, action)
    done = strace.run(command(action), "trace=all", env=env, log=log)
    assert done.returncode == 0, done.stderr
    return [call for call in strace.after_mark(log, MARK) if call[0] != "exit_group"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "every", [24, pytest.param(1, marks=pytest.mark.long)], ids=["slice", "all"]
)
def test_killed_anywhere(
    cache: Cache, bare_env: Environment, tmp_path: Path, action: str, every: int
) -> None:
    strace.needed()
    env = bare_env | {"MSAUTH_CACHE_DIR": str(cache.base)}
    swept = points(cache, action, env, tmp_path / "log")
    assert len(swept) > 24
    killed = 0
    for name, when in swept[::every]:
        set_up(cache, action)
        done = strace.run(
            command(action),
            f"trace={name}",
            f"inject={name}:signal=KILL:when={when}",
            env=env,
        )
        killed += done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        check(cache, action, f"{name}:{when}")
    assert killed >= 0.9 * len(swept[::every]), "the calls are not where they were recorded"
    print(f"{action}: {killed} of {len(swept)} calls")


@pytest.mark.parametrize("options", [(), ("--force-refresh",)], ids=["cold", "overwrite"])
@pytest.mark.parametrize(
    ("call", "when"),
    [
        ("renameat", 1),
        pytest.param("fsync", 1, marks=pytest.mark.long),
        pytest.param("fsync", 2, marks=pytest.mark.long),
        pytest.param("flock", 1, marks=pytest.mark.long),
        pytest.param("flock", 2, marks=pytest.mark.long),
        pytest.param("mkdir", 1, marks=pytest.mark.long),
        pytest.param("mkdir", 2, marks=pytest.mark.long),
        pytest.param("unlinkat", 1, marks=pytest.mark.long),
        pytest.param("unlinkat", 2, marks=pytest.mark.long),
    ],
)
def test_the_program_killed(
    env: Environment,
    cloud: Sandbox,
    warm: Warm,
    records: Callable[[], list[Path]],
    options: tuple[str, ...],
    call: str,
    when: int,
) -> None:
    strace.needed()
    program = "msauth.git_credential"
    old = None
    if options:
        old = attributes(warm.run(program, "get", env=env, stdin=HELLO).stdout)["password"]
    path = shutil.which("git-credential-msauth", path=env["PATH"])
    assert path is not None
    done = strace.run(
        [path, *options, "get"],
        f"trace={call}",
        f"inject={call}:signal=KILL:when={when}",
        env=env,
        stdin=HELLO,
    )
    if done.returncode == 0:
        assert call in ("mkdir", "unlinkat"), "it was not killed"
    cloud.reset()
    answer = warm.run(program, "get", env=env, stdin=HELLO)
    assert answer.returncode == 0
    token = attributes(answer.stdout)["password"]
    if cloud.count("token") == 0:
        assert old is None or token == old or call in ("fsync", "flock", "mkdir", "unlinkat")
    assert warm.run(program, "get", env=env, stdin=HELLO).stdout == answer.stdout
    assert len(records()) == 1


def test_what_a_killed_writer_leaves_is_pruned(cache: Cache) -> None:
    cache.put(OLD)
    left = cache.place / f".{cache.record.name}.1.000000000001.tmp"
    left.write_bytes(OLD.text.encode())
    cache.put(NEW)
    assert left.exists(), "a living writer may be slow"
    os.utime(left, (1, 1))
    store.let_tidy()
    cache.put(NEW)
    assert not left.exists()
    left.write_bytes(OLD.text.encode())
    store.logout("")
    assert not left.exists(), "a logout waits for nobody"


@pytest.mark.parametrize("suffix", [TOKEN, REJECTED, HOLDERS, rejections.CLAIMS, changes.FAILURE])
def test_what_nobody_needs_any_more_is_pruned(cache: Cache, suffix: str) -> None:
    """Each `az login` makes new keys; the records of the old ones do not stay for ever."""
    cache.put(OLD)
    dead, alive = cache.place / f"dead{suffix}", cache.place / f"alive{suffix}"
    for path in (dead, alive):
        path.write_bytes(b"")
    os.utime(dead, (1, 1))
    cache.put(NEW)
    assert dead.exists(), "not with every change: it looks at every file"
    store.let_tidy()
    cache.put(NEW)
    assert not dead.exists()
    assert alive.exists()
