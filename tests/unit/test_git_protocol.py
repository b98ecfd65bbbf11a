"""git's attributes in and out, on bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.protocols import git

PLAIN = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n"
NEW = (
    b"capability[]=authtype\ncapability[]=state\n" + PLAIN + b"wwwauth[]=Bearer\nwwwauth[]=Basic\n"
)


def parsed(data: bytes) -> git.Credential:
    credential = git.parse(data)
    assert credential is not None
    return credential


def test_values_and_lists() -> None:
    credential = parsed(NEW + b"\nignored after the blank line")
    assert credential.value("host") == b"dev.azure.com"
    assert credential.value("absent") == b""
    assert credential.texts("wwwauth") == ["Bearer", "Basic"]
    assert credential.can(b"authtype")
    assert not credential.can(b"other")


def test_an_empty_list_item_resets_the_list() -> None:
    credential = parsed(PLAIN + b"wwwauth[]=a\nwwwauth[]=\nwwwauth[]=b\n")
    assert credential.texts("wwwauth") == ["b"]


def test_a_value_may_hold_equals_signs_and_be_empty() -> None:
    assert parsed(b"path=a=b==c\nhost=\n").value("path") == b"a=b==c"


@pytest.mark.parametrize(
    "data",
    [
        b"protocol=https\r\nhost=dev.azure.com\r\n",
        b"protocol=https\nhost=dev.azure.com\rhost=evil.com\n",
        b"protocol=https\nhost=dev.azure.com\0\n",
        b"protocol=https\nhost=dev.azure.com%0ahost=evil.com\n",
        b"protocol=https\nhost=dev.azure.com\npath=a%0D%0Ab\n",
        b"protocol=https\nhost=dev.azure.com\npath=a%00b\n",
        b"protocol=https\nhost=dev.azure.com\nhost=dev.azure.com\n",
        b"protocol=https\nprotocol=https\nhost=dev.azure.com\n",
        b"protocol=https\nno equals sign\n",
        b"=https\nhost=dev.azure.com\n",
        b"protocol=https\nhost=dev.azure.com\npath=" + b"x" * 65536 + b"\n",
        "protocol=https\nhöst=dev.azure.com\n".encode(),
    ],
)
def test_malformed_input_is_no_request(data: bytes) -> None:
    assert git.parse(data) is None


def test_unicode_line_separators_end_no_line() -> None:
    credential = parsed("path=a\u2028host=evil.com\x0b\x0c\x85\nhost=dev.azure.com\n".encode())
    assert credential.value("host") == b"dev.azure.com"


def test_answer_for_an_old_git() -> None:
    text = git.answer(parsed(PLAIN), "tok", 1700000000, fingerprint="f", final=False)
    assert text == b"username=msauth\npassword=tok\npassword_expiry_utc=1700000000\n"


@pytest.mark.parametrize(
    ("username", "expected"),
    [
        (b"contoso", b"contoso"),
        (b"id://mi:x", b"msauth"),
        (b"", b"msauth"),
        ("kø".encode(), b"msauth"),
        (b"a\tb", b"msauth"),
    ],
)
def test_the_user_name_holds_no_colon(username: bytes, expected: bytes) -> None:
    credential = parsed(PLAIN + b"username=" + username + b"\n")
    text = git.answer(credential, "tok", 1, fingerprint="f", final=False)
    assert text.startswith(b"username=" + expected + b"\n")


def test_answer_with_authtype_and_state() -> None:
    text = git.answer(parsed(NEW), "tok", 5, fingerprint="fp", final=False)
    assert text == (
        b"capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=tok\n"
        b"ephemeral=1\nstate[]=msauth.tried=fp\ncontinue=1\npassword_expiry_utc=5\n"
    )


def test_the_final_answer_does_not_continue() -> None:
    text = git.answer(parsed(NEW), "tok", 5, fingerprint="fp", final=True)
    assert b"continue" not in text
    assert b"state[]=msauth.tried=fp\n" in text


def test_answer_with_authtype_alone() -> None:
    credential = parsed(b"capability[]=authtype\n" + PLAIN)
    text = git.answer(credential, "tok", 5, fingerprint="fp", final=False)
    assert text == (
        b"capability[]=authtype\nauthtype=Bearer\ncredential=tok\nephemeral=1\n"
        b"password_expiry_utc=5\n"
    )


def test_state_without_authtype_is_an_old_git() -> None:
    credential = parsed(b"capability[]=state\n" + PLAIN)
    assert b"authtype" not in git.answer(credential, "t", 5, fingerprint="f", final=False)


def test_the_tried_token_and_the_erased_secret() -> None:
    assert git.tried(parsed(b"state[]=other.x=1\nstate[]=msauth.tried=abc\n")) == "abc"
    assert git.tried(parsed(PLAIN)) == ""
    assert git.secret(parsed(b"password=p%0aq\n")) == "p%0aq"
    assert git.secret(parsed(b"credential=c\npassword=p\n")) == "c"


@pytest.mark.parametrize("state", [b"abc.1", b"../x", b"ABC", "\u0663".encode(), b" a"])
def test_a_state_that_is_not_ours_names_no_token(state: bytes) -> None:
    """git hands back whatever a helper or a user put there."""
    assert git.tried(parsed(b"state[]=msauth.tried=" + state + b"\n")) == ""


def test_git_says_more_of_the_answer_than_git_lfs_does() -> None:
    state = b"state[]=msauth.tried=abc\n"
    assert git.came_back(parsed(NEW + b"authtype=Bearer\nephemeral=1\n" + state))
    assert not git.came_back(parsed(NEW + state))


@given(st.binary(max_size=300))
def test_parsing_never_fails_and_never_invents(data: bytes) -> None:
    credential = git.parse(data)
    if credential is None:
        return
    for name, value in credential.values.items():
        assert name.encode() + b"=" + value in data
        assert b"\n" not in value


def test_the_repr_shows_no_value() -> None:
    assert "secret-word" not in repr(parsed(b"password=secret-word\n"))
