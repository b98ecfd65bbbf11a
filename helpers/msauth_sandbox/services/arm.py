"""Azure Resource Manager: tenants, subscriptions and resource groups, enough for ``az login``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..entra.directory import ARM, Tenant, User, subscription_id
from ..entra.keys import TokenRejectedError
from ..network.service import Call, Route, json_response
from .api import Api, challenge

HOSTS = ("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn")


class ResourceManager(Api):
    kind = "arm"
    resource_id = ARM

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/tenants", self.tenants),
            ("GET", "/subscriptions", self.subscriptions),
            ("GET", "/subscriptions/<wanted>", self.subscription),
            ("GET", "/subscriptions/<wanted>/resourcegroups", self.groups),
            ("GET", "/subscriptions/<wanted>/resourceGroups", self.groups),
        )

    def denied(self, rejected: TokenRejectedError) -> Response:
        codes = {"missing": "AuthenticationFailed", "expired": "ExpiredAuthenticationToken"}
        code = codes.get(rejected.reason, "InvalidAuthenticationToken")
        body = {"error": {"code": code, "message": f"The token was refused: {rejected.reason}."}}
        return json_response(body, 401, [("WWW-Authenticate", challenge(rejected))])

    def _caller(self, call: Call) -> tuple[Tenant, User | None]:
        claims, directory = call.claims, self.state.directory
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
