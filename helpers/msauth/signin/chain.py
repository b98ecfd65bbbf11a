"""Trying the kinds of credential: the one that was chosen, or those of `auto` in their order.

A kind of `auto` is tried only when its environment is there; nothing is probed over the network
to find out. Which kinds there are, and their order, says `request.kinds`.
"""

from importlib import import_module

from ..errors import SignInError, UnavailableError
from ..request import kinds
from ..request.request import Token
from .aadsts import login_hint
from .attempt import Attempt, Way
from .programs import which


def sign_in(attempt: Attempt) -> Token:
    """Return the token of the chosen kind, or of the first one of `auto` that can sign in.

    A kind that is set up but fails ends the chain: its error is the one worth reading.
    """
    chosen = attempt.request.credential
    if chosen != "auto":
        return _one(chosen, attempt)
    tried = []
    signed_out = False
    names = kinds.order(attempt.env.get("AZURE_TOKEN_CREDENTIALS", ""))
    for kind in names:
        why = why_not(kind, attempt, among_others=len(names) > 1)
        if why is None:
            try:
                return way(kind).sign_in(attempt)
            except UnavailableError as error:
                signed_out = signed_out or error.signed_out
                why = error.message.removeprefix(f"{kind}: ")
            except SignInError as error:
                error.signed_out = signed_out
                raise
        tried.append(f"{kind}: {why}")
    nobody = UnavailableError(
        "no credential can sign in\n" + "\n".join(tried),
        login_hint("auto" if which("az", attempt.env) else "device-code", attempt.request, None),
    )
    nobody.signed_out = signed_out
    raise nobody


def way(kind: str) -> Way:
    """Return how a kind signs in, importing its module."""
    module, _, name = kinds.KINDS[kind].where.partition(":")
    found: Way = getattr(import_module(f".{module}", __package__), name)
    return found


def why_not(kind: str, attempt: Attempt, *, among_others: bool) -> str | None:
    """Return why a kind is not usable here, or None; among_others: `auto` has more to try."""
    found = way(kind)
    return found.absence(attempt) if among_others and found.absence else found.reason(attempt)


def _one(kind: str, attempt: Attempt) -> Token:
    found, set_up = way(kind), kinds.KINDS[kind].set_up
    why = found.reason(attempt)
    if why is not None:
        raise UnavailableError(f"{kind}: {why}", set_up)
    try:
        return found.sign_in(attempt)
    except UnavailableError as error:
        error.message = f"{kind}: {error.message.removeprefix(f'{kind}: ')}"
        error.hint = error.hint or set_up
        raise
