"""Microsoft Graph: the signed-in user, users, and Intune's managed devices."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..entra.directory import GRAPH, INTUNE_READ, User, stable_guid
from ..entra.keys import TokenRejectedError
from ..network.service import Call, Route, json_response
from .api import Api, challenge

HOSTS = ("graph.microsoft.com", "graph.microsoft.us", "microsoftgraph.chinacloudapi.cn")

_DEVICES = (("alex-laptop", "Windows", "alex@contoso.com"), ("sam-phone", "iOS", "sam@contoso.com"))


class Graph(Api):
    kind = "graph"
    resource_id = GRAPH

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/<version>/me", self.me),
            ("GET", "/<version>/users", self.users),
            ("GET", "/<version>/deviceManagement/managedDevices", self.devices),
            ("GET", "/<version>/deviceManagement/managedDevices/<wanted>", self.device),
            ("GET", "/<version>/organization", self.organization),
        )

    def normal_path(self, path: str) -> str:
        """msgraph-sdk asks for ``/v1.0//deviceManagement/…``; Graph does not mind."""
        return re.sub("/{2,}", "/", path)

    def denied(self, rejected: TokenRejectedError) -> Response:
        code = "InvalidAuthenticationToken"
        if rejected.reason == "missing":
            return _error(401, code, "Access token is empty.")
        if rejected.challenge is None:
            return _error(401, code, f"The token: {rejected.reason}.")
        message = "Continuous access evaluation resulted in claims challenge."
        header = challenge(rejected, 'realm=""')
        return _error(401, code, message, [("WWW-Authenticate", header)])

    def not_found(self, call: Call, status: int) -> Response:
        return _error(status, "BadRequest", "Resource not found for the segment.")

    def _may(self, call: Call, *permissions: str) -> bool:
        """Delegated permissions are in ``scp``, those of an app in ``roles``."""
        held = {*str(call.claims.get("scp", "")).split(), *call.claims.get("roles", ())}
        return not held.isdisjoint(permissions)

    def me(self, call: Call, version: str) -> Response:
        user = self.state.directory.user_by_object_id(call.claims["oid"])
        if user is None:
            return _error(400, "BadRequest", "/me is only valid with delegated authentication.")
        return json_response({"@odata.context": _context(call, "users/$entity"), **_user(user)})

    def users(self, call: Call, version: str) -> Response:
        if not self._may(call, "User.Read.All", "User.ReadWrite.All", "Directory.AccessAsUser.All"):
            return _forbidden()
        tenant = call.record.tenant
        found = [_user(u) for u in self.state.directory.users.values() if tenant in u.object_ids]
        return json_response({"@odata.context": _context(call, "users"), "value": found})

    def organization(self, call: Call, version: str) -> Response:
        tenant = self.state.directory.tenant(call.record.tenant or "")
        assert tenant is not None
        value = [{"id": tenant.id, "displayName": tenant.display_name}]
        return json_response({"@odata.context": _context(call, "organization"), "value": value})

    def devices(self, call: Call, version: str) -> Response:
        if not self._may(call, INTUNE_READ, INTUNE_READ.replace("Read", "ReadWrite")):
            return _forbidden()
        context = _context(call, "deviceManagement/managedDevices")
        devices = [_device(*device) for device in _DEVICES]
        return json_response(
            {"@odata.context": context, "@odata.count": len(devices), "value": devices}
        )

    def device(self, call: Call, version: str, wanted: str) -> Response:
        if not self._may(call, INTUNE_READ, INTUNE_READ.replace("Read", "ReadWrite")):
            return _forbidden()
        for device in (_device(*d) for d in _DEVICES):
            if device["id"] == wanted:
                return json_response(device)
        return _error(404, "ResourceNotFound", "No such device.")


def _context(call: Call, what: str) -> str:
    return f"https://{call.host}/v1.0/$metadata#{what}"


def _user(user: User) -> dict[str, Any]:
    given, _, family = user.name.partition(" ")
    return {
        "id": user.object_ids[user.home.id],
        "displayName": user.name,
        "givenName": given,
        "surname": family,
        "mail": user.upn,
        "userPrincipalName": user.upn,
        "businessPhones": [],
    }


def _device(name: str, system: str, upn: str) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.managedDevice",
        "id": stable_guid("device", name),
        "deviceName": name,
        "operatingSystem": system,
        "complianceState": "compliant",
        "userPrincipalName": upn,
        "enrolledDateTime": "2026-01-05T08:00:00Z",
        "lastSyncDateTime": "2026-11-20T08:00:00Z",
    }


def _forbidden() -> Response:
    return _error(403, "Forbidden", "Insufficient privileges to complete the operation.")


def _error(
    status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()
) -> Response:
    return json_response({"error": {"code": code, "message": message}}, status, headers)
