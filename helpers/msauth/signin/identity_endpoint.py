"""The endpoints at which Azure's hosts give a managed identity's token, asked over plain HTTP.

Which endpoint it is says the environment, as azure-identity reads it:

| host | variables |
|---|---|
| App Service, Functions, Container Apps, Automation | IDENTITY_ENDPOINT, IDENTITY_HEADER |
| a server with Azure Arc | IDENTITY_ENDPOINT, IMDS_ENDPOINT; or none, but its agent is there |
| Azure Machine Learning | MSI_ENDPOINT, MSI_SECRET |
| Cloud Shell | MSI_ENDPOINT |
| a virtual machine: IMDS, or what stands in for it | none, or AZURE_POD_IDENTITY_AUTHORITY_HOST |

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

import time

from ..cache.record import number
from ..errors import SignInError, UnavailableError
from ..protocols import json_lines, plain_http
from ..request.kinds import MANAGED_IDENTITY as KIND
from ..waiting import waiting_for
from . import aadsts, local_endpoint
from .attempt import Attempt, time_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..protocols.plain_http import Answer

_IMDS = "http://169.254.169.254"
_IMDS_PATH = "/metadata/identity/oauth2/token"
_ARC = "http://localhost:40342/metadata/identity/oauth2/token"
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_TIMEOUT = 30
"""Seconds for one answer: the host may have to ask Entra ID first."""
_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further try where an endpoint is busy, as MSAL makes them."""
_UPDATING_PAUSES = (10.0,) * 7
"""The same where IMDS answers 410: it is being updated, for 70 seconds at the most."""
_BUSY = frozenset((429, 502, 503, 504))


class _Endpoint:
    """Where the host's identity is asked for.

    variable: which one leads there. version: of the protocol. headers: what authorizes the
    question. names: the parameters by which a client id and a resource id choose an identity;
    None where there is but one. arc: whether it is Azure Arc's, which also wants what is in a file.
    imds: whether it is IMDS, which no variable has to announce. host: of the URL, once that is
    known to be one.
    """

    def __init__(
        self,
        variable: str,
        url: str,
        version: str,
        headers: dict[str, str],
        names: tuple[str, str] | None,
    ) -> None:
        self.variable = variable
        self.url = url
        self.version = version
        self.headers = headers
        self.names = names
        self.arc = False
        self.imds = False
        self.host = ""

    def pauses(self, status: int) -> tuple[float, ...]:
        """Return the pauses in seconds before further tries after a status; none if it stands."""
        if self.imds and status == 410:
            return _UPDATING_PAUSES
        busy = status in _BUSY or (self.imds and (status == 404 or status >= 500))
        return _PAUSES if busy else ()


def _endpoint(env: "Mapping[str, str]") -> _Endpoint:
    """Return where to ask. Raises UnavailableError where the environment does not say how."""
    url, key = env.get("IDENTITY_ENDPOINT", ""), env.get("IDENTITY_HEADER", "")
    if url and key:
        headers = {"X-IDENTITY-HEADER": key, "Metadata": "true"}
        names = ("client_id", "mi_res_id")
        return _Endpoint("IDENTITY_ENDPOINT", url, "2019-08-01", headers, names)
    on_machines = {"Metadata": "true"}, ("client_id", "msi_res_id")
    if url:
        if not env.get("IMDS_ENDPOINT"):
            message = "IDENTITY_ENDPOINT is set, but neither IDENTITY_HEADER nor IMDS_ENDPOINT"
            raise UnavailableError(message, "unset IDENTITY_ENDPOINT")
        found = _Endpoint("IDENTITY_ENDPOINT", url, "2020-06-01", *on_machines)
        found.arc = True
        return found
    url, key = env.get("MSI_ENDPOINT", ""), env.get("MSI_SECRET", "")
    if url and key:
        names = ("clientid", "msi_res_id")
        return _Endpoint("MSI_ENDPOINT", url, "2017-09-01", {"secret": key}, names)
    if url:
        return _Endpoint("MSI_ENDPOINT", url, "", {"Metadata": "true"}, None)
    variable = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
    host = env.get(variable, "")
    if not host and _arc_is_here(env):
        found = _Endpoint("IDENTITY_ENDPOINT", _ARC, "2020-06-01", *on_machines)
        found.arc = True
        return found
    url = (host or _IMDS).strip("/") + _IMDS_PATH
    found = _Endpoint(variable, url, "2018-02-01", *on_machines)
    found.imds = True
    return found


def is_plain(env: "Mapping[str, str]") -> bool:
    """Say whether the endpoint is asked without TLS: of Azure's, all but Service Fabric's is."""
    if env.get("IDENTITY_SERVER_THUMBPRINT"):
        return False
    try:
        url = _endpoint(env).url
    except UnavailableError:
        return True
    return not url.lower().startswith("https:")


def prepared(
    attempt: Attempt, client_id: str, resource_id: str
) -> tuple[_Endpoint, dict[str, str]]:
    """Return where to ask, and the parameters that choose an identity.

    Raises UnavailableError and SignInError for what stands against it, without asking.
    """
    endpoint = _endpoint(attempt.env)
    try:
        endpoint.host = plain_http.place(endpoint.url)[0]
    except ValueError:
        message = f"{KIND}: {endpoint.variable} is no http URL"
        raise SignInError(message, _check(endpoint)) from None
    if endpoint.arc and endpoint.host not in _THIS_MACHINE:
        # The key that proves who may have the token would go there, unencrypted.
        message = f"{KIND}: Azure Arc's agent is on this machine, and {endpoint.host} is not"
        raise SignInError(message, _check(endpoint))
    if not client_id and not resource_id:
        return endpoint, {}
    if endpoint.names is None:
        named = attempt.request.client_id or resource_id
        raise SignInError(
            f"{KIND}: a Cloud Shell has one identity; none can be chosen",
            "name no identity" if named else "unset AZURE_CLIENT_ID",
        )
    return endpoint, {endpoint.names[bool(resource_id)]: resource_id or client_id}


def ask(attempt: Attempt, resource: str, client_id: str, resource_id: str) -> tuple[str, int]:
    """Return the token of an identity and its end in epoch seconds.

    Raises UnavailableError where there is no identity, SignInError for what goes wrong.
    """
    endpoint, chosen = prepared(attempt, client_id, resource_id)
    query = plain_http.query({"resource": resource, **chosen})
    answer = _answer(endpoint, query)
    if endpoint.arc and answer.status == 401:
        endpoint.headers.update(_arc_proof(endpoint, answer, attempt.env))
        answer = _answer(endpoint, query)
    if answer.status != 200:
        raise _refusal(attempt, endpoint, answer, client_id or resource_id)
    body = json_lines.read(answer.body)
    if body is None:
        raise _strange(endpoint, "no JSON")
    text, expires_on = body.get("access_token"), _expiry(body, attempt.started)
    if not isinstance(text, str) or not expires_on:
        raise _strange(endpoint, "no token and its expiry")
    if expires_on <= attempt.started:
        message = f"{KIND}: {endpoint.host} gave a token that is over already"
        raise SignInError(message, "check the clock of this machine", deterministic=False)
    if endpoint.arc:
        _check_identity(endpoint, body, client_id, resource_id)
    return text, expires_on


def _answer(endpoint: _Endpoint, query: str) -> "Answer":
    """Return the endpoint's answer; one that says it is busy only after a few tries."""
    tries = 0
    while True:
        answer = _once(endpoint, query)
        pauses = endpoint.pauses(answer.status)
        if tries >= len(pauses):
            return answer
        with waiting_for("the pause before another try", pauses[tries]):
            time.sleep(pauses[tries])
        tries += 1


def _once(endpoint: _Endpoint, query: str) -> "Answer":
    url, headers, body = endpoint.url, endpoint.headers, None
    if endpoint.version:
        url += ("&" if "?" in url else "?") + f"api-version={endpoint.version}&{query}"
    else:  # of Cloud Shell
        headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        body = query.encode("ascii")
    try:
        return local_endpoint.ask(url, headers, timeout=_TIMEOUT, body=body)
    except local_endpoint.UnreachableError:
        hint = None if endpoint.imds else _check(endpoint)
        message = f"{endpoint.host} cannot be reached"
        raise UnavailableError(message, hint, deterministic=False) from None
    except TimeoutError:
        message = f"{KIND}: {endpoint.host} did not answer within {_TIMEOUT} seconds"
        raise SignInError(message, "try again in a minute", deterministic=False) from None
    except OSError:
        raise _strange(endpoint, "half an answer") from None
    except local_endpoint.StrangeAnswerError as error:
        raise _strange(endpoint, str(error)) from None
    except ValueError:
        message = f"{KIND}: what {endpoint.variable} goes with cannot be sent in a request"
        raise SignInError(message, _check(endpoint)) from None


def _refusal(attempt: Attempt, endpoint: _Endpoint, answer: "Answer", identity: str) -> SignInError:
    status = answer.status
    if 300 <= status < 400:
        message = f"{KIND}: {endpoint.host} sends the request elsewhere ({status})"
        return SignInError(f"{message}, which is not followed", _check(endpoint))
    said = _said(endpoint, answer)
    if "AADSTS" in said:
        return aadsts.explain(KIND, said, attempt.request, claims=None)
    message = f"{endpoint.host} answered {status}"
    if said:
        message += f": {aadsts.first_sentence(said)}"
    if status in _BUSY or status >= 500:
        return UnavailableError(message, "try again in a minute", deterministic=False)
    return UnavailableError(
        message, f"give this machine the identity {identity}" if identity else None
    )


def _said(endpoint: _Endpoint, answer: "Answer") -> str:
    """Return the reason that the endpoint gives, "" for none and for one that repeats its key."""
    body = json_lines.read(answer.body) or {}
    found = (body.get(name) for name in ("error_description", "message", "error"))
    said = next((text for text in found if isinstance(text, str) and text), "")
    keys = [value for name, value in endpoint.headers.items() if name != "Metadata"]
    return "" if any(key.removeprefix("Basic ") in said for key in keys) else said


def _expiry(body: "dict[str, Any]", started: int) -> int:
    """Return when a token ends in epoch seconds, 0 if nobody says.

    From its life if that is told, which depends on no clock but this machine's.
    """
    found = {name: _number(body.get(name)) for name in ("expires_in", "expires_on")}
    life = time_of(found, "expires_in")
    return started + life if life else time_of(found, "expires_on")


def _number(value: object) -> object:
    return number(value) if isinstance(value, str) else value


def _arc_is_here(env: "Mapping[str, str]") -> bool:
    from . import arc

    return arc.is_here(env)


def _check_identity(
    endpoint: _Endpoint, body: "dict[str, Any]", client_id: str, resource_id: str
) -> None:
    from . import arc

    if not arc.confirms(body, client_id, resource_id):
        message = f"{KIND}: {endpoint.host} gave a token of another identity than the chosen one"
        raise SignInError(message, "upgrade the agent of Azure Arc, or choose no identity")


def _arc_proof(endpoint: _Endpoint, answer: "Answer", env: "Mapping[str, str]") -> dict[str, str]:
    from . import arc

    try:
        return {"Authorization": arc.proof(answer.headers.get("www-authenticate", ""), env)}
    except PermissionError as error:
        message = f"{KIND}: {error.filename}: permission denied"
        raise SignInError(message, "sudo usermod --append --groups himds $USER") from None
    except ValueError as error:
        raise _strange(endpoint, str(error)) from None


def _strange(endpoint: _Endpoint, what: str) -> SignInError:
    message = f"{KIND}: {endpoint.host} answered with {what}"
    return SignInError(message, _check(endpoint), deterministic=False)


def _check(endpoint: _Endpoint) -> str:
    return f"check {endpoint.variable}"
