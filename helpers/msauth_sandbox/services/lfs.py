"""Git LFS as Azure DevOps serves it: the batch API and basic transfers, and no locking.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md. The addresses in a batch answer lie
on the same host and want the same authorization as the batch itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Response
from werkzeug.wsgi import FileWrapper

from ..network.service import Call

PREFIX = "info/lfs/"

_OID = re.compile("[0-9a-f]{64}")
_CHUNK = 64 * 1024


class Lfs:
    """The objects of one repository, in files that are named after them."""

    def __init__(self, repository: Path) -> None:
        self._folder = repository.with_suffix(".lfs")

    def objects(self) -> dict[str, int]:
        """What was uploaded: object id → size in bytes."""
        found = self._folder.glob("[0-9a-f]*")
        return {path.name: path.stat().st_size for path in found}

    def respond(self, call: Call, path: str) -> Response:
        """``path`` is what follows ``info/lfs/``; the caller has been authorised."""
        method = call.request.method
        if (method, path) == ("POST", "objects/batch"):
            return self._batch(call)
        if (method, path) == ("POST", "objects/verify"):
            wanted = call.request.get_json(force=True)
            known = self.objects().get(wanted["oid"]) == wanted["size"]
            return _answer({}) if known else _error(404, "no such object")
        oid = path.removeprefix("objects/")
        if _OID.fullmatch(oid):
            if method == "PUT":
                return self._upload(call, oid)
            if method == "GET":
                return self._download(oid)
        return _error(404, "not found")

    def _batch(self, call: Call) -> Response:
        asked = call.request.get_json(force=True)
        target = call.request.environ["REQUEST_URI"].removesuffix("/batch")
        base = f"https://{call.host}{target}"
        known = self.objects()
        objects = []
        for wanted in asked["objects"]:
            oid, answer = wanted["oid"], {"oid": wanted["oid"], "size": wanted["size"]}
            stored = known.get(oid) == wanted["size"]
            if asked["operation"] == "download" and stored:
                answer["actions"] = {"download": {"href": f"{base}/{oid}"}}
            elif asked["operation"] == "download":
                answer["error"] = {"code": 404, "message": "Object does not exist"}
            elif not stored:
                answer["actions"] = {
                    "upload": {"href": f"{base}/{oid}"},
                    "verify": {"href": f"{base}/verify"},
                }
            objects.append(answer)
        return _answer({"transfer": "basic", "objects": objects})

    def _upload(self, call: Call, oid: str) -> Response:
        self._folder.mkdir(exist_ok=True)
        digest, body = hashlib.sha256(), call.request.environ["wsgi.input"]
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != oid:
            os.unlink(file.name)
            return _error(400, "the content is not that of the object id")
        os.replace(file.name, self._folder / oid)
        return Response(status=200)

    def _download(self, oid: str) -> Response:
        path = self._folder / oid
        if not path.exists():
            return _error(404, "no such object")
        response = Response(FileWrapper(open(path, "rb"), _CHUNK))  # noqa: SIM115 - closed with it
        response.content_type = "application/octet-stream"
        response.content_length = path.stat().st_size
        return response


def _answer(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/vnd.git-lfs+json")


def _error(status: int, message: str) -> Response:
    return _answer({"message": message}, status)
