"""Failures remembered for a moment, so that a herd does not hammer a server that said no."""

import os
import time

from ..errors import SignInError, UnavailableError
from ..request.request import TokenRequest
from . import reader, record, writer

_FIRST, _LONGEST, _NETWORK = 5, 60, 3
"""Seconds: the first memory of a sign-in error, its longest, and that of a network error."""
_MARKED = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "SYSTEM_ACCESSTOKEN")


def recall(descriptor: int, request: TokenRequest) -> SignInError | None:
    """Return the failure that still stands for this key, or None."""
    found = _read(descriptor, request)
    if found is None:
        return None
    attributes, message, hint = found
    if (
        not record.number(attributes.get("issued")) - 300
        <= time.time()
        < record.number(attributes.get("until"))
    ):
        return None
    if attributes.get("mark") != _mark():
        return None
    if request.interactive and attributes.get("interactive") != "1":
        return None  # the one that failed could not ask anybody; this one can
    kind = UnavailableError if attributes.get("unavailable") == "1" else SignInError
    return kind(message, hint, deterministic=attributes.get("deterministic") == "1")


def remember(descriptor: int, request: TokenRequest, error: SignInError) -> None:
    """Write a failure down; never raises."""
    now = int(time.time())
    seconds = _NETWORK
    if error.deterministic:
        earlier = _read(descriptor, request)
        last = record.number(earlier[0].get("seconds")) if earlier else 0
        seconds = min(_LONGEST, last * 2) if last else _FIRST
    attributes = {
        "issued": str(now),
        "until": str(now + seconds),
        "seconds": str(seconds),
        "deterministic": "1" if error.deterministic else "0",
        "unavailable": str(int(isinstance(error, UnavailableError))),
        "interactive": str(int(request.interactive)),
        "mark": _mark(),
    }
    payload = f"{error.message}\0{error.hint or ''}".encode("utf-8", "surrogateescape")
    canonical = request.canonical()
    try:
        writer.write_file(
            descriptor,
            record.name_of(canonical) + writer.FAILURE,
            record.encode(canonical, attributes, payload),
        )
    except OSError:
        pass


def forget(descriptor: int, request: TokenRequest) -> None:
    """Remove a key's failure after a success."""
    writer.remove(descriptor, record.name_of(request.canonical()) + writer.FAILURE)


def _read(descriptor: int, request: TokenRequest) -> tuple[dict[str, str], str, str | None] | None:
    canonical = request.canonical()
    found = reader.read_record(descriptor, record.name_of(canonical) + writer.FAILURE, canonical)
    if found is None:
        return None
    message, _, hint = found[1].decode("utf-8", "surrogateescape").partition("\0")
    return found[0], message, hint or None


def _mark() -> str:
    """Return eight digits that change when a secret is corrected, and reveal nothing of it."""
    secrets = "\0".join(os.environ.get(name, "") for name in _MARKED)
    return record.fingerprint(secrets)[:8]
