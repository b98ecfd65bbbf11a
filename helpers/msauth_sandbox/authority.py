"""Entra ID: discovery, keys, and the authorize, device code and token endpoints."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from werkzeug.wrappers import Response

from .aadsts import SignInError
from .directory import Application, Tenant, User
from .grants import Grants, consented, parse_claims
from .service import Call, Route, Service, html_response, json_response
from .sessions import AuthorizationCode
from .state import State
from .tokens import Key, token_id

# Every sign-in host, in the clouds they belong to; the first name of a cloud is its preferred one.
CLOUDS: tuple[tuple[str, ...], ...] = (
    ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
)
HOSTS = tuple(host for cloud in CLOUDS for host in cloud)
DEVICE_HOSTS = ("microsoft.com", "www.microsoft.com", "aka.ms")


class Authority(Service):
    kind = "authority"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.grants = Grants(state)

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
            ("POST", "/<tenant>/oauth2/v2.0/devicecode", self.device_code),
            ("POST", "/<tenant>/oauth2/devicecode", self.device_code),
            ("GET POST", "/<tenant>/oauth2/v2.0/authorize", self.authorize),
            ("GET POST", "/<tenant>/oauth2/authorize", self.authorize),
            ("GET", "/<tenant>/oauth2/v2.0/logout", self.logout),
            ("GET POST", "/common/oauth2/deviceauth", self.device_page),
        )

    def instance(self, call: Call) -> Response:
        call.record.kind = "discovery"
        asked = call.request.args.get("authorization_endpoint", "")
        if asked and urlsplit(asked).hostname not in HOSTS:
            return _error(
                SignInError(50049, "Unknown or invalid instance.", error="invalid_instance"), call
            )
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
            found = self.grants.tenant(tenant)
        except SignInError as error:
            return _error(error, call)
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
            self._before_answer(call)
            return _error(error, call)
        record.token_id = token_id(body["access_token"])
        if first_version:
            body["resource"] = resource or ""
            body["expires_on"] = str(int(time.time() + body["expires_in"]))
            body["expires_in"] = str(body["expires_in"])
        self._before_answer(call)
        return json_response(
            body, headers=[("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache")]
        )

    def _before_answer(self, call: Call) -> None:
        if self.state.settings.latency > 0:
            self.state.closing.wait(self.state.settings.latency)
        hook = self.state.on_token
        if hook is not None:
            hook(call.record)

    def device_code(self, call: Call, tenant: str) -> Response:
        """RFC 8628, section 3.2. In auto mode the user has approved before the first poll."""
        record, form = call.record, call.request.form
        record.kind = "devicecode"
        record.scope = form.get("scope")
        record.client_id = form.get("client_id")
        settings = self.state.settings
        try:
            found = self.grants.tenant(tenant)
            record.tenant = found.id if found else tenant
            application = self.grants.application(record.client_id, found)
            wanted = self.grants.wanted(record.scope, found)
            consented(application, wanted)
        except SignInError as error:
            return _error(error, call)
        secret, entry = self.state.sessions.start_device_code(
            application.client_id, tenant, record.scope or "", settings.device_code_expires_in
        )
        if settings.device_code == "auto":
            entry.user = self.state.directory.users[settings.user]
        elif settings.device_code == "deny":
            entry.denied = True
        return json_response(
            {
                "user_code": entry.user_code,
                "device_code": secret,
                "verification_uri": "https://microsoft.com/devicelogin",
                "verification_url": "https://microsoft.com/devicelogin",
                "expires_in": int(settings.device_code_expires_in),
                "interval": settings.device_code_interval,
                "message": (
                    "To sign in, use a web browser to open the page "
                    "https://microsoft.com/devicelogin and enter the code "
                    f"{entry.user_code} to authenticate."
                ),
            }
        )

    def device_page(self, call: Call) -> Response:
        """Where a person enters a device code: ``otc`` is the code, ``login`` who they are."""
        call.record.kind = "devicelogin"
        values = call.request.values
        code = values.get("otc", "")
        user = self.state.directory.users.get(values.get("login", self.state.settings.user))
        if not code:
            form = (
                '<form method="post" action="https://login.microsoftonline.com/common/oauth2/'
                'deviceauth"><label>Code <input name="otc"></label>'
                f'<label>Account <input name="login" value="{escape(self.state.settings.user)}">'
                "</label><button>Next</button></form>"
            )
            return html_response("Enter code", form)
        if user is None or not self.state.sessions.decide(code, user):
            return html_response("Enter code", "That code or account did not work.", 400)
        return html_response("Signed in", f"{escape(user.upn)} is signed in on the device.")

    def authorize(self, call: Call, tenant: str) -> Response:
        """RFC 6749, section 4.1, with everything consented: the answer goes straight back."""
        record, args = call.record, call.request.values
        record.kind = "authorize"
        record.scope = args.get("scope")
        record.client_id = args.get("client_id")
        redirect_uri = args.get("redirect_uri", "")
        try:
            found = self.grants.tenant(tenant)
            record.tenant = found.id if found else tenant
            application = self.grants.application(record.client_id, found)
            if not _may_redirect(application, redirect_uri):
                raise SignInError(50011)
        except SignInError as error:
            record.error = f"AADSTS{error.code}"
            return html_response("Sign in", escape(str(error)), 400)
        try:
            answer = {"code": self._authorization_code(call, application, found, redirect_uri)}
        except SignInError as error:
            record.error = f"AADSTS{error.code}"
            answer = {"error": error.error, "error_description": str(error)}
        if args.get("state"):
            answer["state"] = args["state"]
        answer["session_state"] = "00000000-0000-0000-0000-00005a5a5a5a"
        if args.get("response_mode") == "form_post":
            return _form_post(redirect_uri, answer)
        mark = "#" if args.get("response_mode") == "fragment" else "?"
        return Response(status=302, headers={"Location": redirect_uri + mark + urlencode(answer)})

    def _authorization_code(
        self, call: Call, application: Application, tenant: Tenant | None, redirect_uri: str
    ) -> str:
        args = call.request.values
        requested, _ = parse_claims(args.get("claims"))
        call.record.claims = bool(requested)
        if "code" not in args.get("response_type", ""):
            raise SignInError(700051, "response_type.", error="unsupported_response_type")
        call.record.grant = "authorize"
        fault = self.state.faults.token(call.record)
        if fault:
            raise fault
        user = self._user(args.get("login_hint"))
        place = tenant or user.home
        if place.id not in user.object_ids:
            raise SignInError(50020, f"User '{user.upn}'.", error="access_denied")
        wanted = self.grants.wanted(args.get("scope"), place)
        consented(application, wanted)
        return self.state.sessions.add_code(
            AuthorizationCode(
                client_id=application.client_id,
                redirect_uri=redirect_uri,
                scope=args.get("scope", ""),
                user=user,
                tenant_id=place.id,
                challenge=args.get("code_challenge"),
                challenge_method=args.get("code_challenge_method", "plain"),
                nonce=args.get("nonce"),
                claims=requested,
                expires_on=time.time() + 600,
            )
        )

    def _user(self, login_hint: str | None) -> User:
        user = self.state.directory.users.get((login_hint or self.state.settings.user).lower())
        if user is None:
            raise SignInError(50034, error="access_denied")
        return user

    def logout(self, call: Call, tenant: str) -> Response:
        call.record.kind = "logout"
        return html_response("Signed out", "You are signed out.")


class DeviceLogin(Service):
    """``https://microsoft.com/devicelogin``, which only leads to the page above."""

    kind = "devicelogin"

    def routes(self) -> Sequence[Route]:
        return (("GET", "/devicelogin", self.page), ("GET", "/device", self.page))

    def page(self, call: Call) -> Response:
        target = "https://login.microsoftonline.com/common/oauth2/deviceauth"
        return Response(status=302, headers={"Location": target})


def _error(error: SignInError, call: Call) -> Response:
    call.record.error = f"AADSTS{error.code}"
    correlation = call.request.headers.get("client-request-id")
    return json_response(error.body(correlation), error.http_status)


def _may_redirect(application: Application, redirect_uri: str) -> bool:
    """Loopback redirect URIs match on any port (RFC 8252, section 7.3)."""
    parts = urlsplit(redirect_uri)
    for allowed in application.redirect_uris:
        want = urlsplit(allowed)
        if (parts.scheme, parts.hostname) == (want.scheme, want.hostname):
            return True
    return False


def _form_post(redirect_uri: str, answer: dict[str, str]) -> Response:
    """OAuth 2.0 Form Post Response Mode: a page that posts itself."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in answer.items()
    )
    form = (
        f'<form method="POST" name="hiddenform" action="{escape(redirect_uri)}">{fields}'
        "<noscript><button>Continue</button></noscript></form>"
        "<script>document.forms[0].submit()</script>"
    )
    return html_response("Working...", form)
