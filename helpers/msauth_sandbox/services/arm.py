"""Azure Resource Manager: tenants, subscriptions, resource groups, and the credentials of AKS.

Enough for ``az login`` and ``az aks get-credentials``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..entra.directory import AKS, AKS_CLIENT, ARM, Tenant, User, subscription_id
from ..entra.keys import TokenRejectedError
from ..network.service import Call, Route, json_response
from . import aks
from .api import Api, challenge

_CLUSTER = (
    "/subscriptions/<wanted>/resourceGroups/<group>"
    "/providers/Microsoft.ContainerService/managedClusters/<name>"
)
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
            ("POST", f"{_CLUSTER}/listClusterUserCredential", self.cluster_user),
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

    def cluster_user(self, call: Call, wanted: str, group: str, name: str) -> Response:
        """The kubeconfig of a cluster that leaves sign-in to Entra ID."""
        tenant, _ = self._caller(call)
        if wanted.lower() != subscription_id(tenant):
            return _no_subscription(wanted)
        if (group, name) != ("hello", "hello"):
            message = f"The resource '{name[:40]}' under resource group '{group[:40]}' is missing."
            return json_response({"error": {"code": "ResourceNotFound", "message": message}}, 404)
        sign_in = _auth_provider if call.request.args.get("format") == "azure" else _exec_plugin
        user = f"clusterUser_{group}_{name}"
        cluster = {
            "certificate-authority-data": base64.b64encode(self.state.ca_pem).decode(),
            "server": f"https://{aks.HOST}:443",
        }
        config = {
            "apiVersion": "v1",
            "clusters": [{"cluster": cluster, "name": name}],
            "contexts": [{"context": {"cluster": name, "user": user}, "name": name}],
            "current-context": name,
            "kind": "Config",
            "preferences": {},
            "users": [{"name": user, "user": sign_in(tenant)}],
        }
        value = base64.b64encode(json.dumps(config).encode()).decode()
        return json_response({"kubeconfigs": [{"name": "clusterUser", "value": value}]})


def _exec_plugin(tenant: Tenant) -> dict[str, Any]:
    identity = ("--server-id", AKS, "--client-id", AKS_CLIENT, "--tenant-id", tenant.id)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": [
                *("get-token", "--environment", "AzurePublicCloud", *identity),
                *("--login", "devicecode"),
            ],
            "command": "kubelogin",
            "env": None,
            "installHint": "\nkubelogin is not installed which is required to connect to AAD "
            "enabled cluster.\n\nTo learn more, please go to https://aka.ms/aks/kubelogin\n",
            "provideClusterInfo": False,
        }
    }


def _auth_provider(tenant: Tenant) -> dict[str, Any]:
    config = {
        "apiserver-id": AKS,
        "client-id": AKS_CLIENT,
        "config-mode": "1",
        "environment": "AzurePublicCloud",
        "tenant-id": tenant.id,
    }
    return {"auth-provider": {"config": config, "name": "azure"}}


def _no_subscription(wanted: str) -> Response:
    message = f"The subscription '{wanted[:40]}' could not be found."
    return json_response({"error": {"code": "SubscriptionNotFound", "message": message}}, 404)
