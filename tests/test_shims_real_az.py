"""What a shim prints beside what the real az prints, byte by byte but for the second of expiry."""

import json
import re
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .test_signin_real_az import AZ, Az, az, az_env  # noqa: F401 - fixtures

PROG = "msauth-run"
GRAPH = "https://graph.microsoft.com"
pytestmark = [
    pytest.mark.real_az,
    pytest.mark.skipif(not AZ, reason="no az on PATH, and MSAUTH_TEST_AZ does not name one"),
]
CREDENTIAL = """
import sys
from azure.identity import AzureCliCredential
print(AzureCliCredential().get_token(sys.argv[1]).token)
"""


def both(env: Environment, *words: str) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    """Return the exit code and output of the real az and of the shim."""
    real = run_program(AZ, *words, env=env, timeout=120)
    shim = run_program(PROG, "--shims", "--", "az", *words, env=env, timeout=120)
    return (real.returncode, real.stdout), (shim.returncode, shim.stdout)


def without_expiry(output: bytes) -> bytes:
    """az counts the expiry of a held token anew, and may be a second off."""
    dates = re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.0{6}", b"DATE", output)
    return re.sub(rb"\b1\d{9}\b", b"EPOCH", dates)


def test_the_same_bytes_in_every_form(az_env: Environment, az: Az, cloud: Sandbox) -> None:  # noqa: F811
    az("login", "--use-device-code")
    tenant, other = cloud.tenants["contoso"].id, cloud.subscription_id("fabrikam")
    forms: list[tuple[str, ...]] = [
        (),
        ("-o", "tsv"),
        ("-o", "none"),
        ("-o", "yaml"),
        ("--tenant", tenant),
        ("--tenant", tenant.upper(), "-o", "tsv"),
        ("--tenant", "contoso.com"),
        ("--subscription", other),
        ("--subscription", "nosuch"),
        ("--resource", GRAPH, "--query", "accessToken", "-o", "tsv"),
        ("--resource-type", "ms-graph", "--query", "[tenant,accessToken]"),
        ("--resource-type", "oss-rdbms", "--query", "{b:tenant, a:accessToken}", "-o", "tsv"),
        ("--scope", f"{GRAPH}/.default", "--query", "{b:expires_on, a:accessToken}"),
        ("--query", "nosuch"),
        ("--query", "subscription", "-o", "json"),
        ("--tenant", tenant, "--query", "subscription", "-o", "tsv"),
        ("--tenant", tenant, "--subscription", other),
    ]
    for form in forms:
        real, shim = both(az_env, "account", "get-access-token", *form)
        assert (shim[0], without_expiry(shim[1])) == (real[0], without_expiry(real[1])), form
    real, shim = both(az_env, "account", "show")
    assert shim == real


def test_eight_credentials_and_no_az_at_all(az_env: Environment, az: Az, cloud: Sandbox) -> None:  # noqa: F811
    """The sign-in is az's own, and az's own token is what they get."""
    az("login", "--use-device-code")
    held = az("account", "get-access-token", "--resource", GRAPH, "--query", "accessToken")
    counted = cloud.count("token")
    calls = Path(az_env["HOME"]) / "calls"
    stub = Path(az_env["HOME"]) / "bin/az"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexec {AZ} "$@"\n')
    stub.chmod(0o755)
    env = az_env | {"PATH": f"{stub.parent}:{az_env['PATH']}"}
    python = run_program("sh", "-c", "command -v python", env=env).stdout.decode().strip()
    loop = 'for i in 1 2 3 4 5 6 7 8; do "$@" & done; wait'
    words = ("sh", "-c", loop, "sh", python, "-c", CREDENTIAL, f"{GRAPH}/.default")
    done = run_program(PROG, "--shims", "--", *words, env=env, timeout=120)
    assert done.stdout.decode().split() == [json.loads(held)] * 8
    assert cloud.count("token") == counted
    assert not calls.exists()


def test_nobody_signed_in_reads_as_az_says_it(az_env: Environment) -> None:  # noqa: F811
    real, shim = both(az_env, "account", "get-access-token")
    assert shim == real == (1, b"")
