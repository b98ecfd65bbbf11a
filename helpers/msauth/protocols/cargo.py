"""cargo's credential provider protocol, version 1: a JSON object a line, both ways. Pure.

https://doc.rust-lang.org/cargo/reference/credential-provider-protocol.html
"""

from . import json_lines

HELLO = b'{"v":[1]}\n'
"""What a provider says first: the versions that it speaks."""

URL_NOT_SUPPORTED = "url-not-supported"
"""Not our registry: cargo asks the next provider."""
NOT_SUPPORTED = "operation-not-supported"
_VERSION = 1
_SPARSE = "sparse+"


class Request:
    """One line of cargo's.

    kind: `get`, `login`, `logout`, or what a later cargo asks. index: the URL of a sparse index,
    as it is; b"" for a registry of another kind, whose index lies in a git repository.
    challenges: the `WWW-Authenticate` values of a 401 that cargo was answered. arguments: what
    stands behind the provider's name in cargo's configuration.
    """

    __slots__ = ("arguments", "challenges", "index", "kind")

    def __init__(self, line: bytes) -> None:
        """Read it. Raises ValueError, whose text says why it is no request of this protocol."""
        value = json_lines.read(line)
        if value is None:
            raise ValueError("cargo's request is not a JSON object")
        if value.get("v") != _VERSION:
            raise ValueError(
                f"cargo speaks version {value.get('v')!r:.20} of the credential provider "
                f"protocol, and msauth version {_VERSION}"
            )
        registry = value.get("registry")
        url = registry.get("index-url") if isinstance(registry, dict) else None
        if not isinstance(registry, dict) or not isinstance(url, str):
            raise ValueError("cargo's request names no registry")
        self.kind = value.get("kind")
        sparse = url.removeprefix(_SPARSE) if url.startswith(_SPARSE) else ""
        self.index = sparse.encode("utf-8", "surrogatepass")
        self.challenges = [
            text.partition(":")[2].strip()
            for text in _texts(registry.get("headers"))
            if text.lower().startswith("www-authenticate:")
        ]
        self.arguments = _texts(value.get("args"))


def is_index(path: str) -> bool:
    """Say whether a path that `urls.packages` gave is of a feed's own index.

    Elsewhere in a feed lie files that others uploaded, also one that could say where cargo is to
    send the token.
    """
    parts = path.split("/")
    return len(parts) >= 4 and parts[-4] == "_packaging" and parts[-2:] == ["cargo", "index"]


def token(text: str, expires_on: int) -> bytes:
    """Return the answer to `get`; cargo sends the token as the header's whole value."""
    value = {
        "kind": "get",
        "token": f"Bearer {text}",
        "cache": "expires",
        "expiration": expires_on,
        "operation_independent": True,
    }
    return json_lines.write({"Ok": value})


def refusal(kind: str) -> bytes:
    """Return an answer without a token, for one of the kinds above."""
    return json_lines.write({"Err": {"kind": kind}})


def failure(message: str, *causes: str) -> bytes:
    """Return the answer that makes cargo stop and show these texts."""
    return json_lines.write({"Err": {"kind": "other", "message": message, "caused-by": causes}})


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str)]
