"""What Azure Arc asks for a token: what is in a file that only those can read who may have one.

https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_AGENT = "/opt/azcmagent/bin/himds"
_LIMIT = 4096
"""Bytes of the file."""


def proof(challenge: str, env: "Mapping[str, str]") -> str:
    """Return the Authorization header that answers a challenge, `Basic realm=PATH`.

    Nothing but a key of Azure Arc's is read and sent: a small file in the agent's own folder.
    Raises PermissionError, and ValueError that says in few words what is wrong.
    """
    scheme, _, path = challenge.partition("=")
    path = path.strip('"')
    if scheme.lower() != "basic realm" or not path.endswith(".key"):
        raise ValueError("no challenge of Azure Arc's")
    keys = folder(env)
    if not keys or os.path.dirname(path) != keys:
        raise ValueError("a key that is none of Azure Arc's")
    try:
        with open(path, "rb") as file:
            key = file.read(_LIMIT + 1)
    except PermissionError:
        raise
    except (OSError, ValueError):
        raise ValueError("a key that cannot be read") from None
    if len(key) > _LIMIT:
        raise ValueError("a key that is too long")
    return "Basic " + key.decode("latin-1").strip()


def is_here(env: "Mapping[str, str]") -> bool:
    """Say whether Azure Arc's agent is installed: a service or cron has no variables of it."""
    if sys.platform == "win32":
        programs = env.get("PROGRAMFILES", "C:\\Program Files")
        return os.path.exists(os.path.join(programs, "AzureConnectedMachineAgent", "himds.exe"))
    return os.path.exists(_AGENT)


def folder(env: "Mapping[str, str]") -> str:
    """Return where the agent puts its keys, "" where that is not known."""
    if sys.platform == "win32":
        data = env.get("PROGRAMDATA", "")
        return os.path.join(data, "AzureConnectedMachineAgent", "Tokens") if data else ""
    return "/var/opt/azcmagent/tokens"


def confirms(body: "dict[str, Any]", client_id: str, resource_id: str) -> bool:
    """Say whether an answer is of the chosen identity ("" and "": of the machine's own).

    An old agent knows no other than that, and gives it whatever it is asked.
    """
    if not client_id and not resource_id:
        return True
    given = body.get("client_id")
    if resource_id:
        given = body.get("msi_res_id") or body.get("mi_res_id")
    return str(given or "").lower() == (resource_id or client_id).lower()
