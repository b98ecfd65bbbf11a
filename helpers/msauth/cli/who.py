"""Who would be signed in for a request, from what is on this machine alone; nothing is asked."""

from typing import NamedTuple

from ..errors import MsauthError, UnavailableError
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


def would_answer(request: TokenRequest) -> Answer:
    """Return who would sign in if a token were needed now: as `chain.sign_in` tries the kinds."""
    attempt = Attempt(request, None, lambda _: False)
    nobody = Who(tenant=request.tenant or "")
    try:
        names = _names(request)
    except MsauthError as wrong:
        return Answer("", nobody, wrong.message, wrong.hint)
    if len(names) == 1:
        return _alone(names[0], attempt, nobody)
    tried = []
    for name in names:
        why, error = chain.why_not(name, attempt, among_others=True), None
        if why is None:
            try:
                return Answer(name, chain.way(name).who(attempt))
            except UnavailableError as caught:
                error, why = caught, caught.message.removeprefix(f"{name}: ")
            except MsauthError as caught:
                return Answer(name, nobody, caught.message, caught.hint)
        tried.append(chain.Tried(name, why, error))
    failure = chain.nobody(tried, attempt, names)
    return Answer("", nobody, failure.message, failure.hint)


def _alone(name: str, attempt: Attempt, nobody: Who) -> Answer:
    """Return the answer of the one kind that is asked."""
    why = chain.why_not(name, attempt, among_others=False)
    if why is not None:
        return Answer("", nobody, f"{name}: {why}", chain.how_to_set_up(name, attempt))
    try:
        return Answer(name, chain.way(name).who(attempt))
    except MsauthError as error:
        return Answer(name, nobody, error.message, error.hint)


def _names(request: TokenRequest) -> tuple[str, ...]:
    if request.credential != "auto":
        return (request.credential,)
    return kinds.order(request.env.get("AZURE_TOKEN_CREDENTIALS", ""))
