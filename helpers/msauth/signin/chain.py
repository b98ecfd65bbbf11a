"""Which kinds are tried, in which order, and what is said when none can sign in.

Order of `auto`: what the environment was given on purpose (DEPLOYED; the machine's own identity
last), then the developer's sign-ins (DEVELOPER; those that may ask a person last). A kind is
tried only when its environment is there; nothing is probed over the network to find out.
"""

from ..errors import UnavailableError, UsageError
from ..request.request import Token
from .aadsts import login_hint
from .attempt import Attempt
from .kinds import KINDS
from .programs import which

DEPLOYED = (
    "environment",
    "workload-identity",
    "azure-pipelines",
    "github-actions",
    "managed-identity",
)
DEVELOPER = (
    "azure-cli",
    "azure-powershell",
    "azure-developer-cli",
    "broker",
    "browser",
    "device-code",
)
_CLASSES = {
    "environmentcredential": "environment",
    "workloadidentitycredential": "workload-identity",
    "managedidentitycredential": "managed-identity",
    "azureclicredential": "azure-cli",
    "azuredeveloperclicredential": "azure-developer-cli",
    "azurepowershellcredential": "azure-powershell",
    "azurepipelinescredential": "azure-pipelines",
    "interactivebrowsercredential": "browser",
    "devicecodecredential": "device-code",
    "brokercredential": "broker",
}


def order(choice: str) -> tuple[str, ...]:
    """Return the kinds that AZURE_TOKEN_CREDENTIALS allows `auto` to try, in order.

    choice: "", "dev", "prod" or the name of an azure-identity class, in any case.
    Raises UsageError for anything else, as azure-identity raises ValueError.
    """
    word = choice.strip().lower()
    if not word:
        return DEPLOYED + DEVELOPER
    if word == "dev":
        return DEVELOPER
    if word == "prod":
        return DEPLOYED
    kind = _CLASSES.get(word)
    if kind is None:
        raise UsageError(
            f"AZURE_TOKEN_CREDENTIALS={choice!r} is not dev, prod or a known credential",
            "unset AZURE_TOKEN_CREDENTIALS",
        )
    return (kind,)


def sign_in(attempt: Attempt) -> Token:
    """Return the token of the chosen kind, or of the first one of `auto` that can sign in.

    A kind that is set up but fails ends the chain: its error is the one worth reading.
    """
    chosen = attempt.request.credential
    if chosen != "auto":
        return _one(chosen, attempt)
    tried = []
    choice = attempt.env.get("AZURE_TOKEN_CREDENTIALS", "")
    kinds = order(choice)
    for kind in kinds:
        why = why_not(kind, attempt, among_others=len(kinds) > 1)
        if why is None:
            try:
                return KINDS[kind].sign_in(attempt)
            except UnavailableError as error:
                why = error.message.removeprefix(f"{kind}: ")
        tried.append(f"{kind}: {why}")
    raise UnavailableError(
        "no credential can sign in\n" + "\n".join(tried),
        login_hint("auto" if which("az", attempt.env) else "device-code", attempt.request, None),
    )


def why_not(kind: str, attempt: Attempt, *, among_others: bool) -> str | None:
    """Return why a kind is not usable here, or None; among_others: `auto` has more to try."""
    found = KINDS[kind]
    return found.absence(attempt) if among_others and found.absence else found.reason(attempt)


_IDENTITY = "export AZURE_TENANT_ID=… AZURE_CLIENT_ID=… and "
SET_UP = {
    "environment": _IDENTITY + "AZURE_CLIENT_SECRET=… or AZURE_CLIENT_CERTIFICATE_PATH=…",
    "service-principal": _IDENTITY + "AZURE_CLIENT_SECRET=… or AZURE_CLIENT_CERTIFICATE_PATH=…",
    "workload-identity": _IDENTITY + "AZURE_FEDERATED_TOKEN_FILE=…",
    "managed-identity": "run this on an Azure machine, or choose another --credential",
    "azure-pipelines": "run AzureCLI@2, with env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
    "github-actions": "give the job `permissions: id-token: write`, and "
    "set AZURE_TENANT_ID and AZURE_CLIENT_ID",
    "azure-cli": "install the Azure CLI, or choose another --credential",
    "azure-cli-cache": "install the Azure CLI and az login, or choose another --credential",
    "azure-developer-cli": "install the Azure Developer CLI, or choose another --credential",
    "azure-powershell": "install PowerShell with Az.Accounts, or choose another --credential",
    "browser": "msauth login --credential browser",
    "device-code": "msauth login --credential device-code",
    "broker": "pip install azure-identity-broker, or choose another --credential",
}
"""How each kind is set up where it is not, in one line."""


def _one(kind: str, attempt: Attempt) -> Token:
    found = KINDS[kind]
    why = found.reason(attempt)
    if why is not None:
        raise UnavailableError(f"{kind}: {why}", SET_UP[kind])
    try:
        return found.sign_in(attempt)
    except UnavailableError as error:
        message = error.message.removeprefix(f"{kind}: ")
        raise UnavailableError(
            f"{kind}: {message}", error.hint or SET_UP[kind], deterministic=error.deterministic
        ) from None
