"""The endpoint of the `msauth-run --serve` around this program, asked in azd's form.

Managed identity's own forms name no tenant: asked in one of them, the endpoint could only ignore
`--tenant`, or the tenant of a git organisation.
"""

import calendar
import json
import time
from typing import Any

from ..errors import SignInError, UnavailableError
from ..protocols import json_lines
from ..request.kinds import MANAGED_IDENTITY as KIND
from ..request.request import Token
from . import local_endpoint
from .attempt import Attempt, Who

_TIMEOUT = 900  # seconds; the sign-in behind the endpoint may wait for a person
_HINT = "run the command in a new msauth-run --serve"


def sign_in(attempt: Attempt) -> Token:
    """Ask for the request's scopes in its tenant. Raises SignInError, UnavailableError.

    There is one identity behind the endpoint, so a request that names another one is refused.

    azd's form (api-version 2023-07-12-preview), and of our own `claims`, the JSON of a claims
    challenge, and `refresh`, that a token which somebody holds already will not do.
    """
    who(attempt)
    arguments: dict[str, Any] = {"scopes": attempt.request.scopes}
    if attempt.tenant:
        arguments["tenantId"] = attempt.tenant
    if attempt.claims is not None:
        arguments["claims"] = attempt.claims
    if attempt.wants_new or attempt.request.refused:
        arguments["refresh"] = True
    token = _token(attempt, arguments)
    if attempt.rejected(token.text) and "refresh" not in arguments:
        # The endpoint has not heard of the refusal, which is one organisation's alone.
        token = _token(attempt, {**arguments, "refresh": True})
    if attempt.rejected(token.text):
        raise attempt.only_rejected(KIND, token)
    return token


def who(attempt: Attempt) -> Who:
    """Return what is known of the endpoint's identity: its tenant, if that was asked for."""
    if attempt.request.client_id or attempt.request.identity_resource_id:
        raise SignInError(
            "managed-identity: msauth-run --serve has one identity; none can be chosen inside",
            "leave --client-id out here, and give it to msauth-run",
        )
    return Who(tenant=attempt.tenant or "")


def _token(attempt: Attempt, arguments: dict[str, Any]) -> Token:
    answer = _post(_port(attempt), attempt.env.get("AZD_AUTH_KEY", ""), arguments)
    if answer.get("status") != "success":
        kind = UnavailableError if answer.get("code") == "NotSignedInError" else SignInError
        raise kind(f"msauth-run --serve: {answer.get('message', 'no token')}")
    try:
        expiry = time.strptime(answer["expiresOn"], "%Y-%m-%dT%H:%M:%SZ")
        text = answer["token"]
    except (KeyError, TypeError, ValueError):
        raise _strange() from None
    if not isinstance(text, str):
        raise _strange()
    return attempt.token(KIND, text, calendar.timegm(expiry), refresh_on=0, check=False)


def _port(attempt: Attempt) -> int:
    """Return the endpoint's port; the secret goes to this machine only, and past any proxy."""
    address = attempt.env.get("AZD_AUTH_ENDPOINT", "")
    port = address.removeprefix("http://127.0.0.1:")
    if port == address or not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise SignInError("AZD_AUTH_ENDPOINT is not the address of msauth-run --serve", _HINT)
    return int(port)


def _post(port: int, secret: str, arguments: dict[str, Any]) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/token?api-version=2023-07-12-preview"
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    body = json.dumps(arguments).encode()
    try:
        found = local_endpoint.ask(
            url, headers, body=body, timeout=_TIMEOUT, what="msauth-run --serve"
        )
    except OSError:
        raise SignInError("msauth-run --serve has ended, and its endpoint too", _HINT) from None
    except ValueError:
        raise _strange() from None
    answer = json_lines.read(found.body)
    if answer is None:
        raise _strange()
    if found.status != 200:
        raise SignInError(f"msauth-run --serve: {answer.get('message', found.status)}", _HINT)
    return answer


def _strange() -> SignInError:
    return SignInError("the answer of msauth-run --serve cannot be read", _HINT)
