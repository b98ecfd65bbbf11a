"""What sign-in tests lay out: az's own files, and programs that stand in for az and others."""

import json
import stat
import subprocess
import sys
from pathlib import Path

from msauth_sandbox import Sandbox

from .conftest import Environment

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
ARM = "https://management.azure.com/.default"
HELLO = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
WIDGETS = b"protocol=https\nhost=dev.azure.com\npath=fabrikam/widgets/_git/widgets\n\n"

# Signs in as az does: the same client, MSAL and file.
_LOGIN = """
import msal, sys
tenant, path, scopes = sys.argv[1], sys.argv[2], sys.argv[3:]
cache = msal.SerializableTokenCache()
app = msal.PublicClientApplication("04b07795-8ddb-461a-bbee-02f9e1bf7b46", token_cache=cache,
    authority="https://login.microsoftonline.com/" + tenant, client_capabilities=["CP1"])
result = app.acquire_token_by_device_flow(app.initiate_device_flow(scopes))
assert "access_token" in result, result
open(path, "w").write(cache.serialize())
"""

_LEFT: dict[tuple[str, str, str, tuple[str, ...]], str] = {}


def subscription(
    cloud: Sandbox, tenant: str, user: str = "alex@contoso.com", *, default: bool = False
) -> dict[str, object]:
    """Return an entry of azureProfile.json."""
    return {
        "id": cloud.subscription_id(tenant),
        "name": tenant,
        "state": "Enabled",
        "user": {"name": user, "type": "user"},
        "isDefault": default,
        "tenantId": cloud.tenants[tenant].id,
        "tenantDefaultDomain": f"{tenant}.com",
        "environmentName": "AzureCloud",
    }


def write_profile(home: Path, *subscriptions: dict[str, object]) -> Path:
    """Write azureProfile.json as az does, with a byte order mark."""
    folder = home / ".azure"
    folder.mkdir(exist_ok=True)
    path = folder / "azureProfile.json"
    path.write_text(json.dumps({"subscriptions": subscriptions}), encoding="utf-8-sig")
    return path


def az_login(
    cloud: Sandbox,
    env: Environment,
    *scopes: str,
    tenant: str = "contoso",
    user: str = "alex@contoso.com",
) -> Path:
    """Leave the token cache that `az login` leaves; returns its path.

    Signing in costs a second, and what one sandbox issued stays valid: it is done once.
    """
    folder = Path(env["HOME"]) / ".azure"
    folder.mkdir(exist_ok=True)
    path = folder / "msal_token_cache.json"
    asked = (cloud.url, tenant, user, scopes)
    if asked in _LEFT:
        path.write_text(_LEFT[asked])
        path.chmod(0o600)
        return path
    cloud.configure(user=user, device_code="auto")
    subprocess.run(
        [sys.executable, "-c", _LOGIN, cloud.tenants[tenant].id, str(path), *scopes],
        env=env,
        check=True,
    )
    path.chmod(0o600)
    _LEFT[asked] = path.read_text()
    return path


def stub(env: Environment, name: str, script: str) -> Path:
    """Put a program on PATH that appends its arguments to `<name>.log` and then runs script."""
    folder = Path(env["HOME"]) / "stubs"
    folder.mkdir(exist_ok=True)
    log = folder / f"{name}.log"
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> {log}\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    if str(folder) not in env["PATH"].split(":"):
        env["PATH"] = f"{folder}:{env['PATH']}"
    return log


def attributes(output: bytes) -> dict[str, str]:
    """Return git-credential's answer as a dictionary."""
    lines = output.decode().split("\n")
    return dict(line.partition("=")[::2] for line in lines if "=" in line)
