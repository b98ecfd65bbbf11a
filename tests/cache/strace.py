"""Faults at a chosen system call, with strace's `inject` (strace(1), "Syscall tampering")."""

import functools
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ..conftest import Environment

Done = subprocess.CompletedProcess[bytes]
_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\(")


@functools.cache
def _trouble() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-f", "-e", "inject=getppid:error=EIO", "true"], capture_output=True, check=False
    )
    return "" if done.returncode == 0 else "ptrace is not permitted here"


def needed() -> None:
    if _trouble():
        pytest.skip(_trouble())


def run(
    command: list[str],
    *expressions: str,
    env: Environment,
    paths: tuple[Path, ...] = (),
    stdin: bytes = b"",
    log: Path | None = None,
) -> Done:
    """Run a command under strace; expressions as for -e; paths limit what is traced."""
    words = ["strace", "-f", "-qq", "-s", "65536", "-o", str(log) if log else "/dev/null"]
    for expression in expressions:
        words += ["-e", expression]
    for path in paths:
        words += ["-P", str(path)]
    return subprocess.run(
        [*words, "--", *command], input=stdin, env=env, capture_output=True, timeout=60, check=False
    )


def python(code: str) -> list[str]:
    """A minimal Python process that runs code; it always starts with the same system calls."""
    return [sys.executable, "-I", "-c", code]


def calls(log: Path) -> list[str]:
    """Return the names of the system calls in a log, in order."""
    found = (_CALL.match(line) for line in log.read_text(errors="replace").splitlines())
    return [match[1] for match in found if match]


def after_mark(log: Path, mark: str) -> list[tuple[str, int]]:
    """Return (name, when) of every call after the line that holds mark."""
    counts: Counter[str] = Counter()
    found, marked = [], False
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        counts[match[1]] += 1
        if marked:
            found.append((match[1], counts[match[1]]))
        marked = marked or mark in line
    assert marked, "the mark is missing"
    return found
