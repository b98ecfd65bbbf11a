"""The real clients that install/clients.sh prepared, for a test, and the commands that run them.

A client that is not there skips the test with the reason that the script gives.
"""

import sys
from pathlib import Path

import pytest

from .where import look

HERE = Path(__file__).parent


def prepared(name: str) -> str:
    """The path of a client, or a skipped test. `MSAUTH_TEST_GIT_LFS` and the like name another."""
    path, reason = look(name)
    if not path:
        pytest.skip(reason)
    return path


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
