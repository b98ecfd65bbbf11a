"""A Go module proxy (https://go.dev/ref/mod#goproxy-protocol)."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from werkzeug.wrappers import Response

from ...network.service import Route
from ..archives import zip_of
from .packages import VERSION, FeedCall, Protocol, binary

_TIME = "2026-01-01T00:00:00Z"


class GoProxy(Protocol):
    """``modules``: path → versions → content of the zip file."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        path, version = f"{owner}.example/hello", f"v{VERSION}"
        self.modules = {path: {version: _module(path, version)}}

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/<path:module>/@latest", self.latest),
            ("GET", "/<path:module>/@v/list", self.versions),
            ("GET", "/<path:module>/@v/<file>", self.file),
        )

    def _versions(self, module: str) -> dict[str, bytes]:
        """A capital letter in a path is written as ``!`` and the small one."""
        path = re.sub("!([a-z])", lambda match: match[1].upper(), module)
        return self.modules.get(path, {})

    def versions(self, call: FeedCall, module: str) -> Response:
        return _text("".join(f"{version}\n" for version in self._versions(module)))

    def latest(self, call: FeedCall, module: str) -> Response:
        found = self._versions(module)
        return _info(max(found)) if found else binary(None)

    def file(self, call: FeedCall, module: str, file: str) -> Response:
        version, _, kind = file.rpartition(".")
        content = self._versions(module).get(version)
        if content is None:
            return binary(None)
        if kind == "info":
            return _info(version)
        if kind == "mod":
            return _text(f"module {module}\n")
        return binary(content if kind == "zip" else None)


def _info(version: str) -> Response:
    text = json.dumps({"Version": version, "Time": _TIME})
    return Response(text, content_type="application/json")


def _text(text: str) -> Response:
    return Response(text, content_type="text/plain; charset=utf-8")


def _module(path: str, version: str) -> bytes:
    root = f"{path}@{version}"
    return zip_of(
        {
            f"{root}/go.mod": f"module {path}\n",
            f"{root}/hello.go": f'package hello\n\nconst Package = "{path}"\n',
        }
    )
