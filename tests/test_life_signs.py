"""What takes long is said at a terminal: what is waited for, and for how long at most."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msauth import waiting, watch
from msauth_sandbox import Sandbox

from .cache.test_lock_liveness import HOLD
from .conftest import SCRIPTS, Environment, start_program
from .signin_stubs import stub, subscription, write_profile
from .terminal import Terminal

TOKEN = [str(SCRIPTS / "msauth-token"), "arm", "--format", "token"]
SLOW_SERVER = b"msauth-token: note: waiting for login.microsoftonline.com, for up to 40 seconds\r\n"


class Hold:
    """Holds the answers of the token endpoint back until `go` is set."""

    def __init__(self, cloud: Sandbox) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        cloud.on_token(self._wait)

    def _wait(self, _: object) -> None:
        self.asked.set()
        self.go.wait(30)


@pytest.fixture
def hold(cloud: Sandbox) -> Iterator[Hold]:
    held = Hold(cloud)
    yield held
    held.go.set()


@pytest.fixture
def person(env: Environment, cloud: Sandbox) -> Environment:
    """An environment in which no variable names an identity."""
    return {name: value for name, value in env.items() if name not in cloud.identity_variables}


@pytest.fixture
def gate(home: Path) -> Path:
    """A pipe for a program of the test to read from, which holds it until somebody writes."""
    path = home / "gate"
    os.mkfifo(path)
    return path


def opened(gate: Path) -> None:
    gate.write_text("go")


def test_a_slow_server_is_named_at_a_terminal_and_never_in_a_pipe(
    env: Environment, hold: Hold, home: Path
) -> None:
    other = env | {"MSAUTH_CACHE_DIR": str(home / "other")}
    piped = start_program(*TOKEN[:1], *TOKEN[1:], env=other)
    assert hold.asked.wait(30)
    with Terminal(TOKEN, env) as terminal:
        terminal.read_until(SLOW_SERVER)
        hold.go.set()
        assert terminal.event() == ("exited", 0)
        assert terminal.rest().count(b"waiting") == 1
    output, errors = piped.communicate(timeout=30)
    assert output.startswith(b"ey")
    assert errors == b"", "it has waited for longer than the one at the terminal"


def test_a_cached_answer_says_nothing(env: Environment, cloud: Sandbox) -> None:
    for _ in range(2):
        with Terminal(TOKEN, env) as terminal:
            assert terminal.event() == ("exited", 0)
            assert b"note" not in terminal.rest()
    assert cloud.count("token") == 1


def test_az_is_named(person: Environment, cloud: Sandbox, home: Path, gate: Path) -> None:
    write_profile(home, subscription(cloud, "contoso", default=True))
    token = cloud.issue_token(
        scope="https://management.azure.com/.default", user="alex@contoso.com"
    )
    answer = f'{{"accessToken": "{token}", "expires_on": 4000000000}}'
    stub(person, "az", f"cat {gate} >/dev/null\necho '{answer}'")
    with Terminal([*TOKEN, "--credential", "azure-cli"], person) as terminal:
        terminal.read_until(b"msauth-token: note: waiting for az, for up to 60 seconds\r\n")
        opened(gate)
        assert terminal.event() == ("exited", 0)
        assert token.encode() in terminal.rest()


def test_the_browser_is_named(person: Environment, cloud: Sandbox, home: Path, gate: Path) -> None:
    (inner,) = cloud.browser_environ().values()
    slow = home / "slow"
    slow.write_text(f'#!/bin/sh\ncat {gate} >/dev/null\nexec {inner.split()[0]} "$1"\n')
    slow.chmod(0o755)
    person["BROWSER"] = f"{slow} %s &"
    with Terminal([*TOKEN, "--credential", "browser"], person) as terminal:
        terminal.read_until(
            b"note: waiting for the sign-in in the browser, for up to 5 minutes\r\n"
        )
        opened(gate)
        assert terminal.event() == ("exited", 0)


def test_another_process_is_named_by_its_pid(env: Environment, hold: Hold) -> None:
    first = start_program(*TOKEN[:1], *TOKEN[1:], env=env)
    assert hold.asked.wait(30)
    with Terminal(TOKEN, env) as terminal:
        terminal.read_until(b"that is signing in, for up to 30 seconds\r\n")
        hold.go.set()
        assert terminal.event() == ("exited", 0)
        said = terminal.rest()
    first.communicate(timeout=30)
    pid = f" ({first.pid})" if Path("/proc/locks").exists() else ""
    assert f"note: waiting for another process{pid} that is signing in".encode() in said


def test_a_pause_that_a_server_asks_for_is_said(env: Environment, cloud: Sandbox) -> None:
    cloud.fail_http("login.microsoftonline.com", 429, retry_after=3, path="*/token")
    with Terminal(TOKEN, env) as terminal:
        terminal.read_until(b"waiting for the pause before another try, for up to 3 seconds\r\n")
        assert terminal.event() == ("exited", 0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said after a tenth of a second instead of two, at what counts as a terminal."""
    lines: list[str] = []
    monkeypatch.setattr(watch, "QUIET", 0.1)
    monkeypatch.setattr(watch, "say", lambda _, text: lines.append(text))
    monkeypatch.setattr(os, "isatty", lambda _: True)
    return lines


def pause(until: Callable[[], bool] = lambda: False, *, most: float = 20) -> None:
    """Wait, a short slice at a time, until something has happened."""
    event = threading.Event()
    for _ in range(int(most / 0.01)):
        if until():
            return
        event.wait(0.01)


def test_many_short_waits_add_up_and_the_innermost_is_named(said: list[str]) -> None:
    with waiting.waiting_for("the sign-in", 0):
        while not said:
            with waiting.waiting_for("a.example", 40):
                pause(most=0.03)
    assert said[0] in ("waiting for a.example, for up to 40 seconds", "waiting for the sign-in")
    assert len(said) == 1


def test_the_next_wait_is_said_as_well(said: list[str]) -> None:
    with waiting.waiting_for("the sign-in", 0):
        for name in ("az", "git"):
            with waiting.waiting_for(name, 300):
                pause(lambda name=name: any(name in line for line in said))  # type: ignore[misc]
    assert said == [f"waiting for {name}, for up to 5 minutes" for name in ("az", "git")]


def test_a_thread_beside_a_wrapped_command_is_silent(said: list[str]) -> None:
    done: list[bool] = []

    def work() -> None:
        with waiting.waiting_for("az", 60):
            pause(most=0.3)
        with waiting.waiting_for("az", 60, piped="another process"):
            pause(lambda: bool(said))
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert done == [True]
    assert said == ["waiting for another process"]


def test_a_lock_that_nobody_can_be_named_for(tmp_path: Path) -> None:
    """Who holds it is told by the system, where it tells; else nobody is named."""
    from msauth.cache.lock import _holder

    assert _holder(str(tmp_path / "missing")) == ""
    (tmp_path / "free.lock").touch()
    assert _holder(str(tmp_path / "free.lock")) == ""
    tmp_path.chmod(0o700)
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", HOLD, str(tmp_path), "held"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(4) == b"held"
    assert _holder(str(tmp_path / "held.lock")) in ("", str(process.pid))
    process.communicate(b"x")
