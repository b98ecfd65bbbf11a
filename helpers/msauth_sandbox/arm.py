"""Azure Resource Manager: tenants, subscriptions and resource groups, enough for ``az login``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from .directory import ARM, Tenant, User, stable_guid
from .service import Call, Route, Service, bearer, json_response
from .tokens import TokenRejectedError, token_id

HOSTS = ("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn")


def subscription_id(tenant: Tenant) -> str:
    return stable_guid("subscription", tenant.name)


class ResourceManager(Service):
    kind = "arm"

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/tenants", self.tenants),
            ("GET", "/subscriptions", self.subscriptions),
            ("GET", "/subscriptions/<wanted>", self.subscription),
            ("GET", "/subscriptions/<wanted>/resourcegroups", self.groups),
            ("GET", "/subscriptions/<wanted>/resourceGroups", self.groups),
        )

    def respond(self, call: Call) -> Response:
        token = bearer(call.request)
        if token is None:
            return self._denied(call, "AuthenticationFailed", "missing", None)
        call.record.auth, call.record.token_id = "bearer", token_id(token)
        try:
            claims = self.state.mint.check(token, ARM)
        except TokenRejectedError as rejected:
            code = (
                "ExpiredAuthenticationToken"
                if rejected.reason == "expired"
                else ("InvalidAuthenticationToken")
            )
            return self._denied(call, code, rejected.reason, rejected.challenge)
        call.record.tenant, call.record.client_id = claims["tid"], claims["appid"]
        call.request.environ["sandbox.claims"] = claims
        return super().respond(call)

    def _denied(self, call: Call, code: str, reason: str, challenge: str | None) -> Response:
        call.record.error = reason
        uri = "https://login.microsoftonline.com/common/oauth2/authorize"
        parts = [f'Bearer authorization_uri="{uri}"']
        if challenge is None:
            parts += ['error="invalid_token"', f'error_description="{reason}"']
        else:
            claims = base64.b64encode(challenge.encode()).decode()
            parts += ['error="insufficient_claims"', f'claims="{claims}"']
        body = {"error": {"code": code, "message": f"The token was refused: {reason}."}}
        return json_response(body, 401, [("WWW-Authenticate", ", ".join(parts))])

    def _caller(self, call: Call) -> tuple[Tenant, User | None]:
        claims: dict[str, Any] = call.request.environ["sandbox.claims"]
        directory = self.state.directory
        tenant = directory.tenant(claims["tid"])
        assert tenant is not None
        return tenant, directory.user_by_object_id(claims["oid"])

    def tenants(self, call: Call) -> Response:
        tenant, user = self._caller(call)
        ids = user.object_ids if user else {tenant.id: ""}
        return json_response(
            {
                "value": [
                    {
                        "id": f"/tenants/{t.id}",
                        "tenantId": t.id,
                        "countryCode": "DE",
                        "displayName": t.display_name,
                        "domains": list(t.domains),
                        "defaultDomain": t.domains[-1],
                        "tenantCategory": "Home",
                        "tenantType": "AAD",
                    }
                    for t in self.state.directory.tenants.values()
                    if t.id in ids
                ]
            }
        )

    def _subscription(self, tenant: Tenant) -> dict[str, Any]:
        number = subscription_id(tenant)
        return {
            "id": f"/subscriptions/{number}",
            "subscriptionId": number,
            "tenantId": tenant.id,
            "displayName": f"{tenant.display_name} Development",
            "state": "Enabled",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def subscriptions(self, call: Call) -> Response:
        tenant, _ = self._caller(call)
        subscription = self._subscription(tenant)
        return json_response({"value": [subscription], "count": {"type": "Total", "value": 1}})

    def subscription(self, call: Call, wanted: str) -> Response:
        tenant, _ = self._caller(call)
        if wanted.lower() != subscription_id(tenant):
            return _no_subscription(wanted)
        return json_response(self._subscription(tenant))

    def groups(self, call: Call, wanted: str) -> Response:
        tenant, _ = self._caller(call)
        if wanted.lower() != subscription_id(tenant):
            return _no_subscription(wanted)
        group = {
            "id": f"/subscriptions/{wanted}/resourceGroups/hello",
            "name": "hello",
            "type": "Microsoft.Resources/resourceGroups",
            "location": "westeurope",
            "properties": {"provisioningState": "Succeeded"},
        }
        return json_response({"value": [group]})


def _no_subscription(wanted: str) -> Response:
    message = f"The subscription '{wanted[:40]}' could not be found."
    return json_response({"error": {"code": "SubscriptionNotFound", "message": message}}, 404)
