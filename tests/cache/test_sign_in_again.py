"""What a sign-in changes beyond its own record: who was signed in before, what had failed."""

import errno
import os
import time

import pytest

from msauth.broker import broker, renewal
from msauth.broker.changes import FAILURE
from msauth.cache.folder import Folder
from msauth.errors import SignInError, UnavailableError
from msauth.request.request import Token, TokenRequest

from . import store
from .conftest import REQUEST, Cache, made_up
from .source import Clock, Source, clock, source

__all__ = ["clock", "source"]

ARM = "https://management.azure.com/.default"


def asked(**changes: object) -> TokenRequest:
    return REQUEST.with_(env=os.environ, **changes)


def kept(request: TokenRequest, account: str, credential: str = "browser") -> None:
    token = made_up(account)
    token.account, token.credential = account, credential
    store.write(request, token)


def login(request: TokenRequest) -> Token:
    return renewal.renew(request, prompt=True)


# -- as somebody else


@pytest.mark.parametrize("credential", ["browser", "device-code", "broker"])
def test_a_login_as_somebody_else_ends_the_selections_sign_ins(
    cache: Cache, source: Source, credential: str
) -> None:
    """Else git would go on as the person before, wherever a token of theirs is cached."""
    kept(asked(scopes=(ARM,)), "alex", credential)
    kept(asked(profile="work"), "alex")
    source.credential, source.account = credential, "sam"
    login(asked())
    assert store.read(asked(scopes=(ARM,))) is None
    assert store.read(asked()) == made_up("one").text
    assert store.read(asked(profile="work")) is not None, "a profile of its own"


def test_a_login_as_somebody_else_ends_them_also_on_a_full_disk(
    cache: Cache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(asked(scopes=(ARM,)), "alex")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Folder, "write", full)
    source.credential, source.account = "browser", "sam"
    with pytest.raises(SignInError, match=r"the token cannot be kept: .*: No space left on device"):
        login(asked())
    assert store.read(asked(scopes=(ARM,))) is None


def test_the_same_person_keeps_the_other_tokens(cache: Cache, source: Source) -> None:
    kept(asked(scopes=(ARM,)), "alex")
    source.credential, source.account = "browser", "alex"
    login(asked())
    assert store.read(asked(scopes=(ARM,))) == made_up("alex").text


def test_who_is_signed_in_with_another_profile_does_not_matter(
    cache: Cache, source: Source
) -> None:
    kept(asked(scopes=(ARM,)), "sam")
    kept(asked(profile="work"), "alex")
    source.credential, source.account = "browser", "sam"
    login(asked())
    assert store.read(asked(scopes=(ARM,))) == made_up("sam").text


def test_a_login_that_asks_nobody_ends_nothing(cache: Cache, source: Source) -> None:
    kept(asked(scopes=(ARM,)), "alex")
    source.credential, source.account = "service-principal", "robot"
    login(asked())
    assert store.read(asked(scopes=(ARM,))) == made_up("alex").text


def test_a_silent_renewal_ends_nothing(cache: Cache, source: Source) -> None:
    kept(asked(scopes=(ARM,)), "alex")
    source.credential, source.account = "browser", "sam"
    renewal.renew(asked())
    assert store.read(asked(scopes=(ARM,))) == made_up("alex").text


def test_a_login_as_somebody_else_leaves_az_and_others_alone(cache: Cache, source: Source) -> None:
    kept(asked(scopes=(ARM,)), "alex", "azure-cli")
    source.credential, source.account = "browser", "sam"
    login(asked())
    assert store.read(asked(scopes=(ARM,))) == made_up("alex").text


# -- after a failure


def fails(request: TokenRequest) -> None:
    with pytest.raises(SignInError, match="wrong secret"):
        broker.get_token(request)


@pytest.fixture
def failed(cache: Cache, source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "old")
    source.error = SignInError("wrong secret", "mend it")
    fails(asked())
    fails(asked())
    assert source.asked == 1, "a crowd asks once"
    return source


@pytest.mark.parametrize(
    "name",
    [
        *("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "SYSTEM_ACCESSTOKEN"),
        *("PATH", "HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    ],
)
def test_what_was_mended_is_tried_at_once(
    failed: Source, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, os.environ.get(name, "") + "/mended")
    fails(asked())
    assert failed.asked == 2


@pytest.mark.parametrize("name", ["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"])
def test_a_file_that_was_renewed_is_tried_at_once(
    failed: Source, monkeypatch: pytest.MonkeyPatch, cache: Cache, name: str
) -> None:
    file = cache.base / "file"
    file.write_text("old")
    os.utime(file, (1, 1))
    monkeypatch.setenv(name, str(file))
    fails(asked())
    fails(asked())
    assert failed.asked == 2
    file.write_text("new")
    fails(asked())
    assert failed.asked == 3


def test_a_login_forgets_every_failure(failed: Source) -> None:
    failed.error = None
    login(asked(scopes=(ARM,)))
    assert broker.get_token(asked()).text == made_up("one").text


@pytest.mark.parametrize("profile", ["", None])
def test_a_logout_forgets_the_failure(failed: Source, cache: Cache, profile: str | None) -> None:
    store.logout(profile)
    assert list(cache.place.glob("*" + FAILURE)) == [], "it may name whose it was"
    failed.error = None
    assert broker.get_token(asked()).text == made_up("one").text


def test_a_success_forgets_the_failure(failed: Source, cache: Cache) -> None:
    failed.error = None
    broker.get_token(asked(force_refresh=True))
    assert list(cache.place.glob("*" + FAILURE)) == []


def test_claims_are_not_answered_by_a_failure(failed: Source) -> None:
    fails(asked(claims='{"a":1}'))
    assert failed.asked == 2


def test_who_can_be_asked_is_not_told_what_could_not(failed: Source) -> None:
    fails(asked(interactive=True))
    assert failed.asked == 2


def test_a_failure_is_remembered_longer_each_time(
    failed: Source, cache: Cache, clock: Clock
) -> None:
    for seconds in (5, 10, 20, 40, 60, 60):
        clock.ahead += seconds - 2
        before = failed.asked
        fails(asked())
        assert failed.asked == before, seconds
        clock.ahead += 3
        fails(asked())
        assert failed.asked == before + 1, seconds


def test_a_network_failure_is_remembered_for_a_moment(
    cache: Cache, source: Source, clock: Clock
) -> None:
    source.error = SignInError("wrong secret", "wait", deterministic=False)
    for _ in range(3):
        fails(asked())
        clock.ahead += 4
    assert source.asked == 3


def test_a_signed_out_tool_takes_its_token_with_it(cache: Cache, source: Source) -> None:
    broker.get_token(asked())
    assert cache.record.exists()
    source.error = UnavailableError("nobody is signed in")
    source.error.signed_out = True
    with pytest.raises(UnavailableError):
        broker.get_token(asked(min_valid=86400))
    assert not cache.record.exists()


# -- without keeping anything


def test_no_persist_keeps_no_token(cache: Cache, source: Source) -> None:
    began = int(time.time())
    token = broker.get_token(asked(persist=False))
    assert token.expires_on > began
    assert list(cache.place.glob("*.tok")) == []
    broker.get_token(asked(persist=False))
    assert source.asked == 2
