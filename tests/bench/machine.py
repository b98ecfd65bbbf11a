"""What the numbers depend on: the machine and the versions. No name of a host or a person."""

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path


def about(python: str) -> dict[str, str]:
    """Return what is to be known of a run that begins now; python: the measured one."""
    return {
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} processors",
        "system": f"{_distribution()}, {platform.system()} {platform.release()}",
        "msauth": version("msauth"),
        "Python": version_of(python, "--version"),
        "git": version_of("git", "version"),
    }


def version_of(*command: str) -> str:
    """Return the first version in what a command prints, or "unknown"."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    found = re.search(r"\d+\.\d[\w.+-]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def load() -> float:
    """Return how many processes wanted a processor in the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    try:
        found = re.search(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown distribution"
