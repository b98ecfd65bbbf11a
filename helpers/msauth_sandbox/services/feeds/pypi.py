"""PyPI's simple index (PEP 503, with hashes) and its upload form."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from html import escape

from werkzeug.wrappers import Response

from ...network.service import Route, html_response
from ..archives import zip_of
from .packages import VERSION, FeedCall, Protocol, binary


class PyPI(Protocol):
    """``files``: normalised project name → file name → content."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        name, content = wheel(f"{owner}-hello", VERSION)
        self.files = {f"{owner}-hello": {name: content}}

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", "/simple/", self.index),
            ("GET", "/simple/<project>/", self.project),
            ("GET", "/download/<project>/<version>/<name>", self.download),
            ("POST", "/upload/", self.upload),
        )

    def index(self, call: FeedCall) -> Response:
        links = (f'<a href="{name}/">{name}</a>' for name in sorted(self.files))
        return html_response("Simple index", "\n".join(links))

    def project(self, call: FeedCall, project: str) -> Response:
        files = self.files.get(normal(project))
        if files is None:
            return html_response("Not Found", "no such project", 404)
        links = []
        for name, content in sorted(files.items()):
            where = f"../../download/{normal(project)}/{version_of(name)}/{name}"
            digest = hashlib.sha256(content).hexdigest()
            links.append(f'<a href="{escape(where)}#sha256={digest}">{escape(name)}</a>')
        return html_response(f"Links for {escape(project)}", "\n".join(links))

    def download(self, call: FeedCall, project: str, version: str, name: str) -> Response:
        return binary(self.files.get(normal(project), {}).get(name))

    def upload(self, call: FeedCall) -> Response:
        form, file = call.request.form, call.request.files.get("content")
        if form.get(":action") != "file_upload" or file is None or not file.filename:
            return Response("not an upload\n", 400)
        content = file.read()
        digest = form.get("sha256_digest")
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            return Response("the digest is not that of the content\n", 400)
        with self.lock:
            files = self.files.setdefault(normal(form["name"]), {})
            if file.filename in files:
                return Response(f"The feed already contains {file.filename}.\n", 409)
            files[file.filename] = content
        return Response(status=200)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def version_of(file: str) -> str:
    """``hello-1.0-py3-none-any.whl`` and ``hello-1.0.tar.gz`` → ``1.0``."""
    return file.removesuffix(".tar.gz").split("-")[1]


def wheel(name: str, version: str) -> tuple[str, bytes]:
    """The file name and content of a wheel that has one module, with one constant."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"PACKAGE = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: sandbox\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    return f"{module}-{version}-py3-none-any.whl", zip_of(files)
