"""NuGet's v3 protocol: service index, package content, registrations, search, and pushing.

https://learn.microsoft.com/nuget/api/overview
"""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

from werkzeug.wrappers import Response

from ...network.service import Route, json_response
from ..archives import zip_of
from .packages import VERSION, FeedCall, Protocol, binary

_RESOURCES = {
    "PackageBaseAddress/3.0.0": "v3/flat2/",
    "RegistrationsBaseUrl": "v3/registrations2/",
    "RegistrationsBaseUrl/3.6.0": "v3/registrations2/",
    "SearchQueryService": "v3/query2/",
    "PackagePublish/2.0.0": "v2/",
}


class NuGet(Protocol):
    """``packages``: id in small letters → version → (id as written, content)."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        name = f"{owner.title()}.Hello"
        self.packages = {name.lower(): {VERSION: (name, package(name, VERSION))}}

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/v3/index.json", self.index),
            ("GET", "/v3/flat2/<name>/index.json", self.versions),
            ("GET", "/v3/flat2/<name>/<version>/<file>", self.content),
            ("GET", "/v3/registrations2/<name>/index.json", self.registration),
            ("GET", "/v3/registrations2/<name>/<version>.json", self.leaf),
            ("GET", "/v3/query2/", self.search),
            ("PUT", "/v2/", self.push),
        )

    def index(self, call: FeedCall) -> Response:
        resources = [
            {"@id": f"{call.base}/{path}", "@type": kind} for kind, path in _RESOURCES.items()
        ]
        return json_response({"version": "3.0.0", "resources": resources})

    def versions(self, call: FeedCall, name: str) -> Response:
        found = self.packages.get(name.lower())
        return json_response({"versions": sorted(found)}) if found else binary(None)

    def content(self, call: FeedCall, name: str, version: str, file: str) -> Response:
        found = self.packages.get(name.lower(), {}).get(version.lower())
        if found is None:
            return binary(None)
        if file.lower().endswith(".nuspec"):
            return Response(nuspec_of(found[1]), content_type="application/xml")
        return binary(found[1] if file == f"{name}.{version}.nupkg" else None)

    def _leaf(self, call: FeedCall, name: str, version: str) -> dict[str, Any]:
        written = self.packages[name][version][0]
        where = f"{call.base}/v3/registrations2/{name}"
        content = f"{call.base}/v3/flat2/{name}/{version}/{name}.{version}.nupkg"
        entry = {
            "@id": f"{where}/{version}.json",
            "id": written,
            "version": version,
            "listed": True,
            "packageContent": content,
        }
        return {
            "@id": f"{where}/{version}.json",
            "catalogEntry": entry,
            "packageContent": content,
            "registration": f"{where}/index.json",
        }

    def registration(self, call: FeedCall, name: str) -> Response:
        found = sorted(self.packages.get(name.lower(), {}))
        if not found:
            return binary(None)
        page = {
            "@id": f"{call.base}/v3/registrations2/{name}/index.json#page",
            "count": len(found),
            "items": [self._leaf(call, name.lower(), version) for version in found],
            "lower": found[0],
            "upper": found[-1],
        }
        return json_response({"count": 1, "items": [page]})

    def leaf(self, call: FeedCall, name: str, version: str) -> Response:
        if version not in self.packages.get(name.lower(), {}):
            return binary(None)
        return json_response(self._leaf(call, name.lower(), version))

    def search(self, call: FeedCall) -> Response:
        wanted = call.request.args.get("q", "").lower()
        found = []
        for name, versions in sorted(self.packages.items()):
            if wanted in name:
                newest = max(versions)
                found.append({"id": versions[newest][0], "version": newest, "versions": []})
        return json_response({"totalHits": len(found), "data": found})

    def push(self, call: FeedCall) -> Response:
        """The package is the one file of a form."""
        file = next(iter(call.request.files.values()), None)
        content = file.read() if file else b""
        try:
            nuspec = nuspec_of(content)
        except (zipfile.BadZipFile, StopIteration):
            return Response("not a package\n", 400)
        name, version = _element("id", nuspec), _element("version", nuspec)
        with self.lock:
            versions = self.packages.setdefault(name.lower(), {})
            if version in versions:
                return Response(f"The feed already contains {name} {version}.\n", 409)
            versions[version] = (name, content)
        return Response(status=202)


def nuspec_of(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".nuspec"))
        return archive.read(name).decode("utf-8-sig")


def _element(name: str, xml: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>", xml)
    return found[1].strip() if found else ""


def package(name: str, version: str) -> bytes:
    nuspec = (
        '<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata>'
        f"<id>{name}</id><version>{version}</version><authors>sandbox</authors>"
        "<description>Says hello.</description></metadata></package>\n"
    )
    return zip_of({f"{name}.nuspec": nuspec, "content/hello.txt": f"{name}\n"})
