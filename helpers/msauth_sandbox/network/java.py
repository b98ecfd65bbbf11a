"""A trust store for Java, which reads certificates from a file format of its own.

The format is that of ``sun.security.provider.JavaKeyStore``: JKS, version 2.
"""

from __future__ import annotations

import hashlib
import struct
import time

PASSWORD = "changeit"
"""Java's own for such files: it guards against accidents, not against anybody."""

_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2


def trust_store(certificate: bytes) -> bytes:
    """The content of a store that trusts one certificate, which is given in DER."""
    body = struct.pack(">III", _MAGIC, _VERSION, 1)
    body += struct.pack(">I", _TRUSTED) + _text("sandbox")
    body += struct.pack(">Q", int(time.time() * 1000)) + _text("X.509")
    body += struct.pack(">I", len(certificate)) + certificate
    salted = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body
    return body + hashlib.sha1(salted, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()
