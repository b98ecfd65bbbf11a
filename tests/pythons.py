"""The Pythons of this machine that msauth supports: those on PATH, and pyenv's."""

import functools
import os
import pwd
import subprocess
from pathlib import Path

import pytest

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


@functools.cache
def find(version: str) -> str:
    """Return the path of the interpreter of a version, or nothing.

    What PATH has may be a shim that starts another or none, so each is asked who it is.
    """
    home = pwd.getpwuid(os.getuid()).pw_dir  # HOME is the tests' own
    pyenv = Path(os.environ.get("PYENV_ROOT") or f"{home}/.pyenv") / "versions"
    names = [f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python{version}"))]
    code = "import sys, venv, ensurepip; print(sys.version_info[:2], sys.executable)"
    for name in names:
        try:
            command = [name, "-I", "-c", code]
            done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        numbers, _, executable = done.stdout.strip().rpartition(" ")
        if numbers == f"({version.replace('.', ', ')})":
            return executable
    return ""


def needed(version: str) -> str:
    """Return the path of the interpreter of a version, or skip the test."""
    found = find(version)
    if not found:
        pytest.skip(f"there is no Python {version} with venv and ensurepip on this machine")
    return found
