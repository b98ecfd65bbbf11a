"""A sparse index and the web API of a Cargo registry that wants a token for everything.

https://doc.rust-lang.org/cargo/reference/registry-index.html and registry-web-api.html
"""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ...network.service import Route, json_response
from ..archives import tar_gz_of
from .packages import VERSION, FeedCall, Protocol, binary


class Cargo(Protocol):
    """``entries``: crate → index lines; ``crates``: (crate, version) → content."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        name = f"{owner}-hello"
        content = crate(name, VERSION)
        self.crates = {(name, VERSION): content}
        self.entries = {name: [_entry({"name": name, "vers": VERSION}, content)]}

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/index/config.json", self.config),
            ("GET", "/index/<path:path>", self.index),
            ("GET", "/api/v1/crates/<name>/<version>/download", self.download),
            ("PUT", "/api/v1/crates/new", self.publish),
        )

    def config(self, call: FeedCall) -> Response:
        return json_response(
            {"dl": f"{call.base}/api/v1/crates", "api": call.base, "auth-required": True}
        )

    def index(self, call: FeedCall, path: str) -> Response:
        name = path.rpartition("/")[2]
        lines = self.entries.get(name)
        if lines is None or path != _place(name):
            return Response("no such crate\n", 404)
        return Response("".join(json.dumps(line) + "\n" for line in lines))

    def download(self, call: FeedCall, name: str, version: str) -> Response:
        return binary(self.crates.get((name, version)))

    def publish(self, call: FeedCall) -> Response:
        """Two parts, each behind its length in 32 bits, little-endian: JSON and the crate."""
        body = call.request.get_data()
        try:
            (size,) = struct.unpack_from("<I", body)
            sent = json.loads(body[4 : 4 + size])
            (length,) = struct.unpack_from("<I", body, 4 + size)
        except (struct.error, ValueError):
            return _refused("not a crate", 400)
        content = body[8 + size :]
        if len(content) != length:
            return _refused("the crate is not as long as it says", 400)
        key = (sent["name"], sent["vers"])
        with self.lock:
            if key in self.crates:
                return _refused(f"The feed already contains {key[0]} {key[1]}.", 409)
            self.crates[key] = content
            self.entries.setdefault(key[0], []).append(_entry(sent, content))
        return json_response({"warnings": {"invalid_categories": [], "invalid_badges": []}})


def _refused(message: str, status: int) -> Response:
    return json_response({"errors": [{"detail": message}]}, status)


def _place(name: str) -> str:
    """Where a crate's file lies in an index."""
    if len(name) < 4:
        return f"{len(name)}/{name[0]}/{name}" if len(name) == 3 else f"{len(name)}/{name}"
    return f"{name[:2]}/{name[2:4]}/{name}"


def _entry(sent: dict[str, Any], content: bytes) -> dict[str, Any]:
    """The index line of what was published."""
    return {
        "name": sent["name"],
        "vers": sent["vers"],
        "deps": [_dependency(dep) for dep in sent.get("deps", [])],
        "cksum": hashlib.sha256(content).hexdigest(),
        "features": sent.get("features", {}),
        "yanked": False,
    }


def _dependency(sent: dict[str, Any]) -> dict[str, Any]:
    """The index has other names than a publication for the version, and for a renamed crate."""
    result = dict(sent)
    result["req"] = result.pop("version_req")
    alias = result.pop("explicit_name_in_toml", None)
    if alias:
        result |= {"name": alias, "package": sent["name"]}
    return result


def crate(name: str, version: str) -> bytes:
    root = f"{name}-{version}"
    manifest = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n'
    return tar_gz_of(
        {
            f"{root}/Cargo.toml": manifest,
            f"{root}/src/lib.rs": f'pub const PACKAGE: &str = "{name}";\n',
        }
    )
