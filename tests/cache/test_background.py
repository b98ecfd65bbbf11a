"""Renewal behind the answer: at once, once, detached, with a rest, and it can be switched off."""

import contextlib
import fcntl
import os
import resource
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import msauth
from msauth.cache import record
from msauth.cache.folder import Folder
from msauth_sandbox import Sandbox

from ..conftest import Environment, start_program
from ..test_git_credential import FABRIKAM, HELLO, attributes
from . import store
from .conftest import REQUEST, Cache, made_up
from .warm import Warm

GIT = "msauth.git_credential"
DEADLINE = 30


def until(condition: Callable[[], object], what: str) -> None:
    """Look again and again, a hundredth of a second apart, until it is so."""
    end = time.monotonic() + DEADLINE
    never = threading.Event()
    while not condition():
        assert time.monotonic() < end, what
        never.wait(0.01)


class Due:
    """A cached token past its refresh time, and a cloud whose answers are held back."""

    def __init__(self, env: Environment, cloud: Sandbox, place: Path) -> None:
        self.env, self.cloud, self.place = env, cloud, place
        self.go = threading.Event()
        self.token = ""

    def tokens(self) -> list[str]:
        found = (record.decode(path.read_bytes(), None) for path in self.place.glob("*.tok"))
        return [each[1].decode() for each in found if each is not None]

    def age(self) -> None:
        """Make the records' refresh time past, as the writer would have written it."""
        for path in self.place.glob("*.tok"):
            found = record.decode(path.read_bytes(), None)
            assert found is not None
            attributes = {n: v for n, v in found[0].items() if not n.startswith("request.")}
            attributes["refresh_on"] = str(int(time.time()) - 60)
            body = path.read_bytes().partition(b"\n\n")[0]
            canonical = body[body.index(b"request.") :] + b"\n"
            with Folder.open(str(self.place)) as folder:
                folder.write(path.name, record.encode(canonical, attributes, found[1]))


@pytest.fixture
def due(env: Environment, cloud: Sandbox, warm: Warm) -> Iterator[Due]:
    cold = warm.run(GIT, "get", env=env, stdin=HELLO)
    env = {k: v for k, v in env.items() if k not in ("MSAUTH_BACKGROUND_REFRESH", "CI")}
    due = Due(env, cloud, Path(env["MSAUTH_CACHE_DIR"]) / "v1")
    due.token = attributes(cold.stdout)["password"]
    due.age()
    cloud.reset()

    def hold(_: object) -> None:
        due.go.wait(DEADLINE)

    cloud.on_token(hold)
    yield due
    due.go.set()


def get(due: Due, stdin: bytes = HELLO, more: Environment | None = None) -> tuple[str, float]:
    """Return the answer of the installed program, and how long its pipes stayed open."""
    process = start_program("git-credential-msauth", "get", env=due.env | (more or {}))
    began = time.monotonic()
    output, errors = process.communicate(stdin, timeout=DEADLINE)
    assert (process.returncode, errors) == (0, b"")
    return attributes(output)["password"], time.monotonic() - began


def test_the_old_token_at_once_and_the_new_one_later(due: Due) -> None:
    answer, took = get(due)
    assert answer == due.token
    # The cloud has not answered, so whoever renews cannot be who held our pipes.
    assert took < DEADLINE / 3
    assert not due.go.is_set()
    until(lambda: due.cloud.count("token") == 1, "nobody renews")
    assert get(due)[0] == due.token
    due.go.set()
    until(lambda: due.tokens() != [due.token], "the new token is not written")
    assert get(due)[0] == due.tokens()[0] != due.token
    assert due.cloud.count("token") == 1


def test_a_crowd_starts_one_renewal(due: Due) -> None:
    processes = [start_program("git-credential-msauth", "get", env=due.env) for _ in range(8)]
    for process in processes:
        assert attributes(process.communicate(HELLO, timeout=DEADLINE)[0])["password"] == due.token
    until(lambda: due.cloud.count("token") == 1, "nobody renews")
    due.go.set()
    until(lambda: due.tokens() != [due.token], "the new token is not written")
    assert due.cloud.count("token") == 1


@pytest.mark.parametrize("off", [{"CI": "true"}, {"MSAUTH_BACKGROUND_REFRESH": "0"}], ids=str)
def test_it_can_be_switched_off(due: Due, off: Environment) -> None:
    assert get(due, more=off)[0] == due.token
    assert list(due.place.glob("*.renewing")) == []


def test_the_rest_between_two_attempts(due: Due) -> None:
    """A renewal that fails is not tried again by every git command."""
    due.go.set()
    due.cloud.fail_tokens(50076, times=None)
    get(due)
    (stamp,) = due.place.glob("*.renewing")
    until(lambda: list(due.place.glob("*.fail")), "nobody renews")
    assert due.cloud.count("token") == 1
    before = stamp.stat().st_mtime_ns
    get(due)
    assert stamp.stat().st_mtime_ns == before
    os.utime(stamp, (time.time() - 31,) * 2)
    get(due)
    assert stamp.stat().st_mtime_ns > before


def test_a_fresh_token_is_left_alone(due: Due) -> None:
    due.go.set()
    get(due, stdin=FABRIKAM)
    assert len(list(due.place.glob("*.renewing"))) == 0


def test_it_keeps_nothing_of_its_caller(due: Due) -> None:
    """Not the descriptors (`flock 9 git fetch`), not the session, and no zombie is left."""
    read, write = os.pipe()
    process = subprocess.Popen(
        ["git-credential-msauth", "get"],
        env=due.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[write],
    )
    os.close(write)
    process.communicate(HELLO, timeout=DEADLINE)
    until(lambda: due.cloud.count("token") == 1, "nobody renews")
    # The end of file comes although the renewal still waits for the cloud.
    ready, _, _ = select.select([read], [], [], DEADLINE)
    assert ready
    assert os.read(read, 1) == b""
    os.close(read)
    renewals = dict(renewals_of(due))
    assert renewals, "the renewal is not to be seen"
    for pid, (parent, session) in renewals.items():
        assert parent != process.pid
        assert session != os.getsid(0)
        descriptors = {os.readlink(f"/proc/{pid}/fd/{n}") for n in (0, 1, 2)}
        assert descriptors == {os.devnull}


def renewals_of(due: Due) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the pids of this test's running renewals with their parent and session (proc(5))."""
    ours = f"MSAUTH_CACHE_DIR={due.env['MSAUTH_CACHE_DIR']}\0".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        process = Path("/proc", name)
        with contextlib.suppress(OSError):
            if b"msauth.broker.background" not in (process / "cmdline").read_bytes():
                continue
            if ours in (process / "environ").read_bytes():
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                yield int(name), (int(fields[1]), int(fields[3]))


def test_a_long_lived_caller_gets_no_zombie(due: Due) -> None:
    """msauth-run becomes the command it runs, so nobody would reap for it."""
    program = (
        "import os, sys\n"
        "from msauth.broker import broker\n"
        "from msauth.request.selection import select\n"
        "token = broker.get_token(broker.devops_request(select({}, os.environ), 'contoso', []))\n"
        "try:\n    os.waitpid(-1, os.WNOHANG)\n"
        "except ChildProcessError:\n    os.write(1, b'no children')\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], env=due.env, capture_output=True, check=True
    )
    assert done.stdout == b"no children", done.stderr
    until(lambda: due.cloud.count("token") == 1, "nobody renews")


def test_a_logout_wins_over_it(due: Due, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSAUTH_CACHE_DIR", due.env["MSAUTH_CACHE_DIR"])
    get(due)
    until(lambda: due.cloud.count("token") == 1, "nobody renews")
    store.logout("")
    renewals = [pid for pid, _ in renewals_of(due)]
    due.go.set()
    until(
        lambda: not set(renewals) & {pid for pid, _ in renewals_of(due)},
        "the renewal does not end",
    )
    assert due.tokens() == []


def test_a_pipe_in_place_of_the_stamp_does_not_hang(due: Due) -> None:
    (path,) = due.place.glob("*.tok")
    os.mkfifo(path.with_suffix(".renewing"), 0o600)
    assert get(due)[0] == due.token


def hostile(folder: Path) -> Path:
    """Fill a directory with modules that the renewal would import; returns what they write."""
    mark = folder / "imported"
    text = f"open({str(mark)!r}, 'w').close()\nraise ImportError('hostile')\n"
    folder.mkdir()
    for name in ("json", "azure", "requests", "filelock", "hashlib", "platformdirs"):
        (folder / f"{name}.py").write_text(text)
    (folder / "msauth").mkdir()
    (folder / "msauth/__init__.py").write_text(text)
    return mark


def renewed(due: Due) -> None:
    due.go.set()
    until(lambda: due.tokens() != [due.token], "the new token is not written")


@pytest.mark.parametrize("threads", [False, True])
def test_it_imports_nothing_from_where_it_is_started(
    due: Due, tmp_path: Path, threads: bool
) -> None:
    """git runs the helper in the work tree, and a PYTHONPATH with an empty item is usual."""
    mark = hostile(tmp_path / "hostile")
    program = (
        "import os, sys\n"
        "from msauth import git_credential\n"
        "from msauth.request.selection import select\n"
        + ("import threading\n" if threads else "")
        + f"code, output = git_credential.run(['get'], lambda: {HELLO!r})\n"
        "os.write(1, output)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env=due.env | {"PYTHONPATH": f":{tmp_path / 'hostile'}"},
        cwd=tmp_path / "hostile",
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert attributes(done.stdout)["password"] == due.token
    renewed(due)
    assert not mark.exists()


@pytest.mark.parametrize("how", ["PYTHONPATH", "target"])
def test_it_renews_with_the_msauth_that_answered(due: Due, tmp_path: Path, how: str) -> None:
    """One that is found through PYTHONPATH only, or in a folder that a program added itself."""
    target = tmp_path / "target"
    shutil.copytree(Path(msauth.__file__).parent, target / "msauth")
    mark = tmp_path / "mark"
    with (target / "msauth/broker/background.py").open("a") as module:
        module.write(f"\nif 'get' not in sys.argv:\n    open({str(mark)!r}, 'w').close()\n")
    env = due.env
    if how == "PYTHONPATH":
        env = env | {"PYTHONPATH": str(target)}
        command = [sys.executable, "-m", "msauth.git_credential", "get"]
    else:
        program = (
            f"import sys; sys.path.insert(0, {str(target)!r}); "
            "from msauth.git_credential import main; main()"
        )
        command = [sys.executable, "-I", "-c", program, "get"]
    done = subprocess.run(command, input=HELLO, env=env, capture_output=True, check=True)
    assert attributes(done.stdout)["password"] == due.token
    renewed(due)
    assert mark.exists()


@pytest.mark.parametrize("limit", [8192, 256], ids=["as-it-was", "lowered-since"])
def test_no_descriptor_survives_however_high(due: Due, limit: int) -> None:
    """A caller with many files open, and one whose limit was lowered after it opened them."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 8192:
        pytest.skip("so many descriptors are not permitted here")
    read, write = os.pipe()
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, hard))
    try:
        high = fcntl.fcntl(write, fcntl.F_DUPFD, 5000)
        process = subprocess.Popen(
            ["sh", "-c", f"ulimit -S -n {limit}; exec git-credential-msauth get"],
            env=due.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[high],
        )
        os.close(high)
    finally:
        os.close(write)
        resource.setrlimit(resource.RLIMIT_NOFILE, old)
    output, _ = process.communicate(HELLO, timeout=DEADLINE)
    assert attributes(output)["password"] == due.token
    until(lambda: due.cloud.count("token") == 1, "nobody renews")
    ready, _, _ = select.select([read], [], [], DEADLINE / 3)
    assert ready, "the renewal holds the caller's pipe"
    assert os.read(read, 1) == b""
    os.close(read)


def test_an_unwritable_cache_does_not_renew_for_ever(cache: Cache) -> None:
    """`renew_behind` never raises, whatever the directory is."""
    from msauth.broker.background import renew_behind

    request = REQUEST.with_(env=dict(os.environ))
    renew_behind(request)
    cache.put(made_up("x"))
    cache.place.chmod(0o755)
    renew_behind(request)
    assert list(cache.place.glob("*.renewing")) == []
