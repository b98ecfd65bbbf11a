"""The real azure-cli, unmodified. ``MSAUTH_TEST_AZ`` names it when it is not on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AZ = os.environ.get("MSAUTH_TEST_AZ") or shutil.which("az")
DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"

pytestmark = [
    pytest.mark.real_az,
    pytest.mark.skipif(AZ is None, reason="no az on PATH, and MSAUTH_TEST_AZ does not name one"),
]


@pytest.fixture
def az(environ: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    def run(*arguments: str, ok: bool = True, **more: str) -> Any:
        done = subprocess.run(
            [str(AZ), *arguments, "--output", "json"],
            env=environ | {"AZURE_CONFIG_DIR": str(tmp_path / "azure")} | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode == 0) is ok, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else done.stderr

    return run


def test_device_code_and_two_tenants(cloud, az):
    accounts = az("login", "--use-device-code")
    assert {a["tenantId"] for a in accounts} == {t.id for t in cloud.tenants.values()}
    assert cloud.count("devicecode") == 1
    token = az("account", "get-access-token", "--resource", DEVOPS)
    assert token["tenant"] == cloud.tenants["contoso"].id
    fabrikam = cloud.tenants["fabrikam"].id
    guest = az("account", "get-access-token", "--resource", DEVOPS, "--tenant", fabrikam)
    assert guest["tenant"] == fabrikam
    assert cloud.count("token", tenant="fabrikam", scope=f"{DEVOPS}/.default") == 1
    az("account", "get-access-token", "--resource", DEVOPS, "--tenant", fabrikam)
    assert cloud.count("token", tenant="fabrikam", scope=f"{DEVOPS}/.default") == 1
    assert az("group", "list")[0]["name"] == "hello"
    az("logout")
    assert "az login" in az("account", "get-access-token", ok=False)


def test_revoked_refresh_token(cloud, az):
    az("login", "--use-device-code", "--tenant", "contoso.com")
    cloud.revoke_refresh_tokens(error_code=700082)
    said = az("account", "get-access-token", "--resource", DEVOPS, ok=False)
    assert "AADSTS700082" in said
    assert "az login" in said


def test_browser(cloud, az):
    accounts = az("login", **cloud.browser_environ())
    assert accounts[0]["user"]["name"] == "alex@contoso.com"
    assert cloud.count("authorize") == 1


def test_service_principal(cloud, az):
    secret = cloud.client_secret
    az("login", "--service-principal", "-u", cloud.client_id, "-p", secret, "-t", "fabrikam.com")
    token = az("account", "get-access-token", "--resource", DEVOPS)
    assert token["tenant"] == cloud.tenants["fabrikam"].id


def test_managed_identity(cloud, az):
    az("login", "--identity", **cloud.managed_identity_environ())
    assert cloud.count("managed_identity") == 1


def test_it_finds_the_sign_in_of_a_ready_shell(environ, tmp_path):
    """The files that the sandbox writes are az's own; az refreshes what they hold."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "az").symlink_to(str(AZ))
    script = """
    az account show --query user.name -o tsv
    az account get-access-token --resource https://graph.microsoft.com --query tokenType -o tsv
    git ls-remote -q https://dev.azure.com/fabrikam/widgets/_git/widgets HEAD
    """
    program = [sys.executable, "-m", "msauth_sandbox", "--", "sh", "-ec", script]
    path = f"{tmp_path}/bin:{environ['PATH']}"
    env = {"HOME": environ["HOME"], "PATH": path, "TMPDIR": str(tmp_path)}
    done = subprocess.run(program, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["alex@contoso.com", "Bearer"]
    assert done.stdout.endswith("\tHEAD\n")
