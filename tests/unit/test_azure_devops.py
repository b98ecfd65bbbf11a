"""Hosts, organisations and challenges: every incident of the field is a row here."""

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.protocols import challenges as challenge_parser
from msauth.protocols.challenges import claims_of
from msauth.request import organisations
from msauth.request.clouds import LOGIN_HOSTS
from msauth.request.organisations import organisation

TENANT = "0f0e0d0c-1111-2222-3333-444455556666"
ZERO = "00000000-0000-0000-0000-000000000000"


def tenant_of(challenges: list[str]) -> str | None:
    return challenge_parser.tenant_of(challenges, LOGIN_HOSTS)


@pytest.mark.parametrize(
    ("host", "path", "username", "expected"),
    [
        (b"dev.azure.com", b"contoso/hello/_git/hello", b"", "contoso"),
        (b"dev.azure.com", b"Contoso/hello", b"", "contoso"),
        (b"DEV.azure.com", b"contoso/hello", b"", "contoso"),
        (b"dev.azure.com:443", b"contoso/hello", b"", "contoso"),
        (b"dev.azure.com", b"", b"fabrikam", "fabrikam"),
        (b"dev.azure.com", b"contoso/x", b"fabrikam", "contoso"),
        (b"dev.azure.com", b"", b"", ""),
        (b"dev.azure.com", b"", b"alex@contoso.com", ""),
        (b"dev.azure.com", b"my%20org/x", b"", ""),
        (b"contoso.visualstudio.com", b"hello/_git/hello", b"", "contoso"),
        (b"contoso.visualstudio.com", b"", b"someone", "contoso"),
        (b"contoso.pkgs.visualstudio.com", b"_packaging/f", b"", "contoso"),
        (b"contoso.vssps.visualstudio.com", b"", b"", "contoso"),
        (b"contoso.vsrm.visualstudio.com", b"", b"", "contoso"),
        (b"pkgs.dev.azure.com", b"contoso/_packaging/f", b"", "contoso"),
        (b"feeds.dev.azure.com", b"contoso/", b"", "contoso"),
        (b"vssps.dev.azure.com", b"contoso", b"", "contoso"),
        (b"vsrm.dev.azure.com", b"contoso", b"", "contoso"),
        (b"aex.dev.azure.com", b"", b"", ""),
    ],
)
def test_our_hosts(host: bytes, path: bytes, username: bytes, expected: str) -> None:
    assert organisation(b"https", host, path, username) == expected


FOREIGN = [
    b"",
    b"github.com",
    b"dev.azure.com.evil.com",
    b"dev.azure.com.",
    b"evildev.azure.com",
    b"xdev.azure.com",
    b"azure.com",
    b".dev.azure.com",
    b"dev.azure.com:8443",
    b"dev.azure.com:0443",
    b"dev.azure.com:443:443",
    b"dev.azure.com:",
    b"dev.azure.com@evil.com",
    b"evil.com\\@dev.azure.com",
    b"user@dev.azure.com",
    b"dev.azure.com/",
    b"dev.azure.com\t",
    b" dev.azure.com",
    b"dev\t.azure.com",
    b"dev%2eazure.com",
    "dev．azure.com".encode(),  # noqa: RUF001 - full-width dot
    "dеv.azure.com".encode(),  # noqa: RUF001 - Cyrillic e
    b"visualstudio.com",
    b".visualstudio.com",
    b"xvisualstudio.com",
    b"contoso.visualstudio.com.",
    b"contoso.visualstudio.com.evil.com",
    b"contoso.evil.visualstudio.com",
    b"a.b.pkgs.visualstudio.com",
    b"contoso..visualstudio.com",
    b"-contoso.visualstudio.com",
    b"con_toso.visualstudio.com",
    b"vs-ssh.visualstudio.com",
    b"marketplace.visualstudio.com",
    b"ssh.dev.azure.com",
    b"[::1]",
    b"127.0.0.1",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_hosts(host: bytes) -> None:
    assert organisation(b"https", host, b"contoso/x", b"contoso") is None


@pytest.mark.parametrize("protocol", [b"http", b"", b"HTTPS", b"ssh", b"https ", b"ftp", b"file"])
def test_only_https(protocol: bytes) -> None:
    assert organisation(protocol, b"dev.azure.com", b"contoso", b"") is None


@given(st.binary(max_size=60), st.binary(max_size=40), st.binary(max_size=20))
def test_an_organisation_is_always_a_plain_label(host: bytes, path: bytes, user: bytes) -> None:
    for candidate in (host, b"dev.azure.com", host + b".visualstudio.com"):
        found = organisation(b"https", candidate, path, user)
        if found:
            assert set(found) <= set(string.ascii_lowercase + string.digits + "-")
        if candidate == host and found is not None:
            assert (
                host.lower().removesuffix(b":443").endswith((b".azure.com", b".visualstudio.com"))
            )


@given(st.text(alphabet="dev.azurcomisltuk:443@/\\%\t\0-", max_size=30))
def test_near_misses_get_nothing(text: str) -> None:
    host = text.encode()
    if organisation(b"https", host, b"contoso", b"") is not None:
        name = host.lower().removesuffix(b":443")
        assert name in organisations._HOSTS or name.endswith(b".visualstudio.com")
        assert not set(name) & set(b"@/\\%\t\0:")


@pytest.mark.parametrize(
    ("challenges", "expected"),
    [
        ([f"Bearer authorization_uri=https://login.windows.net/{TENANT}"], TENANT),
        ([f"Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}"], TENANT),
        ([f'Bearer authorization_uri="https://login.microsoftonline.com/{TENANT}"'], TENANT),
        ([f"bearer Authorization_URI=https://login.windows.net/{TENANT.upper()}"], TENANT),
        (
            [
                f"Bearer authorization_uri=https://login.windows.net/{TENANT}, "
                'Basic realm="https://tfsprod.visualstudio.com/", TFS-Federated'
            ],
            TENANT,
        ),
        (
            [
                'Basic realm="a, Bearer authorization_uri=https://login.windows.net/x"',
                "TFS-Federated",
                f"Bearer authorization_uri=https://login.windows.net/{TENANT}/oauth2/authorize",
            ],
            TENANT,
        ),
        ([f"Bearer authorization_uri=https://login.windows.net/{ZERO}"], ""),
        (["Bearer", "Basic realm=x"], ""),
        (["Bearer, Basic realm=x"], ""),
        (["Basic realm=x"], None),
        ([], None),
        ([""], None),
        ([f"Bearer authorization_uri=https://evil.com/{TENANT}"], None),
        ([f"Bearer authorization_uri=http://login.windows.net/{TENANT}"], None),
        ([f"Bearer authorization_uri=https://login.windows.net.evil.com/{TENANT}"], None),
        ([f"Bearer authorization_uri=https://login.windows.net@evil.com/{TENANT}"], None),
        ([f"Bearer authorization_uri=https://login.windows.net:444/{TENANT}"], None),
        ([f"Bearer authorization_uri=https://LOGIN.windows.net\\@evil/{TENANT}"], None),
        (["Bearer authorization_uri=https://login.windows.net/common"], None),
        (["Bearer authorization_uri=https://login.windows.net/"], None),
        ([f"Bearer authorization_uri=https://login.windows.net/{TENANT}x"], None),
        ([f'Basic realm="x", authorization_uri=https://login.windows.net/{TENANT}'], None),
    ],
)
def test_tenant_of_a_challenge(challenges: list[str], expected: str | None) -> None:
    assert tenant_of(challenges) == expected


def _challenge(claims: bytes, error: str = "insufficient_claims") -> str:
    encoded = base64.b64encode(claims).decode()
    return (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{TENANT}", '
        f'error="{error}", claims="{encoded}"'
    )


def test_claims_of_a_cae_challenge() -> None:
    claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1"}}}).encode()
    assert claims_of([_challenge(claims)]) == claims.decode()
    assert claims_of(["Basic realm=x", _challenge(claims) + ", Basic realm=x"]) == claims.decode()
    assert tenant_of([_challenge(claims)]) == TENANT


@pytest.mark.parametrize(
    "challenge",
    [
        _challenge(b"{}", error="invalid_token"),
        _challenge(b"not json"),
        _challenge(b'["list"]'),
        _challenge(b"\xff\xfe"),
        _challenge(b"[" * 6000),
        _challenge(b'{"a":"' + b"x" * 9000 + b'"}'),
        'Bearer error="insufficient_claims", claims="!!!"',
        'Bearer error="insufficient_claims", claims=""',
        'Basic error="insufficient_claims", claims="e30="',
    ],
)
def test_claims_that_are_not_believed(challenge: str) -> None:
    assert claims_of([challenge]) is None


@given(st.lists(st.text(max_size=120), max_size=4))
def test_any_challenge_is_survived(challenges: list[str]) -> None:
    tenant = tenant_of(challenges)
    assert tenant is None or tenant == "" or challenge_parser.tenant_guid(tenant) == tenant
    claims_of(challenges)
