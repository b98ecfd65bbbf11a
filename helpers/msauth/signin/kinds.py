"""The table of credential kinds: for each, whether its environment is there, and how to ask it."""

from collections.abc import Callable
from typing import NamedTuple

from ..request.request import Token
from . import (
    azure_cli,
    developer_tools,
    federated,
    interactive,
    managed_identity,
    service_principal,
)
from .attempt import Attempt

Reason = Callable[[Attempt], "str | None"]


class Kind(NamedTuple):
    """One way to sign in.

    reason: why it is not usable here, or None; it looks at the environment and never starts a
    program or opens a connection. sign_in may still find that nobody is signed in, and raises
    UnavailableError then. absence: the stricter reason by which `auto` passes the kind over.
    """

    reason: Reason
    sign_in: Callable[[Attempt], Token]
    absence: Reason | None = None


KINDS: dict[str, Kind] = {
    "environment": Kind(service_principal.reason, service_principal.sign_in),
    "service-principal": Kind(service_principal.reason, service_principal.sign_in),
    "workload-identity": Kind(federated.workload_identity_reason, federated.workload_identity),
    "azure-pipelines": Kind(federated.azure_pipelines_reason, federated.azure_pipelines),
    "github-actions": Kind(federated.github_actions_reason, federated.github_actions),
    "managed-identity": Kind(managed_identity.reason, managed_identity.sign_in),
    "azure-cli": Kind(azure_cli.reason, azure_cli.azure_cli),
    "azure-cli-cache": Kind(lambda _: None, azure_cli.azure_cli_cache),
    "azure-powershell": Kind(
        developer_tools.azure_powershell_reason,
        developer_tools.azure_powershell,
        developer_tools.azure_powershell_absence,
    ),
    "azure-developer-cli": Kind(
        developer_tools.azure_developer_cli_reason,
        developer_tools.azure_developer_cli,
        developer_tools.azure_developer_cli_absence,
    ),
    "broker": Kind(interactive.broker_reason, interactive.broker),
    "browser": Kind(lambda _: None, interactive.browser, interactive.browser_absence),
    "device-code": Kind(lambda _: None, interactive.device_code, interactive.device_code_absence),
}
