"""Single flight: lock the key, read again, sign in, write, answer."""

import time
from collections.abc import Callable

from .. import signin
from ..cache import record, rejections
from ..cache.folder import Folder
from ..cache.lock import LOCK_TIMEOUT
from ..cache.private import FIX_PLACE, Refused
from ..errors import ExchangeRefusedError, OnlyRejectedError, SignInError, command, not_kept, say
from ..request.kinds import INTERACTIVE
from ..request.request import Token, TokenRequest
from . import changes
from .entry import Entry

PROMPT_TIMEOUT = 300
"""Seconds to wait for another process whose person is being asked."""


def renew(
    request: TokenRequest,
    *,
    prompt: bool = False,
    requested_at: int | None = None,
    may_prompt: Callable[[], bool] | None = None,
) -> Token:
    """Return a token that is fresh enough, signing in at most once however many ask.

    requested_at: epoch nanoseconds; a token written since then is new enough. prompt: a person
    asked to sign in now (`msauth login`): nothing remembered is the answer.
    Raises SignInError. A cache that cannot be used costs the sharing, never the answer; but who
    signs in for others to use it (prompt) has failed then.
    """
    since = requested_at or time.time_ns()
    folder = _open(request, needed=prompt and request.persist)
    if folder is None:
        return _renew_in(None, _may_ask(request, may_prompt), since, prompt=prompt)
    with folder:
        return _renew_in(folder, request, since, prompt=prompt, may_prompt=may_prompt)


def _renew_in(
    folder: Folder | None,
    request: TokenRequest,
    since: int,
    *,
    prompt: bool,
    may_prompt: Callable[[], bool] | None = None,
    settled: bool = False,
) -> Token:
    """Do `renew` in a folder, or without one; settled: as for `Entry.read`."""
    if folder is None:
        return _acquire(
            None,
            request,
            claims=request.claims,
            rejected=lambda text: record.fingerprint(text) == request.refused,
            prompt=prompt,
        )
    with folder.lock(request.record_name, timeout=LOCK_TIMEOUT, aloud=True) as held:
        return renew_locked(
            folder,
            request,
            since,
            held=held,
            prompt=prompt,
            may_prompt=may_prompt,
            settled=settled,
        )


def renew_locked(
    folder: Folder,
    request: TokenRequest,
    since: int,
    *,
    held: bool | None,
    prompt: bool = False,
    may_prompt: Callable[[], bool] | None = None,
    settled: bool = False,
) -> Token:
    """Do the same in a folder, under the key's lock if it is held; since: epoch nanoseconds.

    Who could not get it within LOCK_TIMEOUT goes on without: its holder may have died badly. But
    when a person is being asked, then what is waited for is that person.
    """
    request = _may_ask(request, may_prompt)
    if held is False and request.interactive and signin.prompting(request.env):
        left = PROMPT_TIMEOUT - LOCK_TIMEOUT
        with folder.lock(request.record_name, timeout=left) as held_at_last:
            if not held_at_last:
                raise signin.busy(request.credential)
            return _renew(folder, request, since, prompt=prompt, settled=settled)
    return _renew(folder, request, since, prompt=prompt, settled=settled)


def _may_ask(request: TokenRequest, may_prompt: Callable[[], bool] | None) -> TokenRequest:
    """Return the request as it is, or without the leave to ask a person where that is not so."""
    if request.interactive and may_prompt is not None and not may_prompt():
        return request.with_(interactive=False)
    return request


def _renew(
    folder: Folder, request: TokenRequest, since: int, *, prompt: bool, settled: bool
) -> Token:
    if not request.force_refresh and not prompt:
        token = Entry(folder, request).read(now=int(time.time()), since=since, settled=settled)
        if token is not None:
            return token
        failure = changes.recall(folder, request)
        if failure is not None and request.claims is None and not request.refused:
            raise failure
    return sign_in(folder, request, prompt=prompt)


def sign_in(folder: Folder, request: TokenRequest, *, prompt: bool = False) -> Token:
    """Sign in under the key's lock and write what came of it. Raises SignInError."""
    # Before the network call: a logout from here on makes what we write a miss.
    generation = folder.generation(request.profile)
    claims = request.claims
    if claims is None:
        claims = rejections.pending_claims(folder, request.record_name)
    asked_for = prompt or request.force_refresh  # by a person, who wants whatever there is

    def rejected(text: str) -> bool:
        fingerprint = record.fingerprint(text)
        if fingerprint == request.refused:
            return True
        return not asked_for and rejections.concerns(folder, fingerprint, request.organisation)

    try:
        token = _acquire(folder, request, claims=claims, rejected=rejected, prompt=prompt)
    except OnlyRejectedError as error:
        token = error.token
        if token.fingerprint == request.refused:
            raise
        rejections.is_the_only_one(folder, token.fingerprint)
        if rejections.concerns(folder, token.fingerprint, request.organisation):
            raise
    except SignInError as error:
        if error.signed_out:
            folder.remove(Entry(folder, request).name)
        changes.remember(folder, request, error)
        raise
    try:
        by_person = token.asked or (prompt and token.credential in INTERACTIVE)
        if by_person and changes.supersede(folder, request, token, INTERACTIVE):
            generation = folder.generation(request.profile)
        if asked_for:
            rejections.forget(folder, token.fingerprint)
        if prompt:
            rejections.forget_all(folder)
            changes.forget_failures(folder)
        kept = request.persist and changes.keep(
            folder, request, token, generation=generation, claims=claims
        )
        folder.remove(request.record_name + rejections.CLAIMS)
        folder.remove(request.record_name + changes.FAILURE)
    except OSError as error:
        # The token is the answer; only the next process is slower.
        if prompt and request.persist:
            why = f"{folder.path}: {error.strerror}"
            raise not_kept("the token", why, command("df", folder.path)) from None
        return token
    if prompt and request.persist and not kept:
        raise not_kept("the token", "a logout has ended this sign-in", "msauth login")
    return token


def _acquire(
    folder: Folder | None,
    request: TokenRequest,
    *,
    claims: str | None,
    rejected: Callable[[str], bool],
    prompt: bool,
) -> Token:
    """Return a new token of Entra ID, or a registry's own in exchange for one.

    The one of Entra ID is shared with all registries of its tenant. The exchange may refuse it
    though the tenant is right, so another one is tried in place of one that the cache had. Where
    the tool that gave it may have signed out, it is asked first: the new token outlives the old.
    """
    if not request.registry:
        return signin.acquire(request, claims=claims, rejected=rejected, prompt=prompt)
    wanted = request.with_(registry="")
    cached = None
    if folder is not None and not request.force_refresh and not prompt:
        cached = Entry(folder, wanted).read(now=int(time.time()), settled=True)
    token = cached or _of_entra(folder, wanted, prompt=prompt)
    try:
        return signin.exchange(request, token, rejected)
    except ExchangeRefusedError as refused:
        if cached is None:
            raise
        try:
            another = _of_entra(folder, wanted.with_(refused=token.fingerprint), prompt=prompt)
        except _NoOtherError:
            raise refused from None
    return signin.exchange(request, another, rejected)


class _NoOtherError(SignInError):
    """Entra ID's token was refused, and its source gives no other."""


def _of_entra(folder: Folder | None, request: TokenRequest, *, prompt: bool) -> Token:
    """Return Entra ID's token for a registry, as `renew` does."""
    try:
        return _renew_in(folder, request, time.time_ns(), prompt=prompt, settled=True)
    except OnlyRejectedError as error:
        # Not with its token, which our caller would take for the registry's own.
        raise _NoOtherError(error.message, error.hint) from None


def _open(request: TokenRequest, *, needed: bool) -> Folder | None:
    """Return the cache; raises SignInError where it is needed and cannot be used."""
    try:
        return Folder.cache(request.env, create=True)
    except Refused as refused:
        why, fix = refused.message, refused.fix
    except OSError as error:
        why, fix = f"{error.filename}: {error.strerror}", FIX_PLACE
        if not needed and not isinstance(error, PermissionError):
            return None
    if needed:
        raise not_kept("a token", why, fix)
    say("warning", f"not using the token cache: {why}")
    say("hint", fix)
    return None
