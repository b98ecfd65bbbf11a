"""JSON in base64 (RFC 4648, either alphabet, padded or not), as servers send claims and tokens."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 65536


def json_object(encoded: str) -> "tuple[str, dict[str, Any]] | None":
    """Return a JSON object's text and value, or None for anything else."""
    import base64
    import json

    if len(encoded) > _LONGEST:
        return None
    padded = encoded.replace("-", "+").replace("_", "/") + "=" * (-len(encoded) % 4)
    try:
        text = base64.b64decode(padded, validate=True).decode("utf-8")
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return (text, value) if isinstance(value, dict) else None
