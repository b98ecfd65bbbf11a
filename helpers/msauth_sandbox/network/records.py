"""What was asked of the cloud: one small record per request, never a token, secret or claim."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import IO, Any

# Not requests to a service of the cloud, so not part of count("request").
_NOT_REQUESTS = ("connect", "unknown_host")


@dataclass
class Record:
    """One request. ``status`` is 0 until the answer is decided; ``time`` is epoch seconds.

    ``path`` has no query. ``claims`` says whether a token request carried a claims challenge,
    ``cae`` whether it announced the client capability CP1. ``token_id`` is the ``uti`` of the
    token that was presented to an API or issued by the token endpoint: it names a token without
    giving it away. ``error`` is an AADSTS code or the reason for which an API refused a token.
    ``identity`` is what a request to a managed identity said about whom it wants, by parameter as
    it was sent: empty for the host's own identity.
    """

    kind: str
    host: str
    method: str
    path: str
    time: float = field(default_factory=time.time)
    status: int = 0
    grant: str | None = None
    tenant: str | None = None
    scope: str | None = None
    client_id: str | None = None
    claims: bool = False
    cae: bool = False
    org: str | None = None
    auth: str | None = None
    token_id: str | None = None
    error: str | None = None
    identity: dict[str, str] | None = None


class RequestLog:
    """Records in memory, and as JSON lines in a private file once each request is answered."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._stream = stream

    def add(self, record: Record) -> None:
        with self._lock:
            self._records.append(record)

    def answered(self, record: Record) -> None:
        if self._stream is None:
            return
        line = json.dumps({k: v for k, v in asdict(record).items() if v not in (None, False)})
        with self._lock:
            if not self._stream.closed:
                self._stream.write(line + "\n")
                self._stream.flush()

    def records(self) -> list[Record]:
        with self._lock:
            return list(self._records)

    def clear(self) -> None:
        with self._lock:
            self._records.clear()

    def count(self, kind: str, filters: dict[str, Any]) -> int:
        return sum(1 for record in self.records() if matches(record, kind, filters))

    def snapshot(self) -> dict[str, Any]:
        records = self.records()
        token = [r for r in records if r.kind == "token"]
        return {
            "requests": sum(1 for r in records if r.kind not in _NOT_REQUESTS),
            "kinds": dict(Counter(r.kind for r in records)),
            "hosts": dict(Counter(r.host for r in records if r.kind not in _NOT_REQUESTS)),
            "status": dict(Counter(str(r.status) for r in records if r.kind not in _NOT_REQUESTS)),
            "grants": dict(Counter(r.grant for r in token if r.grant)),
            "scopes": dict(Counter(r.scope for r in token if r.scope)),
            "unknown_hosts": sorted({r.host for r in records if r.kind == "unknown_host"}),
        }


def matches(record: Record, kind: str, filters: dict[str, Any]) -> bool:
    """``scope`` also matches one word of several; every other filter is plain equality."""
    if kind == "request":
        if record.kind in _NOT_REQUESTS:
            return False
    elif kind != record.kind:
        return False
    for name, wanted in filters.items():
        value = getattr(record, name)
        if value == wanted:
            continue
        if name == "scope" and value is not None and wanted in value.split():
            continue
        return False
    return True
