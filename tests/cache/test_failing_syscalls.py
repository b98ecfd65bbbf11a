"""A file system that fails: the token is still handed out, exit 0, and the old record is intact."""

import errno
import functools
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth.cache.folder import _generation_file
from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program
from ..test_git_credential import HELLO, attributes
from . import strace
from .conftest import REQUEST, Cache, made_up, needs_root
from .test_kill import PROGRAM
from .warm import Warm

GIT = "msauth.git_credential"
ERRORS = ["ENOSPC", "EIO", "EROFS", "EDQUOT", "EPERM"]
CALLS = ["openat", "fsync", "renameat", "flock"]
SLICE = {("openat", "EROFS"), ("flock", "EPERM")}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        pytest.param(call, error, marks=() if (call, error) in SLICE else pytest.mark.long)
        for call in CALLS
        for error in ERRORS
    ],
)
def test_the_program_answers_all_the_same(
    env: Environment, cloud: Sandbox, warm: Warm, tmp_path: Path, call: str, error: str
) -> None:
    """Every one of these calls on the cache fails, in a `get` that must write."""
    strace.needed()
    old = warm.run(GIT, "get", env=env, stdin=HELLO).stdout
    place = Path(env["MSAUTH_CACHE_DIR"]) / "v1"
    record = next(place.glob("*.tok"))
    before = record.read_bytes()
    path = shutil.which("git-credential-msauth", path=env["PATH"])
    assert path is not None
    log = tmp_path / "log"
    done = strace.run(
        [path, "--force-refresh", "get"],
        f"trace={call}",
        f"inject={call}:error={error}",
        env=env,
        stdin=HELLO,
        # Only calls on the directory and what is opened relative to it, not those of imports.
        paths=(place, record.with_suffix(".lock")) if call == "openat" else (),
        log=log,
    )
    assert f"{error} " in log.read_text()
    assert (done.returncode, done.stderr) == (0, b"")
    token = attributes(done.stdout)["password"]
    assert token not in old.decode()
    after = record.read_bytes()
    if call in ("openat", "fsync", "renameat"):
        assert after == before
    else:
        assert token.encode() in after, "without the lock the record is written all the same"
    assert [name for name in os.listdir(place) if name.endswith(".tmp")] == []
    assert warm.run(GIT, "get", env=env, stdin=HELLO).returncode == 0


def test_a_failing_unlock_does_not_lose_the_answer(env: Environment, cloud: Sandbox) -> None:
    strace.needed()
    path = shutil.which("git-credential-msauth", path=env["PATH"])
    assert path is not None
    done = strace.run(
        [path, "get"],
        "trace=flock",
        "inject=flock:error=EIO:when=2+2",
        env=env,
        stdin=HELLO,
    )
    assert done.returncode == 0
    assert b"password=ey" in done.stdout


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", ["write", "fsync", "renameat"])
def test_a_failed_write_leaves_the_old_record(
    cache: Cache, bare_env: Environment, call: str, error: str
) -> None:
    strace.needed()
    cache.put(made_up("old"))
    before = cache.record.read_bytes()
    program = PROGRAM + "try:\n    write()\nexcept OSError as error:\n    os._exit(error.errno)\n"
    done = strace.run(
        strace.python(program),
        f"trace={call}",
        f"inject={call}:error={error}",
        env=bare_env | {"MSAUTH_CACHE_DIR": str(cache.base)},
    )
    assert done.returncode == getattr(errno, error), done.stderr
    assert cache.record.read_bytes() == before
    assert cache.temporaries() == []
    assert cache.get() == made_up("old").text


def test_a_short_write_is_completed(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    cache.put(made_up("whole"))
    assert cache.get() == made_up("whole").text


def test_the_bytes_are_on_disk_before_the_name(
    cache: Cache, bare_env: Environment, tmp_path: Path
) -> None:
    """Else a power cut leaves an empty file under the record's name."""
    strace.needed()
    cache.put(made_up("old"))
    log = tmp_path / "log"
    done = strace.run(
        strace.python(PROGRAM + "write()"),
        "trace=write,fsync,rename,renameat,renameat2",
        env=bare_env | {"MSAUTH_CACHE_DIR": str(cache.base)},
        log=log,
    )
    assert done.returncode == 0
    # The first is the line in the token's list of records; losing it costs nothing but tidiness.
    assert strace.calls(log) == ["write", "write", "fsync", "renameat", "fsync"]


def test_no_file_may_grow(env: Environment, cloud: Sandbox) -> None:
    """RLIMIT_FSIZE: every write to a file fails, those to git's pipe do not."""
    path = shutil.which("git-credential-msauth", path=env["PATH"])
    assert path is not None
    done = subprocess.run(
        [path, "get"],
        input=HELLO,
        env=env,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"password=ey" in done.stdout
    assert list(Path(env["MSAUTH_CACHE_DIR"]).glob("v1/.*")) == []


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    needs_root()
    where = tmp_path / "tiny"
    where.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20k,mode=0700", "tmpfs", str(where)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"mount is not permitted here: {mounted.stderr.decode().strip()}")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_a_full_file_system(env: Environment, warm: Warm, cloud: Sandbox, tiny: Path) -> None:
    """20 KiB: the cache fits until something else fills the rest."""
    env = env | {"MSAUTH_CACHE_DIR": str(tiny)}
    first = warm.run(GIT, "get", env=env, stdin=HELLO).stdout
    record = next(tiny.glob("v1/*.tok"))
    before = record.read_bytes()
    with pytest.raises(OSError, match="No space"):
        (tiny / "filler").write_bytes(b"x" * 65536)
    second = warm.run(GIT, "--force-refresh", "get", env=env, stdin=HELLO)
    assert second.returncode == 0
    assert second.stderr == b""
    assert attributes(second.stdout)["password"] != attributes(first)["password"]
    assert record.read_bytes() == before
    assert warm.run(GIT, "get", env=env, stdin=HELLO).stdout == first
    (tiny / "filler").unlink()
    third = warm.run(GIT, "--force-refresh", "get", env=env, stdin=HELLO).stdout
    assert warm.run(GIT, "get", env=env, stdin=HELLO).stdout == third


def test_a_read_only_file_system(env: Environment, warm: Warm, cloud: Sandbox, tiny: Path) -> None:
    env = env | {"MSAUTH_CACHE_DIR": str(tiny)}
    first = warm.run(GIT, "get", env=env, stdin=HELLO).stdout
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    # A rejection could not be noted here: what is cached is not believed either.
    second = warm.run(GIT, "get", env=env, stdin=HELLO)
    assert (second.returncode, second.stderr) == (0, b"")
    assert attributes(second.stdout)["password"] != attributes(first)["password"]
    token = attributes(first)["password"]
    erased = warm.run(GIT, "erase", env=env, stdin=HELLO + f"password={token}\n".encode())
    assert (erased.returncode, erased.stderr) == (0, b"")


def test_a_directory_listing_that_fails_costs_nothing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(made_up("old"))

    def fails(_: object) -> list[str]:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "listdir", fails)
    cache.put(made_up("new"))
    assert cache.get() == made_up("new").text


def test_an_epoch_that_cannot_be_read_is_a_miss(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO or too many open files is no proof that there was never a logout."""
    cache.put(made_up("token"))
    opened = os.open

    def fails(path: str, *more: object, **kw: object) -> int:
        if "epoch" in str(path):
            raise OSError(errno.EMFILE, "no")
        return opened(path, *more, **kw)  # type: ignore[arg-type]

    epoch = cache.place / _generation_file(REQUEST.profile)
    epoch.write_bytes(b"0\n")
    epoch.chmod(0o600)
    monkeypatch.setattr(os, "open", fails)
    assert cache.get() is None


def test_no_descriptors_left(env: Environment, cloud: Sandbox) -> None:
    """With few descriptors the answer comes too, or one clear error and no traceback."""
    path = shutil.which("git-credential-msauth", path=env["PATH"])
    assert path is not None
    for limit in (5, 12):
        done = subprocess.run(
            [path, "get"],
            input=HELLO,
            env=env,
            capture_output=True,
            timeout=60,
            check=False,
            preexec_fn=functools.partial(
                resource.setrlimit, resource.RLIMIT_NOFILE, (limit, limit)
            ),
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode in (0, 1)
    assert run_program("git-credential-msauth", "get", env=env, stdin=HELLO).returncode == 0
