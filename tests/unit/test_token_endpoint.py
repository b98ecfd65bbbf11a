"""The endpoint's protocols: what is refused, what is asked, and the exact bodies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.protocols import token_endpoint as protocol
from msauth.protocols.token_endpoint import Refused, TokenQuery

SECRET = "s3cret-of-this-run"
PORT = 4711
IDENTITY = "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net"
AZD = "/token?api-version=2023-07-12-preview"


def ask(request_line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1:4711"):
    lines = [request_line, f"Host: {host}", *headers] if host else [request_line, *headers]
    head = protocol.head_of("\r\n".join(lines).encode("latin-1"))
    protocol.check(head, secret=SECRET, port=PORT)
    return protocol.query_of(head, body)


SECRET_PATH = f"/{SECRET}{IDENTITY}"
METADATA = "Metadata: true"


def body_of(response: bytes) -> tuple[int, dict[str, object]]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Access-Control" not in head
    assert b"Location" not in head
    return int(head.split(b" ")[1]), json.loads(body)


@pytest.mark.parametrize(
    "header", ["X-IDENTITY-HEADER", "secret", "x-ms-identity", "X-Ms-Identity"]
)
@pytest.mark.parametrize("host", ["127.0.0.1:4711", "localhost:4711"])
def test_the_secret_is_known_in_any_of_its_headers(header: str, host: str) -> None:
    query = ask(f"GET {IDENTITY} HTTP/1.1", f"{header}: {SECRET}", "Metadata: true", host=host)
    assert query.wanted == ("https://vault.azure.net",)
    assert not query.azd


def test_azd_asks_with_scopes_and_a_tenant() -> None:
    body = b'{"scopes":["https://management.azure.com//.default"],"tenantId":"contoso.com"}'
    query = ask(f"POST {AZD} HTTP/1.1", f"Authorization: Bearer {SECRET}", body=body)
    assert query.azd
    assert query.wanted == ("https://management.azure.com//.default",)
    assert query.tenant == "contoso.com"


@pytest.mark.parametrize(
    "extra", ["&client_id=x", "&clientid=x", "&mi_res_id=/s/x", "&object_id=1"]
)
def test_a_chosen_identity_is_accepted(extra: str) -> None:
    line = f"GET {IDENTITY.replace('2019-08-01', '2017-09-01')}{extra} HTTP/1.1"
    assert ask(line, f"secret: {SECRET}").wanted == ("https://vault.azure.net",)


@pytest.mark.parametrize("version", ["2017-09-01", "2018-02-01", "2019-08-01"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_terraform_has_the_secret_in_its_path(version: str, slash: str) -> None:
    """go-azure-sdk knows no secret: it sends `Metadata: true` and what ARM_MSI_ENDPOINT says."""
    endpoint = protocol.variables(PORT, SECRET)["ARM_MSI_ENDPOINT"]
    target = endpoint.removeprefix(f"http://127.0.0.1:{PORT}") + slash
    line = f"GET {target}?api-version={version}&resource=https%3A%2F%2Fvault.azure.net HTTP/1.1"
    assert ask(line, METADATA).wanted == ("https://vault.azure.net",)


def test_a_slash_at_the_end_is_no_other_path() -> None:
    line = f"GET {IDENTITY.replace('token?', 'token/?')} HTTP/1.1"
    assert ask(line, f"secret: {SECRET}").wanted == ("https://vault.azure.net",)


@pytest.mark.parametrize(
    ("target", "form"),
    [
        ("/msi/token", b"resource=https%3A%2F%2Fvault.azure.net"),
        (
            "/msi/token?api-version=2018-02-01",
            b"resource=https%3A%2F%2Fvault.azure.net&client_id=x",
        ),
        ("/msi/token/", b"api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net"),
        (IDENTITY, b""),
    ],
)
def test_a_form_is_the_same_as_a_query(target: str, form: bytes) -> None:
    content = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"
    for line, secret in (
        (f"POST {target} HTTP/1.1", f"secret: {SECRET}"),
        (f"POST /{SECRET}{target} HTTP/1.1", "X: x"),
    ):
        query = ask(line, secret, METADATA, content, body=form)
        assert query.wanted == ("https://vault.azure.net",)
        assert not query.dated


def test_a_program_of_ours_may_say_more_than_azd() -> None:
    body = b'{"scopes":["x"],"claims":"{\\"access_token\\":{}}","refresh":true}'
    query = ask(f"POST {AZD} HTTP/1.1", f"Authorization: Bearer {SECRET}", body=body)
    assert query.claims == '{"access_token":{}}'
    assert query.refresh


GET = f"GET {IDENTITY} HTTP/1.1"
POST = f"POST {AZD} HTTP/1.1"
KNOWN = f"X-IDENTITY-HEADER: {SECRET}"
BEARER = f"Authorization: Bearer {SECRET}"
FORM = "Content-Type: application/x-www-form-urlencoded"
REFUSED = {
    "no secret": (401, GET, [], b""),
    "empty secret": (401, GET, ["X-IDENTITY-HEADER:"], b""),
    "another secret": (401, GET, ["X-IDENTITY-HEADER: other"], b""),
    "secret that is not ASCII": (401, GET, ["X-IDENTITY-HEADER: s\xe9cret"], b""),
    "secret and more": (401, GET, [KNOWN + "x"], b""),
    "secret of the other protocol": (401, GET, [BEARER], b""),
    "azd without a secret": (401, POST, [], b"{}"),
    "azd with basic": (401, POST, [f"Authorization: Basic {SECRET}"], b"{}"),
    "azd with the header of the others": (401, POST, [KNOWN], b"{}"),
    "a page's origin": (403, GET, [KNOWN, "Origin: http://127.0.0.1:4711"], b""),
    "a null origin": (403, GET, [KNOWN, "Origin: null"], b""),
    "another path": (404, "GET / HTTP/1.1", [KNOWN], b""),
    "instance metadata": (404, "GET /metadata/identity/oauth2/token HTTP/1.1", [KNOWN], b""),
    "a proxy's target": (404, f"GET http://127.0.0.1:4711{IDENTITY} HTTP/1.1", [KNOWN], b""),
    "another method": (405, f"PUT {IDENTITY} HTTP/1.1", [KNOWN], b""),
    "a preflight": (405, f"OPTIONS {IDENTITY} HTTP/1.1", [KNOWN], b""),
    "a get for the post": (405, f"GET {AZD} HTTP/1.1", [BEARER], b""),
    "no secret in the path": (401, f"GET /{IDENTITY} HTTP/1.1", [METADATA], b""),
    "another secret in the path": (401, f"GET /other{IDENTITY} HTTP/1.1", [METADATA], b""),
    "a longer secret in the path": (401, f"GET /{SECRET}x{IDENTITY} HTTP/1.1", [METADATA], b""),
    "the secret elsewhere in the path": (
        404,
        f"GET /x/{SECRET}{IDENTITY} HTTP/1.1",
        [METADATA],
        b"",
    ),
    "the path's secret, a page's request": (401, f"GET {SECRET_PATH} HTTP/1.1", [], b""),
    "the path's secret, from a page": (
        403,
        f"GET {SECRET_PATH} HTTP/1.1",
        [METADATA, "Origin: null"],
        b"",
    ),
    "the header's secret for another path": (
        401,
        f"GET /other{IDENTITY} HTTP/1.1",
        [METADATA, KNOWN],
        b"",
    ),
    "metadata is no secret": (401, GET, [METADATA], b""),
    "azd's path with a secret": (404, f"POST /{SECRET}{AZD} HTTP/1.1", [BEARER], b"{}"),
    "a form without a secret": (401, f"POST {IDENTITY} HTTP/1.1", [METADATA, FORM], b""),
    "a form of another kind": (400, f"POST {IDENTITY} HTTP/1.1", [KNOWN], b"{}"),
    "a form that is not ASCII": (400, f"POST {IDENTITY} HTTP/1.1", [KNOWN, FORM], b"\xff"),
    "a form with another resource": (
        400,
        f"POST {IDENTITY} HTTP/1.1",
        [KNOWN, FORM],
        b"resource=x",
    ),
    "no version": (400, "GET /msi/token?resource=x HTTP/1.1", [KNOWN], b""),
    "an unknown version": (400, GET.replace("2019-08-01", "2020-06-01"), [KNOWN], b""),
    "no resource": (400, "GET /msi/token?api-version=2019-08-01 HTTP/1.1", [KNOWN], b""),
    "two resources": (400, GET.replace(" HTTP", "&resource=y HTTP"), [KNOWN], b""),
    "too many parameters": (400, GET.replace(" HTTP", "&a=1" * 30 + " HTTP"), [KNOWN], b""),
    "not HTTP": (400, "GET / HTTP/0.9", [KNOWN], b""),
    "no HTTP at all": (400, "hello", [KNOWN], b""),
    "a folded header": (400, GET, [KNOWN, " folded"], b""),
    "an origin behind a bare line feed": (400, GET, [KNOWN, "X: a\nOrigin: http://evil"], b""),
    "a header with a space": (400, GET, ["X-IDENTITY-HEADER : x"], b""),
    "a repeated secret": (400, GET, ["secret: guess", f"secret: {SECRET}"], b""),
    "a second host": (400, GET, [KNOWN, "host: localhost:4711"], b""),
    "azd with another version": (400, POST.replace("2023", "2024"), [BEARER], b"{}"),
    "azd with no JSON": (400, POST, [BEARER], b"scopes"),
    "azd with deep JSON": (400, POST, [BEARER], b"[" * 9000),
    "azd with a list": (400, POST, [BEARER], b"[]"),
    "azd without scopes": (400, POST, [BEARER], b'{"scopes":[]}'),
    "azd with numbers": (400, POST, [BEARER], b'{"scopes":[1]}'),
    "azd with odd claims": (400, POST, [BEARER], b'{"scopes":["x"],"claims":"[]"}'),
    "azd with claims that are no text": (400, POST, [BEARER], b'{"scopes":["x"],"claims":{}}'),
    "azd with an odd tenant": (400, POST, [BEARER], b'{"scopes":["x"],"tenantId":{"a":1}}'),
}


@pytest.mark.parametrize(("status", "line", "headers", "body"), REFUSED.values(), ids=REFUSED)
def test_refused(status: int, line: str, headers: list[str], body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        ask(line, *headers, body=body)
    assert caught.value.status == status
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "evil.example:4711", "localhost.evil.example:4711"),
        *("127.0.0.1", "127.0.0.1:80", "127.0.0.1:47110", "127.0.0.1:4712"),
        *("[::1]:4711", "LOCALHOST:4711"),
    ],
)
def test_only_our_own_host(host: str) -> None:
    with pytest.raises(Refused) as caught:
        ask(GET, KNOWN, host=host)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Length: 16385", 413),
        ("Content-Length: 99999999999999999999", 413),
        ("Content-Length: -1", 400),
        ("Content-Length: +1", 400),
        ("Content-Length: ٣", 400),
        ("Transfer-Encoding: chunked", 400),
    ],
)
def test_a_body_that_is_not_plain_and_small(header: str, status: int) -> None:
    head = protocol.head_of(b"POST / HTTP/1.1\r\n" + header.encode())
    with pytest.raises(Refused) as caught:
        head.body_length  # noqa: B018 - the property raises
    assert caught.value.status == status


def test_the_body_that_every_sdk_reads() -> None:
    response = protocol.granted(TokenQuery(("R",)), "tok", 1_700_003_600, now=1_700_000_000)
    assert response.endswith(
        b'{"access_token": "tok", "expires_in": "3600", "expires_on": "1700003600", '
        b'"resource": "R", "token_type": "Bearer"}'
    )
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Cache-Control: no-store\r\n" in response


def test_the_old_version_has_a_date() -> None:
    """What SDKs of 2017 read: JavaScript's Date.parse, Python's strptime, Go's layouts."""
    query = ask(f"GET {IDENTITY.replace('2019-08-01', '2017-09-01')} HTTP/1.1", f"secret: {SECRET}")
    status, body = body_of(protocol.granted(query, "tok", 1_700_003_600, now=1_700_000_000))
    assert (status, body["expires_in"]) == (200, "3600")
    assert body["expires_on"] == "11/14/2023 11:13:20 PM +00:00"


def test_the_body_that_azd_reads() -> None:
    response = protocol.granted(TokenQuery(("S",), azd=True), "tok", 1_700_003_600, now=0)
    assert body_of(response) == (
        200,
        {"status": "success", "token": "tok", "expiresOn": "2023-11-14T23:13:20Z"},
    )


@pytest.mark.parametrize(
    ("azd", "again", "signed_out", "expected"),
    [
        (False, False, True, (400, {"statusCode": 400, "message": "no"})),
        (False, True, False, (503, {"statusCode": 503, "message": "no"})),
        (
            True,
            False,
            True,
            (200, {"status": "error", "code": "NotSignedInError", "message": "no"}),
        ),
        (True, True, False, (200, {"status": "error", "code": "GetTokenError", "message": "no"})),
    ],
)
def test_failures(azd: bool, again: bool, signed_out: bool, expected: object) -> None:
    query = TokenQuery(("S",), azd=azd)
    response = protocol.failed(query, "no", again=again, signed_out=signed_out)
    assert body_of(response) == expected


def test_both_managed_identity_pairs_are_set() -> None:
    variables = protocol.variables(PORT, SECRET)
    assert variables["IDENTITY_ENDPOINT"] == variables["MSI_ENDPOINT"]
    assert variables["IDENTITY_HEADER"] == variables["MSI_SECRET"] == variables["AZD_AUTH_KEY"]
    assert variables["AZD_AUTH_ENDPOINT"] == f"http://127.0.0.1:{PORT}"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        protocol.check(protocol.head_of(data), secret=SECRET, port=PORT)
