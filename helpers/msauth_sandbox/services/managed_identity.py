"""Managed identity: App Service and MSI on loopback, IMDS under its own address."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..entra.aadsts import SignInError
from ..entra.directory import subscription_id
from ..entra.grants import Grants
from ..entra.keys import token_id
from ..entra.state import State
from ..entra.token_request import find_wanted
from ..network.service import Call, Route, Service, json_response

IMDS_HOST = "169.254.169.254"
PATH = "/msi/token"


class ManagedIdentity(Service):
    kind = "managed_identity"

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.key = secrets.token_hex(16)
        self._grants = Grants(state)

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", PATH, self.app_service),
            ("GET", "/metadata/identity/oauth2/token", self.imds),
            ("GET", "/metadata/instance", self.instance),
        )

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
        return self._token(call)

    def respond(self, call: Call) -> Response:
        if call.host == IMDS_HOST and not self.state.settings.imds:
            call.record.error = "off"
            return Response("no route to host\n", 504)
        return super().respond(call)

    def imds(self, call: Call) -> Response:
        if call.request.headers.get("Metadata", "").lower() != "true":
            body = {"error": "invalid_request", "error_description": "Metadata header missing"}
            return json_response(body, 400)
        return self._token(call)

    def _token(self, call: Call) -> Response:
        record, args = call.record, call.request.args
        resource = args.get("resource", "")
        directory, application = self.state.directory, self.state.directory.managed_identity
        contoso = directory.tenants["contoso"]
        record.grant, record.tenant = "managed_identity", contoso.id
        record.scope = resource
        asked_for = args.get("client_id") or args.get("clientid")
        record.client_id = asked_for or application.client_id
        if asked_for and asked_for.lower() not in (
            application.client_id,
            directory.service_principal.client_id,
        ):
            body = {"error": "invalid_request", "error_description": "Identity not found"}
            return json_response({**body, "statusCode": 400, "message": "Identity not found"}, 400)
        try:
            self.state.fail(record)
            scope = f"{resource}/.default" if resource else ""
            wanted = find_wanted(directory, scope, contoso)
        except SignInError as error:
            record.error = f"AADSTS{error.code}"
            body = {"error": error.error, "error_description": str(error)}
            return json_response(body, error.http_status)
        answer = self._grants.app_token(application, contoso, wanted, requested={}, cae=False)
        record.token_id = token_id(answer["access_token"])
        self.state.before_answer(record)
        return json_response(
            {
                "access_token": answer["access_token"],
                "client_id": application.client_id,
                "expires_in": str(answer["expires_in"]),
                "expires_on": str(int(time.time()) + int(answer["expires_in"])),
                "ext_expires_in": str(answer["ext_expires_in"]),
                "not_before": str(int(time.time())),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def instance(self, call: Call) -> Response:
        if call.request.headers.get("Metadata", "").lower() != "true":
            return json_response({"error": "Bad request. Required metadata header missing"}, 400)
        compute: dict[str, Any] = {
            "name": "hello",
            "location": "westeurope",
            "resourceGroupName": "hello",
            "subscriptionId": subscription_id(self.state.directory.tenants["contoso"]),
        }
        return json_response({"compute": compute})
