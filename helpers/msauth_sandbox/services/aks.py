"""An API server as AKS runs it behind Entra ID: discovery, version, namespaces, pods, whoami."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..entra.directory import AKS, stable_guid
from ..entra.keys import TokenRejectedError
from ..network.service import Call, Route, json_response
from .api import Api

HOST = "hello-dns-1a2b3c4d.hcp.westeurope.azmk8s.io"

_SINCE = "2026-01-05T08:00:00Z"


class ApiServer(Api):
    """Accepts the tokens of the contoso tenant, whose cluster it is."""

    kind = "aks"
    resource_id = AKS
    home = "contoso"

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/version", self.version),
            ("GET", "/api", self.api),
            ("GET", "/apis", self.apis),
            ("GET", "/api/v1", self.core),
            ("GET", "/apis/authentication.k8s.io/v1", self.authentication),
            ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", self.whoami),
            ("GET", "/api/v1/namespaces", self.namespaces),
            ("GET", "/api/v1/namespaces/<name>", self.namespace),
            ("GET", "/api/v1/namespaces/<name>/pods", self.pods),
            ("GET", "/api/v1/pods", self.pods),
            ("GET", "/healthz", self.health),
        )

    def denied(self, rejected: TokenRejectedError) -> Response:
        return _status(401, "Unauthorized", "Unauthorized")

    def not_found(self, call: Call, status: int) -> Response:
        return _status(404, "NotFound", "the server could not find the requested resource")

    def health(self, call: Call) -> Response:
        return Response("ok", content_type="text/plain")

    def version(self, call: Call) -> Response:
        return json_response(
            {
                "major": "1",
                "minor": "32",
                "gitVersion": "v1.32.4",
                "gitCommit": "0" * 40,
                "gitTreeState": "clean",
                "buildDate": _SINCE,
                "goVersion": "go1.23.6",
                "compiler": "gc",
                "platform": "linux/amd64",
            }
        )

    def api(self, call: Call) -> Response:
        address = [{"clientCIDR": "0.0.0.0/0", "serverAddress": f"{call.host}:443"}]
        return json_response(
            {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address}
        )

    def apis(self, call: Call) -> Response:
        version = {"groupVersion": "authentication.k8s.io/v1", "version": "v1"}
        group = {
            "name": "authentication.k8s.io",
            "versions": [version],
            "preferredVersion": version,
        }
        return json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})

    def core(self, call: Call) -> Response:
        return json_response(
            {
                "kind": "APIResourceList",
                "groupVersion": "v1",
                "resources": [
                    _resource("namespaces", "Namespace", False, "ns"),
                    _resource("pods", "Pod", True, "po"),
                ],
            }
        )

    def authentication(self, call: Call) -> Response:
        resource = _resource("selfsubjectreviews", "SelfSubjectReview", False)
        return json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": "authentication.k8s.io/v1",
                "resources": [{**resource, "verbs": ["create"]}],
            }
        )

    def whoami(self, call: Call) -> Response:
        claims = call.claims
        user = {
            "username": claims.get("upn") or claims["oid"],
            "uid": claims["oid"],
            "groups": [*claims.get("groups", ()), "system:authenticated"],
        }
        return json_response(
            {
                "kind": "SelfSubjectReview",
                "apiVersion": "authentication.k8s.io/v1",
                "metadata": {},
                "status": {"userInfo": user},
            },
            201,
        )

    def namespaces(self, call: Call) -> Response:
        items = [_namespace(name) for name in ("default", "hello", "kube-system")]
        if _wants_table(call):
            rows = [([o["metadata"]["name"], "Active", "321d"], o) for o in items]
            return _table(["Name", "Status", "Age"], rows)
        return json_response(
            {
                "kind": "NamespaceList",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": "1"},
                "items": items,
            }
        )

    def namespace(self, call: Call, name: str) -> Response:
        if name not in ("default", "hello", "kube-system"):
            return _status(404, "NotFound", f'namespaces "{name}" not found')
        item = _namespace(name)
        if _wants_table(call):
            return _table(["Name", "Status", "Age"], [([name, "Active", "321d"], item)])
        return json_response(item)

    def pods(self, call: Call, name: str = "") -> Response:
        if _wants_table(call):
            return _table(["Name", "Ready", "Status", "Restarts", "Age"], [])
        return json_response(
            {
                "kind": "PodList",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": "1"},
                "items": [],
            }
        )


def _resource(name: str, kind: str, namespaced: bool, *short: str) -> dict[str, Any]:
    return {
        "name": name,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": ["get", "list"],
        "shortNames": list(short),
    }


def _namespace(name: str) -> dict[str, Any]:
    return {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "uid": stable_guid("namespace", name),
            "resourceVersion": "1",
            "creationTimestamp": _SINCE,
            "labels": {"kubernetes.io/metadata.name": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _wants_table(call: Call) -> bool:
    """kubectl asks for ``application/json;as=Table;v=v1;g=meta.k8s.io``."""
    return "as=Table" in call.request.headers.get("Accept", "")


def _table(columns: list[str], rows: list[tuple[list[str], dict[str, Any]]]) -> Response:
    return json_response(
        {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": "1"},
            "columnDefinitions": [
                {
                    "name": c,
                    "type": "string",
                    "format": "name" if c == "Name" else "",
                    "description": c,
                    "priority": 0,
                }
                for c in columns
            ],
            "rows": [
                {
                    "cells": cells,
                    "object": {
                        "kind": "PartialObjectMetadata",
                        "apiVersion": "meta.k8s.io/v1",
                        "metadata": item["metadata"],
                    },
                }
                for cells, item in rows
            ],
        }
    )


def _status(code: int, reason: str, message: str) -> Response:
    return json_response(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        },
        code,
    )
