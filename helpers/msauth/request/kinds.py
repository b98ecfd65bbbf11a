"""The one table of credential kinds; adding a kind is one entry here and one `Way` in `signin`.

This half is read on a cache hit: what in the environment and in other tools' files says whose
token it is. How a kind signs in is named by `where` and imported on a miss alone.
"""

import sys

from ..system import is_absolute, os
from .options import usage_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SIGNATURE = "msal_token_cache.sig"
DEPLOYED, DEVELOPER, BY_NAME = "prod", "dev", ""
"""Groups: the words of AZURE_TOKEN_CREDENTIALS; BY_NAME is never tried by `auto`."""


class Kind:
    """One way to sign in.

    class_name: azure-identity's class, by which AZURE_TOKEN_CREDENTIALS may name it. values:
    variables whose value selects the identity. secrets: variables of which only is said that
    they are set. keys: keys of local endpoints, where another run may listen for another
    identity. stamp: from the environment to a text that changes when another person signs in
    with the tool. signal: the same for what may also change for other reasons, so a cached token
    is still answered, but asked for again behind the answer. files: from the environment to the
    files that stamp and signal look at. needs: variables without which the kind cannot sign in; of
    those in one tuple one is enough. here: variables that are set only where the kind is at home.
    set_up: how to set the kind up where it is not, if not by setting what it needs. tool: the
    program that signs in. login: the command by which a person does,
    with a field in braces behind each option. where: `module:NAME` of its `Way` below `signin`.
    """

    __slots__ = (
        *("class_name", "files", "group", "here", "keys", "login", "needs", "secrets", "set_up"),
        *("signal", "stamp", "tool", "values", "where"),
    )

    def __init__(
        self,
        group: str,
        class_name: str,
        where: str,
        set_up: str,
        *,
        needs: tuple[tuple[str, ...], ...] = (),
        here: tuple[str, ...] = (),
        values: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
        stamp: "Callable[[Mapping[str, str]], str] | None" = None,
        signal: "Callable[[Mapping[str, str]], str] | None" = None,
        files: "Callable[[Mapping[str, str]], list[str]] | None" = None,
        tool: str = "",
        login: str = "",
    ) -> None:
        self.group = group
        self.class_name = class_name
        self.where = where
        self.set_up = set_up
        self.needs = needs
        self.here = here
        self.values = values
        self.secrets = secrets
        self.keys = keys
        self.stamp = stamp
        self.signal = signal
        self.files = files
        self.tool = tool
        self.login = login


def az_directory(env: "Mapping[str, str]") -> str:
    """Return the folder of az's own files."""
    return env.get("AZURE_CONFIG_DIR") or home(env) + "/.azure"


def azd_directory(env: "Mapping[str, str]") -> str:
    """Return the folder of azd's own files."""
    return env.get("AZD_CONFIG_DIR") or home(env) + "/.azd"


def home(env: "Mapping[str, str]") -> str:
    """Return the home directory that an environment names, else the user's own.

    A relative HOME counts as none: it would lead into the directory that git runs in.
    """
    named = env.get("HOME") or env.get("USERPROFILE") or ""
    if is_absolute(named):
        return named.rstrip("/")
    if sys.platform == "win32":
        from os.path import expanduser

        return expanduser("~")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir.rstrip("/")
    except KeyError:
        return "/nonexistent"


def az_files(env: "Mapping[str, str]") -> list[str]:
    """Return az's files that say who is signed in: its profile, and its encrypted tokens."""
    folder = az_directory(env)
    return [f"{folder}/{n}" for n in ("azureProfile.json", "msal_token_cache.bin", _SIGNATURE)]


def azd_files(env: "Mapping[str, str]") -> list[str]:
    """Return azd's files that say who is signed in, and az's, who may be asked by it."""
    folder = azd_directory(env)
    return [folder + "/auth.json", folder + "/config.json", *az_files(env)]


def codespaces_files(env: "Mapping[str, str]") -> list[str]:
    """Return the two programs of the Codespaces extension: for Azure DevOps, and for anything."""
    return [f"{home(env)}/{name}" for name in ("ado-auth-helper", "azure-auth-helper")]


def powershell_files(env: "Mapping[str, str]") -> list[str]:
    """Return Azure PowerShell's context, and the settings that may say that it is elsewhere."""
    folder = home(env) + "/.Azure"
    settings = folder + "/AzureRmContextSettings.json"
    data = _content(settings)
    context = _setting(data, b"ContextFile") or "AzureRmContext.json"
    return [f"{_setting(data, b'ContextDirectory') or folder}/{context}", settings]


def az_stamp(env: "Mapping[str, str]") -> str:
    """`az login`, `az logout` and `az account set` rewrite this file; `get-access-token` never."""
    return _stamp(az_files(env)[0])


def az_signal(env: "Mapping[str, str]") -> str:
    """Return what changes when az changes its encrypted tokens, "" where they are not encrypted.

    An `az logout` that loses its keyring removes the tokens and leaves azureProfile.json, so the
    stamp alone would miss it. az also touches these files for every token that it fetches.
    """
    stamps = [_stamp(file) for file in az_files(env)[1:]]
    return "" if stamps == ["none", "none"] else "+".join(stamps)


def azd_stamp(env: "Mapping[str, str]") -> str:
    """Every login and logout of azd rewrites auth.json, always with the same size.

    With `auth.useAzCliAuth` azd answers as whoever is signed in with az. config.json itself
    changes for many reasons, so only that value counts; it is searched for without `json`.
    """
    auth, config, *_ = azd_files(env)
    uses_az = _setting(_content(config), b"useAzCliAuth").lower() == "true"
    return f"{_stamp(auth)}+{az_stamp(env)}" if uses_az else _stamp(auth)


def powershell_stamp(env: "Mapping[str, str]") -> str:
    """Connect-AzAccount, Disconnect-AzAccount and Set-AzContext rewrite one of these."""
    return "+".join(map(_stamp, powershell_files(env)))


def codespaces_stamp(env: "Mapping[str, str]") -> str:
    """The extension rewrites both when it starts, and when a person signs in or out in VS Code."""
    return "+".join(map(_stamp, codespaces_files(env)))


def _content(path: str) -> bytes:
    """Return the bytes of a tool's file, none where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(descriptor, 1 << 20)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _setting(data: bytes, key: bytes) -> str:
    """Return a text or a truth value of a JSON file, found without `json`; "" for none."""
    rest = data.partition(b'"' + key + b'"')[2].lstrip(b" \t\r\n:")
    value = rest[1:].partition(b'"')[0] if rest[:1] == b'"' else rest[:4]
    return value.decode("utf-8", "surrogateescape").replace("\\\\", "\\")


def _stamp(path: str) -> str:
    try:
        return file_stamp(os.stat(path))
    except (OSError, ValueError):
        return "none"


def file_stamp(status: os.stat_result) -> str:
    """Return a text that changes with every edit of a file, and with its owner and mode."""
    times = f"{status.st_ctime_ns}.{status.st_mtime_ns}"
    return f"{status.st_dev}.{status.st_ino}.{times}.{status.st_size}"


FILE, COMMAND = "file", "command"
ASSERTION = "\x1f"
"""What separates the words of a request's assertion: `managed-identity`, FILE and a path, or
COMMAND and its words."""

_PRINCIPAL = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_REGIONAL_AUTHORITY_NAME")
_CLIENT, _TENANT = ("AZURE_CLIENT_ID",), ("AZURE_TENANT_ID",)
_SECRET = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")
_MANAGED = (
    *("IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "MSI_ENDPOINT"),
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
)
_MANAGED_KEYS = ("IDENTITY_HEADER", "MSI_SECRET")
_AZ = ("AZURE_CONFIG_DIR", "AZURE_CLOUD_NAME", "MSAUTH_SUBSCRIPTION")

_AZ_LOGIN = "az login --tenant {tenant} --scope {scope} --claims-challenge {claims}"
_LOGIN_OPTIONS = " --tenant {tenant} --client-id {client_id} --username {username} --scope {scope}"

MANAGED_IDENTITY = "managed-identity"
KINDS = {
    "environment": Kind(
        DEPLOYED,
        "EnvironmentCredential",
        "service_principal:ENVIRONMENT",
        "",
        needs=(_CLIENT, _SECRET, _TENANT),
        values=(*_PRINCIPAL, "AZURE_CLIENT_CERTIFICATE_PATH"),
        secrets=("AZURE_CLIENT_SECRET",),
    ),
    "service-principal": Kind(
        BY_NAME,
        "",
        "service_principal:SERVICE_PRINCIPAL",
        "",
        needs=(_CLIENT, _SECRET, _TENANT),
        values=(*_PRINCIPAL, "AZURE_CLIENT_CERTIFICATE_PATH"),
        secrets=("AZURE_CLIENT_SECRET",),
    ),
    "workload-identity": Kind(
        DEPLOYED,
        "WorkloadIdentityCredential",
        "federated:WORKLOAD_IDENTITY",
        "",
        needs=(_CLIENT, ("AZURE_FEDERATED_TOKEN_FILE",), _TENANT),
        values=(*_PRINCIPAL, "AZURE_FEDERATED_TOKEN_FILE"),
    ),
    "azure-pipelines": Kind(
        DEPLOYED,
        "AzurePipelinesCredential",
        "federated:AZURE_PIPELINES",
        "run AzureCLI@2, with env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
        needs=(
            ("SYSTEM_OIDCREQUESTURI",),
            ("SYSTEM_ACCESSTOKEN",),
            (*_CLIENT, "AZURESUBSCRIPTION_CLIENT_ID"),
            (*_TENANT, "AZURESUBSCRIPTION_TENANT_ID"),
            ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",),
        ),
        here=("TF_BUILD",),
        values=(
            *_PRINCIPAL,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
            "AZURESUBSCRIPTION_CLIENT_ID",
            "AZURESUBSCRIPTION_TENANT_ID",
        ),
        secrets=("SYSTEM_ACCESSTOKEN", "SYSTEM_OIDCREQUESTURI"),
    ),
    "github-actions": Kind(
        DEPLOYED,
        "",
        "federated:GITHUB_ACTIONS",
        "give the job `permissions: id-token: write`, and set AZURE_TENANT_ID and AZURE_CLIENT_ID",
        needs=(
            ("ACTIONS_ID_TOKEN_REQUEST_URL",),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN",),
            _CLIENT,
            _TENANT,
        ),
        here=("GITHUB_ACTIONS",),
        values=_PRINCIPAL,
        secrets=("ACTIONS_ID_TOKEN_REQUEST_URL",),
    ),
    "federated": Kind(
        BY_NAME,
        "",
        "federated:FEDERATED",
        "msauth help sign-in",
        values=(*_PRINCIPAL, *_MANAGED),
        keys=_MANAGED_KEYS,
    ),
    MANAGED_IDENTITY: Kind(
        DEPLOYED,
        "ManagedIdentityCredential",
        "managed_identity:MANAGED_IDENTITY",
        "run this on an Azure machine, or choose another --credential",
        values=("AZURE_CLIENT_ID", *_MANAGED, "MSAUTH_SERVE", "AZD_AUTH_ENDPOINT"),
        keys=(*_MANAGED_KEYS, "AZD_AUTH_KEY"),
    ),
    "codespaces": Kind(
        DEVELOPER,
        "",
        "codespaces:CODESPACES",
        "connect VS Code with the extension ms-codespaces-tools.ado-codespaces-auth",
        stamp=codespaces_stamp,
        files=codespaces_files,
    ),
    "azure-cli": Kind(
        DEVELOPER,
        "AzureCliCredential",
        "azure_cli:AZURE_CLI",
        "install the Azure CLI, or choose another --credential",
        values=_AZ,
        stamp=az_stamp,
        signal=az_signal,
        files=az_files,
        tool="az",
        login=_AZ_LOGIN,
    ),
    "azure-cli-cache": Kind(
        BY_NAME,
        "",
        "azure_cli:AZURE_CLI_CACHE",
        "install the Azure CLI and az login, or choose another --credential",
        values=_AZ,
        stamp=az_stamp,
        signal=az_signal,
        files=az_files,
        tool="az",
        login=_AZ_LOGIN,
    ),
    "azure-powershell": Kind(
        DEVELOPER,
        "AzurePowerShellCredential",
        "developer_tools:AZURE_POWERSHELL",
        "install PowerShell with Az.Accounts, or choose another --credential",
        values=("AzContextAutoSave",),
        stamp=powershell_stamp,
        files=powershell_files,
        tool="pwsh",
        login="Connect-AzAccount -Tenant {tenant} -ClaimsChallenge {claims}",
    ),
    "azure-developer-cli": Kind(
        DEVELOPER,
        "AzureDeveloperCliCredential",
        "developer_tools:AZURE_DEVELOPER_CLI",
        "install the Azure Developer CLI, or choose another --credential",
        values=("AZD_CONFIG_DIR", "AZURE_SUBSCRIPTION_ID", "AZD_AUTH_ENDPOINT"),
        keys=("AZD_AUTH_KEY",),
        stamp=azd_stamp,
        files=azd_files,
        tool="azd",
        login="azd auth login --tenant-id {tenant}",
    ),
    "broker": Kind(
        DEVELOPER,
        "BrokerCredential",
        "interactive:BROKER",
        "pip install azure-identity-broker, or choose another --credential",
        login="msauth login --credential broker" + _LOGIN_OPTIONS,
    ),
    "browser": Kind(
        DEVELOPER,
        "InteractiveBrowserCredential",
        "interactive:BROWSER",
        "msauth login --credential browser",
        login="msauth login --credential browser" + _LOGIN_OPTIONS,
    ),
    "device-code": Kind(
        DEVELOPER,
        "DeviceCodeCredential",
        "interactive:DEVICE_CODE",
        "msauth login --credential device-code",
        login="msauth login --credential device-code" + _LOGIN_OPTIONS,
    ),
}
"""Every kind by its name, in the order in which `auto` tries those of a group."""

NAMES = ("auto", *KINDS)
"""The values of --credential."""
INTERACTIVE = ("browser", "device-code", "broker")


def order(choice: str) -> tuple[str, ...]:
    """Return the kinds that AZURE_TOKEN_CREDENTIALS allows `auto` to try, in order.

    choice: "", "dev", "prod" or the name of an azure-identity class, in any case.
    Raises UsageError for anything else, as azure-identity raises ValueError.
    """
    word = choice.strip().lower()
    if word in ("", DEPLOYED, DEVELOPER):
        return tuple(n for n, kind in KINDS.items() if kind.group and word in ("", kind.group))
    for name, kind in KINDS.items():
        if kind.class_name.lower() == word:
            return (name,)
    raise usage_error(
        f"AZURE_TOKEN_CREDENTIALS={choice!r} is not dev, prod or a known credential",
        "unset AZURE_TOKEN_CREDENTIALS",
    )


def identity_of(credential: str, env: "Mapping[str, str]") -> str:
    """Return the part of the cache key that environment and tools decide, as `request.…` lines.

    Holds names and places, for secrets only that they are set, and the stamps of the files in
    which other tools say who is signed in, so that `az login` takes effect at once.
    """
    names = tuple(n for n, k in KINDS.items() if k.group) if credential == "auto" else (credential,)
    lines: dict[str, None] = {}
    if credential == "auto" and env.get("AZURE_TOKEN_CREDENTIALS"):
        value = quoted(env["AZURE_TOKEN_CREDENTIALS"])
        lines[f"request.env.AZURE_TOKEN_CREDENTIALS={value}\n"] = None
    for name in names:
        kind = KINDS[name]
        for variable in kind.values:
            value = env.get(variable, "")
            if value:
                lines[f"request.env.{variable}={quoted(value)}\n"] = None
        for variable in kind.secrets:
            if env.get(variable):
                lines[f"request.env.{variable}=(set)\n"] = None
        for variable in kind.keys:
            value = env.get(variable, "")
            if value:
                # Sixteen bits tell two runs apart and say next to nothing of a random key.
                residue = int.from_bytes(value.encode("utf-8", "surrogateescape"), "big") % 65521
                lines[f"request.env.{variable}=({residue})\n"] = None
        if kind.stamp is not None:
            lines[f"request.stamp.{kind.stamp.__name__}={kind.stamp(env)}\n"] = None
    return "".join(lines)


def quoted(value: str) -> str:
    """Return value on one line: `%` and control characters percent-encoded."""
    if value.isprintable() and "%" not in value:
        return value
    return "".join(c if c.isprintable() and c != "%" else f"%{ord(c):x};" for c in value)
