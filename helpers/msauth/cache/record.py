"""The record format: plain text attributes and a payload under one checksum. Pure.

    msauth record 1
    check=<SHA-256 of all that follows this line, hex>
    epoch=…
    issued=<epoch seconds>
    …
    request.credential=…        the canonical request, echoed
    request.scope=…

    <payload>
    end

The echo makes a hash collision or a renamed file a miss; the checksum makes every truncation
and every flipped bit one.
"""

try:  # hashlib costs 3 ms and OpenSSL; the C module alone is free
    from _sha2 import sha256
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:  # a Python built without either
        from hashlib import sha256

MAGIC = b"msauth record 1\ncheck="
_TRAILER = b"\nend\n"
_CHECK_END = len(MAGIC) + 64
MAX_BYTES = 65536


def name_of(canonical: bytes) -> str:
    """Return the file name stem of a key."""
    digest: str = sha256(canonical).hexdigest()
    return digest[:40]


def fingerprint(token: str) -> str:
    """Return what may be said of a token in a log, a file name or git's `state[]`."""
    digest: str = sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
    return digest[:32]


def encode(canonical: bytes, attributes: dict[str, str], payload: bytes) -> bytes:
    """Return a record's bytes; attribute names and values hold no newline."""
    lines = "".join(f"{name}={value}\n" for name, value in attributes.items())
    body = lines.encode("utf-8", "surrogateescape") + canonical + b"\n" + payload + _TRAILER
    check: str = sha256(body).hexdigest()
    return MAGIC + check.encode("ascii") + b"\n" + body


def decode(data: bytes, canonical: bytes | None) -> tuple[dict[str, str], bytes] | None:
    """Return a record's attributes and payload, or None for anything but an intact record.

    With canonical the record must be of that request; None accepts any (to list or to erase).
    """
    if not data.startswith(MAGIC) or not data.endswith(_TRAILER):
        return None
    body = data[_CHECK_END + 1 :]
    if data[_CHECK_END : _CHECK_END + 1] != b"\n":
        return None
    if data[len(MAGIC) : _CHECK_END] != sha256(body).hexdigest().encode("ascii"):
        return None
    head, _, rest = body.partition(b"\n\n")
    if canonical is not None and not (head + b"\n").endswith(b"\n" + canonical):
        return None
    attributes = {}
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        name, _, value = line.partition("=")
        attributes[name] = value
    return attributes, rest[: -len(_TRAILER)]


def number(text: str | None) -> int:
    """Return a decimal attribute as an int; anything else is 0."""
    if text and text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    return 0
