"""What stands in for `os` in a cached answer is what `os` itself would say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import msauth_start
from msauth import system

ENVIRONMENT = """
import sys
sys.path.append(sys.argv[1])
from msauth.system import environment, os as ours
assert "os" not in sys.modules and ours is sys.modules["posix"]
given = environment()
import os
assert given == dict(os.environ), (given, dict(os.environ))
print(len(given))
"""


def test_the_environment_is_that_of_os(tmp_path: Path) -> None:
    odd = {b"A": b"\xff\xfe", b"\xe9": b"=", "Ü".encode(): "ß\n€".encode(), b"EMPTY": b""}
    for locale in (b"C.UTF-8", b"C", b"POSIX"):
        done = subprocess.run(
            [sys.executable, "-IS", "-c", ENVIRONMENT, str(Path(msauth_start.FOLDER).parent)],
            env=odd | {b"LC_ALL": locale},
            capture_output=True,
            check=True,
            cwd=tmp_path,
        )
        assert int(done.stdout) >= len(odd) + 1


def test_the_environment_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSAUTH_X", "1")
    held = system.environment()
    assert held == dict(os.environ)
    monkeypatch.setenv("MSAUTH_X", "2")
    monkeypatch.setenv("MSAUTH_Y", "3")
    assert held["MSAUTH_X"] == "1"
    assert system.environment() is held
    assert held == dict(os.environ)
    monkeypatch.delenv("MSAUTH_Y")
    assert system.environment() == dict(os.environ)


def test_another_thread_may_set_variables_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program that uses msauth as a module."""

    class Slow(bytes):
        """A value during whose decoding the other thread has its turn."""

        def decode(self, *_: str) -> str:
            data.update({b"A": b"1", b"B": b"2"})
            system.environment()
            return "slow"

    data: dict[bytes, bytes] = {b"A": Slow(b""), b"GONE": b""}
    monkeypatch.setattr("posix.environ", data)
    monkeypatch.setattr(system, "_ENVIRONMENT", {})
    assert system.environment() == {"A": "slow", "GONE": ""}
    assert system.environment() == {"A": "1", "B": "2", "GONE": ""}


def test_a_program_gets_what_python_can_pass_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable without a name is what Cygwin and Wine leave: `=C:=C:\\`."""
    monkeypatch.setattr("posix.environ", {b"": b"C:=C:\\", b"A": b"\xff"})
    monkeypatch.setattr(system, "_ENVIRONMENT", {})
    done = subprocess.run(
        ["/usr/bin/env"], env=system.environment(), capture_output=True, check=True
    )
    assert done.stdout == b"A=\xff\n"


def test_os_is_os_where_it_is_loaded() -> None:
    assert system.os is os  # type: ignore[comparison-overlap] # the checker is told posix


@pytest.mark.parametrize("text", ["", "a", "ä/€", "\udcff\udcfe", "a\udc80b"])
def test_fsencode(text: str) -> None:
    assert system.fsencode(text) == os.fsencode(text)


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "//a", "a/b", "./a", "~/a", "\\a", "C:\\a", "C:/a"]
)
def test_is_absolute(path: str) -> None:
    assert system.is_absolute(path) == os.path.isabs(path)
