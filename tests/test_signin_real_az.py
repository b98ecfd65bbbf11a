"""The same with the real azure-cli; `MSAUTH_TEST_AZ` names it when it is not on PATH."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .conftest import Environment, run_program, start_program
from .signin_stubs import HELLO, WIDGETS, attributes

AZ = os.environ.get("MSAUTH_TEST_AZ") or shutil.which("az") or ""
PROG = "git-credential-msauth"
DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"

pytestmark = [
    pytest.mark.real_az,
    pytest.mark.skipif(not AZ, reason="no az on PATH, and MSAUTH_TEST_AZ does not name one"),
]
Az = Callable[..., str]


@pytest.fixture
def az_env(bare_env: Environment, cloud: Sandbox) -> Environment:
    env = bare_env | cloud.environ
    return env | {"PATH": f"{env['PATH']}:{Path(AZ).parent}", "MSAUTH_CREDENTIAL": "azure-cli"}


@pytest.fixture
def az(az_env: Environment) -> Az:
    def az(*arguments: str) -> str:
        done = run_program(AZ, *arguments, env=az_env, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    return az


def get(env: Environment, *options: str, stdin: bytes = HELLO) -> str:
    done = run_program(PROG, *options, "get", env=env, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return attributes(done.stdout)["password"]


def files(env: Environment) -> dict[str, str]:
    folder = Path(env["HOME"]) / ".azure"
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.json")}


def test_login_two_organisations_and_logout(az_env: Environment, az: Az, cloud: Sandbox) -> None:
    az("login", "--use-device-code")
    tenant = cloud.tenants["contoso"].id
    held = az(
        *("account", "get-access-token", "--resource", DEVOPS, "--tenant", tenant),
        *("--query", "accessToken", "--output", "tsv"),
    ).strip()
    requests = cloud.count("token")
    assert get(az_env) == held
    assert cloud.count("token") == requests
    assert get(az_env, stdin=WIDGETS) != held  # by az, at the other tenant
    az("logout")
    done = run_program(PROG, "get", env=az_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert b"hint: az login --tenant" in done.stderr


def test_every_program_after_one_login(az_env: Environment, az: Az, tmp_path: Path) -> None:
    """Azure Resource Manager, Azure DevOps in two tenants, and Microsoft Graph."""
    az("login", "--use-device-code")
    helper = ("-c", "credential.helper=", "-c", "credential.helper=msauth")
    for organisation, repository in (("contoso", "hello"), ("fabrikam", "widgets")):
        url = f"https://dev.azure.com/{organisation}/{repository}/_git/{repository}"
        path = ("-c", "credential.useHttpPath=true", "clone", url, str(tmp_path / organisation))
        done = run_program("git", *helper, *path, env=az_env)
        assert done.returncode == 0, done.stderr
    done = run_program("msauth-token", "arm", "--format", "token", env=az_env)
    assert done.stdout.startswith(b"eyJ"), done.stderr
    command = ("sh", "-c", 'test -n "$GRAPH" && test -n "$DEVOPS"')
    done = run_program(
        "msauth-run", "-e", "GRAPH=graph", "-e", "DEVOPS=devops", "--", *command, env=az_env
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(run_program("msauth", "inspect", "graph", "--json", env=az_env).stdout)
    assert (report["account"], report["fixed_permissions"]) == ("alex@contoso.com", True)


def test_a_rejected_token_of_a_service_principal_is_replaced(
    az_env: Environment, az: Az, cloud: Sandbox
) -> None:
    tenant = cloud.tenants["contoso"].id
    secret = ("-u", cloud.client_id, "-p", cloud.client_secret, "--tenant", tenant)
    az("login", "--service-principal", *secret)
    first = get(az_env)
    before = files(az_env)
    cloud.revoke(first)
    text = HELLO[:-1] + b"password=" + first.encode() + b"\n\n"
    run_program(PROG, "erase", env=az_env, stdin=text)
    assert get(az_env) != first
    assert files(az_env) == before
    az("account", "get-access-token", "--resource", "https://management.azure.com")


def test_the_profile_changes_only_when_the_account_does(az_env: Environment, az: Az) -> None:
    profile = Path(az_env["HOME"]) / ".azure" / "azureProfile.json"

    def stamp() -> tuple[int, int, int]:
        status = profile.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns

    az("login", "--use-device-code")
    signed_in = stamp()
    az("account", "get-access-token", "--resource", DEVOPS)
    az("account", "list")
    assert stamp() == signed_in
    other = az("account", "list", "--query", "[?!isDefault].id | [0]", "--output", "tsv").strip()
    az("account", "set", "--subscription", other)
    assert stamp() != signed_in
    chosen = stamp()
    az("account", "clear")
    assert stamp() != chosen


def test_a_rejected_token_is_redeemed_and_az_still_works(
    az_env: Environment, az: Az, cloud: Sandbox
) -> None:
    az("login", "--use-device-code")
    first = get(az_env)
    before = files(az_env)
    cloud.revoke(first)
    text = HELLO[:-1] + b"password=" + first.encode() + b"\n\n"
    run_program(PROG, "erase", env=az_env, stdin=text)
    second = get(az_env)
    assert second != first
    assert files(az_env) == before
    az("account", "get-access-token", "--resource", "https://management.azure.com")


def test_while_az_rewrites_its_cache_nobody_is_called_signed_out(
    az_env: Environment, az: Az, cloud: Sandbox, tmp_path: Path
) -> None:
    az("login", "--use-device-code")
    resources = [
        "https://vault.azure.net",
        "https://storage.azure.com",
        "https://graph.microsoft.com",
    ]
    writers = [
        subprocess.Popen(
            [AZ, "account", "get-access-token", "--resource", resource],
            env=az_env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for resource in resources
    ]
    asking = []
    for number in range(8):
        env = az_env | {"MSAUTH_CACHE_DIR": str(tmp_path / str(number))}
        process = start_program(PROG, "get", env=env)
        assert process.stdin is not None
        process.stdin.write(HELLO)
        process.stdin.close()
        process.stdin = None
        asking.append(process)
    for process in asking:
        output, errors = process.communicate(timeout=120)
        assert "password" in attributes(output), errors
    for writer in writers:
        writer.wait(120)
