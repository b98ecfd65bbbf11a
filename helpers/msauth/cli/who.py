"""Who would be signed in for a request, from what is on this machine alone; nothing is asked."""

from typing import NamedTuple

from ..errors import MsauthError, UnavailableError
from ..request import kinds
from ..request.request import TokenRequest
from ..signin import chain
from ..signin.attempt import Attempt, Who


class Answer(NamedTuple):
    """credential: a kind, or "" when none would answer. problem: why it would fail, or None."""

    credential: str
    who: Who
    problem: str | None


def would_answer(request: TokenRequest) -> Answer:
    """Return who would sign in if a token were needed now: as `chain.sign_in` tries the kinds."""
    attempt = Attempt(request, None, lambda _: False)
    nobody = Who(tenant=request.tenant or "")
    try:
        names = _names(request)
    except MsauthError as error:
        return Answer("", nobody, error.message)
    alone = len(names) == 1
    why = None
    for name in names:
        why = chain.why_not(name, attempt, among_others=not alone)
        if why is not None:
            continue
        try:
            return Answer(name, chain.way(name).who(attempt), None)
        except UnavailableError as error:
            if alone:
                return Answer(name, nobody, error.message)
        except MsauthError as error:
            return Answer(name, nobody, error.message)
    return Answer("", nobody, f"{names[0]}: {why}" if alone else "nobody can sign in")


def _names(request: TokenRequest) -> tuple[str, ...]:
    if request.credential != "auto":
        return (request.credential,)
    return kinds.order(request.env.get("AZURE_TOKEN_CREDENTIALS", ""))
