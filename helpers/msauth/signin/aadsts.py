"""From the errors of Entra ID and azure-identity to one error and the one useful hint.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes. Server texts
are shown up to their first sentence; ids, claims and bodies never are.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import SignInError, UnavailableError, command
from ..request import profiles
from ..request.kinds import KINDS
from ..request.request import TokenRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from azure.core.exceptions import ClientAuthenticationError

_LOGIN = "login"
_SECRET = "secret"
_NEW_SECRET = "new-secret"
_CERTIFICATE = "certificate"
_FEDERATED = "federated"
_TENANT = "tenant"
_AGAIN = "again"
_POLICY = "policy"
_MEANINGS: dict[int, tuple[str, str]] = {
    # code: (what it means, which hint helps)
    16000: ("several accounts match; a person must choose", _LOGIN),
    50005: ("Conditional Access does not allow this platform", _POLICY),
    50020: ("this account is not a member or guest of the tenant", _LOGIN),
    50034: ("this account does not exist in the tenant", _LOGIN),
    50053: ("the account is locked", "wait, or ask the tenant's administrator to unlock it"),
    50055: ("the password has expired", _LOGIN),
    50057: ("the account is disabled", "ask the tenant's administrator to enable the account"),
    50058: ("the session is gone", _LOGIN),
    50059: ("no tenant was named and none can be derived", "name one with --tenant"),
    50072: ("multi-factor authentication must be set up", _LOGIN),
    50074: ("multi-factor authentication is required", _LOGIN),
    50076: ("multi-factor authentication is required", _LOGIN),
    50078: ("multi-factor authentication has expired", _LOGIN),
    50079: ("multi-factor authentication must be set up", _LOGIN),
    50105: (
        "the account is not assigned to this application",
        "ask the tenant's administrator to assign it",
    ),
    50126: ("wrong user name or password", _LOGIN),
    50128: ("the tenant's domain is unknown", _TENANT),
    50132: ("the session was revoked", _LOGIN),
    50158: ("an external security challenge must be met", _LOGIN),
    50173: ("the sign-in was revoked (password changed or session ended)", _LOGIN),
    53000: ("Conditional Access wants a compliant device", _POLICY),
    53001: ("Conditional Access wants a domain-joined device", _POLICY),
    53003: ("blocked by a Conditional Access policy", _POLICY),
    53004: ("multi-factor authentication must be set up", _LOGIN),
    530036: ("Conditional Access blocks sign-ins by device code", "browser"),
    530084: ("Conditional Access wants a token bound to this device", "bound"),
    65001: ("nobody has consented to this application using this resource", "consent"),
    65004: ("the user declined to consent", _LOGIN),
    65002: ("this first-party client is not allowed to use this resource", "own-app"),
    70002: ("the client's credentials are wrong", _SECRET),
    70007: ("Entra ID no longer answers this browser sign-in by `query`", "upgrade"),
    70008: ("the refresh token has expired", _LOGIN),
    70011: ("the scope is not valid", "check --scope"),
    70016: ("the user has not finished signing in", _LOGIN),
    70018: ("the sign-in was declined, or its code was wrong", _LOGIN),
    70019: ("the device code has expired", _LOGIN),
    70020: ("the device code has expired", _LOGIN),
    70021: ("no federated credential of the app matches this assertion", _FEDERATED),
    70043: ("the refresh token has expired under a sign-in frequency policy", _LOGIN),
    700003: ("the device is unknown to the tenant", _LOGIN),
    700016: ("the application does not exist in this tenant", "tenant-app"),
    700024: ("the clock of this machine is wrong", "sudo timedatectl set-ntp true"),
    700027: ("the certificate is not registered with the application", _CERTIFICATE),
    700082: ("the refresh token has expired from inactivity", _LOGIN),
    700084: ("the refresh token of a single page application has expired", _LOGIN),
    700213: ("no federated credential of the app matches this assertion's subject", _FEDERATED),
    700211: ("no federated credential of the app matches this assertion's issuer", _FEDERATED),
    700212: ("no federated credential of the app matches this assertion's audience", _FEDERATED),
    7000112: ("the application is disabled", "ask the tenant's administrator to enable it"),
    7000215: ("the client secret is wrong", _SECRET),
    7000218: ("the application is not a public client", "public-client"),
    7000222: ("the client secret has expired", _NEW_SECRET),
    90002: ("the tenant does not exist", _TENANT),
    50196: ("Entra ID sees the same request too often", _AGAIN),
    90006: ("Entra ID is briefly unavailable", _AGAIN),
    90033: ("Entra ID is briefly unavailable", _AGAIN),
    90055: ("the tenant has too many requests", _AGAIN),
    90094: ("an administrator must consent to this application", "admin-consent"),
    90072: ("this account is not a member or guest of the tenant", _LOGIN),
    500011: ("the resource does not exist in this tenant", "resource"),
    900971: ("no reply address is registered for the application", "reply"),
    500113: ("no reply address is registered for the application", "reply"),
    50011: ("the application does not have this reply address", "reply"),
    9002313: ("the request was malformed", "check --scope and --client-id"),
}
_TRANSIENT = frozenset(code for code, (_, hint) in _MEANINGS.items() if hint == _AGAIN)
# Compiled when they are first needed: most sign-ins succeed.
_CODE = r"AADSTS(\d{4,8})"
_HTTP_ERROR = r"HTTP Error: ([45]\d\d)"  # MSAL's words for a 5xx without a body
_SECRET_SHAPED = r"eyJ[\w-]{8,}[\w.-]*|[\w+/=~.-]{60,}"
_HINT_TEXTS = {
    _AGAIN: "try again in a minute",
    _POLICY: "sign in where the policy lets you (a managed device, a browser), or ask the tenant's"
    " administrator",
    "own-app": "use an app registration of your own: --credential browser --client-id …",
    "upgrade": "pip install --upgrade azure-identity",
    "bound": "msauth login --credential broker (Windows, macOS, WSL), or ask the tenant's"
    " administrator for an exception",
    "public-client": "allow public client flows in the app registration",
    "reply": "add the redirect URI http://localhost (mobile and desktop) to the app registration",
}
_NOBODY = "ask the tenant's administrator: no person signs in with this credential"


def explain(kind: str, text: str, request: TokenRequest, *, claims: str | None) -> SignInError:
    """Return the error for a text of Entra ID's or of a tool that repeats one."""
    found = re.search(_CODE, text)
    if found is None:
        return SignInError(f"{kind}: {first_sentence(text)}", login_hint(kind, request, claims))
    code = int(found[1])
    known, hint = _MEANINGS.get(code, ("", _LOGIN))
    message = f"{kind}: {known} (AADSTS{code})" if known else first_sentence(text[found.start() :])
    if not known:
        message = f"{kind}: {message}"
    return SignInError(
        message, _hint(kind, hint, request, claims), deterministic=code not in _TRANSIENT
    )


def _hint(kind: str, hint: str, request: TokenRequest, claims: str | None) -> str | None:
    login = login_hint(kind, request, claims)
    if hint == _LOGIN or (hint == "consent" and login):
        return login or _NOBODY  # a person who signs in is asked to consent
    if hint in (_POLICY, "bound") and not login:
        return _NOBODY
    if hint == "browser":
        return login_hint("browser" if kind == "device-code" else kind, request, None) or _NOBODY
    if hint in (_SECRET, _NEW_SECRET, _CERTIFICATE, _FEDERATED):
        return _app_hint(kind, hint, request)
    if hint == _TENANT:
        return other("tenant", request.origin("tenant"), request.env)
    if hint == "resource":
        return f"check {request.origin('tenant') or '--tenant'} and --scope"
    if hint in ("consent", "admin-consent"):
        client = request.client_id or request.env.get("AZURE_CLIENT_ID") or "APPLICATION"
        place = f"{request.authority}/{request.tenant or 'organizations'}/adminconsent"
        return f"an administrator can consent at {place}?client_id={client}"
    if hint == "tenant-app":
        client, tenant = client_origin(request), request.tenant or "T"
        return f"check {client}, and that tenant {tenant} has the application"
    return _HINT_TEXTS.get(hint, hint)


def _app_hint(kind: str, hint: str, request: TokenRequest) -> str:
    """Return what mends an application's own proof of who it is."""
    client = request.client_id or request.env.get("AZURE_CLIENT_ID") or "APPLICATION"
    if kind.startswith("azure-cli"):  # az has its own, and knows whose
        return "az login --service-principal --username … --tenant " + (request.tenant or "…")
    if hint == _SECRET:
        return "export AZURE_CLIENT_SECRET=…"
    if hint == _NEW_SECRET:
        return f"make a new secret for application {client}, and export AZURE_CLIENT_SECRET=…"
    if hint == _CERTIFICATE:
        return f"upload the certificate to application {client}"
    return f"give application {client} a federated credential for it"


def client_origin(request: TokenRequest) -> str:
    """Return what chose the application: an option, a variable or a profile's key."""
    return request.origin("client_id") or "--client-id"


def other(field: str, where: str, env: Mapping[str, str]) -> str:
    """Return how to choose another value of a field that is wrong.

    where: what chose it, as `Selection.origin` says; "" for nothing.
    """
    if where.startswith("MSAUTH_"):
        return f"unset {where}"
    if where.startswith("AZURE_"):
        return f"export {where}=…"
    if where.startswith("--"):
        return f"leave {where} out, or give the right one"
    if where:
        return f"correct {where} in {profiles.path(env)}"
    return f"name one with --{field}"


def login_hint(kind: str, request: TokenRequest, claims: str | None) -> str | None:
    """Return the command by which a person signs in for this kind, or None if none can help."""
    words = KINDS["azure-cli" if kind == "auto" else kind].login.split()
    if words[:1] == ["msauth"] and request.profile:
        return command("msauth", "login", "--profile", request.profile)
    fields = {
        "{tenant}": request.tenant or "",
        "{scope}": request.scopes[0] if request.scopes else "",
        "{claims}": "" if claims is None else base64.b64encode(claims.encode()).decode(),
        "{client_id}": request.client_id,
        "{username}": request.username,
    }
    shown: list[str] = []
    for word in words:
        if word not in fields:
            shown.append(word)
        elif fields[word]:
            shown.append(fields[word])
        else:
            shown.pop()  # its option, too
    return command(*shown) if shown else None


@contextmanager
def translated(kind: str, request: TokenRequest, *, claims: str | None) -> Iterator[None]:
    """Turn what azure-identity raises into UnavailableError or SignInError, without its cause.

    The cause is cut off because a traceback would show argument lists and response bodies.
    """
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )
    from azure.identity import CredentialUnavailableError

    error: SignInError
    try:
        yield
        return
    except SignInError:
        raise
    except CredentialUnavailableError as caught:
        text = str(caught.message or caught)
        if "AADSTS" in text:
            error = explain(kind, text, request, claims=claims)
        else:
            error = UnavailableError(first_sentence(text), login_hint(kind, request, claims))
    except ClientAuthenticationError as caught:
        error = refusal(kind, request, caught, claims=claims)
    except (ServiceRequestError, ServiceResponseError) as caught:
        error = unreachable(kind, request, str(caught.message or caught))
    except HttpResponseError as caught:
        error = down(kind, str(caught.status_code or ""))
    except (AzureError, ValueError, OSError) as caught:
        error = local_trouble(kind, request, str(caught), caught) or SignInError(
            f"{kind}: {first_sentence(str(caught))}", deterministic=False
        )
    raise error from None


def refusal(
    kind: str, request: TokenRequest, caught: "ClientAuthenticationError", *, claims: str | None
) -> SignInError:
    """Return the error for a ClientAuthenticationError: a refusal, or what it is wrapped around.

    azure-identity makes one of whatever its MSAL-based credentials meet.
    """
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    text, cause = str(caught.message or caught), caught.__cause__
    if isinstance(cause, SignInError):
        return cause  # our own, from inside a callback
    if "AADSTS" in text:
        return explain(kind, text, request, claims=claims)
    if isinstance(cause, (ServiceRequestError, ServiceResponseError)):
        return unreachable(kind, request, str(cause))
    if "CERTIFICATE_VERIFY" in text or "Max retries" in text:
        return unreachable(kind, request, text)
    trouble = local_trouble(kind, request, text, caught)
    if trouble is not None:
        return trouble
    status = re.search(_HTTP_ERROR, text)
    if status:
        return down(kind, status[1])
    return explain(kind, text, request, claims=claims)


def local_trouble(
    kind: str, request: TokenRequest, text: str, caught: BaseException
) -> SignInError | None:
    """Return the error for what a library says of this machine's own settings, or None.

    text: of `caught`, or of what that was made from.
    """
    if "authority configuration" in text:
        said = _discovery_said(caught)
        if "AADSTS" in said:
            return explain(kind, said, request, claims=None)
        where = f"{request.authority.removeprefix('https://')}/{request.tenant or ''}"
        return SignInError(
            f"{kind}: no answer for {where}", _HINT_TEXTS[_AGAIN], deterministic=False
        )
    if "is not well-known" in text:
        return SignInError(
            f"{kind}: {request.authority} is no sign-in host of Microsoft's",
            f"check {request.origin('authority') or '--authority-host'}; for one of your own:"
            " --disable-instance-discovery",
        )
    if "CA certificate bundle" in text:
        from .network import CA_VARIABLES

        return SignInError(
            f"{kind}: {first_sentence(text)}",
            f"check {next((n for n in CA_VARIABLES if request.env.get(n)), CA_VARIABLES[0])}",
            deterministic=False,
        )
    if "codec can't encode" in text:  # the rest of it may show a part of a secret
        names = [name for name, value in request.env.items() if not _is_text(value)]
        wrong = next((name for name in names if name.startswith("AZURE_")), "AZURE_…")
        return SignInError(f"{kind}: the value of {wrong} is not UTF-8 text", f"export {wrong}=…")
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _discovery_said(error: BaseException | None) -> str:
    """Return what the authority said of a tenant: MSAL keeps it behind an error of its own."""
    while error is not None:
        if "OIDC Discovery failed" in str(error):
            return str(error)
        error = error.__cause__ or error.__context__
    return ""


def down(kind: str, status: str) -> SignInError:
    """Return the error for a sign-in server that answers without saying why; status may be ""."""
    return SignInError(
        f"{kind}: the sign-in server answered {status or 'with an error'}",
        "try again in a minute",
        deterministic=False,
    )


def unreachable(kind: str, request: TokenRequest, text: str) -> SignInError:
    """Return the error for a sign-in server that cannot be reached or trusted."""
    error = cannot_reach(request.authority.removeprefix("https://"), text)
    error.message = f"{kind}: {error.message}"
    return error


def cannot_reach(host: str, text: str) -> SignInError:
    """Return the error for a host that cannot be reached or trusted; text: a library's words."""
    if "CERTIFICATE_VERIFY" in text.upper():
        return SignInError(
            f"the certificate of {host} is not trusted",
            "export REQUESTS_CA_BUNDLE=/path/to/your/company-ca.pem",
            deterministic=False,
        )
    return SignInError(
        f"cannot reach {host}",
        "check the network, or if a proxy is needed: export HTTPS_PROXY=http://HOST:PORT",
        deterministic=False,
    )


def first_sentence(text: str) -> str:
    """Return the part of a text that a person needs, with what looks like a secret cut out."""
    text = text.strip().removeprefix("ERROR: ").removeprefix("Authentication failed: ")
    text = text.partition("\n")[0]
    text = re.split(r"(?<=\w)\.\s|\s*Trace ID:|\s*To mitigate", text, maxsplit=1)[0]
    return re.sub(_SECRET_SHAPED, "…", text).strip().rstrip(".")[:300] or "no reason was given"
