"""What tests do to the cache of this process's environment, each in one call."""

import os
import time

from msauth.broker import changes, entry
from msauth.broker.entry import Entry
from msauth.cache.folder import Folder
from msauth.errors import SignInError
from msauth.request.request import Token, TokenRequest


def opened() -> Folder:
    """The cache's folder, made if it is missing."""
    return Folder.cache(os.environ, create=True)


def read(request: TokenRequest, *, now: int | None = None, since: int | None = None) -> str | None:
    """Return the text of the token that is served at a time (epoch seconds), or None.

    Makes no directory, as a cached answer makes none.
    """
    try:
        with Folder.cache(os.environ) as folder:
            found = Entry(folder, request).read(
                now=int(time.time()) if now is None else now, since=since
            )
    except OSError:
        return None
    return None if found is None else found.text


def write(request: TokenRequest, token: Token, *, claims: str | None = None) -> None:
    """Keep a token that was asked for just now."""
    with opened() as folder:
        generation = folder.generation(request.profile)
        changes.keep(folder, request, token, generation=generation, claims=claims)


def reject(token: str, claims: str | None = None, *, organisation: str = "") -> list[str]:
    with opened() as folder:
        return changes.reject(folder, token, organisation, claims)


def let_tidy() -> None:
    """Let the next change tidy the folder, as if the last time was long ago."""
    with opened() as folder:
        folder.remove(changes.PRUNED)


def logout(profile: str | None) -> int:
    with opened() as folder:
        return changes.logout(folder, profile)


def remember(request: TokenRequest, error: SignInError) -> None:
    with opened() as folder:
        changes.remember(folder, request, error)


def recall(request: TokenRequest) -> SignInError | None:
    with opened() as folder:
        return changes.recall(folder, request)


def remember_tenant(organisation: str, tenant: str, *, now: int, until: int) -> None:
    with opened() as folder:
        changes.write_tenant(folder, organisation, tenant, now=now, until=until)


def read_tenant(organisation: str, *, now: int) -> str | None:
    with opened() as folder:
        return entry.read_tenant(folder, organisation, now=now)


def forget_tenant(organisation: str) -> None:
    with opened() as folder:
        changes.forget_tenant(folder, organisation)
