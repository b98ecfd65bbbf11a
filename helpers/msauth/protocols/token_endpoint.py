"""The local token protocols that Azure SDKs find in their environment. Pure: bytes and values.

Three protocols over HTTP/1.1 (RFC 9112), one secret:

- App Service managed identity and its predecessor MSI: `/msi/token?api-version=…&resource=…`
  with the secret in `X-IDENTITY-HEADER`, `secret` or `x-ms-identity`;
- the same as Terraform's go-azure-sdk asks, which sends `Metadata: true` and no secret at all:
  the secret is in the path, `/SECRET/msi/token`;
- azd's external authentication: `POST /token?api-version=2023-07-12-preview` with the secret as
  bearer token and `{"scopes": […], "tenantId": …}`.

Whatever a browser could have been tricked into sending is refused: another Host (DNS rebinding),
an Origin, a method or path that no SDK uses. A refusal never repeats what was sent.
"""

import time
from _operator import _compare_digest as compare_digest  # `hmac` would load OpenSSL for it

from .exec_credential import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDENTITY_PATH = "/msi/token"
AZD_PATH = "/token"
MAX_HEAD = 16 * 1024
MAX_BODY = 16 * 1024
_DATED_VERSION = "2017-09-01"
_IDENTITY_VERSIONS = (_DATED_VERSION, "2018-02-01", "2019-08-01")
_AZD_VERSION = "2023-07-12-preview"
_SECRET_HEADERS = ("x-identity-header", "x-ms-identity", "secret")
_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_CONTROLS = frozenset("\0\r\n")  # that no value may hold (RFC 9110 5.5)
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Refused(Exception):  # noqa: N818 - it is a refusal, and callers read it as one
    """A request that gets no token: the HTTP status and a message without anything of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Head:
    """A request line and its headers; names are lower case, none is repeated."""

    def __init__(self, method: str, path: str, query: str, headers: dict[str, str]) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers

    @property
    def body_length(self) -> int:
        """The body's length in bytes; raises Refused for a body that is chunked or too long."""
        if "transfer-encoding" in self.headers:
            raise Refused(400, "a chunked body is not accepted")
        text = self.headers.get("content-length", "0")
        if not text.isascii() or not text.isdigit():
            raise Refused(400, "bad Content-Length")
        if len(text) > 6 or int(text) > MAX_BODY:
            raise Refused(413, "the body is too long")
        return int(text)


class TokenQuery:
    """What a caller asks: scopes or one resource as it was spelled, and maybe a tenant.

    azd: whether it was asked, and is answered, in azd's protocol; there a program of ours may
    add `claims`, the JSON of a claims challenge, and `refresh`, that a known token will not do.
    dated: whether the answer's `expires_on` is a date, as for api-version 2017-09-01.
    """

    def __init__(
        self,
        wanted: tuple[str, ...],
        *,
        tenant: str = "",
        claims: str | None = None,
        refresh: bool = False,
        azd: bool = False,
        dated: bool = False,
    ) -> None:
        self.wanted = wanted
        self.tenant = tenant
        self.claims = claims
        self.refresh = refresh
        self.azd = azd
        self.dated = dated


def head_of(data: bytes) -> Head:
    """Return the head of a request; data ends before the empty line. Raises Refused."""
    lines = data.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Refused(400, "not an HTTP/1.1 request")
    path, _, query = words[1].partition("?")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or not _TOKEN_CHARACTERS.issuperset(name) or name in headers:
            raise Refused(400, "bad or repeated header")
        if not _CONTROLS.isdisjoint(value):
            raise Refused(400, "bad header value")
        headers[name] = value.strip(" \t")
    return Head(words[0], path, query, headers)


def check(head: Head, *, secret: str, port: int) -> None:
    """Raise Refused unless a request is for this very endpoint and knows its secret.

    The order matters: a page in a browser, which cannot know the secret, learns nothing but 403.
    """
    if head.headers.get("host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise Refused(403, "wrong Host")
    if "origin" in head.headers:
        raise Refused(403, "browsers are not served")
    if head.path == AZD_PATH:
        _check_method(head, "POST")
        scheme, _, given = head.headers.get("authorization", "").partition(" ")
        known = scheme.lower() == "bearer" and _same(given, secret)
    else:
        in_path = _secret_in_path(head.path)
        _check_method(head, "GET", "POST")
        if in_path is None:
            known = any(_same(head.headers.get(name, ""), secret) for name in _SECRET_HEADERS)
        else:
            # A page can be led to an address, but it cannot send this header of its own accord.
            metadata = head.headers.get("metadata", "").lower() == "true"
            known = _same(in_path, secret) and metadata
    if not known:
        raise Refused(401, "the secret is missing or wrong")


def query_of(head: Head, body: bytes) -> TokenQuery:
    """Return what a checked request asks for. Raises Refused."""
    query = _fields(head.query)
    if head.path == AZD_PATH:
        if query.get("api-version") != _AZD_VERSION:
            raise Refused(400, f"api-version must be {_AZD_VERSION}")
        return _azd_query(body)
    if head.method == "POST":
        query = _fields("&".join(filter(None, (head.query, _form(head, body)))))
        # The clients that send a form, as Cloud Shell and the old VM extension had it, name none.
        query.setdefault("api-version", "2018-02-01")
    version = query.get("api-version")
    if version not in _IDENTITY_VERSIONS:
        raise Refused(400, "api-version must be " + " or ".join(_IDENTITY_VERSIONS))
    # client_id, mi_res_id and object_id are accepted and ignored: there is one identity here.
    resource = query.get("resource", "")
    if not resource:
        raise Refused(400, "resource is missing")
    return TokenQuery((resource,), dated=version == _DATED_VERSION)


def _secret_in_path(path: str) -> str | None:
    """Return the secret of `/SECRET/msi/token`, None for `/msi/token`; either may end in `/`."""
    prefix = path.removesuffix("/").removesuffix(IDENTITY_PATH)
    if not path.removesuffix("/").endswith(IDENTITY_PATH) or "/" in prefix[1:]:
        raise Refused(404, "no such path")
    return prefix[1:] if prefix else None


def _check_method(head: Head, *methods: str) -> None:
    if head.method not in methods:
        raise Refused(405, "no such method here")


def _form(head: Head, body: bytes) -> str:
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or not body.isascii():
        raise Refused(400, "the body is not a form")
    return body.decode("ascii")


def _fields(text: str) -> dict[str, str]:
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Refused(400, "too many parameters") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused(400, "repeated parameter")
    return fields


def _azd_query(body: bytes) -> TokenQuery:
    arguments = _object(body, "the body")
    scopes, tenant = arguments.get("scopes"), arguments.get("tenantId") or ""
    if not isinstance(scopes, list) or not scopes or not isinstance(tenant, str):
        raise Refused(400, "scopes is missing")
    if not all(isinstance(scope, str) for scope in scopes):
        raise Refused(400, "scopes must be texts")
    claims = arguments.get("claims")
    if claims is not None:
        _object(claims, "claims")
    return TokenQuery(
        tuple(scopes),
        tenant=tenant,
        claims=claims,
        refresh=arguments.get("refresh") is True,
        azd=True,
    )


def _object(text: "Any", name: str) -> "dict[str, Any]":
    import json

    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise Refused(400, f"{name} is not JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, f"{name} is not an object")
    return value


def granted(query: TokenQuery, token: str, expires_on: int, *, now: int) -> bytes:
    """Return the response with a token; times are epoch seconds.

    The managed identity body has only texts, in the order that every SDK reads: MSAL.NET lets
    the later of expires_in and expires_on win, Java reads expires_on, Terraform expires_in. SDKs
    of the time of api-version 2017-09-01 (JavaScript, Python, .NET) read a date, and nothing else.
    """
    if query.azd:
        return response(
            200, {"status": "success", "token": token, "expiresOn": rfc3339(expires_on)}
        )
    return response(
        200,
        {
            "access_token": token,
            "expires_in": str(max(0, expires_on - now)),
            "expires_on": _american_date(expires_on) if query.dated else str(expires_on),
            "resource": query.wanted[0],
            "token_type": "Bearer",
        },
    )


def _american_date(seconds: int) -> str:
    """Return epoch seconds as `11/25/2026 11:30:00 AM +00:00`."""
    return time.strftime("%m/%d/%Y %I:%M:%S %p +00:00", time.gmtime(seconds))


def failed(query: TokenQuery, message: str, *, again: bool, signed_out: bool = False) -> bytes:
    """Return the response to a sign-in that failed.

    again: whether asking again can help; SDKs repeat a 503 and give up at a 400.
    azd reads nothing but the body of a 200, with one of two codes.
    """
    if query.azd:
        code = "NotSignedInError" if signed_out else "GetTokenError"
        return response(200, {"status": "error", "code": code, "message": message})
    return refusal(503 if again else 400, message)


def refusal(status: int, message: str) -> bytes:
    """Return an error response in the shape of App Service: `{"statusCode", "message"}`."""
    return response(status, {"statusCode": status, "message": message})


def response(status: int, body: "dict[str, Any]") -> bytes:
    """Return a whole HTTP response; nothing of it may be cached, sniffed or read by a page."""
    import json

    data = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(data)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + data


def variables(port: int, secret: str) -> dict[str, str]:
    """Return the environment that leads every SDK to the endpoint.

    Both managed identity pairs are set: MSI_ENDPOINT alone makes Java look for Cloud Shell. The
    ARM_* pair is for Terraform, whose providers read a client secret, certificate or OIDC token
    of ARM_* first. MSAUTH_SERVE leads msauth's own programs to azd's form, which names a tenant.
    """
    base = f"http://127.0.0.1:{port}"
    return {
        "IDENTITY_ENDPOINT": base + IDENTITY_PATH,
        "IDENTITY_HEADER": secret,
        "MSI_ENDPOINT": base + IDENTITY_PATH,
        "MSI_SECRET": secret,
        "AZD_AUTH_ENDPOINT": base,
        "AZD_AUTH_KEY": secret,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "ARM_USE_MSI": "true",
        "ARM_MSI_ENDPOINT": f"{base}/{secret}{IDENTITY_PATH}",
        "MSAUTH_SERVE": "1",
    }


def _same(given: str, secret: str) -> bool:
    return compare_digest(given.encode("utf-8", "replace"), secret.encode("ascii"))
