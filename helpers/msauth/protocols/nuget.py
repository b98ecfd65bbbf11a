"""NuGet's cross-platform plugin protocol 2.0.0, as far as an authentication plugin needs it. Pure.

A JSON object a line, both ways: `RequestId`, `Type`, `Method` and, but for Close and Cancel,
`Payload`. Either side asks, and each request gets one response (or fault) of the same id.
https://learn.microsoft.com/nuget/reference/extensibility/nuget-cross-platform-plugins
"""

from . import json_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = "2.0.0"
"""The one version that we speak: 1.0.0 has no authentication."""

REQUEST, RESPONSE, FAULT = "Request", "Response", "Fault"
PROGRESS, CANCEL = "Progress", "Cancel"
"""The values of Type."""

SUCCESS, ERROR, NOT_FOUND = "Success", "Error", "NotFound"
"""The values of ResponseCode."""

USER = "msauth"
"""Azure Artifacts takes any user name beside a token."""


class Message:
    """One message. method: as NuGet spells it. payload: {} where there is none."""

    __slots__ = ("id", "method", "payload", "type")

    def __init__(self, line: bytes) -> None:
        """Read it. Raises ValueError for what is none."""
        value = json_lines.read(line)
        if value is None:
            raise ValueError("what NuGet sent is not a JSON object")
        texts = [value.get(name) for name in ("RequestId", "Type", "Method")]
        if not all(isinstance(text, str) and text for text in texts):
            raise ValueError("what NuGet sent has no RequestId, Type or Method")
        self.id, self.type, self.method = map(str, texts)
        payload = value.get("Payload")
        self.payload: dict[str, Any] = payload if isinstance(payload, dict) else {}

    def text(self, name: str) -> str:
        """Return a text of the payload, or ""."""
        value = self.payload.get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """Return a truth value of the payload."""
        return self.payload.get(name) is True

    def reply(self, kind: str, payload: "Mapping[str, Any] | None" = None) -> bytes:
        """Return a message of the same id and method."""
        return write(self.id, kind, self.method, payload)


def write(
    request_id: str, kind: str, method: str, payload: "Mapping[str, Any] | None" = None
) -> bytes:
    """Return a message as a line."""
    value: dict[str, Any] = {"RequestId": request_id, "Type": kind, "Method": method}
    if payload is not None:
        value["Payload"] = payload
    return json_lines.write(value)


def handshake(request_id: str) -> bytes:
    """Return our own part of the handshake, which each side begins by itself."""
    payload = {"ProtocolVersion": VERSION, "MinimumProtocolVersion": VERSION}
    return write(request_id, REQUEST, "Handshake", payload)


def shake(message: Message) -> "dict[str, Any]":
    """Return the answer to NuGet's part: whether it speaks our version, too."""
    ours = _number(VERSION)
    least, newest = (
        _number(message.text(n)) for n in ("MinimumProtocolVersion", "ProtocolVersion")
    )
    if least is None or newest is None or ours is None or not least <= ours <= newest:
        return {"ResponseCode": ERROR}
    return {"ResponseCode": SUCCESS, "ProtocolVersion": VERSION}


def claims(message: Message) -> "dict[str, Any]":
    """Return what this plugin does: it authenticates, whatever the source; packages it has none.

    NuGet asks for the former without a source, and for a source's packages with one.
    """
    asked = message.payload
    with_source = asked.get("PackageSourceRepository") or asked.get("ServiceIndex")
    return {"Claims": [] if with_source else ["Authentication"]}


def is_source(path: str) -> bool:
    """Say whether a path that `urls.packages` gave is of a feed's own index.

    NuGet sends a source's password to whatever host the source's index names. Elsewhere lie files
    that others uploaded, also one that could be such an index.
    """
    parts = path.split("/")
    v3 = parts[-5:-4] == ["_packaging"] and parts[-3:] == ["nuget", "v3", "index.json"]
    return v3 or (parts[-4:-3] == ["_packaging"] and parts[-2:] == ["nuget", "v2"])


def credentials(token: str) -> "dict[str, Any]":
    """Return a token as the password that NuGet is to send."""
    return {
        "Username": USER,
        "Password": token,
        "Message": None,
        "AuthenticationTypes": ["Basic"],
        "ResponseCode": SUCCESS,
    }


def nothing(code: str, message: str | None = None) -> "dict[str, Any]":
    """Return that there are no credentials: NOT_FOUND, or ERROR and why."""
    return {
        "Username": None,
        "Password": None,
        "Message": message,
        "AuthenticationTypes": None,
        "ResponseCode": code,
    }


def log(request_id: str, message: str) -> bytes:
    """Return a request to show a warning to the person."""
    return write(request_id, REQUEST, "Log", {"LogLevel": "Warning", "Message": message})


def _number(version: str) -> tuple[int, ...] | None:
    """Return a version's three numbers, without what a semantic version may have behind them."""
    parts = version.partition("+")[0].partition("-")[0].split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(map(int, parts))


if TYPE_CHECKING:
    from collections.abc import Mapping
