"""`msauth inspect`: what the token that would be served says of itself, in words."""

import os
import time
from typing import Any

from ..broker import broker
from ..protocols.kubelogin import AKS_CLIENT
from ..request.clouds import AKS_SERVER, CLOUDS, DEVOPS_RESOURCE, GRAPH_APPLICATION
from ..request.options import FLAG
from ..request.request import Token
from ..signin.az_cache import CLIENT_ID as AZURE_CLI
from . import arguments, show

OPTIONS = {**arguments.SIGN_IN_OPTIONS, "--json": FLAG, "--az": FLAG}
HELP = f"""\
usage: msauth inspect [options] [PRODUCT]
       msauth inspect --az [--json]

Explains the claims of the token that would be served (for arm, if neither PRODUCT, --scope nor a
profile's scopes say otherwise), and signs in if none is cached. The token itself is never shown.
Its signature is not checked: only the server it is for can say what it is worth.
--az shows what az's own token cache holds, without any secret.

{arguments.SIGN_IN_HELP}\
  --json                 the same for programs
  --az                   show az's own token cache instead
"""
_GRAPH = (GRAPH_APPLICATION, *(cloud.resources["graph"] for cloud in CLOUDS))
_TIMES = ("iat", "nbf", "exp")
# https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
_EXPLAINED = (
    ("aud", "audience", "the resource that the token is for"),
    ("iss", "issuer", ""),
    ("tid", "tenant", ""),
    ("idtyp", "type", ""),
    ("upn", "account", ""),
    ("preferred_username", "account", ""),
    ("unique_name", "account", ""),
    ("name", "name", ""),
    ("oid", "object id", "of the account in this tenant"),
    ("appid", "client", ""),
    ("azp", "client", ""),
    ("app_displayname", "client name", ""),
    ("scp", "scopes", "delegated: what the client may do for the account"),
    ("roles", "roles", "what the application may do by itself"),
    ("amr", "signed in with", ""),
    ("acrs", "contexts", "authentication contexts that are met"),
    ("iat", "issued", ""),
    ("nbf", "valid from", ""),
    ("exp", "valid until", ""),
    ("xms_cc", "capabilities", "CP1: the client understands claims challenges"),
    ("xms_mirid", "identity", "the managed identity's resource"),
)
_CLIENTS = {
    AZURE_CLI: "Azure CLI",
    "1950a258-227b-4e31-a9cf-717495945fc2": "Azure PowerShell",
    "872cd9fa-d31f-45e0-9eab-6e460a02d1f1": "Visual Studio",
    AKS_CLIENT: "AKS client",
}
_FIXED = """
The Azure CLI's application has fixed delegated permissions on Microsoft Graph: those under
scopes, and no others. More (Intune, for example) needs an app registration of your own, with
the redirect URI http://localhost under mobile and desktop applications and public client flows
allowed. Then:

  msauth login --credential browser --client-id YOUR-APP --tenant YOUR-TENANT \\
      --scope https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All

or a profile with these values, and msauth login --profile NAME."""


def run(argv: list[str]) -> int:
    """Explain a token. Raises SignInError or UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=1)
    if given is None:
        return 0
    options, words = given
    if "--az" in options:
        from . import az

        return az.run(as_json="--json" in options)
    request = arguments.request(options, words, interactive=broker.may_prompt(os.environ))
    token = broker.get_token(request)

    from ..signin.attempt import claims_of

    claims = claims_of(token.text)
    fixed = _is_graph(claims) and claims.get("appid", claims.get("azp")) == AZURE_CLI
    if "--json" in options:
        show.as_json(_report(token, request.scopes, claims, fixed))
        return 0
    show.facts(_lines(token, claims, int(time.time())))
    rest = sorted(claims.keys() - {name for name, _, _ in _EXPLAINED})
    if rest:
        show.paragraph(f"other claims: {', '.join(rest)}")
    if not claims:
        show.paragraph("this token is opaque: only the resource itself can read it")
    if fixed:
        show.paragraph(_FIXED)
    return 0


def _is_graph(claims: dict[str, Any]) -> bool:
    audience = str(claims.get("aud", "")).rstrip("/")
    return audience in _GRAPH


def _report(
    token: Token, scopes: tuple[str, ...], claims: dict[str, Any], fixed: bool
) -> dict[str, Any]:
    granted = claims.get("scp")
    roles = claims.get("roles")
    return {
        "credential": token.credential or None,
        "account": token.account or None,
        "tenant": token.tenant or None,
        "requested_scopes": list(scopes),
        "audience": claims.get("aud"),
        "client_id": claims.get("appid", claims.get("azp")),
        "scopes": granted.split(" ") if isinstance(granted, str) and granted else [],
        "roles": roles if isinstance(roles, list) else [],
        "issued": token.issued,
        "issued_at": show.rfc3339(token.issued),
        "refresh_on": token.refresh_on or None,
        "refresh_at": show.rfc3339(token.refresh_on),
        "expires_on": token.expires_on,
        "expires_at": show.rfc3339(token.expires_on),
        "fixed_permissions": fixed,
        "claims": claims,
    }


def _lines(token: Token, claims: dict[str, Any], now: int) -> list[tuple[str, str]]:
    lines = [("by", token.credential)]
    if not claims:
        lines.append(("valid until", show.when(token.expires_on, now)))
    for claim, label, meaning in _EXPLAINED:
        if claim not in claims or any(label == known for known, _ in lines):
            continue
        text = _value(claim, claims[claim], now)
        lines.append((label, f"{text}  ({meaning})" if meaning and text else text))
    if claims and 0 < token.refresh_on < token.expires_on:
        lines.append(("renewed from", show.when(token.refresh_on, now)))
    return lines


def _value(claim: str, value: object, now: int) -> str:
    if claim in _TIMES and isinstance(value, int):
        return show.when(value, now)
    if claim in ("appid", "azp") and value in _CLIENTS:
        return f"{value} ({_CLIENTS[str(value)]})"
    if claim == "aud":
        known = {DEVOPS_RESOURCE: "Azure DevOps", AKS_SERVER: "AKS"}
        return f"{value} ({known[str(value)]})" if value in known else str(value)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)
