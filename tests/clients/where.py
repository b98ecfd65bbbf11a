"""Where install/clients.sh put the real clients. Nothing is prepared here: the script does that."""

import functools
import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent.parent.parent / "install" / "clients.sh"


def remember_folder() -> None:
    """Keep where the clients are for all test processes, before they get a HOME of their own."""
    if "MSAUTH_TEST_CLIENTS_DIR" not in os.environ:
        done = _script("--where")
        os.environ["MSAUTH_TEST_CLIENTS_DIR"] = done.stdout.strip()


@functools.cache
def look(name: str) -> tuple[str, str]:
    """The path of a client, or an empty one and the reason why there is none.

    `MSAUTH_TEST_GIT_LFS` and the like name another.
    """
    variable = {"azure-cli": "AZ"}.get(name, name.upper().replace("-", "_"))
    named = os.environ.get("MSAUTH_TEST_" + variable)
    if named:
        return named, ""
    done = _script("--where", name)
    lines = done.stderr.strip().splitlines()
    return done.stdout.strip(), lines[-1] if lines else f"{name} is not prepared"


def _script(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
