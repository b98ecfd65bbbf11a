"""The cache key names everything that selects the answer, and no value can imitate a line."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.request.kinds import identity_of, quoted
from msauth.request.request import Token, TokenRequest
from msauth.signin.attempt import token_from

FIELDS = {
    "credential": "azure-cli",
    "profile": "work",
    "client_id": "c",
    "authority": "https://login.microsoftonline.us",
    "tenant": "t",
    "cae": True,
    "instance_discovery": False,
    "username": "alex@contoso.com",
    "identity_resource_id": "/subscriptions/x",
    "redirect_url": "http://localhost:8400",
    "registry": "contoso.azurecr.io",
    "env": {"AZURE_CLIENT_ID": "x"},
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_selecting_field_changes_the_key(name: str) -> None:
    plain = TokenRequest(("s",), {})
    assert plain.with_(**{name: FIELDS[name]}).cache_key != plain.cache_key


@pytest.mark.parametrize(
    "name",
    ["claims", "min_valid", "force_refresh", "interactive", "persist", "organisation", "refused"],
)
def test_what_selects_nothing_leaves_the_key(name: str) -> None:
    plain = TokenRequest(("s",), {})
    assert plain.with_(**{name: 7}).cache_key == plain.cache_key


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_scope_or_profile_imitates_another_line(scope: str, profile: str) -> None:
    request = TokenRequest((scope,), {}, profile=profile)
    assert request.cache_key.count(b"\n") == TokenRequest(("s",), {}).cache_key.count(b"\n")


@given(st.text(max_size=30), st.text(max_size=30))
def test_quoting_keeps_values_apart(one: str, other: str) -> None:
    assert (quoted(one) == quoted(other)) == (one == other)


def _jwt(claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({})}.{part(claims)}.c2ln"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [({"exp": 900}, 900), ({"exp": 2000}, 1000), ({"exp": "900"}, 1000), ({}, 1000), ([], 1000)],
)
def test_a_clock_that_is_ahead_does_not_lengthen_a_token(claims: object, expected: int) -> None:
    token = token_from("k", _jwt(claims), 1000, refresh_on=0, issued=0)
    assert token.expires_on == expected


def test_the_repr_shows_no_token() -> None:
    assert "sentinel" not in repr(Token("sentinel", 5))
    assert "sentinel" not in repr(TokenRequest(("s",), {}, claims="sentinel"))


def test_another_endpoint_at_the_same_port_is_another_identity() -> None:
    place = {"IDENTITY_ENDPOINT": "http://127.0.0.1:4567/token", "IDENTITY_HEADER": "k" * 64}
    other = {**place, "IDENTITY_HEADER": "l" * 64}
    assert identity_of("auto", place) != identity_of("auto", other)
    assert "kkkk" not in identity_of("auto", place)
