"""npm's registry: package documents, tarballs, and publishing.

https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md
"""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ...network.service import Route, json_response
from ..archives import tar_gz_of
from .packages import VERSION, FeedCall, Protocol, binary

_TIME = "%Y-%m-%dT%H:%M:%S.000Z"


class Npm(Protocol):
    """``documents``: package name → document, whose versions name a tarball of ``tarballs``."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        name = f"@{owner}/hello"
        content = tarball(name, VERSION)
        file = f"hello-{VERSION}.tgz"
        self.tarballs = {(name, file): content}
        manifest = {"name": name, "version": VERSION, "main": "index.js"}
        self.documents: dict[str, dict[str, Any]] = {
            name: {
                "name": name,
                "dist-tags": {"latest": VERSION},
                "time": {VERSION: "2026-01-01T00:00:00.000Z"},
                "versions": {VERSION: manifest | {"dist": _dist(content, file)}},
            }
        }

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/", self.root),
            ("GET", "/-/ping", self.root),
            ("GET", "/-/whoami", self.whoami),
            ("GET", "/<name>", self.document),
            ("GET", "/@<scope>/<name>", self.document),
            ("GET", "/<name>/-/<path:file>", self.tarball),
            ("GET", "/@<scope>/<name>/-/<path:file>", self.tarball),
            ("PUT", "/<name>", self.publish),
            ("PUT", "/@<scope>/<name>", self.publish),
            ("GET", "/-/package/<name>/dist-tags", self.tags),
            ("GET", "/-/package/@<scope>/<name>/dist-tags", self.tags),
        )

    def root(self, call: FeedCall) -> Response:
        return json_response({})

    def whoami(self, call: FeedCall) -> Response:
        return json_response({"username": self.owner})

    def document(self, call: FeedCall, name: str, scope: str | None = None) -> Response:
        package = _full(name, scope)
        found = self.documents.get(package)
        if found is None:
            return _no_package(package)
        answer = json.loads(json.dumps(found))
        for version in answer["versions"].values():
            file = version["dist"]["tarball"].rpartition("/")[2]
            version["dist"]["tarball"] = f"{call.base}/{package}/-/{file}"
        return json_response(answer)

    def tags(self, call: FeedCall, name: str, scope: str | None = None) -> Response:
        package = _full(name, scope)
        found = self.documents.get(package)
        return json_response(found["dist-tags"]) if found else _no_package(package)

    def tarball(self, call: FeedCall, name: str, file: str, scope: str | None = None) -> Response:
        return binary(self.tarballs.get((_full(name, scope), file.rpartition("/")[2])))

    def publish(self, call: FeedCall, name: str, scope: str | None = None) -> Response:
        """The new version's manifest and, in base64, its tarball, in one document."""
        package, sent = _full(name, scope), call.request.get_json(force=True)
        attachments = {
            key.rpartition("/")[2]: base64.b64decode(value["data"])
            for key, value in sent.get("_attachments", {}).items()
        }
        with self.lock:
            known = self.documents.get(package)
            known = known or {"name": package, "dist-tags": {}, "time": {}, "versions": {}}
            for version, manifest in sent.get("versions", {}).items():
                if version in known["versions"]:
                    message = f"The feed already contains {package} {version}."
                    return json_response({"error": message}, 409)
                file = manifest["dist"]["tarball"].rpartition("/")[2]
                if _dist(attachments.get(file, b""), file)["shasum"] != manifest["dist"]["shasum"]:
                    return json_response({"error": "the tarball is not the manifest's"}, 400)
                known["versions"][version] = manifest
                known["time"][version] = time.strftime(_TIME, time.gmtime())
            known["dist-tags"] |= sent.get("dist-tags", {})
            self.documents[package] = known
            self.tarballs |= {(package, file): data for file, data in attachments.items()}
        return json_response({"ok": True}, 201)


def _full(name: str, scope: str | None) -> str:
    return f"@{scope}/{name}" if scope else name


def _no_package(name: str) -> Response:
    return json_response({"error": f"no such package: {name[:80]}"}, 404)


def _dist(content: bytes, file: str) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return {
        "integrity": f"sha512-{digest}",
        "shasum": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "tarball": file,
    }


def tarball(name: str, version: str) -> bytes:
    manifest = {"name": name, "version": version, "main": "index.js"}
    return tar_gz_of(
        {
            "package/package.json": json.dumps(manifest),
            "package/index.js": f"module.exports = {json.dumps(name)}\n",
        }
    )
