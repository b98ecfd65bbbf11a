"""A token in the memory of a process that asks again and again, as an SDK does for every request.

It is the answer only while nothing has happened that could make another one right: no logout, no
refusal and no renewal in the cache's directory, no other sign-in in the files of the tool that
gave it, no edit of profiles.toml, and no change of the environment. All that is seen in the times
of a few files, so an answer costs three or four calls of stat(2).
"""

import os
import time

from ..cache.folder import VERSION, cache_base
from ..request import profiles
from ..request.kinds import KINDS
from ..request.request import Token, TokenRequest
from . import broker

_SETTLED = 2_000_000_000
"""Nanoseconds: a file that changed less than that ago may change again and bear the same time."""
Mark = tuple[int, int, int, int]


class Remembered:
    """A token with what it depends on; see `remember`. Its repr shows nothing."""

    __slots__ = ("_env", "_marks", "_now", "_until", "token")

    def __init__(self, token: Token, until: int, marks: list[tuple[str, Mark]], now: float) -> None:
        self.token = token
        self._until = until
        self._marks = marks
        self._env = dict(_environment())
        self._now = now

    def holds(self) -> bool:
        """Say whether the token is still what the broker would answer."""
        if not self._now <= time.time() < self._until or _environment() != self._env:
            return False
        try:
            for path, mark in self._marks:
                if _mark(path) != mark:
                    return False
        except OSError:
            return False
        return True


def remember(request: TokenRequest, token: Token) -> Remembered | None:
    """Return a token just given for a request, to be given again; None where it cannot be watched.

    That is so within two seconds after something changed, and for a token that is due.
    """
    now = time.time()
    until = token.expires_on - max(1, request.min_valid)
    if token.refresh_on:
        until = min(until, token.refresh_on)
    try:
        paths = dict.fromkeys(map(_nearest, _watched(request, token)))
        marks = [(path, _mark(path)) for path in paths]
    except OSError:
        return None
    if any(abs(time.time_ns() - max(mark[:2])) < _SETTLED for _, mark in marks):
        return None
    found = Remembered(token, until, marks, now)
    # After the marks: had anything changed before them, this would be another answer.
    again = broker.cached(request)
    return found if again is not None and again.text == token.text else None


def _watched(request: TokenRequest, token: Token) -> list[str]:
    """Return the files on which the answer depends; whatever `auto` tries later does not count."""
    paths = [f"{cache_base(request.env)}/{VERSION}"]
    if request.profile:
        paths.append(profiles.path(request.env))
    for name, kind in KINDS.items():
        if request.credential not in ("auto", name):
            continue
        if kind.files is not None:
            paths += kind.files(request.env)
        if name == token.credential:
            break
    return paths


def _nearest(path: str) -> str:
    """Return a path that is there, else the nearest folder above: making it changes that one."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _mark(path: str) -> Mark:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def _environment() -> dict[object, object]:
    """Return this process's environment as it is kept inside of os.environ, to be compared fast."""
    data: dict[object, object] = getattr(os.environ, "_data", None) or dict(os.environ)
    return data
