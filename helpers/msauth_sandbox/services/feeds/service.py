"""The feeds of all organisations: which there are, who may read and write, and which protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import quote

from werkzeug.wrappers import Response

from ...entra.state import State
from ...network.service import Call, Service, json_response
from . import cargo, go, maven, npm, nuget, pypi
from .packages import FeedCall

# What a feed's address goes on with, and who speaks that protocol.
_PROTOCOLS: dict[str, Callable[[str], Service]] = {
    "pypi": pypi.PyPI,
    "npm/registry": npm.Npm,
    "Cargo": cargo.Cargo,
    "maven/v1": maven.Maven,
    "go": go.GoProxy,
    "nuget": nuget.NuGet,
}

NAMES = ("hello", "private")
"""The feeds of every organisation; each starts with one package per protocol."""


class Feeds:
    """The packages of a feed live in memory: those of the start, and what was published."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._services: dict[tuple[str, str, str], Service] = {}

    def reset(self) -> None:
        with self._lock:
            self._services.clear()

    def respond(self, call: Call, organization: str, who: str) -> Response:
        """The answer to the authorised caller ``who``; the path holds ``/_packaging/``."""
        before, _, rest = call.path.partition("/_packaging/")
        feed, _, path = rest.partition("/")
        if feed.lower() not in NAMES:
            message = f"The feed with name or ID '{feed[:40]}' doesn't exist."
            return _error(404, "FeedIdNotFoundException", message)
        if f"{organization}/{feed.lower()}" in self._state.settings.forbidden_feeds:
            return _forbidden(call, who)
        for prefix in _PROTOCOLS:
            if f"{path}/".lower().startswith(f"{prefix}/".lower()):
                service = self._service(organization, feed.lower(), prefix)
                base = f"https://{call.host}{quote(before)}/_packaging/{feed}/{prefix}"
                below = path[len(prefix) :] or "/"
                inner = FeedCall(call.request, call.record, call.host, base=base, below=below)
                return service.respond(inner)
        return _error(404, "NotFoundException", "no such protocol")

    def _service(self, organization: str, feed: str, prefix: str) -> Service:
        key = (organization, feed, prefix)
        with self._lock:
            if key not in self._services:
                self._services[key] = _PROTOCOLS[prefix](organization)
            return self._services[key]


def _forbidden(call: Call, who: str) -> Response:
    call.record.error = "forbidden"
    reads = call.request.method in ("GET", "HEAD", "OPTIONS")
    message = (
        f"User '{who}' lacks permission to complete this action. "
        f"You need to have '{'ReadPackages' if reads else 'AddPackage'}'."
    )
    return _error(403, "FeedNeedsPermissionsException", message)


def _error(status: int, kind: str, message: str) -> Response:
    return json_response({"$id": "1", "message": message, "typeKey": kind}, status)
