"""The credential helpers of Bazel and others, JSON on stdin and stdout. Pure.

https://github.com/EngFlow/credential-helper-spec/blob/main/spec.md
"""

from . import json_lines
from .exec_credential import rfc3339

NONE = b"{}\n"
"""The answer for a URI that wants no credentials of ours."""


def uri(data: bytes) -> bytes:
    """Return the URI that credentials are asked for. Raises ValueError for what is no request."""
    text = (json_lines.read(data) or {}).get("uri")
    if not isinstance(text, str):
        raise ValueError("no JSON object with a uri on stdin")
    return text.encode("utf-8", "surrogatepass")


def headers(token: str, expires_on: int) -> bytes:
    """Return the answer; expires_on: epoch seconds."""
    value = {"headers": {"Authorization": [f"Bearer {token}"]}, "expires": rfc3339(expires_on)}
    return json_lines.write(value)
