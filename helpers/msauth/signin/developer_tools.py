"""The sign-ins of the Azure Developer CLI and of Azure PowerShell.

Both keep their tokens themselves and give the same one until it nears its end.
"""

import calendar
import os
import time
from typing import TYPE_CHECKING

from ..errors import UnavailableError
from ..request.request import Token
from .attempt import Attempt
from .programs import which

if TYPE_CHECKING:
    from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
    from azure.identity import AzureDeveloperCliCredential

_TIMEOUT = 60
"""Seconds: azd and pwsh are slow to start, and a first pwsh builds its module cache."""


def azure_developer_cli_reason(attempt: Attempt) -> str | None:
    return None if which("azd", attempt.env) else "azd is not on PATH"


def azure_developer_cli_absence(attempt: Attempt) -> str | None:
    """Say why `auto` need not start azd: nobody ever signed in with it."""
    env = attempt.env
    place = env.get("AZD_CONFIG_DIR") or os.path.expanduser("~/.azd")
    if os.path.exists(os.path.join(place, "auth.json")):
        return azure_developer_cli_reason(attempt)
    return azure_developer_cli_reason(attempt) or "nobody is signed in with azd"


def azure_developer_cli(attempt: Attempt) -> Token:
    """Return the answer of `azd auth token`, which also takes claims."""
    from azure.identity import AzureDeveloperCliCredential

    credential = AzureDeveloperCliCredential(
        additionally_allowed_tenants=["*"], process_timeout=_TIMEOUT
    )
    return attempt.ask("azure-developer-cli", _Utc(credential), renewable=False)


class _Utc:
    """azd prints UTC (RFC 3339), azure-identity reads it as local time: this turns it back."""

    def __init__(self, credential: "AzureDeveloperCliCredential") -> None:
        self._credential = credential

    def get_token_info(self, *scopes: str, options: "TokenRequestOptions") -> "AccessTokenInfo":
        """Return azd's token with its right expiry."""
        info: AccessTokenInfo = self._credential.get_token_info(*scopes, options=options)
        info.expires_on = calendar.timegm(time.localtime(info.expires_on))
        return info


def azure_powershell_reason(attempt: Attempt) -> str | None:
    return None if which("pwsh", attempt.env) else "pwsh is not on PATH"


def azure_powershell_absence(attempt: Attempt) -> str | None:
    """Say why `auto` need not start pwsh: nobody ever used Connect-AzAccount."""
    context = os.path.expanduser("~/.Azure/AzureRmContext.json")
    if os.path.exists(context):
        return azure_powershell_reason(attempt)
    return azure_powershell_reason(attempt) or "nobody is signed in with Connect-AzAccount"


def azure_powershell(attempt: Attempt) -> Token:
    """Return the answer of `Get-AzAccessToken`; it takes no claims."""
    from azure.identity import AzurePowerShellCredential

    from .aadsts import login_hint

    if attempt.claims is not None:
        raise UnavailableError(
            "the server wants a new sign-in that Azure PowerShell cannot do by itself",
            login_hint("azure-powershell", attempt.request, attempt.claims),
        )
    credential = AzurePowerShellCredential(
        additionally_allowed_tenants=["*"], process_timeout=_TIMEOUT
    )
    return attempt.ask("azure-powershell", credential, renewable=False)
