"""What the package protocols of a feed have in common."""
# ruff: noqa: ARG002 - the views of a route table share one signature

from __future__ import annotations

import threading
from dataclasses import dataclass

from werkzeug.wrappers import Response

from ...network.service import Call, Service

VERSION = "1.0.0"
"""The version of the package that each feed starts with."""


@dataclass
class FeedCall(Call):
    """A request to one protocol of one feed, whose address is ``base``; its path is below it."""

    base: str = ""
    below: str = "/"

    @property
    def path(self) -> str:
        return self.below


class Protocol(Service):
    """One package protocol of one feed.

    ``owner`` is the organisation, after which the first package is named. Hold ``lock`` to read
    and then write.
    """

    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner
        self.lock = threading.Lock()

    def not_found(self, call: Call, status: int) -> Response:
        return Response("not found\n", status)


def binary(content: bytes | None) -> Response:
    """A package's file, or 404."""
    if content is None:
        return Response("not found\n", 404)
    return Response(content, content_type="application/octet-stream")
