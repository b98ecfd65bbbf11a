"""Managed identity: App Service and MSI on loopback, IMDS under its own address.

The host has an identity of its own and a user-assigned one. Each protocol has its own words to ask
for one of them; a word that it does not know it ignores, as Azure's hosts do.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from werkzeug.wrappers import Response

from ..entra.aadsts import SignInError
from ..entra.directory import Application, subscription_id
from ..entra.grants import Grants
from ..entra.keys import token_id
from ..entra.state import State
from ..entra.token_request import find_wanted
from ..network.service import Call, Route, Service, json_response

IMDS_HOST = "169.254.169.254"
PATH = "/msi/token"

_APP_SERVICE = ("client_id", "mi_res_id", "object_id", "principal_id")
_MSI = ("clientid", "mi_res_id", "msi_res_id", "object_id", "principal_id")
_IMDS = ("client_id", "mi_res_id", "msi_res_id", "object_id")
_ALL = dict.fromkeys(_APP_SERVICE + _MSI + _IMDS)


class ManagedIdentity(Service):
    kind = "managed_identity"

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.key = secrets.token_hex(16)
        self._grants = Grants(state)
        self._cache: dict[tuple[str, str], tuple[str, float]] = {}

    def reset(self) -> None:
        self._cache.clear()

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", PATH, self.app_service),
            ("GET", "/metadata/identity/oauth2/token", self.imds),
            ("GET", "/metadata/instance", self.instance),
        )

    def respond(self, call: Call) -> Response:
        if call.host == IMDS_HOST and not self.state.settings.imds:
            call.record.error = "off"
            return Response("no route to host\n", 504)
        return super().respond(call)

    def app_service(self, call: Call) -> Response:
        """``X-IDENTITY-HEADER`` (2019-08-01), ``secret`` (2017-09-01), or Terraform's header."""
        headers = call.request.headers
        given = (
            headers.get("X-IDENTITY-HEADER")
            or headers.get("secret")
            or headers.get("x-ms-identity")
            or ""
        )
        if not secrets.compare_digest(given.encode(), self.key.encode()):
            return json_response({"statusCode": 401, "message": "wrong identity header"}, 401)
        words = _MSI if call.request.args.get("api-version") == "2017-09-01" else _APP_SERVICE
        identity = self._identity(call, words)
        if identity is None:
            message = (
                "No User Assigned or Delegated Managed Identity found for specified "
                "ClientId/ResourceId/PrincipalId."
            )
            return json_response({"statusCode": 400, "message": message}, 400)
        return self._token(call, identity)

    def imds(self, call: Call) -> Response:
        if call.request.headers.get("Metadata", "").lower() != "true":
            body = {"error": "invalid_request", "error_description": "Metadata header missing"}
            return json_response(body, 400)
        identity = self._identity(call, _IMDS)
        if identity is None:
            body = {"error": "invalid_request", "error_description": "Identity not found"}
            return json_response(body, 400)
        return self._token(call, identity)

    def _identity(self, call: Call, words: tuple[str, ...]) -> Application | None:
        """The one identity that the request names by ``words``; the host's own if it names none."""
        args, directory = call.request.args, self.state.directory
        call.record.identity = {word: args[word] for word in _ALL if word in args}
        wanted = [args[word].lower() for word in words if word in args]
        if not wanted:
            return directory.managed_identity
        for identity in (directory.managed_identity, directory.user_assigned_identity):
            object_id = identity.object_id(directory.tenants["contoso"])
            names = (identity.client_id, object_id, (identity.resource_id or "").lower())
            if all(name in names for name in wanted):
                return identity
        call.record.error = "identity"
        return None

    def _token(self, call: Call, identity: Application) -> Response:
        record, resource = call.record, call.request.args.get("resource", "")
        record.grant, record.scope = "managed_identity", resource
        record.client_id = identity.client_id
        record.tenant = self.state.directory.tenants["contoso"].id
        try:
            self.state.fail(record)
            token, expires_on = self._cached(identity, resource)
        except SignInError as error:
            record.error = f"AADSTS{error.code}"
            body = {"error": error.error, "error_description": str(error)}
            return json_response(body, error.http_status)
        record.token_id = token_id(token)
        self.state.before_answer(record)
        now = int(time.time())
        return json_response(
            {
                "access_token": token,
                "client_id": identity.client_id,
                "expires_in": str(int(expires_on) - now),
                "expires_on": str(int(expires_on)),
                "ext_expires_in": str(int(expires_on) - now),
                "not_before": str(now),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def _cached(self, identity: Application, resource: str) -> tuple[str, float]:
        """A token and its end in epoch seconds: a new one, unless the host caches."""
        now, settings, key = time.time(), self.state.settings, (identity.client_id, resource)
        near = min(300, settings.expires_in / 10)
        if settings.managed_identity_caches and key in self._cache:
            token, expires_on = self._cache[key]
            if expires_on - now > near:
                return token, expires_on
        tenant = self.state.directory.tenants["contoso"]
        scope = f"{resource}/.default" if resource else ""
        wanted = find_wanted(self.state.directory, scope, tenant)
        answer = self._grants.app_token(identity, tenant, wanted, requested={}, cae=False)
        self._cache[key] = answer["access_token"], now + answer["expires_in"]
        return self._cache[key]

    def instance(self, call: Call) -> Response:
        if call.request.headers.get("Metadata", "").lower() != "true":
            return json_response({"error": "Bad request. Required metadata header missing"}, 400)
        compute = {
            "name": "hello",
            "location": "westeurope",
            "resourceGroupName": "hello",
            "subscriptionId": subscription_id(self.state.directory.tenants["contoso"]),
        }
        return json_response({"compute": compute})
