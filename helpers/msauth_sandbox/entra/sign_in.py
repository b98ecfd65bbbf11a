"""How a person signs in: the authorize endpoint, device codes, and their pages."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode, urlsplit

from werkzeug.wrappers import Response

from ..network.service import Call, Route, Service, html_response, json_response
from .aadsts import SignInError
from .directory import Application, Tenant, User
from .sessions import AuthorizationCode
from .state import State
from .token_request import consented, find_application, find_tenant, find_wanted, parse_claims

DEVICE_HOSTS = ("microsoft.com", "www.microsoft.com", "aka.ms")


class SignIn:
    def __init__(self, state: State) -> None:
        self._state = state

    def device_code(self, call: Call, tenant: str) -> Response:
        """RFC 8628, section 3.2. In auto mode the user has approved before the first poll."""
        record, form = call.record, call.request.form
        record.kind = "devicecode"
        record.scope = form.get("scope")
        record.client_id = form.get("client_id")
        settings = self._state.settings
        try:
            found = find_tenant(self._state.directory, tenant)
            record.tenant = found.id if found else tenant
            application = find_application(self._state.directory, record.client_id, found)
            wanted = find_wanted(self._state.directory, record.scope, found)
            consented(application, wanted)
        except SignInError as error:
            return refused(error, call)
        secret, entry = self._state.sessions.start_device_code(
            application.client_id, tenant, record.scope or "", settings.device_code_expires_in
        )
        if settings.device_code == "auto":
            entry.user = self._state.directory.users[settings.user]
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
        user = self._state.directory.users.get(values.get("login", self._state.settings.user))
        if not code:
            form = (
                '<form method="post" action="https://login.microsoftonline.com/common/oauth2/'
                'deviceauth"><label>Code <input name="otc"></label>'
                f'<label>Account <input name="login" value="{escape(self._state.settings.user)}">'
                "</label><button>Next</button></form>"
            )
            return html_response("Enter code", form)
        if user is None or not self._state.sessions.decide(code, user):
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
            found = find_tenant(self._state.directory, tenant)
            record.tenant = found.id if found else tenant
            application = find_application(self._state.directory, record.client_id, found)
            if not redirect_uri:
                raise SignInError(900971)
            if not _may_redirect(application, redirect_uri):
                raise SignInError(50011)
        except SignInError as error:
            record.error = f"AADSTS{error.code}"
            return html_response("Sign in", escape(str(error)), 400)
        try:
            answer = {"code": self._authorization_code(call, application, found, redirect_uri)}
        except SignInError as error:
            record.error = f"AADSTS{error.code}"
            body = error.body(args.get("client-request-id"))
            answer = {name: body[name] for name in ("error", "error_description", "error_uri")}
        if args.get("state"):
            answer["state"] = args["state"]
        answer["session_state"] = "00000000-0000-0000-0000-00005a5a5a5a"
        mode = args.get("response_mode", "query")
        if mode == "form_post":
            return _form_post(redirect_uri, answer)
        mark = "#" if mode == "fragment" else "?"
        return Response(status=302, headers={"Location": redirect_uri + mark + urlencode(answer)})

    def _authorization_code(
        self, call: Call, application: Application, tenant: Tenant | None, redirect_uri: str
    ) -> str:
        args = call.request.values
        requested, _ = parse_claims(args.get("claims"))
        call.record.claims = bool(requested)
        if "code" not in args.get("response_type", ""):
            raise SignInError(700051, "response_type.", error="unsupported_response_type")
        # Since 2026 Entra ID hands no code to a loopback address in a query, where the browser's
        # history would keep it. It says so in a query all the same.
        mode = args.get("response_mode", "query")
        if mode == "query" and application.secret is None and _is_loopback(redirect_uri):
            raise SignInError(70007)
        call.record.grant = "authorize"
        self._state.fail(call.record)
        user = self._user(args.get("login_hint"))
        place = tenant or user.home
        if place.id not in user.object_ids:
            raise SignInError(50020, f"User '{user.upn}'.", error="access_denied")
        wanted = find_wanted(self._state.directory, args.get("scope"), place)
        consented(application, wanted)
        return self._state.sessions.add_code(
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
        user = self._state.directory.users.get((login_hint or self._state.settings.user).lower())
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


def refused(error: SignInError, call: Call) -> Response:
    """The JSON answer of an error, also noted in the call's record."""
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


def _is_loopback(redirect_uri: str) -> bool:
    return urlsplit(redirect_uri).hostname in ("localhost", "127.0.0.1", "::1")


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
