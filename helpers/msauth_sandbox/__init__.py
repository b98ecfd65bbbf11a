"""A miniature Microsoft cloud on loopback, to try and to test msauth without an account.

It serves the real host names over TLS with its own certificate authority, behind a CONNECT proxy
on a random loopback port; a client needs only the environment variables of ``Sandbox.environ``.
Nothing leaves the machine: the proxy refuses, and counts, every host that is not served here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cloud import Sandbox
    from .network.records import Record

__all__ = ["Record", "Sandbox"]


def __getattr__(name: str) -> object:
    """Imports on first use, so that the command line can say which package is missing."""
    if name == "Sandbox":
        from .cloud import Sandbox

        return Sandbox
    if name == "Record":
        from .network.records import Record

        return Record
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
