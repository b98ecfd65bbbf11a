"""Why Azure DevOps refused a token of ours, asked of it once and only after a refusal.

git shows the server's text, if there is one, but not what helps; so the organisation is asked for
the reason with the very token that it has just refused, at its own host and nowhere else.
"""

import json
import re
import urllib.parse
from collections.abc import Mapping

from ..errors import MsauthError, command
from ..request.clouds import DEVOPS_HOST
from . import network
from .aadsts import other
from .attempt import claims_of, token_from

_CODE = re.compile(r"\b(TF401444|TF400813)\b")
_NOBODY = re.compile(r"user '' ", re.IGNORECASE)
USE_PATH = f"git config --global credential.https://{DEVOPS_HOST}.useHttpPath true"


def why(token: str, organisation: str, origin: str, env: Mapping[str, str]) -> MsauthError | None:
    """Return what a person can do about a refused token, or None where nothing is known.

    organisation: "" where git did not say it. origin: what chose the tenant, "" for nothing.
    """
    if not organisation:
        message = f"{DEVOPS_HOST} refused the token, and git did not say for which organisation"
        return MsauthError(message, USE_PATH)
    said, wanted = _ask(token, organisation, env)
    code = _CODE.search(said)
    if code is None:
        return None
    given = str(claims_of(token).get("tid", "")).lower()
    account = token_from("", token, 0, refresh_on=0, issued=0).account or "this account"
    who = f"organisation {organisation} refused {account}"
    page = f"https://{DEVOPS_HOST}/{organisation}"
    if code[1] == "TF401444":
        return MsauthError(
            f"{who}: it has never opened the organisation in a browser (TF401444)",
            f"open {page} in a browser once, as {account}",
        )
    if given and wanted and given != wanted.lower():
        hint = command("msauth", "login", "devops", "--tenant", wanted)
        if origin:  # the organisation's own tenant is found where nobody names one
            hint = other("tenant", origin, env)
        return MsauthError(f"{who}: the token is of another tenant (TF400813)", hint)
    if _NOBODY.search(said):
        return None  # the token itself is no longer good, and the next one is a new one
    return MsauthError(
        f"{who}: the account is no member (TF400813)",
        f"ask an administrator of the organisation to add it at {page}/_settings/users",
    )


def _ask(token: str, organisation: str, env: Mapping[str, str]) -> tuple[str, str]:
    """Return what the organisation says of the token, and its tenant; "" for what is unknown."""
    import requests

    try:
        with network.session(env, git=True) as session:
            answer = session.get(
                f"https://{DEVOPS_HOST}/{organisation}/_apis/connectionData",
                headers={
                    "Authorization": f"Bearer {token}",
                    "X-TFS-FedAuthRedirect": "Suppress",
                    "User-Agent": "msauth",
                },
                timeout=(5, 10),
            )
    except (requests.RequestException, OSError):
        return "", ""
    if answer.status_code not in (401, 403):
        return "", ""
    said = urllib.parse.unquote(answer.headers.get("X-TFS-ServiceError", ""))
    try:
        body = json.loads(answer.content[: 1 << 16])
        said += " " + str(body.get("message", ""))
    except (ValueError, AttributeError):
        pass
    return said, answer.headers.get("X-VSS-ResourceTenant", "").strip()
