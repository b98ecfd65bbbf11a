"""A Maven repository: files, which Maven itself lays out and keeps the metadata of."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from werkzeug.wrappers import Response

from ...network.service import Route
from ..archives import zip_of
from .packages import VERSION, FeedCall, Protocol, binary


class Maven(Protocol):
    """``files``: path → content."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        place = f"com/{owner}/hello/{VERSION}/hello-{VERSION}"
        self.files: dict[str, bytes] = {}
        self._add(f"{place}.pom", _pom(f"com.{owner}", "hello", VERSION).encode())
        self._add(f"{place}.jar", zip_of({"hello.properties": f"package=com.{owner}:hello\n"}))

    def _add(self, path: str, content: bytes) -> None:
        self.files[path] = content
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.files[f"{path}.sha1"] = digest.encode()

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/<path:path>", self.get),
            ("PUT", "/<path:path>", self.put),
        )

    def get(self, call: FeedCall, path: str) -> Response:
        return binary(self.files.get(path))

    def put(self, call: FeedCall, path: str) -> Response:
        changes = path.rpartition("/")[2].startswith("maven-metadata.xml")
        content = call.request.get_data()
        with self.lock:
            if path in self.files and not changes and "-SNAPSHOT" not in path:
                return Response(f"The feed already contains {path[:200]}.\n", 409)
            self.files[path] = content
        return Response(status=201)


def _pom(group: str, artifact: str, version: str) -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></project>\n"
    )
