"""Which of the kinds that cannot sign in is named, and what is said to do about it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.errors import UnavailableError
from msauth.request.kinds import KINDS
from msauth.request.request import TokenRequest
from msauth.request.selection import select
from msauth.signin import chain
from msauth.signin.attempt import Attempt, unmet

GUID = "11111111-1111-1111-1111-111111111111"
PERSON = "msauth login --credential device-code"
CLIENT = {"AZURE_CLIENT_ID": "app"}
TENANT = {"AZURE_TENANT_ID": GUID}
URL = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x"}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Nothing is installed, and nobody has signed in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return {"HOME": str(tmp_path), "PATH": str(folder), "XDG_RUNTIME_DIR": ""}


def error_of(env: dict[str, str]) -> UnavailableError:
    request = TokenRequest(("https://x/.default",), env, tenant=GUID)
    with pytest.raises(UnavailableError) as caught:
        chain.sign_in(Attempt(request, None, lambda _: False))
    return caught.value


def install(name: str, *files: str) -> Callable[[Path], None]:
    def lay_out(home: Path) -> None:
        path = home / "bin" / name
        path.write_text("#!/bin/sh\necho \"Please run 'az login' to setup account.\" >&2\nexit 1\n")
        path.chmod(0o755)
        for file in files:
            (home / file).parent.mkdir(exist_ok=True)
            (home / file).write_text("{}")

    return lay_out


@pytest.mark.parametrize(
    ("variables", "installed", "kind", "hint"),
    [
        ({}, None, "device-code", PERSON),
        (TENANT, None, "device-code", PERSON),
        ({}, install("az"), "azure-cli", "az login --tenant"),
        (TENANT, install("az"), "azure-cli", "az login --tenant"),
        (CLIENT, install("az"), "environment", "export AZURE_CLIENT_SECRET=…"),
        ({}, install("azd"), "device-code", PERSON),
        ({}, install("azd", ".azd/auth.json"), "azure-developer-cli", "azd auth login"),
        ({}, install("pwsh"), "device-code", PERSON),
        ({}, install("pwsh", ".Azure/AzureRmContext.json"), "azure-powershell", "Connect-AzA"),
        (CLIENT | TENANT, None, "environment", "export AZURE_CLIENT_SECRET=…"),
        (CLIENT | TENANT, install("az"), "environment", "export AZURE_CLIENT_SECRET=…"),
        ({"AZURE_CLIENT_SECRET": "s"}, None, "environment", "export AZURE_CLIENT_ID=…"),
        (
            {"AZURE_FEDERATED_TOKEN_FILE": "/x"},
            None,
            "workload-identity",
            "export AZURE_CLIENT_ID=…",
        ),
        ({"GITHUB_ACTIONS": "true"}, install("az"), "github-actions", "give the job"),
        (CLIENT | TENANT | {"GITHUB_ACTIONS": "true"}, None, "github-actions", "give the job"),
        (CLIENT | TENANT | URL, None, "github-actions", "give the job"),
        ({"TF_BUILD": "True"}, install("az"), "azure-pipelines", "run AzureCLI@2"),
        ({"AZURE_TOKEN_CREDENTIALS": "prod"}, install("az"), "managed-identity", "run this on"),
    ],
)
def test_the_nearest_kind_is_named(
    env: dict[str, str],
    tmp_path: Path,
    variables: dict[str, str],
    installed: Callable[[Path], None] | None,
    kind: str,
    hint: str,
) -> None:
    if installed is not None:
        installed(tmp_path)
    error = error_of({**env, **variables})
    assert error.message.startswith(f"no credential can sign in: {kind}: ")
    assert "\n" not in error.message
    assert error.hint is not None
    assert error.hint.startswith(hint)
    assert len(error.tried) == (5 if "AZURE_TOKEN_CREDENTIALS" in variables else 12)
    assert [line.partition(":")[0] for line in error.tried] == [
        name for name in KINDS if KINDS[name].group
    ][: len(error.tried)]


def test_every_need_is_a_variable_that_selects() -> None:
    """What a kind needs is also part of the key of its tokens, or a secret."""
    for name, kind in KINDS.items():
        known = {*kind.values, *kind.secrets, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"}
        assert known.issuperset(word for words in kind.needs for word in words), name


def test_options_meet_needs(env: dict[str, str]) -> None:
    request = TokenRequest(("s",), env, tenant=GUID, client_id="app")
    lacking = unmet("environment", Attempt(request, None, lambda _: False))
    assert lacking == [("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")]


@pytest.mark.parametrize(
    ("options", "variables", "field", "where"),
    [
        ({"--tenant": "a"}, {"MSAUTH_TENANT": "b"}, "tenant", "--tenant"),
        ({}, {"MSAUTH_TENANT": "b"} | TENANT | CLIENT, "tenant", "MSAUTH_TENANT"),
        ({}, TENANT | CLIENT, "tenant", "AZURE_TENANT_ID"),
        ({}, TENANT, "tenant", ""),
        ({}, {}, "tenant", ""),
        ({"--profile": "work"}, {}, "tenant", "tenant of profile work"),
        ({"--profile": "work"}, {"MSAUTH_TENANT": "b"}, "tenant", "MSAUTH_TENANT"),
        ({}, CLIENT, "client_id", "AZURE_CLIENT_ID"),
        ({}, {"MSAUTH_CLIENT_ID": "c"} | CLIENT, "client_id", "MSAUTH_CLIENT_ID"),
        ({}, {"AZURE_AUTHORITY_HOST": "h"}, "authority", "AZURE_AUTHORITY_HOST"),
        ({"--min-valid": "900"}, {}, "min_valid", "--min-valid"),
        ({"--profile": "work"}, {}, "min_valid", "min_valid of profile work"),
        ({}, {}, "min_valid", ""),
    ],
)
def test_what_chose_a_value(
    env: dict[str, str],
    tmp_path: Path,
    options: dict[str, str],
    variables: dict[str, str],
    field: str,
    where: str,
) -> None:
    config = tmp_path / "profiles.toml"
    config.write_text('[work]\ntenant = "contoso.com"\nmin_valid = 900\n')
    os.chmod(config, 0o600)
    place = {**env, **variables, "MSAUTH_CONFIG": str(config), "MSAUTH_CACHE_DIR": str(tmp_path)}
    request = select(dict(options), place).request(("s",))
    assert request.origin(field) == where
    assert request.with_(claims="{}").origin(field) == where
