"""The authority: discovery, keys and the token endpoint, with the routes of all its pages."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from ..network.service import Call, Route, Service, json_response
from .aadsts import SignInError
from .grants import Grants
from .keys import Key, token_id
from .sign_in import SignIn, refused
from .state import State
from .token_request import find_tenant

# Every sign-in host, in the clouds they belong to; the first name of a cloud is its preferred one.
CLOUDS: tuple[tuple[str, ...], ...] = (
    ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
)
OWN_HOST = "login.sandbox.invalid"
"""An authority under a name that no DNS knows (RFC 6761), so only the proxy leads to it."""
HOSTS = (*(host for cloud in CLOUDS for host in cloud), OWN_HOST)


class Authority(Service):
    kind = "authority"

    def __init__(self, state: State) -> None:
        self.state = state
        self.grants = Grants(state)
        self.sign_in = SignIn(state)
        super().__init__()

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/common/discovery/instance", self.instance),
            ("GET", "/<tenant>/v2.0/.well-known/openid-configuration", self.openid),
            ("GET", "/<tenant>/.well-known/openid-configuration", self.openid),
            ("GET", "/<tenant>/discovery/v2.0/keys", self.keys),
            ("GET", "/<tenant>/discovery/keys", self.keys),
            ("GET", "/common/userrealm/<user>", self.realm),
            ("GET", "/common/UserRealm/<user>", self.realm),
            ("POST", "/<tenant>/oauth2/v2.0/token", self.token),
            ("POST", "/<tenant>/oauth2/token", self.token),
            ("POST", "/<tenant>/oauth2/v2.0/devicecode", self.sign_in.device_code),
            ("POST", "/<tenant>/oauth2/devicecode", self.sign_in.device_code),
            ("GET POST", "/<tenant>/oauth2/v2.0/authorize", self.sign_in.authorize),
            ("GET POST", "/<tenant>/oauth2/authorize", self.sign_in.authorize),
            ("GET", "/<tenant>/oauth2/v2.0/logout", self.sign_in.logout),
            ("GET POST", "/common/oauth2/deviceauth", self.sign_in.device_page),
        )

    def instance(self, call: Call) -> Response:
        call.record.kind = "discovery"
        asked = call.request.args.get("authorization_endpoint", "")
        if asked and urlsplit(asked).hostname not in HOSTS:
            error = SignInError(50049, "Unknown or invalid instance.", error="invalid_instance")
            return refused(error, call)
        return json_response(
            {
                "tenant_discovery_endpoint": (
                    f"https://{call.host}/common/v2.0/.well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [
                    {
                        "preferred_network": cloud[0],
                        "preferred_cache": cloud[min(1, len(cloud) - 1)]
                        if cloud is CLOUDS[0]
                        else cloud[0],
                        "aliases": list(cloud),
                    }
                    for cloud in CLOUDS
                ],
            }
        )

    def openid(self, call: Call, tenant: str) -> Response:
        """OpenID Connect Discovery 1.0; ``common`` has the literal ``{tenantid}`` in its issuer."""
        call.record.kind = "discovery"
        try:
            found = find_tenant(self.state.directory, tenant)
        except SignInError as error:
            return refused(error, call)
        base = f"https://{call.host}/{found.id if found else tenant}"
        second = "/v2.0/" in call.path
        version = "/v2.0" if second else ""
        issuer_tenant = found.id if found else "{tenantid}"
        call.record.tenant = found.id if found else tenant
        return json_response(
            {
                "token_endpoint": f"{base}/oauth2{version}/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery{version}/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"https://{call.host}/{issuer_tenant}/v2.0"
                if second
                else f"https://sts.windows.net/{issuer_tenant}/",
                "authorization_endpoint": f"{base}/oauth2{version}/authorize",
                "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
                "end_session_endpoint": f"{base}/oauth2{version}/logout",
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
                "msgraph_host": "graph.microsoft.com",
            }
        )

    def keys(self, call: Call, tenant: str) -> Response:
        call.record.kind = "discovery"
        return json_response(Key.jwks())

    def realm(self, call: Call, user: str) -> Response:
        call.record.kind = "discovery"
        domain = user.partition("@")[2].lower()
        known = self.state.directory.tenant(domain) is not None
        return json_response(
            {
                "ver": "1.0",
                "account_type": "Managed" if known else "Unknown",
                "domain_name": domain,
                "cloud_instance_name": "microsoftonline.com",
                "cloud_audience_urn": "urn:federation:MicrosoftOnline",
            }
        )

    def token(self, call: Call, tenant: str) -> Response:
        record = call.record
        record.kind = "token"
        form = call.request.form.to_dict()
        basic = call.request.authorization
        if basic is not None and basic.type == "basic":
            form.setdefault("client_id", basic.username or "")
            form.setdefault("client_secret", basic.password or "")
        first_version = "/v2.0/" not in call.path
        resource = form.get("resource")
        if first_version and resource and "scope" not in form:
            form["scope"] = f"{resource}/.default"
        token_url = f"https://{call.host}{call.path}"
        try:
            body: dict[str, Any] = self.grants.redeem(tenant, form, call.host, token_url, record)
        except SignInError as error:
            self.state.before_answer(record)
            return refused(error, call)
        record.token_id = token_id(body["access_token"])
        if first_version:
            body["resource"] = resource or ""
            body["expires_on"] = str(int(time.time() + body["expires_in"]))
            body["expires_in"] = str(body["expires_in"])
        self.state.before_answer(record)
        return json_response(
            body, headers=[("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache")]
        )
