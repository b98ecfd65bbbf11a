"""`--for TOOL`: exactly these variables, and a token for no other host."""

import shlex
from pathlib import Path

import pytest

from msauth.errors import UsageError
from msauth.protocols import token_endpoint
from msauth.run import tool_env

FEED = "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/"
NPM_FEED = "https://pkgs.dev.azure.com/contoso/_packaging/feed/npm/registry"
OLD_FEED = "https://contoso.pkgs.visualstudio.com/_packaging/feed/npm/registry/"


def applied(word: str, env: dict[str, str] | None = None, **options: str) -> dict[str, str]:
    result = dict(env or {})
    tool_env.apply(
        word,
        result,
        {f"--{name.replace('_', '-')}": value for name, value in options.items()},
        lambda product, _feed: f"<{product}/+=>",
    )
    return result


DEVOPS = "<devops/+=>"
EXPECTED = {
    "npm": {"npm_config_//pkgs.dev.azure.com/:_authToken": DEVOPS},
    f"npm={OLD_FEED}": {
        "npm_config_//contoso.pkgs.visualstudio.com/:_authToken": DEVOPS,
        f"npm_config_{OLD_FEED[6:]}:_authToken": DEVOPS,
    },
    f"pnpm={NPM_FEED}": {
        "npm_config_//pkgs.dev.azure.com/contoso/:_authToken": DEVOPS,
        f"npm_config_{NPM_FEED[6:]}/:_authToken": DEVOPS,
    },
    f"yarn={NPM_FEED}": {
        "YARN_NPM_REGISTRY_SERVER": NPM_FEED,
        "YARN_NPM_PUBLISH_REGISTRY": NPM_FEED,
        "YARN_NPM_AUTH_TOKEN": DEVOPS,
        "YARN_NPM_ALWAYS_AUTH": "true",
    },
    "nuget": {
        "VSS_NUGET_URI_PREFIXES": "https://pkgs.dev.azure.com/",
        "VSS_NUGET_ACCESSTOKEN": DEVOPS,
    },
    f"nuget={OLD_FEED}": {
        "VSS_NUGET_URI_PREFIXES": "https://pkgs.dev.azure.com/;"
        "https://contoso.pkgs.visualstudio.com/",
        "VSS_NUGET_ACCESSTOKEN": DEVOPS,
    },
    f"pip={FEED}": dict.fromkeys(
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        "https://VssSessionToken:<devops%2F%2B%3D>@pkgs.dev.azure.com"
        "/contoso/_packaging/feed/pypi/simple/",
    ),
    "databricks": {"DATABRICKS_TOKEN": "<databricks/+=>", "DATABRICKS_AUTH_TYPE": "pat"},
    "azure-devops-cli": {"AZURE_DEVOPS_EXT_PAT": DEVOPS},
}


@pytest.mark.parametrize(("word", "expected"), EXPECTED.items(), ids=[w[:20] for w in EXPECTED])
def test_variables(word: str, expected: dict[str, str]) -> None:
    assert applied(word) == expected


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = tmp_path / "roots.pem"
    path.write_text("")
    monkeypatch.setattr(tool_env, "_ROOTS", ("/nonexistent/roots.pem", str(path)))
    return str(path)


@pytest.mark.parametrize(
    "mode", ["disable", "allow", "prefer", "", "require", "verify-ca", "verify-full"]
)
def test_a_server_must_prove_its_name_to_get_the_token(mode: str, roots: str) -> None:
    assert applied("psql", {"PGSSLMODE": mode}) == {
        "PGPASSWORD": "<postgres/+=>",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": roots,
    }


@pytest.mark.parametrize(
    ("mode", "kept"),
    [("", "verify-full"), ("require", "verify-full"), ("verify-ca", "verify-ca")],
)
def test_roots_of_ones_own_are_kept(mode: str, kept: str, roots: str, tmp_path: Path) -> None:
    own = {"PGSSLROOTCERT": "/my/roots.pem", "PGSSLMODE": mode}
    seen = applied("psql", own)
    assert (seen["PGSSLROOTCERT"], seen["PGSSLMODE"]) == ("/my/roots.pem", kept)
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_text("")
    seen = applied("psql", {"HOME": str(tmp_path), "PGSSLMODE": mode})
    assert "PGSSLROOTCERT" not in seen
    assert seen["PGSSLMODE"] == kept


def test_openssl_s_own_roots_come_first(roots: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.pem"
    mine.write_text("")
    assert applied("psql", {"SSL_CERT_FILE": str(mine)})["PGSSLROOTCERT"] == str(mine)
    assert applied("psql", {"SSL_CERT_FILE": "/gone"})["PGSSLROOTCERT"] == roots


def test_a_system_without_roots_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_env, "_ROOTS", ())
    assert applied("psql")["PGSSLROOTCERT"] == "system"


def test_terraform_has_one_identity_left() -> None:
    endpoint = {"ARM_USE_MSI": "true", "ARM_MSI_ENDPOINT": "http://127.0.0.1:1/s/msi/token"}
    shadowing = {
        "ARM_CLIENT_ID": "x",
        "ARM_CLIENT_SECRET": "x",
        "ARM_USE_OIDC": "true",
        "AZDO_PERSONAL_ACCESS_TOKEN": "x",
    }
    kept = endpoint | {"ARM_SUBSCRIPTION_ID": "kept"}
    assert applied("terraform", kept | shadowing) == kept


def test_git_keeps_the_configuration_that_is_there() -> None:
    before = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Ann",
    }
    env = applied("git", before, tenant="contoso.com", client_id="it's")
    pairs = [
        (env[f"GIT_CONFIG_KEY_{i}"], env[f"GIT_CONFIG_VALUE_{i}"])
        for i in range(int(env["GIT_CONFIG_COUNT"]))
    ]
    assert pairs[0] == ("user.name", "Ann")
    assert pairs[1] == ("credential.https://dev.azure.com.helper", "")
    helper = shlex.split(pairs[2][1].removeprefix("!"))
    assert helper[0].endswith("git-credential-msauth")
    assert helper[1:] == ["--tenant=contoso.com", "--client-id=it's"]
    assert not any("<" in value for value in env.values())


@pytest.mark.parametrize(
    "feed",
    [
        "http://pkgs.dev.azure.com/x/",
        "https://pkgs.dev.azure.com.evil.example/x/",
        "https://evil.example/pkgs.dev.azure.com/",
        "https://user@pkgs.dev.azure.com/x/",
        "https://pkgs.dev.azure.com:8443/x/",
        "https://.pkgs.visualstudio.com/x/",
        "https://a.b.pkgs.visualstudio.com/x/",
        "https://a@contoso.pkgs.visualstudio.com/x/",
        "https://pkgs.dev.azure.com\\@evil.example/",
        "https://PKGS.dev.azure.com/x/",
        "https://pkgs.dev.azure.com/a b/",
        "https://pkgs.dev.azure.com/a=b/",
        "https://pkgs.dev.azure.com/a/?b",
        "https://pkgs.dev.azure.com/a/#b",
        "https://pkgs.dev.azure.com/a\nb/",
        "https://",
    ],
)
@pytest.mark.parametrize("tool", ["npm", "pnpm", "yarn", "nuget", "pip"])
def test_a_token_goes_to_no_other_host(tool: str, feed: str) -> None:
    with pytest.raises(UsageError):
        applied(f"{tool}={feed}")


@pytest.mark.parametrize("word", ["pip", "yarn", "bun", "", "psql=x", "terraform=x"])
def test_what_cannot_be_meant(word: str) -> None:
    with pytest.raises(UsageError):
        applied(word)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_yarn_is_told_the_proxy(name: str) -> None:
    proxy = "http://proxy.example:3128"
    assert applied(f"yarn={NPM_FEED}", {name: proxy})["YARN_HTTPS_PROXY"] == proxy
    own = {name: proxy, "YARN_HTTPS_PROXY": "http://own.example"}
    assert applied(f"yarn={NPM_FEED}", own)["YARN_HTTPS_PROXY"] == "http://own.example"


def test_no_identity_is_left_of_an_endpoint_around() -> None:
    around = {**token_endpoint.variables(1, "secret"), "HOME": "/home/x"}
    tool_env.remove_identities(around)
    assert not any(
        name.startswith(("AZURE_TOKEN", "AZD_", "IDENTITY_", "MSI_", "MSAUTH_")) for name in around
    )
