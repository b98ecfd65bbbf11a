"""The OIDC issuers that the service principal trusts: GitHub, Azure Pipelines, AKS."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from ..entra.directory import (
    GITHUB_ISSUER,
    GITHUB_SUBJECT,
    PIPELINES_ISSUER,
    PIPELINES_SUBJECT,
    WORKLOAD_ISSUER,
    WORKLOAD_SUBJECT,
    stable_guid,
)
from ..entra.keys import Key
from ..network.service import Call, Route, Service, bearer, json_response

GITHUB_HOST = "pipelines.actions.githubusercontent.com"
ISSUER_HOSTS = tuple(urlsplit(issuer).hostname or "" for issuer in (GITHUB_ISSUER, WORKLOAD_ISSUER))
PROJECT_ID = stable_guid("project", "contoso", "hello")
SERVICE_CONNECTION = stable_guid("service connection", "azure")
PIPELINES_PATH = (
    f"/contoso/{PROJECT_ID}/_apis/distributedtask/hubs/build/plans/"
    f"{stable_guid('plan')}/jobs/{stable_guid('job')}/oidctoken"
)


def _assertion(issuer: str, subject: str, audience: str, **more: Any) -> str:
    now = int(time.time())
    return Key.sign(
        {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "nbf": now - 60,
            "exp": now + 3600,
            "jti": secrets.token_hex(16),
            **more,
        }
    )


def workload_token(audience: str = "api://AzureADTokenExchange", lifetime: int = 3600) -> str:
    """What a Kubernetes service account's projected token file holds; lifetime: seconds."""
    expiry = int(time.time()) + lifetime
    return _assertion(WORKLOAD_ISSUER, WORKLOAD_SUBJECT, audience, exp=expiry)


class GitHubActions(Service):
    """``GET $ACTIONS_ID_TOKEN_REQUEST_URL&audience=…`` with the request token as bearer."""

    kind = "oidc"

    def __init__(self) -> None:
        super().__init__()
        self.request_token = secrets.token_urlsafe(48)
        self.request_path = f"/{secrets.token_hex(12)}//idtoken/1/2"

    def respond(self, call: Call) -> Response:
        given = bearer(call.request) or ""
        if not secrets.compare_digest(given.encode(), self.request_token.encode()):
            return json_response({"message": "bad request token"}, 401)
        audience = call.request.args.get("audience", "https://github.com/contoso")
        token = _assertion(
            GITHUB_ISSUER,
            GITHUB_SUBJECT,
            audience,
            repository="contoso/hello",
            ref="refs/heads/main",
        )
        return json_response({"count": len(token), "value": token})


class Pipelines(Service):
    """``POST $SYSTEM_OIDCREQUESTURI?api-version=7.1&serviceConnectionId=…``."""

    kind = "oidc"

    def __init__(self) -> None:
        super().__init__()
        self.access_token = secrets.token_urlsafe(48)

    def respond(self, call: Call) -> Response:
        given = bearer(call.request) or ""
        if not secrets.compare_digest(given.encode(), self.access_token.encode()):
            return Response("sign in", 302, {"Location": "https://dev.azure.com/_signin"})
        if call.request.method != "POST":
            return json_response({"message": "POST only"}, 405)
        if call.request.args.get("serviceConnectionId") != SERVICE_CONNECTION:
            return json_response({"message": "no such service connection"}, 400)
        token = _assertion(PIPELINES_ISSUER, PIPELINES_SUBJECT, "api://AzureADTokenExchange")
        return json_response({"oidcToken": token})


class Issuer(Service):
    """Discovery of the issuers, which Entra would read to learn their keys."""

    kind = "oidc"

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/.well-known/openid-configuration", self.discovery),
            ("GET", "/<path:prefix>/.well-known/openid-configuration", self.discovery),
            ("GET", "/.well-known/jwks", self.keys),
            ("GET", "/<path:prefix>/.well-known/jwks", self.keys),
        )

    def discovery(self, call: Call, prefix: str = "") -> Response:
        issuer = f"https://{call.host}" + (f"/{prefix}/" if prefix else "")
        jwks = f"{issuer.rstrip('/')}/.well-known/jwks"
        return json_response({"issuer": issuer, "jwks_uri": jwks})

    def keys(self, call: Call, prefix: str = "") -> Response:
        return json_response(Key.jwks())
