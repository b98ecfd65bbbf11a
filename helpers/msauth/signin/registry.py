"""A container registry's own refresh token, in exchange for a token of Entra ID.

https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md. What is sent goes to the registry alone:
no redirect is followed. Which tenant a registry belongs to, it does not say; a token of another
one is answered 401.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from ..cache.record import is_token
from ..errors import ExchangeRefusedError, SignInError
from ..request import profiles
from ..request.request import Token, TokenRequest
from ..waiting import waiting_for
from . import aadsts, network
from .attempt import Attempt, claims_of, time_of

_LIMIT = 32 << 10
"""Bytes of an answer; a refresh token has about 1,500."""
_LIFE = 24 * 3600
"""Seconds for which a token is kept at the most: a real one has three hours, and no client tells us
that one is refused."""
LONGEST = 45
"""Seconds for the whole of it. Each piece of an answer has its own limit (`network`), and a
registry that sends a byte at a time keeps to that for days, while others wait for the lock."""


def exchange(request: TokenRequest, entra: Token, rejected: Callable[[str], bool]) -> Token:
    """Return the registry's token for Entra ID's, with account, tenant and kind of that one.

    Raises ExchangeRefusedError for a 401, else SignInError; no error holds a token or a body.
    """
    attempt = Attempt(request, None, rejected)
    status, data = _ask(request, entra)
    if status != 200:
        raise _refusal(request, entra, status)
    text = _refresh_token(request.registry, data)
    expires_on = _expiry(request.registry, text, attempt.started)
    token = attempt.token(entra.credential, text, expires_on, refresh_on=0)
    token.account, token.tenant = entra.account, entra.tenant
    return token


def _ask(request: TokenRequest, entra: Token) -> tuple[int, bytes]:
    """Return the status and the first _LIMIT + 1 bytes of the answer. Raises SignInError."""
    answers: list[tuple[int, bytes]] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(_post(request, entra))
        except Exception as error:  # noqa: BLE001 - the thread that waits raises it
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    with waiting_for(request.registry, LONGEST):
        thread.start()
        thread.join(LONGEST)
    if errors:
        raise errors[0]
    if not answers:
        message = f"{request.registry} did not exchange the token within {LONGEST} seconds"
        raise SignInError(message, "try again in a minute", deterministic=False)
    return answers[0]


def _post(request: TokenRequest, entra: Token) -> tuple[int, bytes]:
    import requests
    from urllib3.exceptions import HTTPError

    registry = request.registry
    form = {
        "grant_type": "access_token",
        "service": registry,
        "tenant": entra.tenant or None,
        "access_token": entra.text,
    }
    headers = {"User-Agent": "msauth", "Accept-Encoding": "identity"}
    session = network.session(request.env)
    try:
        with session.post(
            f"https://{registry}/oauth2/exchange", data=form, headers=headers, stream=True
        ) as answer:
            return answer.status_code, answer.raw.read(_LIMIT + 1, decode_content=False)
    except (requests.RequestException, HTTPError, OSError) as error:
        trouble = aadsts.local_trouble(entra.credential, request, str(error), error)
        raise trouble or aadsts.cannot_reach(registry, str(error)) from None
    finally:
        session.close()


def _refusal(request: TokenRequest, entra: Token, status: int) -> SignInError:
    registry = request.registry
    if status == 401:
        tenant = f"tenant {entra.tenant}" if entra.tenant else "this tenant"
        hint = "export MSAUTH_TENANT=ITS-TENANT"
        if not request.env.get("MSAUTH_TENANT") and "MSAUTH_PROFILE" not in request.env:
            # These two beat what the file says.
            place = profiles.path(request.env)
            hint += f', or under [match.registry] in {place}: "{registry}" = "PROFILE"'
        message = f"{registry} takes no token of {tenant} (401): it belongs to another tenant"
        return ExchangeRefusedError(message, hint)
    if status == 403:
        return SignInError(
            f"{registry} lets neither this account nor this network in (403)",
            "ask the registry's owner for AcrPull, or to allow this network",
        )
    if status == 429 or status >= 500:
        message = f"{registry} answered {status} to the exchange of tokens"
        return SignInError(message, "try again in a minute", deterministic=False)
    if 300 <= status < 400:
        message = f"{registry} sends the exchange of tokens elsewhere ({status})"
        return SignInError(f"{message}, which is not followed", "check HTTPS_PROXY")
    message = f"{registry} does not exchange tokens: it answered {status}"
    return SignInError(message, "check the registry's name")


def _refresh_token(registry: str, data: bytes) -> str:
    """Return the token of an answer. Raises SignInError."""
    if len(data) > _LIMIT:
        raise _strange(registry, f"more than {_LIMIT} bytes")
    try:
        answer: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise _strange(registry, "no JSON") from None
    text = answer.get("refresh_token") if isinstance(answer, dict) else None
    if not isinstance(text, str) or not is_token(text):
        raise _strange(registry, "no token (RFC 6750)")
    return text


def _expiry(registry: str, text: str, now: int) -> int:
    """Return when a token ends, in epoch seconds of this machine's clock. Raises SignInError."""
    claims = claims_of(text)
    exp, iat = time_of(claims, "exp"), time_of(claims, "iat")
    if not exp:
        raise _strange(registry, "a token that does not say until when it is good")
    if exp <= now:
        message = f"{registry} gave a token that is over already"
        raise SignInError(message, "check the clock of this machine", deterministic=False)
    # By a clock that is behind, the token would seem to live longer than it does.
    return min(exp, now + _LIFE, now + exp - iat if 0 < iat < exp else exp)


def _strange(registry: str, what: str) -> SignInError:
    message = f"{registry} answered the exchange of tokens with {what}"
    return SignInError(message, "check HTTPS_PROXY, and the registry's name", deterministic=False)
