"""The record format: plain text attributes and a payload under one checksum. Pure.

    msauth record 1
    check=<checksum of all that follows this line, 16 hex digits>
    epoch=…
    issued=<epoch seconds>
    …
    request.credential=…        the lines of the request's cache key
    request.scope=…

    <payload>
    end

The echo makes a name collision or a renamed file a miss; the checksum makes every truncation
and every flipped bit one. Names and checksum are residues modulo a prime, which cost two
microseconds and no import (a hash module is a shared object to load, half a millisecond on many
builds). They guard against damage, not against an attacker: whoever can write here is the user.
"""

MAGIC = b"msauth record 1\ncheck="
_TRAILER = b"\nend\n"
_CHECK_END = len(MAGIC) + 16
MAX_BYTES = 65536
TOKEN, REJECTED, TENANT = ".tok", ".rej", ".org"
"""How the names end of a token's record, of a refusal's and of an organisation's."""
GIVEN, FORCED, RENEWING = ".given", ".forced", ".renewing"
"""And of empty files whose time says when something was done last: after a day it says nothing."""
HOLDERS = ".held"
"""And of a token's list of the records that may hold it: their stems, a line each."""
_B64TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_CHECK_PRIME = 0xFFFFFFFFFFFFFFC5
_NAME_PRIME = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF61
"""The largest primes below 2**64 and 2**128."""


def name_of(cache_key: bytes) -> str:
    """Return the file name stem of a key; its length takes part, so leading zeros count."""
    return f"{int.from_bytes(cache_key, 'big') % _NAME_PRIME:032x}{len(cache_key) % 0xFFFF:04x}"


def check_of(body: bytes) -> bytes:
    """Return the checksum of a record's body: any burst of up to 64 bits changes it."""
    return b"%016x" % ((int.from_bytes(body, "big") + len(body)) % _CHECK_PRIME)


def fingerprint(token: str) -> str:
    """Return what may be said of a token in a log, a file name or git's `state[]`.

    A cached token's fingerprint is written in its record, so a cache hit never computes it.
    """
    return str(_sha256(token.encode("utf-8", "surrogateescape")))[:32]


def _sha256(data: bytes) -> str:
    """Return a SHA-256 in hexadecimal digits by Python's own code: hashlib loads OpenSSL first."""
    for module in ("_sha2", "_sha256", "hashlib"):  # of Python from 3.12 on, before, and any
        try:
            return str(__import__(module).sha256(data).hexdigest())
        except ImportError:
            continue
    raise AssertionError("hashlib is always there")


def encode(cache_key: bytes, attributes: dict[str, str], payload: bytes) -> bytes:
    """Return a record's bytes; attribute names and values hold no newline."""
    lines = "".join(f"{name}={value}\n" for name, value in attributes.items())
    body = lines.encode("utf-8", "surrogateescape") + cache_key + b"\n" + payload + _TRAILER
    return MAGIC + check_of(body) + b"\n" + body


def decode(data: bytes, cache_key: bytes | None) -> tuple[dict[str, str], bytes] | None:
    """Return a record's attributes and payload, or None for anything but an intact record.

    With cache_key the record must be of that request; None accepts any (to list or to erase).
    """
    if not data.startswith(MAGIC) or not data.endswith(_TRAILER):
        return None
    body = data[_CHECK_END + 1 :]
    if data[_CHECK_END : _CHECK_END + 1] != b"\n":
        return None
    if data[len(MAGIC) : _CHECK_END] != check_of(body):
        return None
    head, _, rest = body.partition(b"\n\n")
    if cache_key is not None and not (head + b"\n").endswith(b"\n" + cache_key):
        return None
    attributes = {}
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        name, _, value = line.partition("=")
        attributes[name] = value
    return attributes, rest[: -len(_TRAILER)]


def is_token(text: str | bytes) -> bool:
    """Say whether this is a token's text (RFC 6750 2.1, b64token): `=` stands at its end only."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    data = data.rstrip(b"=")
    return bool(data) and not data.translate(None, _B64TOKEN)  # what is left is of no token


def number(text: str | None) -> int:
    """Return a decimal attribute as an int; anything else is 0."""
    if text and text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    return 0
