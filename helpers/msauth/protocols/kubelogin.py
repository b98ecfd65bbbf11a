"""The command line of Azure/kubelogin 0.2, understood in our words. Pure.

`kubelogin get-token`'s flags and the variables behind them, after its documentation. Two things
differ on purpose: a flag that names an identity beats the variable (there, an application's own
AZURE_CLIENT_ID took over what the kubeconfig said), and an unknown cloud is an error. As there,
AAD_LOGIN_METHOD beats --login: it says how to sign in on this machine, not as whom.
"""

from ..request.clouds import ARC_SERVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..request.request import TokenRequest

AKS_CLIENT = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
ARC_CLIENT = "3f4439ff-e698-4d6d-84fe-09c9d574f06b"
PUBLIC_CLIENTS = (AKS_CLIENT, ARC_CLIENT)
"""The applications with which people sign in to a cluster. They have no secret."""

LOGINS = {
    "devicecode": "device-code",
    "interactive": "browser",
    "spn": "service-principal",
    "msi": "managed-identity",
    "azurecli": "azure-cli",
    "azd": "azure-developer-cli",
    "workloadidentity": "workload-identity",
    "azurepipelines": "azure-pipelines",
    "chained": "auto",
}
"""kubelogin's --login to our --credential."""
_GITHUB = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")

SHORT = {
    "-l": "--login",
    "-t": "--tenant-id",
    "-e": "--environment",
    "-s": "--subscription",
    "-v": "--v",
}
"""Options that have a name of one letter, too."""
_SWITCHES = (
    "--legacy",
    "--use-azurerm-env-vars",
    "--pop-enabled",
    "--disable-environment-override",
    "--disable-instance-discovery",
    "--logtostderr",
)
IGNORED = (
    "--cache-dir",
    "--token-cache-dir",
    "--timeout",
    "--username",
    "--password",
    "--logtostderr",
    "--v",
)
"""Accepted, without effect: our cache is elsewhere, and no sign-in of ours takes the others."""

OPTIONS = {
    **dict.fromkeys(_SWITCHES, "flag"),
    **dict.fromkeys(
        (
            *(name for name in IGNORED if name not in _SWITCHES),
            "--login",
            "--server-id",
            "--client-id",
            "--client-secret",
            "--client-certificate",
            "--client-certificate-password",
            "--tenant-id",
            "--environment",
            "--authority-host",
            "--federated-token-file",
            "--identity-resource-id",
            "--login-hint",
            "--redirect-url",
            "--subscription",
            "--azure-pipelines-service-connection-id",
            "--pop-claims",
        ),
        "value",
    ),
}
"""kubelogin's own options, as `options.parse` takes them."""

# The variables behind a flag, the first one that is set; the second column is what
# --use-azurerm-env-vars reads instead.
_FALLBACKS = {
    "--client-id": (("AZURE_CLIENT_ID", "AAD_SERVICE_PRINCIPAL_CLIENT_ID"), "ARM_CLIENT_ID"),
    "--client-secret": (
        ("AZURE_CLIENT_SECRET", "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET"),
        "ARM_CLIENT_SECRET",
    ),
    "--client-certificate": (
        ("AZURE_CLIENT_CERTIFICATE_PATH", "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE"),
        "ARM_CLIENT_CERTIFICATE_PATH",
    ),
    "--client-certificate-password": (
        (
            "AZURE_CLIENT_CERTIFICATE_PASSWORD",
            "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE_PASSWORD",
        ),
        "ARM_CLIENT_CERTIFICATE_PASSWORD",
    ),
    "--tenant-id": (("AZURE_TENANT_ID",), "ARM_TENANT_ID"),
    "--federated-token-file": (("AZURE_FEDERATED_TOKEN_FILE",), ""),
    "--environment": (("AZURE_ENVIRONMENT",), ""),
    "--azure-pipelines-service-connection-id": (("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",), ""),
}
_PIPELINES = {
    "--client-id": "AZURESUBSCRIPTION_CLIENT_ID",
    "--tenant-id": "AZURESUBSCRIPTION_TENANT_ID",
}
_NEEDED = {
    "service-principal": ("--tenant-id", "--client-id", "--client-secret"),
    "workload-identity": ("--tenant-id", "--client-id", "--federated-token-file"),
    "github-actions": ("--tenant-id", "--client-id"),
    "azure-pipelines": (
        "--tenant-id",
        "--client-id",
        "--azure-pipelines-service-connection-id",
    ),
}
# The variables that select an identity for sign-in: only those that were meant stay.
_IDENTITY = (
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
)


def after(command: str, argv: list[str]) -> list[str] | None:
    """Return what follows a command (`get-token`), or None if that is not the command.

    kubelogin's logging flags may also stand before the command; they have no effect.
    """
    index = 0
    while index < len(argv) and argv[index] != command:
        name, equals, _ = argv[index].partition("=")
        if name in ("-v", "--v") and not equals:
            index += 1
        elif name not in ("-v", "--v", "--logtostderr") and not _is_level(name):
            return None
        index += 1
    return argv[index + 1 :] if index < len(argv) else None


def _is_level(word: str) -> bool:
    return word.startswith("-v") and word[2:].isdigit()


def normalised(argv: list[str]) -> list[str]:
    """Return the arguments with pflag's forms spelled out: `-l X`, `-lX`, `--legacy=false`."""
    words: list[str] = []
    takes_value = False
    for word in argv:
        if takes_value:
            takes_value = False
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if name in _SWITCHES and equals:
            if value.lower() in ("1", "t", "true"):
                words.append(name)
            elif value.lower() not in ("0", "f", "false"):
                raise ValueError(f"option {name} is true or false")
            continue
        if word[:2] in SHORT and not word.startswith("--"):
            long, rest = SHORT[word[:2]], word[2:].removeprefix("=")
            words += [long, rest] if rest else [long]
            takes_value = not rest
            continue
        takes_value = not equals and OPTIONS.get(name) == "value"
        words.append(word)
    return words


def translate(
    flags: "Mapping[str, str]", env: "Mapping[str, str]"
) -> tuple[dict[str, str], dict[str, str | None]]:
    """Return our options, and what to change in the environment before signing in (None: unset).

    flags: kubelogin's, by their long names. The options have `--server-id` and `--redirect-url`
    beside our own names.
    Raises ValueError (message, hint) for what this program does not do, and says why.
    """
    _refuse(flags)
    kind = _kind(flags, env)
    pipelines = kind == "azure-pipelines"

    def value(name: str) -> str:
        given = flags.get(name, "")
        return given or _fallback(name, flags, env, pipelines=pipelines)

    options = {"--credential": kind}
    for theirs, ours in (
        ("--server-id", "--server-id"),
        ("--environment", "--environment"),
        ("--authority-host", "--authority-host"),
        ("--disable-instance-discovery", "--disable-instance-discovery"),
    ):
        if given := value(theirs):
            options[ours] = given
    if kind == "auto":  # the environment is the whole point of a chain
        if tenant := flags.get("--tenant-id", ""):
            options["--tenant"] = tenant
        return options, {}
    changes: dict[str, str | None] = dict.fromkeys(_IDENTITY, None)
    tenant = "" if kind == "managed-identity" else value("--tenant-id")
    client = _client(kind, flags, env, value)
    if tenant:
        options["--tenant"] = tenant
    if client:
        options["--client-id"] = client
    if kind in ("environment", "service-principal", "workload-identity"):
        changes["AZURE_CLIENT_ID"] = client or None
        changes["AZURE_TENANT_ID"] = tenant or None
    if kind in ("environment", "service-principal"):
        changes.update(_secret(flags, value))
    elif kind == "workload-identity":
        changes["AZURE_FEDERATED_TOKEN_FILE"] = value("--federated-token-file") or None
    elif kind == "managed-identity":
        changes["MSAUTH_IDENTITY_RESOURCE_ID"] = None
        if not client and flags.get("--identity-resource-id"):
            options["--identity-resource-id"] = flags["--identity-resource-id"]
    elif kind == "azure-cli":
        # Not AZURE_SUBSCRIPTION_ID: other tools set that, and az itself does not read it.
        if subscription := flags.get("--subscription"):
            changes["MSAUTH_SUBSCRIPTION"] = subscription
    elif kind == "browser":
        if hint := flags.get("--login-hint"):
            options["--username"] = hint
        if redirect := flags.get("--redirect-url"):
            options["--redirect-url"] = redirect
    elif pipelines:
        changes["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"] = (
            value("--azure-pipelines-service-connection-id") or None
        )
    return options, changes


def missing(request: "TokenRequest", flags: "Collection[str]") -> ValueError | None:
    """Return the error for an identity that is not complete, in kubelogin's words, or None.

    flags: those that were typed, because they decide which variables are read.
    """
    needed = _NEEDED.get(request.credential, ())
    env = request.env
    have = {
        "--tenant-id": request.tenant,
        "--client-id": request.client_id,
        "--client-secret": (
            env.get("AZURE_CLIENT_SECRET") or env.get("AZURE_CLIENT_CERTIFICATE_PATH")
        ),
        "--federated-token-file": env.get("AZURE_FEDERATED_TOKEN_FILE"),
        "--azure-pipelines-service-connection-id": env.get(
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"
        ),
    }
    name = next((name for name in needed if not have[name]), "")
    if not name:
        return None
    what = "--client-secret or --client-certificate" if name == "--client-secret" else name
    variables, terraform = _FALLBACKS[name]
    if "--use-azurerm-env-vars" in flags and terraform:
        variables = (terraform,)
    elif request.credential == "azure-pipelines" and name in _PIPELINES:
        variables = (_PIPELINES[name],)
    hint = f"add {name} … to the arguments"
    if "--disable-environment-override" not in flags:
        hint += f", or set {variables[0]}"
    return ValueError(f"{what} is required", hint)


def other_command(word: str) -> ValueError:
    """Return the error for a command of kubelogin that removes what it has cached."""
    return ValueError(
        f"{word} is not a command of msauth-token: kubelogin's own files are not touched",
        "rm -r ~/.kube/cache/kubelogin",
    )


def _refuse(flags: "Mapping[str, str]") -> None:
    if "--pop-enabled" in flags or flags.get("--pop-claims"):
        raise ValueError(
            "--pop-enabled is not supported: a proof-of-possession token is bound to one key "
            "and one cluster, and cannot come from a shared cache",
            "remove --pop-enabled and --pop-claims, or keep kubelogin for this cluster",
        )
    if "--legacy" in flags:
        raise ValueError(
            "--legacy is not supported: it is for the AKS integration with an application of "
            "one's own, which AKS has retired",
            "remove --legacy, or keep kubelogin for this cluster",
        )


def _kind(flags: "Mapping[str, str]", env: "Mapping[str, str]") -> str:
    login = ""
    if "--disable-environment-override" not in flags:
        login = env.get("AAD_LOGIN_METHOD", "")
    login = login or flags.get("--login", "")
    if not login and env.get("MSAUTH_CREDENTIAL"):
        return env["MSAUTH_CREDENTIAL"]
    login = login or "devicecode"
    if login == "ropc":
        raise ValueError(
            "--login ropc is not supported: it sends the password itself, which fails with "
            "multi-factor authentication and which Microsoft has deprecated",
            "use --login interactive, devicecode or spn",
        )
    kind = LOGINS.get(login)
    if kind is None:
        raise ValueError(f"unknown login method {login!r}", "one of: " + ", ".join(LOGINS))
    if kind == "workload-identity" and not flags.get("--federated-token-file"):
        # In a GitHub workflow kubelogin asks GitHub for the assertion; there is no file.
        return "github-actions" if all(env.get(name) for name in _GITHUB) else kind
    return kind


def _fallback(
    name: str, flags: "Mapping[str, str]", env: "Mapping[str, str]", *, pipelines: bool
) -> str:
    if "--disable-environment-override" in flags or name not in _FALLBACKS:
        return ""
    variables, terraform = _FALLBACKS[name]
    if "--use-azurerm-env-vars" in flags and terraform:
        return env.get(terraform, "")
    if pipelines and name in _PIPELINES:
        variables = (_PIPELINES[name], *variables)
    return next((env[variable] for variable in variables if env.get(variable)), "")


def _client(
    kind: str,
    flags: "Mapping[str, str]",
    env: "Mapping[str, str]",
    value: "Callable[[str], str]",
) -> str:
    if kind in ("azure-cli", "azure-developer-cli"):
        return ""  # these have their own
    if kind == "managed-identity" and flags.get("--identity-resource-id"):
        return flags.get("--client-id", "")
    client = value("--client-id")
    if kind not in ("device-code", "browser") and client.lower() in PUBLIC_CLIENTS:
        # convert-kubeconfig -l spn leaves it there: a variable, which names the real one, beats
        # it in kubelogin.
        client = _fallback("--client-id", flags, env, pipelines=kind == "azure-pipelines")
    if not client and kind in ("device-code", "browser"):
        server = flags.get("--server-id", "").lower()
        return ARC_CLIENT if server == ARC_SERVER else AKS_CLIENT
    return client


def _secret(flags: "Mapping[str, str]", value: "Callable[[str], str]") -> dict[str, str | None]:
    """Return the one certificate or secret that is meant: a given flag decides which it is.

    Of two that are equally near the certificate is taken, as kubelogin does.
    """
    if flags.get("--client-secret") and not flags.get("--client-certificate"):
        return {"AZURE_CLIENT_SECRET": flags["--client-secret"]}
    certificate = value("--client-certificate")
    if not certificate:
        return {"AZURE_CLIENT_SECRET": value("--client-secret") or None}
    return {
        "AZURE_CLIENT_CERTIFICATE_PATH": certificate,
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": value("--client-certificate-password") or None,
    }
