"""Who would be signed in for a request, from what is on this machine alone; nothing is asked."""

from typing import NamedTuple

from ..errors import MsauthError, UnavailableError, command
from ..request import kinds
from ..request.request import TokenRequest
from ..signin import chain
from ..signin.attempt import Attempt, Who


class Answer(NamedTuple):
    """credential: a kind, or "" when none would answer.

    problem: why it would fail, or None; hint: what would help.
    """

    credential: str
    who: Who
    problem: str | None = None
    hint: str | None = None


NOBODY = "nobody can sign in"
"""The problem where no way to sign in is set up."""


def would_answer(request: TokenRequest) -> Answer:
    """Return who would sign in if a token were needed now: as `chain.sign_in` tries the kinds."""
    attempt = Attempt(request, None, lambda _: False)
    nobody = Who(tenant=request.tenant or "")
    try:
        names = _names(request)
    except MsauthError as error:
        return Answer("", nobody, error.message, error.hint)
    alone = len(names) == 1
    why = None
    for name in names:
        why = chain.why_not(name, attempt, among_others=not alone)
        if why is not None:
            continue
        try:
            return Answer(name, chain.way(name).who(attempt))
        except MsauthError as error:
            if alone or not isinstance(error, UnavailableError):
                return Answer(name, nobody, error.message, error.hint)
    if alone:
        return Answer("", nobody, f"{names[0]}: {why}", chain.how_to_set_up(names[0], attempt))
    login = ("msauth", "login", *(("--profile", request.profile) if request.profile else ()))
    return Answer("", nobody, NOBODY, command(*login))


def _names(request: TokenRequest) -> tuple[str, ...]:
    if request.credential != "auto":
        return (request.credential,)
    return kinds.order(request.env.get("AZURE_TOKEN_CREDENTIALS", ""))
