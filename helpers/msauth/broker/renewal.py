"""Single flight: lock the key, read again, sign in, write, answer."""

import os
import time
from contextlib import ExitStack

from .. import signin
from ..cache import failures, reader, record, writer
from ..cache import folder as directory
from ..cache.lock import key_lock
from ..errors import SignInError, say, say_waiting
from ..request.request import Token, TokenRequest

LOCK_TIMEOUT = 30
"""Seconds to wait for a neighbour's silent sign-in before going on without it."""
PROMPT_TIMEOUT = 300
"""Seconds to wait for a neighbour whose user is being asked."""


def renew(
    request: TokenRequest, *, prog: str, anew: bool = False, asked: int | None = None
) -> Token:
    """Return a token that is fresh enough, signing in at most once however many ask.

    asked: epoch nanoseconds of the question; a token written since then is new enough for it.
    anew: a person asked to sign in now (`msauth login`): nothing remembered is the answer.
    Raises SignInError. A cache that cannot be used costs the sharing, never the answer.
    """
    since = asked or time.time_ns()
    descriptor = _open(prog)
    if descriptor is None:
        return signin.acquire(request, claims=request.claims, prog=prog, anew=anew)
    try:
        stem = record.name_of(request.canonical())
        with ExitStack() as stack:
            _wait(stack, stem, request, prog)
            if not request.force_refresh and not anew:
                token = reader.read(request, now=int(time.time()), since=since)
                if token is not None:
                    return token
                failure = failures.recall(descriptor, request)
                if failure is not None and request.claims is None:
                    raise failure
            return _sign_in(descriptor, request, prog, anew=anew)
    finally:
        os.close(descriptor)


def _wait(stack: ExitStack, stem: str, request: TokenRequest, prog: str) -> None:
    """Take the key's lock for as long as stack lives, or go on without it.

    A neighbour that is not done after LOCK_TIMEOUT may have died badly, unless a person is being
    asked: then what is waited for is that person.
    """
    lock = key_lock(stem, timeout=LOCK_TIMEOUT, waiting=lambda: say_waiting(prog))
    began = time.monotonic()
    if stack.enter_context(lock) or not request.interactive:
        return
    if time.monotonic() - began < LOCK_TIMEOUT or not signin.prompting():
        return
    if not stack.enter_context(key_lock(stem, timeout=PROMPT_TIMEOUT - LOCK_TIMEOUT)):
        raise signin.busy(request.credential)


def _sign_in(descriptor: int, request: TokenRequest, prog: str, *, anew: bool = False) -> Token:
    """Sign in under the key's lock and write what came of it."""
    canonical = request.canonical()
    # Before the network call: a logout from here on makes what we write a miss.
    epoch = reader.epoch(descriptor, request.profile)
    claims = request.claims
    if claims is None:
        claims = writer.pending_claims(descriptor, canonical)
    try:
        token = signin.acquire(
            request,
            claims=claims,
            prog=prog,
            rejected=lambda text: writer.is_rejected(descriptor, text),
            anew=anew,
        )
    except SignInError as error:
        failures.remember(descriptor, request, error)
        raise
    try:
        writer.write_token(descriptor, request, token, epoch=epoch, claims=claims)
        writer.clear_claims(descriptor, canonical)
        failures.forget(descriptor, request)
    except OSError:
        pass  # the answer is in hand; only the next process is slower
    return token


def _open(prog: str) -> int | None:
    try:
        return writer.create_directory()
    except directory.Refused as refused:
        say(prog, "warning", f"not using the token cache: {refused.message}")
        say(prog, "hint", refused.fix)
    except OSError:
        pass
    return None
