"""Whose URL it is: decided on raw bytes, and only an exact Azure host gets an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.credential_helpers import feeds
from msauth.request import urls

FEED = b"/contoso/_packaging/feed/pypi/simple/"
STRANGERS = (
    b"http://pkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com:8443" + FEED,
    b"https://pkgs.dev.azure.com:80" + FEED,
    b"https://alex@pkgs.dev.azure.com" + FEED,
    b"https://alex:secret@pkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com@evil.example" + FEED,
    b"https://evil.example@pkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com\\@evil.example" + FEED,
    b"https://evil.example\\pkgs.dev.azure.com" + FEED,
    b"https:\\\\pkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com.evil.example" + FEED,
    b"https://evil-pkgs.dev.azure.com" + FEED,
    b"https://evilpkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com." + FEED,
    b"https://.pkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com%2eevil.example" + FEED,
    b"https://pkgs%2edev.azure.com" + FEED,
    "https://pkgs.dev.azure.\uff43om".encode() + FEED,
    "https://p\u212ags.dev.azure.com".encode() + FEED,
    "https://pkgs\u3002dev\u3002azure\u3002com".encode() + FEED,
    b"https://pkgs.dev.azure.com\t" + FEED,
    b"https://pkgs.dev.azure.com\n" + FEED,
    b"https://pkgs.dev.azure.com \r" + FEED,
    b" https://pkgs.dev.azure.com" + FEED,
    b"https://pkgs.dev.azure.com\0" + FEED,
    b"https:///pkgs.dev.azure.com" + FEED,
    b"https://evil.example/?https://pkgs.dev.azure.com" + FEED,
    b"https://evil.example#@pkgs.dev.azure.com" + FEED,
    b"https://[pkgs.dev.azure.com]" + FEED,
    b"//pkgs.dev.azure.com" + FEED,
    b"pkgs.dev.azure.com" + FEED,
    b"file://pkgs.dev.azure.com" + FEED,
    b"https://contoso.evil.visualstudio.com/",
    b"https://a.contoso.pkgs.visualstudio.com/",
    b"https://contoso.pkgs.visualstudio.com.evil.example/",
    b"https://www.visualstudio.com/",
    b"https://registry.npmjs.org/",
    b"",
)
"""URLs of others that look like ours; a helper answers none of them, and asks nobody."""


@pytest.mark.parametrize("url", STRANGERS)
def test_strangers(url: bytes) -> None:
    assert urls.place(url) is None


@pytest.mark.parametrize(
    ("url", "host", "organisation"),
    [
        (b"https://pkgs.dev.azure.com" + FEED, "pkgs.dev.azure.com", "contoso"),
        (b"https://pkgs.dev.azure.com:443" + FEED, "pkgs.dev.azure.com", "contoso"),
        (b"HTTPS://PKGS.dev.azure.com/Contoso/x", "pkgs.dev.azure.com", "contoso"),
        (b"https://pkgs.dev.azure.com/contoso?x=y", "pkgs.dev.azure.com", "contoso"),
        (b"https://pkgs.dev.azure.com", "pkgs.dev.azure.com", ""),
        (b"https://contoso.pkgs.visualstudio.com/x", "contoso.pkgs.visualstudio.com", "contoso"),
        (b"https://dev.azure.com/contoso/p/_git/r", "dev.azure.com", "contoso"),
    ],
)
def test_ours(url: bytes, host: str, organisation: str) -> None:
    assert urls.place(url) == (host, organisation)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (b"contoso.azurecr.io", "contoso.azurecr.io"),
        (b"Contoso.azurecr.io:443", "contoso.azurecr.io"),
        (b"https://contoso.azurecr.io/v2/", "contoso.azurecr.io"),
        (b"contoso-a1b2.azurecr.cn", "contoso-a1b2.azurecr.cn"),
        (b"http://contoso.azurecr.io", None),
        (b"azurecr.io", None),
        (b".azurecr.io", None),
        (b"-a.azurecr.io", None),
        (b"a.b.azurecr.io", None),
        (b"contoso.azurecr.io.evil.example", None),
        (b"evil@contoso.azurecr.io", None),
        (b"contoso.azurecr.io:5000", None),
        (b"contoso.azurecr.io\nevil", None),
        (b"evil.example/contoso.azurecr.io", None),
        (b"ghcr.io", None),
        (b"", None),
    ],
)
def test_registries(text: bytes, host: str | None) -> None:
    assert urls.registry(text) == host


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    assert (
        urls.place(b"https://" + data) is None
        or b"dev.azure" in data.lower()
        or b"studio" in data.lower()
    )
    assert urls.registry(data) is None or b"azurecr" in data.lower()


def test_the_profile_in_a_programs_name() -> None:
    base = "pnpm-token-msauth"
    assert feeds.profile_of_program("/home/a/bin/pnpm-token-msauth-work", base) == "work"
    assert feeds.profile_of_program("C:\\bin\\pnpm-token-msauth-work.exe", base) == "work"
    assert feeds.profile_of_program("/usr/bin/pnpm-token-msauth", base) == ""
    assert feeds.profile_of_program("/usr/bin/other", base) == ""
