"""kubelogin's command line: what it says in our words, and what it does not say."""

import pytest

from msauth.protocols import kubelogin
from msauth.request.options import parse

SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
ARC = "6256c85f-0aad-4d50-b960-e6e9b21efe35"
APP = {
    "AZURE_CLIENT_ID": "env-client",
    "AZURE_TENANT_ID": "env-tenant",
    "AZURE_CLIENT_SECRET": "env-secret",
}


def translated(
    line: str, env: dict[str, str] | None = None
) -> tuple[dict[str, str], dict[str, str | None]]:
    flags, words = parse(kubelogin.normalised(line.split()), kubelogin.OPTIONS)
    assert not words
    return kubelogin.translate({k: v for k, v in flags.items() if isinstance(v, str)}, env or {})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-l azurecli", "--login azurecli"),
        ("-lazurecli", "--login azurecli"),
        ("-l=azurecli", "--login azurecli"),
        ("-t T -e AzurePublicCloud", "--tenant-id T --environment AzurePublicCloud"),
        ("--login=spn", "--login=spn"),
        ("--legacy=false --pop-enabled=0", ""),
        ("--use-azurerm-env-vars=true", "--use-azurerm-env-vars"),
        ("-v 5", "--v 5"),
        # A value that looks like a flag is a value.
        ("--client-secret -l", "--client-secret -l"),
        ("--client-secret -lx --login spn", "--client-secret -lx --login spn"),
        ("-l --legacy=true", "--login --legacy=true"),
    ],
)
def test_pflag_forms(line: str, words: str) -> None:
    assert kubelogin.normalised(line.split()) == words.split()


def test_a_switch_is_true_or_false() -> None:
    with pytest.raises(ValueError, match="true or false"):
        kubelogin.normalised(["--legacy=maybe"])


@pytest.mark.parametrize(("login", "kind"), kubelogin.LOGINS.items())
def test_logins(login: str, kind: str) -> None:
    options, _ = translated(f"--login {login} --server-id {SERVER}")
    assert options["--credential"] == kind
    assert options["--server-id"] == SERVER
    assert translated("", {"AAD_LOGIN_METHOD": login})[0]["--credential"] == kind


IDENTITY = dict.fromkeys(kubelogin._IDENTITY)


@pytest.mark.parametrize(
    ("line", "env", "options", "changes"),
    [
        # What convert-kubeconfig writes for azurecli; an application's variables play no part.
        ("--login azurecli", {}, {}, IDENTITY),
        ("--login azurecli -t T", {"AZURE_CLIENT_ID": "app"}, {"--tenant": "T"}, IDENTITY),
        ("--login azurecli", {"AZURE_TENANT_ID": "E"}, {"--tenant": "E"}, IDENTITY),
        # Flags beat the environment ...
        (
            "--login spn --client-id C --client-secret S --tenant-id T",
            APP,
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY | {"AZURE_CLIENT_ID": "C", "AZURE_CLIENT_SECRET": "S", "AZURE_TENANT_ID": "T"},
        ),
        # ... also when the flag chooses another kind of proof than the environment.
        (
            "--login spn --client-certificate P --client-certificate-password Q",
            APP,
            {"--client-id": "env-client", "--tenant": "env-tenant"},
            IDENTITY
            | {
                "AZURE_CLIENT_ID": "env-client",
                "AZURE_TENANT_ID": "env-tenant",
                "AZURE_CLIENT_CERTIFICATE_PATH": "P",
                "AZURE_CLIENT_CERTIFICATE_PASSWORD": "Q",
            },
        ),
        (
            "--login spn",
            APP,
            {"--client-id": "env-client", "--tenant": "env-tenant"},
            IDENTITY | APP,
        ),
        (
            "--login spn --tenant-id T",
            {
                "AAD_SERVICE_PRINCIPAL_CLIENT_ID": "C",
                "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET": "S",
            },
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY | {"AZURE_CLIENT_ID": "C", "AZURE_CLIENT_SECRET": "S", "AZURE_TENANT_ID": "T"},
        ),
        (
            "--login spn --tenant-id T",
            {
                "AAD_SERVICE_PRINCIPAL_CLIENT_ID": "C",
                "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE": "P",
                "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE_PASSWORD": "Q",
            },
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY
            | {
                "AZURE_CLIENT_ID": "C",
                "AZURE_TENANT_ID": "T",
                "AZURE_CLIENT_CERTIFICATE_PATH": "P",
                "AZURE_CLIENT_CERTIFICATE_PASSWORD": "Q",
            },
        ),
        (
            "--login spn --use-azurerm-env-vars",
            APP | {"ARM_CLIENT_ID": "C", "ARM_CLIENT_SECRET": "S", "ARM_TENANT_ID": "T"},
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY | {"AZURE_CLIENT_ID": "C", "AZURE_CLIENT_SECRET": "S", "AZURE_TENANT_ID": "T"},
        ),
        (
            "--login spn --disable-environment-override --client-id C --tenant-id T",
            APP,
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY | {"AZURE_CLIENT_ID": "C", "AZURE_TENANT_ID": "T"},
        ),
        (
            "--login workloadidentity",
            {
                "AZURE_CLIENT_ID": "C",
                "AZURE_TENANT_ID": "T",
                "AZURE_FEDERATED_TOKEN_FILE": "F",
            },
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY
            | {
                "AZURE_CLIENT_ID": "C",
                "AZURE_TENANT_ID": "T",
                "AZURE_FEDERATED_TOKEN_FILE": "F",
            },
        ),
        (
            "--login workloadidentity --federated-token-file G --authority-host https://l/",
            {"AZURE_FEDERATED_TOKEN_FILE": "F"},
            {"--authority-host": "https://l/"},
            IDENTITY | {"AZURE_FEDERATED_TOKEN_FILE": "G"},
        ),
        ("--login msi", {}, {}, IDENTITY | {"MSAUTH_IDENTITY_RESOURCE_ID": None}),
        (
            "--login msi --client-id C",
            APP,
            {"--client-id": "C"},
            IDENTITY | {"MSAUTH_IDENTITY_RESOURCE_ID": None},
        ),
        (
            "--login msi --identity-resource-id /subscriptions/x",
            APP,
            {"--identity-resource-id": "/subscriptions/x"},
            IDENTITY | {"MSAUTH_IDENTITY_RESOURCE_ID": None},
        ),
        ("--login devicecode", {}, {"--client-id": kubelogin.AKS_CLIENT}, IDENTITY),
        (
            f"--login interactive --server-id {ARC} --login-hint a@b.c --redirect-url http://x",
            {},
            {"--client-id": kubelogin.ARC_CLIENT, "--username": "a@b.c", "--server-id": ARC},
            IDENTITY,
        ),
        (
            "--login azurepipelines",
            {
                "AZURESUBSCRIPTION_CLIENT_ID": "C",
                "AZURESUBSCRIPTION_TENANT_ID": "T",
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "S",
                "AZURE_CLIENT_ID": "another",
            },
            {"--client-id": "C", "--tenant": "T"},
            IDENTITY | {"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "S"},
        ),
        (
            "--login azurepipelines --azure-pipelines-service-connection-id X",
            {"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "S"},
            {},
            IDENTITY | {"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "X"},
        ),
        ("--login chained", APP, {}, {}),
        (
            "--login azurecli --cache-dir /c --token-cache-dir /c --timeout 60s -v 5",
            {"AZURE_ENVIRONMENT": "AzureChinaCloud"},
            {"--environment": "AzureChinaCloud"},
            IDENTITY,
        ),
        (
            "--login azurecli -e AzurePublicCloud --disable-instance-discovery",
            {"AZURE_ENVIRONMENT": "AzureChinaCloud"},
            {"--environment": "AzurePublicCloud", "--disable-instance-discovery": "1"},
            IDENTITY,
        ),
    ],
)
def test_translation(
    line: str,
    env: dict[str, str],
    options: dict[str, str],
    changes: dict[str, str | None],
) -> None:
    ours, changed = translated(line, env)
    del ours["--credential"]
    assert ours == options
    assert changed == changes


PROOFS = {
    "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET": "S",
    "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE": "P",
}


@pytest.mark.parametrize(
    ("flags", "env", "chosen"),
    [
        ("", PROOFS, "AZURE_CLIENT_CERTIFICATE_PATH"),
        ("--client-secret S --client-certificate P", {}, "AZURE_CLIENT_CERTIFICATE_PATH"),
        ("--client-secret S", PROOFS, "AZURE_CLIENT_SECRET"),
        ("--client-certificate P", PROOFS, "AZURE_CLIENT_CERTIFICATE_PATH"),
    ],
)
def test_of_two_proofs_the_certificate(flags: str, env: dict[str, str], chosen: str) -> None:
    _, changes = translated(f"--login spn {flags}", env)
    assert {name for name, value in changes.items() if value} == {chosen}


def test_workloadidentity_in_a_github_workflow_asks_github() -> None:
    github = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    env = github | {"AZURE_CLIENT_ID": "C", "AZURE_TENANT_ID": "T"}
    options, _ = translated("-l workloadidentity", env)
    assert options == {"--credential": "github-actions", "--client-id": "C", "--tenant": "T"}
    options, changes = translated("-l workloadidentity --federated-token-file F", env)
    assert options["--credential"] == "workload-identity"
    assert changes["AZURE_FEDERATED_TOKEN_FILE"] == "F"
    del env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    assert translated("-l workloadidentity", env)[0]["--credential"] == "workload-identity"


def test_our_own_variable_stands_where_no_flag_does() -> None:
    env = {"MSAUTH_CREDENTIAL": "azure-cli", "AAD_LOGIN_METHOD": "spn"}
    assert translated("", env)[0]["--credential"] == "azure-cli"
    assert translated("--login msi", env)[0]["--credential"] == "managed-identity"


@pytest.mark.parametrize(
    ("line", "env", "message", "hint"),
    [
        ("--login ropc", {}, "sends the password itself", "devicecode"),
        ("", {"AAD_LOGIN_METHOD": "ropc"}, "sends the password itself", "devicecode"),
        ("--pop-enabled --pop-claims u=x", {}, "proof-of-possession", "remove"),
        ("--pop-claims u=x", {}, "proof-of-possession", "remove"),
        ("--legacy", {}, "retired", "remove --legacy"),
        ("--login azcli", {}, "unknown login method 'azcli'", "azurecli"),
    ],
)
def test_what_is_refused_is_refused_with_the_reason(
    line: str, env: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        translated(line, env)
    assert hint in raised.value.args[1]
