"""Azure Container Registry: its token endpoints, and images in memory.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. A challenge names no tenant:
a client has to know which one the registry trusts.
"""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..entra.directory import Tenant
from ..entra.keys import TokenRejectedError, token_id
from ..entra.state import State
from ..network.service import Call, Route, Service, basic, bearer, json_response
from .archives import tar_gz_of
from .registry_tokens import USER, RegistryTokens, allows

SUFFIX = ".azurecr.io"

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_READING = ("GET", "HEAD")


class Images:
    """What a registry holds; ``lock`` guards all of it.

    ``manifests``: repository → digest → (media type, content); ``tags``: repository → tag →
    digest; ``blobs``: digest → content; ``uploads``: id → what has come so far.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self._add_hello()

    def _add_hello(self) -> None:
        layer = tar_gz_of({"hello.txt": "hello\n"})
        layers = {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": layers}).encode()
        kinds = {
            "application/vnd.oci.image.config.v1+json": config,
            "application/vnd.oci.image.layer.v1.tar+gzip": layer,
        }
        described = [
            {"mediaType": kind, "digest": digest(content), "size": len(content)}
            for kind, content in kinds.items()
        ]
        self.blobs = {digest(content): content for content in kinds.values()}
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
        content = json.dumps(manifest).encode()
        self.manifests["hello"] = {digest(content): (_MANIFEST, content)}
        self.tags["hello"] = {"1.0": digest(content)}

    def find(self, name: str, reference: str) -> tuple[str, str, bytes] | None:
        """A manifest by tag or digest: its digest, media type and content."""
        wanted = self.tags.get(name, {}).get(reference, reference)
        found = self.manifests.get(name, {}).get(wanted)
        return (wanted, *found) if found else None

    def referrers(self, name: str, subject: str) -> list[dict[str, Any]]:
        """Descriptors of the manifests that name ``subject``, such as signatures."""
        found = []
        for number, (kind, content) in self.manifests.get(name, {}).items():
            manifest = json.loads(content)
            if manifest.get("subject", {}).get("digest") != subject:
                continue
            entry = {"mediaType": kind, "digest": number, "size": len(content)}
            config = manifest.get("config", {}).get("mediaType")
            entry["artifactType"] = manifest.get("artifactType") or config
            if "annotations" in manifest:
                entry["annotations"] = manifest["annotations"]
            found.append(entry)
        return found


class Registry(Service):
    """``NAME.azurecr.io``, which belongs to one tenant."""

    kind = "registry"

    def __init__(self, state: State, tenant: Tenant) -> None:
        super().__init__()
        self._state = state
        self.host = tenant.name + SUFFIX
        self.tokens = RegistryTokens(state, self.host, tenant)
        self.images = Images()

    def reset(self, images: bool) -> None:
        self.tokens.reset()
        if images:
            self.images = Images()

    def routes(self) -> Sequence[Route]:
        name, needs = "/v2/<path:name>", self._needs
        return (
            ("POST", "/oauth2/exchange", self.exchange),
            ("GET", "/oauth2/token", self.token_for_basic),
            ("POST", "/oauth2/token", self.token_for_form),
            ("GET", "/v2/", self.version),
            ("GET", "/v2/_catalog", self.catalog),
            ("GET", f"{name}/tags/list", needs("pull", self.list_tags)),
            ("GET", f"{name}/referrers/<number>", needs("pull", self.list_referrers)),
            ("GET", f"{name}/manifests/<reference>", needs("pull", self.get_manifest)),
            ("PUT", f"{name}/manifests/<reference>", needs("push", self.put_manifest)),
            ("DELETE", f"{name}/manifests/<reference>", needs("delete", self.delete_manifest)),
            ("POST", f"{name}/blobs/uploads/", needs("push", self.start_upload)),
            ("PATCH GET", f"{name}/blobs/uploads/<upload>", needs("push", self.go_on)),
            ("PUT", f"{name}/blobs/uploads/<upload>", needs("push", self.end_upload)),
            ("GET", f"{name}/blobs/<number>", needs("pull", self.get_blob)),
        )

    def _needs(self, action: str, view: Callable[..., Response]) -> Callable[..., Response]:
        """The view, for requests whose access token allows the action in the repository."""

        def checked(call: Call, name: str, **more: str) -> Response:
            refused = self._refuse(call, "repository", name, action)
            return refused or view(call, name, **more)

        return checked

    def respond(self, call: Call) -> Response:
        call.record.tenant = self.tokens.tenant.id
        response = super().respond(call)
        if call.path.startswith("/v2/"):
            response.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        return response

    def not_found(self, call: Call, status: int) -> Response:
        return _error(status, "NOT_FOUND", "no such thing")

    # -- the token endpoints

    def exchange(self, call: Call) -> Response:
        """Entra's token → the registry's refresh token."""
        form, record = call.request.form, call.record
        record.grant = form.get("grant_type")
        token = form.get("access_token", "")
        if record.grant not in ("access_token", "access_token_refresh_token") or not token:
            return _error(400, "BAD_REQUEST", "grant_type or access_token is missing or unknown")
        if form.get("service") != self.host:
            return _error(400, "BAD_REQUEST", f"the service must be {self.host}")
        record.token_id = token_id(token)
        try:
            if form.get("tenant", self.tokens.tenant.id) != self.tokens.tenant.id:
                raise TokenRejectedError("tenant")
            claims = self.tokens.entra_claims(token)
        except TokenRejectedError as rejected:
            return self._unauthorized(call, rejected.reason)
        record.client_id = claims["appid"]
        if self._state.settings.registry_exchange is not None:
            status, headers, body = self._state.settings.registry_exchange
            return Response(body, status, headers)
        return json_response({"refresh_token": self.tokens.refresh_token(claims)})

    def token_for_basic(self, call: Call) -> Response:
        """As docker asks after a challenge: the refresh token is the password."""
        request = call.request
        user, password = basic(request)
        call.record.auth = "basic" if password else None
        scopes = request.args.getlist("scope")
        offline = request.args.get("offline_token") == "true"
        return self._access(call, user, password, scopes, offline)

    def token_for_form(self, call: Call) -> Response:
        """RFC 6749 with ``refresh_token``, or with ``password``, whose password is the same."""
        form, user = call.request.form, USER
        call.record.grant = form.get("grant_type")
        if call.record.grant == "password":
            user = form.get("username", "")
        elif call.record.grant != "refresh_token":
            return _error(400, "BAD_REQUEST", "grant_type is missing or unknown")
        password = form.get("refresh_token") or form.get("password", "")
        offline = form.get("access_type") == "offline"
        return self._access(call, user, password, form.getlist("scope"), offline)

    def _access(
        self, call: Call, user: str, password: str, scopes: list[str], offline: bool
    ) -> Response:
        try:
            if user != USER or not password:
                raise TokenRejectedError("missing")
            claims = self.tokens.check(password, "refresh_token")
        except TokenRejectedError as rejected:
            return self._unauthorized(call, rejected.reason)
        call.record.client_id = claims.get("appid")
        wanted = [scope for words in scopes for scope in words.split()]
        call.record.scope = " ".join(wanted) or None
        answer = {"access_token": self.tokens.access_token(claims, wanted)}
        if offline:
            answer["refresh_token"] = password
        return json_response(answer)

    def _unauthorized(self, call: Call, reason: str, scope: str = "") -> Response:
        call.record.error = reason
        message = (
            "authentication required, visit https://aka.ms/acr/authorization for more information."
        )
        response = _error(401, "UNAUTHORIZED", message)
        challenge = f'Bearer realm="https://{self.host}/oauth2/token",service="{self.host}"'
        if scope:
            challenge += f',scope="{scope}"'
        if reason not in ("missing", "insufficient_scope"):
            challenge += ',error="invalid_token"'
        response.headers["WWW-Authenticate"] = challenge
        return response

    # -- images

    def _refuse(self, call: Call, kind: str, name: str, action: str) -> Response | None:
        """None when the access token of this request allows the action."""
        token, scope = bearer(call.request), f"{kind}:{name}:{action}"
        if action == "push":
            scope = f"{kind}:{name}:pull,push"
        try:
            if token is None:
                raise TokenRejectedError("missing")
            call.record.auth = "bearer"
            claims = self.tokens.check(token, "access_token")
            if name and not allows(claims, kind, name, action):
                raise TokenRejectedError("insufficient_scope")
        except TokenRejectedError as rejected:
            return self._unauthorized(call, rejected.reason, scope if name else "")
        call.record.client_id = claims.get("appid")
        return None

    def version(self, call: Call) -> Response:
        return self._refuse(call, "", "", "") or json_response({})

    def catalog(self, call: Call) -> Response:
        refused = self._refuse(call, "registry", "catalog", "*")
        return refused or json_response({"repositories": sorted(self.images.manifests)})

    def list_tags(self, call: Call, name: str) -> Response:
        if name not in self.images.manifests:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return json_response({"name": name, "tags": sorted(self.images.tags.get(name, {}))})

    def list_referrers(self, call: Call, name: str, number: str) -> Response:
        with self.images.lock:
            found = self.images.referrers(name, number)
        wanted = call.request.args.get("artifactType")
        if wanted is not None:
            found = [entry for entry in found if entry["artifactType"] == wanted]
        body = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": found}
        response = Response(json.dumps(body), content_type=_INDEX)
        if wanted is not None:
            response.headers["OCI-Filters-Applied"] = "artifactType"
        return response

    def get_manifest(self, call: Call, name: str, reference: str) -> Response:
        found = self.images.find(name, reference)
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN", f"manifest {reference[:80]} is unknown")
        number, kind, content = found
        return _content(content, kind, number)

    def put_manifest(self, call: Call, name: str, reference: str) -> Response:
        content = call.request.get_data()
        number = digest(content)
        if reference.startswith("sha256:") and reference != number:
            return _error(400, "DIGEST_INVALID", "the content is not that of the digest")
        try:
            manifest = json.loads(content)
            parts = [*manifest.get("layers", ()), *filter(None, [manifest.get("config")])]
            needed = [part["digest"] for part in parts]
        except (ValueError, AttributeError, TypeError, KeyError):
            return _error(400, "MANIFEST_INVALID", "not a manifest")
        with self.images.lock:
            if any(part not in self.images.blobs for part in needed):
                return _error(404, "MANIFEST_BLOB_UNKNOWN", "a blob of the manifest is not here")
            kind = call.request.content_type or _MANIFEST
            self.images.manifests.setdefault(name, {})[number] = (kind, content)
            if not reference.startswith("sha256:"):
                self.images.tags.setdefault(name, {})[reference] = number
        headers = {"Location": f"/v2/{name}/manifests/{number}", "Docker-Content-Digest": number}
        if "subject" in manifest:
            headers["OCI-Subject"] = manifest["subject"]["digest"]
        return Response(status=201, headers=headers)

    def delete_manifest(self, call: Call, name: str, reference: str) -> Response:
        with self.images.lock:
            found = self.images.find(name, reference)
            if found is None:
                return _error(404, "MANIFEST_UNKNOWN", f"manifest {reference[:80]} is unknown")
            del self.images.manifests[name][found[0]]
            tags = self.images.tags.get(name, {})
            self.images.tags[name] = {tag: at for tag, at in tags.items() if at != found[0]}
        return Response(status=202)

    def get_blob(self, call: Call, name: str, number: str) -> Response:
        content = self.images.blobs.get(number)
        if content is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return _content(content, "application/octet-stream", number)

    def start_upload(self, call: Call, name: str) -> Response:
        """A new upload; or all of it at once (``digest``); or nothing to send (``mount``)."""
        wanted = call.request.args.get("mount")
        if wanted is not None and wanted in self.images.blobs:
            return _created(name, wanted)
        if "digest" in call.request.args:
            return self._keep(name, call.request.args["digest"], call.request.get_data())
        upload = secrets.token_hex(16)
        with self.images.lock:
            self.images.uploads[upload] = b""
        return _going_on(name, upload, 0)

    def go_on(self, call: Call, name: str, upload: str) -> Response:
        sent = b"" if call.request.method in _READING else call.request.get_data()
        with self.images.lock:
            so_far = self.images.uploads.get(upload)
            if so_far is None:
                return _error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
            self.images.uploads[upload] = so_far + sent
        return _going_on(name, upload, len(so_far) + len(sent))

    def end_upload(self, call: Call, name: str, upload: str) -> Response:
        sent = call.request.get_data()
        with self.images.lock:
            so_far = self.images.uploads.pop(upload, None)
        if so_far is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        return self._keep(name, call.request.args.get("digest", ""), so_far + sent)

    def _keep(self, name: str, number: str, content: bytes) -> Response:
        if digest(content) != number:
            return _error(400, "DIGEST_INVALID", "the content is not that of the digest")
        with self.images.lock:
            self.images.blobs[number] = content
        return _created(name, number)


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _content(content: bytes, kind: str, number: str) -> Response:
    headers = {"Docker-Content-Digest": number}
    return Response(content, content_type=kind, headers=headers)


def _created(name: str, number: str) -> Response:
    headers = {"Location": f"/v2/{name}/blobs/{number}", "Docker-Content-Digest": number}
    return Response(status=201, headers=headers)


def _going_on(name: str, upload: str, size: int) -> Response:
    headers = {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Docker-Upload-UUID": upload,
        "Range": f"0-{max(size - 1, 0)}",
    }
    return Response(status=202, headers=headers)


def _error(status: int, code: str, message: str) -> Response:
    return json_response({"errors": [{"code": code, "message": message, "detail": None}]}, status)
