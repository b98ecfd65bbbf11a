"""What a cold answer costs: what it imports, how often it asks, and what it waits for."""

import sys
import threading
from pathlib import Path

import pytest

from msauth_sandbox import Record, Sandbox

from .cache.test_imports import HARNESS
from .conftest import Environment, run_program, start_program
from .signin_stubs import ARM, DEVOPS, az_login, stub, subscription, write_profile

DEAR = {
    *("azure", "msal", "msal_extensions", "requests", "urllib3", "cryptography", "filelock"),
    *(
        "asyncio",
        "email",
        "hashlib",
        "http",
        "importlib.metadata",
        "ipaddress",
        "logging",
        "random",
    ),
    *("platformdirs", "ssl", "subprocess", "threading", "typing", "urllib"),
}
"""What costs a millisecond or more, and is not needed where nobody far away is asked."""


def imported(env: Environment, out: Path, *arguments: str, code: int = 0) -> set[str]:
    """Return what a run of msauth-token imports beyond a bare Python."""
    program = ("-I", "-c", HARNESS, "msauth.token.program", str(out), *arguments)
    done = run_program(sys.executable, *program, env=env)
    assert done.returncode == code, done.stderr
    return set(out.read_text().split())


@pytest.fixture
def az_env(bare_env: Environment, cloud: Sandbox, home: Path) -> Environment:
    """Somebody is signed in with az, which holds a token for Azure DevOps; az itself fails."""
    env = bare_env | cloud.environ
    az_login(cloud, env, DEVOPS)
    write_profile(home, subscription(cloud, "contoso", default=True))
    stub(env, "az", "exit 1")
    cloud.reset()
    return env


def test_what_az_holds(az_env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    found = imported(az_env, tmp_path / "modules", "devops")
    assert not found & (DEAR | {"socket"})
    assert "msauth.signin.azure_cli" in found
    assert not {"msauth.signin.network", "msauth.signin.developer_tools"} & found
    assert cloud.count() == 0


@pytest.mark.parametrize("protocol", ["app-service", "msi"])
def test_a_managed_identity(
    bare_env: Environment, cloud: Sandbox, tmp_path: Path, protocol: str
) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ(protocol)
    found = imported(env, tmp_path / "modules", "arm")
    assert not found & DEAR
    assert "socket" in found
    ours = {name.removeprefix("msauth.signin.") for name in found if "msauth.signin." in name}
    assert ours == {
        *("aadsts", "attempt", "chain", "identity_endpoint", "local_endpoint"),
        *("managed_identity", "prompts"),
    }
    assert cloud.count() == 1


def test_a_failure_that_is_remembered(
    bare_env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    env = bare_env | cloud.environ
    for out in ("first", "second"):
        found = imported(env, tmp_path / out, "arm", "--credential", "service-principal", code=1)
        assert not found & DEAR
    assert "msauth.signin.chain" not in found


def test_a_service_principal_needs_what_the_others_do_without(
    env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    found = imported(env, tmp_path / "modules", "arm")
    assert found >= DEAR - {"asyncio", "filelock", "platformdirs"}
    # The tenant's endpoints, which MSAL always wants to know, and the token.
    assert cloud.count(host="login.microsoftonline.com") == 2


def at_once(cloud: Sandbox, env: Environment, keys: list[tuple[str, ...]]) -> None:
    """Ask for all keys; no request is answered before each of them has come."""
    together = threading.Barrier(len(keys))

    def wait(_: Record) -> None:
        together.wait(60)

    cloud.on_token(wait)
    processes = [start_program("msauth-token", *key, env=env) for key in keys]
    for process in processes:
        output, errors = process.communicate(timeout=90)
        assert output.startswith(b"{"), errors
    assert not together.broken


def profiles(home: Path, count: int) -> tuple[str, list[tuple[str, ...]]]:
    """Return the path of as many profiles that differ in their names alone, and how to ask."""
    path = home / "profiles.toml"
    path.write_text("".join(f"[p{i}]\n" for i in range(count)))
    return str(path), [("arm", "--profile", f"p{i}") for i in range(count)]


def test_keys_of_one_machine_wait_for_nobody(
    bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    env["MSAUTH_CONFIG"], keys = profiles(home, 4)
    at_once(cloud, env, keys)


@pytest.mark.long
def test_keys_of_one_application_wait_for_nobody(
    env: Environment, cloud: Sandbox, home: Path
) -> None:
    env["MSAUTH_CONFIG"], keys = profiles(home, 4)
    at_once(cloud, env, keys)


@pytest.mark.long
def test_keys_of_one_user_of_az_wait_for_nobody(
    az_env: Environment, cloud: Sandbox, home: Path
) -> None:
    az_env["MSAUTH_CONFIG"], keys = profiles(home, 4)
    at_once(cloud, az_env, [(*key, "--credential", "azure-cli-cache") for key in keys])


def test_who_signs_in_with_what_a_person_left_loads_the_library_first(
    bare_env: Environment, cloud: Sandbox
) -> None:
    """Under the lock of the sign-in only its requests are made: others wait for those alone."""
    program = (
        "import os, sys\n"
        "from msauth.errors import UnavailableError\n"
        "from msauth.request.request import TokenRequest\n"
        "from msauth.signin import acquire, persistence\n"
        "locked = persistence.Store.locked\n"
        "def look(*arguments):\n"
        "    print('azure.identity' in sys.modules)\n"
        "    return locked(*arguments)\n"
        "persistence.Store.locked = look\n"
        f"request = TokenRequest(({ARM!r},), dict(os.environ), credential='device-code')\n"
        "try:\n"
        "    acquire(request, claims=None)\n"
        "except UnavailableError:\n"
        "    print('nobody')\n"
    )
    done = run_program("python", "-c", program, env=bare_env | cloud.environ)
    assert done.stdout.split() == [b"True", b"nobody"], done.stderr
