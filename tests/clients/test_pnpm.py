"""pnpm 10 and 12 with pnpm-token-msauth as their helper, which `msauth setup pnpm` makes it."""

import json

import pytest

from msauth_sandbox import Sandbox

from ..conftest import run_program
from .tools import ORGANIZATIONS, Tool, feed

pytestmark = pytest.mark.real_client


def project(tool: Tool, *organizations: str) -> None:
    wanted = {f"@{name}/hello": "1.0.0" for name in organizations}
    tool.write(
        "package.json", json.dumps({"name": "m", "version": "1.0.0", "dependencies": wanted})
    )
    lines = [f"@{name}:registry={feed(name, 'npm/registry/')}\n" for name in ORGANIZATIONS]
    tool.write(".npmrc", "".join(lines))


def set_up(tool: Tool, *words: str) -> None:
    program = tool.home / "bin" / "pnpm"
    program.parent.mkdir(exist_ok=True)
    if not program.exists():
        program.symlink_to(tool.program[0])
    env = tool.env | {"PATH": f"{program.parent}:{tool.env['PATH']}"}
    done = run_program("msauth", "setup", "pnpm", *words, env=env)
    assert done.returncode == 0, done.stderr


def test_two_organisations(cloud: Sandbox, pnpm: Tool) -> None:
    pnpm.env |= cloud.service_principal_environ("contoso")
    project(pnpm, *ORGANIZATIONS)
    set_up(pnpm, *ORGANIZATIONS)
    pnpm("install")
    pnpm("update")
    for name in ORGANIZATIONS:
        assert (pnpm.work / f"node_modules/@{name}/hello/package.json").exists()
        assert cloud.count("token", tenant=name) == 1
    new = pnpm.program[0].endswith("12")
    assert (pnpm.home / ".npmrc").exists() is not new
    assert (pnpm.home / ".config/pnpm/auth.ini").exists() is new
    assert cloud.stats()["unknown_hosts"] == []


def test_a_profile_for_all_of_azure_artifacts(cloud: Sandbox, pnpm: Tool) -> None:
    pnpm.env |= cloud.service_principal_environ("contoso")
    tenant = cloud.tenants["fabrikam"].id
    pnpm.write("~/.config/msauth/profiles.toml", f'[work]\ntenant = "{tenant}"\n')
    project(pnpm, "fabrikam")
    set_up(pnpm, "work")
    pnpm("install")
    assert cloud.count("token", tenant="fabrikam") == 1
    assert cloud.count("token") == 1


def test_a_sign_in_that_fails(cloud: Sandbox, pnpm: Tool) -> None:
    """pnpm 10 says that the helper failed, 12 not even that, and neither what it said."""
    pnpm.env |= cloud.service_principal_environ("contoso") | {"AZURE_CLIENT_SECRET": "wrong"}
    project(pnpm, "contoso")
    set_up(pnpm, "contoso")
    done = pnpm("install", ok=False)
    new = pnpm.program[0].endswith("12")
    assert (b"FETCH_401" if new else b"TOKEN_HELPER_ERROR_STATUS") in done.stdout + done.stderr
    helper = pnpm.home / ".local/share/msauth/pnpm/pnpm-token-msauth-contoso"
    done = run_program(str(helper), env=pnpm.env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"pnpm-token-msauth-contoso: error: " in done.stderr


def test_publishing(cloud: Sandbox, pnpm: Tool) -> None:
    """pnpm 10 has npm publish, which knows no helper: it needs `msauth-run --for pnpm`."""
    pnpm.env |= cloud.service_principal_environ("contoso")
    project(pnpm)
    set_up(pnpm, "contoso")
    package = {"name": "@contoso/published", "version": "2.0.0"}
    pnpm.write("package.json", json.dumps(package))
    pnpm("publish", "--no-git-checks", ok=pnpm.program[0].endswith("12"))
