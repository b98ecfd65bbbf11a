"""Faults that a test has asked for: the next requests of some kind go wrong."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Generic, TypeVar

from .records import Record


@dataclass
class Fault:
    """``times`` is how many matching requests go wrong; None means all until ``clear``."""

    times: int | None

    def matches(self, record: Record) -> bool:
        raise NotImplementedError


@dataclass
class HttpFault(Fault):
    """``host`` and ``path`` are shell patterns; status 0 drops the connection with no answer."""

    host: str
    status: int
    retry_after: int | None = None
    path: str = "*"

    def matches(self, record: Record) -> bool:
        return fnmatch(record.host, self.host) and fnmatch(record.path, self.path)


F = TypeVar("F", bound=Fault)


class Faults(Generic[F]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[F] = []

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def add(self, fault: F) -> None:
        with self._lock:
            self._faults.append(fault)

    def take(self, record: Record) -> F | None:
        """The first fault that this request must meet, if any; counts it as used."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(record):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None
