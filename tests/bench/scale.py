"""The cache with 10,000 entries beside one with 10: reading, writing and rejecting a token.

The calls are made in this process, so that starting one does not hide a difference.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from msauth.broker import changes
from msauth.broker.entry import Entry
from msauth.cache.folder import Folder
from msauth.request.clouds import DEVOPS_SCOPE
from msauth.request.request import Token, TokenRequest
from tests.cache.seed import made_up_jwt

from .cases import Case, Place

FEW, MANY = 10, 10_000
WANTED = 2.0
"""A write or a rejection among many entries may take that many times what it takes among few."""
CALLS = 10
"""Of each kind in a row; their mean is one measurement."""


@contextmanager
def cases(place: Place) -> Iterator[list[Case]]:
    """Yield the cases; both caches are made before."""
    found = []
    caches = {entries: _Cache(place, entries) for entries in (FEW, MANY)}
    for what in ("read", "write", "reject"):
        bases = {FEW: None, MANY: f"{what}, {FEW:,} entries"}
        for entries, cache in caches.items():
            found.append(
                Case(
                    f"{what}, {entries:,} entries",
                    getattr(cache, what),
                    base=bases[entries],
                    limit=WANTED if bases[entries] else None,
                )
            )
    yield found


class _Cache:
    """A cache of that many entries; each method returns the mean seconds of a call."""

    def __init__(self, place: Place, entries: int) -> None:
        self._env = {"MSAUTH_CACHE_DIR": str(place.scratch / f"cache-{entries}")}
        self._request = TokenRequest(
            (DEVOPS_SCOPE,), {}, credential="service-principal", tenant="contoso.com"
        )
        self._made = 0
        for number in range(entries):
            self._keep(self._request.with_(client_id=str(number)), self._new())
        self._keep(self._request, self._new())

    def read(self) -> float:
        self._keep(self._request, self._new())
        return _mean([self._read] * CALLS)

    def write(self) -> float:
        tokens = [self._new() for _ in range(CALLS)]
        return _mean([partial(self._keep, self._request, token) for token in tokens])

    def reject(self) -> float:
        total = 0.0
        for _ in range(CALLS):
            token = self._new()
            self._keep(self._request, token)
            total += _mean([partial(self._reject, token)])
        return total / CALLS

    def _new(self) -> Token:
        self._made += 1
        now = int(time.time())
        text = made_up_jwt(f"{DEVOPS_SCOPE}-{self._made}", now)
        return Token(text, now + 3600, issued=now, tenant="contoso.com", credential="environment")

    def _keep(self, request: TokenRequest, token: Token) -> None:
        with Folder.cache(self._env, create=True) as folder:
            generation = folder.generation(request.profile)
            changes.keep(folder, request, token, generation=generation, claims=None)

    def _read(self) -> None:
        with Folder.cache(self._env) as folder:
            if Entry(folder, self._request).read(now=int(time.time())) is None:
                raise RuntimeError("the token is not in the cache")

    def _reject(self, token: Token) -> None:
        with Folder.cache(self._env) as folder:
            changes.reject(folder, token.text, "", None)


def _mean(calls: list[Callable[[], object]]) -> float:
    began = time.perf_counter()
    for call in calls:
        call()
    return (time.perf_counter() - began) / len(calls)
