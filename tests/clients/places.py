"""Where install/clients.sh put the real clients, and the commands that run them.

Nothing is prepared here: `sh install/clients.sh` does that. A client that is not there
skips the test with the reason that the script gives.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = HERE.parent.parent / "install" / "clients.sh"


def remember_folder() -> None:
    """Keep where the clients are for all test processes, before they get a HOME of their own."""
    if "MSAUTH_TEST_CLIENTS_DIR" not in os.environ:
        done = _script("--where")
        os.environ["MSAUTH_TEST_CLIENTS_DIR"] = done.stdout.strip()


def prepared(name: str) -> str:
    """The path of a client, or a skipped test. `MSAUTH_TEST_GIT_LFS` and the like name another."""
    path, reason = _look(name)
    if not path:
        pytest.skip(reason)
    return path


@functools.cache
def _look(name: str) -> tuple[str, str]:
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


def command(client: str) -> list[str]:
    """How a client is started; names of scopes or resources are to follow.

    Each prints a line for each name: audience, tenant, and the seconds that it believes the token
    will live.
    """
    go, node, java, python = "go-clients", "node-clients", "java-clients", "old-python-clients"
    script = str(HERE / "python" / "clients.py")
    match client:
        case "terraform" | "go" | "go-default":
            kind = {"go": "managed", "go-default": "default"}.get(client, client)
            return [prepared(go), kind]
        case "node" | "node-default" | "node-2021" | "nodeauth":
            kinds = {"node": "managed", "node-default": "default", "node-2021": "managed-2021"}
            modules = f"NODE_PATH={prepared(node)}"
            kind = kinds.get(client, client)
            return ["env", modules, "node", str(HERE / "node" / "clients.js"), kind]
        case "java" | "java-default":
            kind = "default" if client == "java-default" else "managed"
            return ["java", "-cp", Path(prepared(java)).read_text(), "Clients", kind]
        case "python-2020" | "msrestazure":
            kind = "managed" if client == "python-2020" else client
            return [prepared(python), script, kind]
        case "python":
            return [sys.executable, script, "managed"]
    raise KeyError(client)
