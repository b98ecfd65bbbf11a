"""Single flight: lock the key, read again, sign in, write, answer."""

import time
from contextlib import ExitStack

from .. import signin
from ..cache import record, rejections
from ..cache.folder import FIX_PLACE, Folder, Refused
from ..errors import OnlyRejectedError, SignInError, command, not_kept, say
from ..request.kinds import INTERACTIVE
from ..request.request import Token, TokenRequest
from . import changes
from .entry import Entry

LOCK_TIMEOUT = 30
"""Seconds to wait for another process's silent sign-in before going on without it."""
PROMPT_TIMEOUT = 300
"""Seconds to wait for another process whose person is being asked."""


def renew(request: TokenRequest, *, prompt: bool = False, requested_at: int | None = None) -> Token:
    """Return a token that is fresh enough, signing in at most once however many ask.

    requested_at: epoch nanoseconds; a token written since then is new enough. prompt: a person
    asked to sign in now (`msauth login`): nothing remembered is the answer.
    Raises SignInError. A cache that cannot be used costs the sharing, never the answer; but who
    signs in for others to use it (prompt) has failed then.
    """
    since = requested_at or time.time_ns()
    folder = _open(request, needed=prompt and request.persist)
    if folder is None:
        return signin.acquire(
            request,
            claims=request.claims,
            rejected=lambda text: record.fingerprint(text) == request.refused,
            prompt=prompt,
        )
    with folder, ExitStack() as stack:
        _wait(stack, folder, request)
        if not request.force_refresh and not prompt:
            token = Entry(folder, request).read(now=int(time.time()), since=since)
            if token is not None:
                return token
            failure = changes.recall(folder, request)
            if failure is not None and request.claims is None and not request.refused:
                raise failure
        return sign_in(folder, request, prompt=prompt)


def _wait(stack: ExitStack, folder: Folder, request: TokenRequest) -> None:
    """Take the key's lock for as long as stack lives, or go on without it.

    A process that is not done after LOCK_TIMEOUT may have died badly, unless a person is being
    asked: then what is waited for is that person.
    """
    name = request.record_name
    began = time.monotonic()
    held = stack.enter_context(folder.lock(name, timeout=LOCK_TIMEOUT, aloud=True))
    if held or not request.interactive:
        return
    if time.monotonic() - began < LOCK_TIMEOUT or not signin.prompting(request.env):
        return
    if not stack.enter_context(folder.lock(name, timeout=PROMPT_TIMEOUT - LOCK_TIMEOUT)):
        raise signin.busy(request.credential)


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
        token = signin.acquire(request, claims=claims, rejected=rejected, prompt=prompt)
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
