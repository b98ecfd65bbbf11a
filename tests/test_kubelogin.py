"""kubelogin's command line: what it says in our words, and what it does not say."""

import pytest

from msauth.errors import UsageError
from msauth.protocols import kubelogin
from msauth.request.options import parse
from msauth.request.request import TokenRequest
from msauth.token.arguments import TokenArguments

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
        ("-s S -t T", "--subscription S --tenant-id T"),
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


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("get-token", ""),
        ("get-token -l spn", "-l spn"),
        ("--v=1 get-token -l spn", "-l spn"),
        ("-v 1 get-token", ""),
        ("-v1 --logtostderr=true get-token --v 3", "--v 3"),
        ("--v 1 --logtostderr get-token", ""),
        ("-v get-token get-token -l spn", "-l spn"),
        ("arm", None),
        ("arm get-token", None),
        ("--version get-token", None),
        ("-l5 get-token", None),
        ("--scope get-token", None),
        ("-v get-token", None),
        ("-v", None),
    ],
)
def test_the_command_and_what_may_stand_before_it(line: str, rest: str | None) -> None:
    expected = None if rest is None else rest.split()
    assert kubelogin.after("get-token", line.split()) == expected


@pytest.mark.parametrize(("login", "kind"), kubelogin.LOGINS.items())
def test_logins(login: str, kind: str) -> None:
    options, _ = translated(f"--login {login} --server-id {SERVER}")
    assert options["--credential"] == kind
    assert options["--server-id"] == SERVER
    assert translated("", {"AAD_LOGIN_METHOD": login})[0]["--credential"] == kind


def test_the_variable_for_the_login_method_beats_its_flag() -> None:
    line = "--login spn"
    env = {"AAD_LOGIN_METHOD": "azurecli", "MSAUTH_CREDENTIAL": "browser"}
    assert translated(line, env)[0]["--credential"] == "azure-cli"
    line += " --disable-environment-override"
    assert translated(line, env)[0]["--credential"] == "service-principal"


IDENTITY = dict.fromkeys(kubelogin._IDENTITY)


@pytest.mark.parametrize(
    ("line", "env", "options", "changes"),
    [
        # What convert-kubeconfig writes for azurecli; an application's variables play no part.
        ("--login azurecli", {}, {}, IDENTITY),
        ("--login azurecli -t T", {"AZURE_CLIENT_ID": "app"}, {"--tenant": "T"}, IDENTITY),
        ("--login azurecli", {"AZURE_TENANT_ID": "E"}, {"--tenant": "E"}, IDENTITY),
        ("--login azurecli -s S", {}, {}, IDENTITY | {"MSAUTH_SUBSCRIPTION": "S"}),
        ("--login devicecode -s S", {}, {"--client-id": kubelogin.AKS_CLIENT}, IDENTITY),
        # What convert-kubeconfig -l spn leaves: the application of people, which has no secret.
        *(
            (
                f"--login {login} --client-id {client} --tenant-id T",
                {"AAD_SERVICE_PRINCIPAL_CLIENT_ID": "C"},
                {"--tenant": "T", "--client-id": "C"},
                IDENTITY | {"AZURE_CLIENT_ID": "C", "AZURE_TENANT_ID": "T"},
            )
            for login in ("spn", "workloadidentity")
            for client in (kubelogin.AKS_CLIENT, kubelogin.ARC_CLIENT.upper())
        ),
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
            {
                "--client-id": kubelogin.ARC_CLIENT,
                "--username": "a@b.c",
                "--redirect-url": "http://x",
                "--server-id": ARC,
            },
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


def test_our_own_variable_stands_where_kubelogin_says_nothing() -> None:
    env = {"MSAUTH_CREDENTIAL": "azure-cli"}
    assert translated("", env)[0]["--credential"] == "azure-cli"
    assert translated("--login msi", env)[0]["--credential"] == "managed-identity"
    env["AAD_LOGIN_METHOD"] = "spn"
    assert translated("", env)[0]["--credential"] == "service-principal"


IDENTITY_FLAGS = "--client-id C --tenant-id T"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("--login spn", "--tenant-id is required", "or set AZURE_TENANT_ID"),
        ("--login spn --tenant-id T", "--client-id is required", "or set AZURE_CLIENT_ID"),
        (
            f"--login spn {IDENTITY_FLAGS}",
            "--client-secret or --client-certificate is required",
            "or set AZURE_CLIENT_SECRET",
        ),
        ("--login spn --use-azurerm-env-vars", "--tenant-id is required", "ARM_TENANT_ID"),
        (
            "--login spn --disable-environment-override",
            "--tenant-id is required",
            "add --tenant-id … to the arguments",
        ),
        ("--login workloadidentity --client-id C", "--tenant-id is required", "AZURE_TENANT_ID"),
        (
            f"--login workloadidentity {IDENTITY_FLAGS}",
            "--federated-token-file is required",
            "AZURE_FEDERATED_TOKEN_FILE",
        ),
        (
            "--login azurepipelines",
            "--tenant-id is required",
            "AZURESUBSCRIPTION_TENANT_ID",
        ),
        (
            f"--login azurepipelines {IDENTITY_FLAGS}",
            "--azure-pipelines-service-connection-id is required",
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
        ),
    ],
)
def test_what_is_missing_is_named_as_it_is_typed(line: str, message: str, hint: str) -> None:
    arguments = TokenArguments(["get-token", "--server-id", SERVER, *line.split()], {})
    with pytest.raises(UsageError) as raised:
        arguments.request(interactive=False)
    assert raised.value.message == message
    assert (raised.value.hint or "").endswith(hint)


def test_a_complete_identity_misses_nothing() -> None:
    for line in (
        f"--login spn {IDENTITY_FLAGS} --client-secret S",
        f"--login spn {IDENTITY_FLAGS} --client-certificate P",
        f"--login workloadidentity {IDENTITY_FLAGS} --federated-token-file F",
        "--login msi",
        "--login azurecli",
        "--login devicecode",
    ):
        TokenArguments(["get-token", "--server-id", SERVER, *line.split()], {}).request(
            interactive=False
        )
    github = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    words = ["get-token", "--server-id", SERVER, "-l", "workloadidentity"]
    with pytest.raises(UsageError, match="--tenant-id is required"):
        TokenArguments(words, github).request(interactive=False)


def test_the_flags_change_no_environment_but_their_own() -> None:
    env = dict(APP)
    line = f"--login spn --server-id {SERVER} --client-id C --client-secret S --tenant-id T"
    arguments = TokenArguments(["get-token", *line.split()], env)
    request = arguments.request(interactive=False)
    assert env == APP
    assert request.env["AZURE_CLIENT_SECRET"] == "S"
    assert "AZURE_FEDERATED_TOKEN_FILE" not in request.env


def test_subscription_and_redirect_are_part_of_the_request() -> None:
    def request(*words: str) -> TokenRequest:
        arguments = TokenArguments(["get-token", "--server-id", SERVER, *words], {})
        return arguments.request(interactive=False)

    plain, chosen = request("-l", "azurecli"), request("-l", "azurecli", "-s", "S")
    assert chosen.env["MSAUTH_SUBSCRIPTION"] == "S"
    assert plain.cache_key != chosen.cache_key
    url = "http://localhost:8400"
    plain, chosen = (
        request("-l", "interactive"),
        request("-l", "interactive", "--redirect-url", url),
    )
    assert chosen.redirect_url == url
    assert plain.cache_key != chosen.cache_key


@pytest.mark.parametrize("name", ["AzurePublic", "AzurePublicCloud", "azurepublic"])
def test_the_public_cloud_has_two_names(name: str) -> None:
    arguments = TokenArguments(["get-token", "--server-id", SERVER, "-e", name], {})
    request = arguments.request(interactive=False)
    assert request.authority == "https://login.microsoftonline.com"


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


def test_a_credential_of_the_environment_keeps_its_secret() -> None:
    env = {
        "MSAUTH_CREDENTIAL": "environment",
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "c",
        "AZURE_CLIENT_SECRET": "s",
    }
    options, changes = kubelogin.translate({"--server-id": "x"}, env)
    assert options["--credential"] == "environment"
    assert {**env, **changes}["AZURE_CLIENT_SECRET"] == "s"
