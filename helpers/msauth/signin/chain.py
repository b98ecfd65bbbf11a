"""Trying the kinds of credential: the one that was chosen, or those of `auto` in their order.

A kind of `auto` is tried only when its environment is there; nothing is probed over the network
to find out. Which kinds there are, and their order, says `request.kinds`.
"""

from collections.abc import Callable
from importlib import import_module

from ..errors import SignInError, UnavailableError, trace
from ..request import kinds
from ..request.request import Token
from .aadsts import login_hint
from .attempt import Attempt, Way, lacking, unmet


class Tried:
    """A kind of `auto` that could not sign in; error: what it said, if it was asked."""

    def __init__(self, kind: str, why: str, error: UnavailableError | None) -> None:
        self.kind = kind
        self.why = why
        self.error = error


def sign_in(attempt: Attempt) -> Token:
    """Return the token of the chosen kind, or of the first one of `auto` that can sign in.

    A kind that is set up but fails ends the chain: its error is the one worth reading. Where
    none is, the error is that of the one that is nearest to being usable on this machine.
    """
    chosen = attempt.request.credential
    if chosen != "auto":
        return _one(chosen, attempt)
    tried: list[Tried] = []
    signed_out = False
    names = kinds.order(attempt.env.get("AZURE_TOKEN_CREDENTIALS", ""))
    for kind in names:
        why, error = why_not(kind, attempt, among_others=len(names) > 1), None
        if why is None:
            try:
                return way(kind).sign_in(attempt)
            except UnavailableError as caught:
                error = caught
                signed_out = signed_out or error.signed_out
                why = error.message.removeprefix(f"{kind}: ")
            except SignInError as caught:
                caught.signed_out = signed_out
                caught.asks_nobody = kind not in kinds.INTERACTIVE
                caught.tried = (*_lines(tried), caught.message)
                trace(caught.message, attempt.env)
                raise
        tried.append(Tried(kind, why, error))
        trace(f"{kind}: {why}", attempt.env)
    failure = nobody(tried, attempt, names)
    failure.signed_out = signed_out
    raise failure


def nobody(tried: list[Tried], attempt: Attempt, names: tuple[str, ...]) -> UnavailableError:
    """Return the error where none of these kinds can sign in: that of the nearest one."""
    nearest = max(tried, key=_nearness(attempt, names))
    failure = UnavailableError(
        f"no credential can sign in: {nearest.kind}: {nearest.why}",
        (nearest.error.hint if nearest.error else None) or _set_up(nearest.kind, attempt),
    )
    failure.tried = _lines(tried)
    return failure


def _lines(tried: list[Tried]) -> tuple[str, ...]:
    return tuple(f"{one.kind}: {one.why}" for one in tried)


def _nearness(
    attempt: Attempt, names: tuple[str, ...]
) -> Callable[[Tried], tuple[bool, bool, int, int, int]]:
    """Return the key by which the kind that is nearest to being usable comes out as the greatest.

    A sign-in that has lapsed comes first, then the kind of the place that this is (a CI system),
    then the one that has least left to do, of those for which anything on this machine speaks: a
    variable that it needs, an answer that it gave, or its tool. Where nothing does, the last kind
    of the order is meant, which asks least of the machine.
    """

    def key(tried: Tried) -> tuple[bool, bool, int, int, int]:
        entry = kinds.KINDS[tried.kind]
        # A tenant says where, not who; and git's organisation names one anyway.
        who = [names for names in entry.needs if "AZURE_TENANT_ID" not in names]
        met = sum(any(attempt.env.get(name) for name in names) for names in who)
        if tried.error is not None or _tool_in_use(tried.kind, attempt):
            met += 1
        place, left = names.index(tried.kind), len(unmet(tried.kind, attempt)) or 1
        lapsed = tried.error is not None and tried.error.lapsed
        here = any(attempt.env.get(name) for name in entry.here)
        if not met:
            return lapsed, here, -len(kinds.KINDS), 0, place
        return lapsed, here, -left, met, -place

    return key


def _tool_in_use(kind: str, attempt: Attempt) -> bool:
    """Say whether the kind's tool is installed, and somebody has used it here before."""
    entry = kinds.KINDS[kind]
    if not entry.tool or not _is_installed(entry.tool, attempt):
        return False
    return entry.stamp is not None and set(entry.stamp(attempt.env).split("+")) != {"none"}


def _is_installed(tool: str, attempt: Attempt) -> bool:
    from .programs import which

    return which(tool, attempt.env) is not None


def _set_up(kind: str, attempt: Attempt) -> str:
    """Return what sets a kind up: the variables that it lacks, signing in, or the table's words."""
    entry, missing = kinds.KINDS[kind], unmet(kind, attempt)
    if missing and not entry.set_up:
        return "export " + " ".join(f"{names[0]}=…" for names in missing)
    tool = entry.tool
    if missing or (tool and not _is_installed(tool, attempt)):
        return entry.set_up
    return login_hint(kind, attempt.request, attempt.claims) or entry.set_up


def way(kind: str) -> Way:
    """Return how a kind signs in, importing its module."""
    module, _, name = kinds.KINDS[kind].where.partition(":")
    found: Way = getattr(import_module(f".{module}", __package__), name)
    return found


def why_not(kind: str, attempt: Attempt, *, among_others: bool) -> str | None:
    """Return why a kind is not usable here, or None; among_others: `auto` has more to try."""
    why = lacking(kind, attempt)
    if why is not None:
        return why  # without importing its module
    found = way(kind)
    return found.absence(attempt) if among_others and found.absence else found.reason(attempt)


def _one(kind: str, attempt: Attempt) -> Token:
    why = why_not(kind, attempt, among_others=False)
    try:
        if why is not None:
            raise UnavailableError(why)
        return way(kind).sign_in(attempt)
    except SignInError as error:
        error.asks_nobody = kind not in kinds.INTERACTIVE
        if isinstance(error, UnavailableError):
            error.message = f"{kind}: {error.message.removeprefix(f'{kind}: ')}"
            error.hint = error.hint or how_to_set_up(kind, attempt)
        raise


def how_to_set_up(kind: str, attempt: Attempt) -> str:
    """Return what to do where a kind that was asked for by name is not usable."""
    return kinds.KINDS[kind].set_up or _set_up(kind, attempt)
