"""What every service of the cloud has in common: a name, a route table, and one answer per call."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from .records import Record


@dataclass
class Call:
    """One request to a service, and the record of it that the service may complete.

    ``claims`` are those of the access token, once a service has accepted it.
    """

    request: Request
    record: Record
    host: str
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.request.path


class DropConnectionError(Exception):
    """Close the connection without an answer."""


Route = tuple[str, str, Callable[..., Response]]


class Service:
    """A service. ``kind`` is the word under which its requests are counted."""

    kind = "request"

    def __init__(self) -> None:
        self._map = Map(
            [
                Rule(path, methods=methods.split() or None, endpoint=view)
                for methods, path, view in self.routes()
            ],
            strict_slashes=False,
            merge_slashes=False,
        )

    def routes(self) -> Sequence[Route]:
        """(methods, path, view) for werkzeug's routing; no methods means any."""
        return ()

    def respond(self, call: Call) -> Response:
        adapter = self._map.bind(call.host, url_scheme="https")
        try:
            view, values = adapter.match(self.normal_path(call.path), call.request.method)
        except HTTPException as error:
            return self.not_found(call, error.code or 404)
        response: Response = view(call, **values)
        return response

    def normal_path(self, path: str) -> str:
        return path

    def not_found(self, call: Call, status: int) -> Response:
        return json_response({"error": {"code": "NotFound", "message": "no such thing"}}, status)


def json_response(
    body: Any, status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> Response:
    response = Response(json.dumps(body), status, content_type="application/json; charset=utf-8")
    for name, value in headers:
        response.headers.add(name, value)
    return response


def html_response(title: str, body: str, status: int = 200) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>\n"
    return Response(page, status, content_type="text/html; charset=utf-8")


def bearer(request: Request) -> str | None:
    """The token of an ``Authorization: Bearer`` header (RFC 6750, section 2.1)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def basic(request: Request) -> tuple[str, str]:
    """User and password of an ``Authorization: Basic`` header (RFC 7617); empty if it is none."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    user, _, password = text.partition(":")
    return user, password
