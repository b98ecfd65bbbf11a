"""What a server refused: whom it concerns, how long, and what is offered instead."""

import base64
import os
import time
from collections.abc import Callable

import pytest

from msauth import git_credential
from msauth.broker import broker, renewal
from msauth.cache import record, rejections
from msauth.cache.record import REJECTED
from msauth.errors import OnlyRejectedError
from msauth.request.request import TokenRequest

from ..test_git_credential import CAPABLE, FABRIKAM, HELLO, attributes, come_back
from . import store
from .conftest import REQUEST, Cache, made_up
from .source import Clock, Source, clock, source

__all__ = ["clock", "source"]

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'


def of(organisation: str, **changes: object) -> TokenRequest:
    return REQUEST.with_(env=os.environ, organisation=organisation, **changes)


def ask(organisation: str = "contoso", **changes: object) -> str:
    return broker.get_token(of(organisation, **changes)).text


def text(mark: str) -> str:
    return made_up(mark).text


def test_the_refusal_of_one_organisation_leaves_the_token_for_the_others(
    cache: Cache, source: Source
) -> None:
    assert ask("contoso") == text("one")
    store.reject(text("one"), organisation="contoso")
    assert store.read(of("contoso")) is None
    assert store.read(of("fabrikam")) == text("one")
    assert store.read(of("")) == text("one")
    assert cache.record.exists()
    source.texts = ["two"]
    assert ask("contoso") == text("two")
    assert source.asked == 2


@pytest.mark.parametrize(
    "refusals",
    [[("contoso", CLAIMS)], [("contoso", None), ("fabrikam", None)], [("", None), ("x", None)]],
    ids=["claims", "two-organisations", "one-unknown"],
)
def test_claims_or_a_second_organisation_make_it_everybodys(
    cache: Cache, source: Source, refusals: list[tuple[str, str | None]]
) -> None:
    ask("adatum")
    for organisation, claims in refusals:
        store.reject(text("one"), claims, organisation=organisation)
    assert not cache.record.exists()
    cache.put(made_up("one"))  # by a renewal that was late
    for organisation in ("contoso", "fabrikam", "adatum", ""):
        assert store.read(of(organisation)) is None


def test_the_same_organisation_twice_is_not_everybody(cache: Cache, source: Source) -> None:
    ask("contoso")
    for _ in range(3):
        store.reject(text("one"), organisation="contoso")
    assert store.read(of("fabrikam")) == text("one")


def test_the_claims_are_for_the_next_sign_in_and_for_no_other(cache: Cache, source: Source) -> None:
    ask()
    store.reject(text("one"), CLAIMS, organisation="contoso")
    source.texts = ["two"]
    assert ask() == text("two")
    assert source.claims == CLAIMS
    assert ask(force_refresh=True) == text("two")
    assert source.claims is None


def test_a_source_with_one_token_only(cache: Cache, source: Source, clock: Clock) -> None:
    """azd and PowerShell give the same until it nears its end: the server decides, soon."""
    ask()
    for pause in (60, 120, 240):
        store.reject(text("one"), organisation="contoso")
        with pytest.raises(OnlyRejectedError):
            ask()
        assert ask("fabrikam") == text("one"), "nobody else is locked out"
        clock.ahead += pause - 2
        with pytest.raises(OnlyRejectedError):
            ask()
        clock.ahead += 3
        before = source.asked
        assert ask() == text("one")
        assert ask() == text("one"), "until it is refused again"
        assert source.asked == before, "the cache has it"


def test_two_hostile_organisations_take_the_only_token_from_nobody_else(
    cache: Cache, source: Source
) -> None:
    ask()
    for organisation in ("evil", "evil2"):
        store.reject(text("one"), organisation=organisation)
    assert ask("contoso") == text("one")
    for organisation in ("evil", "evil2"):
        with pytest.raises(OnlyRejectedError):
            ask(organisation)


@pytest.mark.parametrize("organisation", ["", "contoso", "adatum"])
def test_a_source_with_one_token_that_everybody_refuses(
    cache: Cache, source: Source, clock: Clock, organisation: str
) -> None:
    ask()
    store.reject(text("one"), CLAIMS)
    with pytest.raises(OnlyRejectedError):
        ask(organisation)
    assert not cache.record.exists()
    clock.ahead += 61
    assert ask(organisation) == text("one")
    before = source.asked
    assert ask(organisation) == text("one")
    assert source.asked == before, "the cache has it"


@pytest.mark.parametrize("how", ["login", "force-refresh", "logout"])
def test_a_person_who_asks_for_it_gets_it_at_once(cache: Cache, source: Source, how: str) -> None:
    ask()
    store.reject(text("one"), organisation="contoso")
    with pytest.raises(OnlyRejectedError):
        ask()
    if how == "login":
        assert renewal.renew(of("contoso"), prompt=True).text == text("one")
    elif how == "force-refresh":
        assert ask(force_refresh=True) == text("one")
    else:
        store.logout("")
    assert ask() == text("one")
    assert list(cache.place.glob("*" + REJECTED)) == []


def test_a_login_forgets_every_refusal(cache: Cache, source: Source) -> None:
    ask()
    store.reject(text("other"))
    source.texts = ["two"]
    renewal.renew(of("contoso"), prompt=True)
    assert list(cache.place.glob("*" + REJECTED)) == []


def test_a_mark_that_cannot_be_read_concerns_everybody(cache: Cache, source: Source) -> None:
    ask()
    store.reject(text("one"), organisation="contoso")
    (mark,) = cache.place.glob("*" + REJECTED)
    mark.write_bytes(b"damaged")
    assert store.read(of("fabrikam")) is None


def test_a_refusal_is_forgotten_when_no_token_can_be_alive(cache: Cache, clock: Clock) -> None:
    store.reject(text("one"))
    fingerprint = made_up("one").fingerprint
    with store.opened() as folder:
        assert rejections.concerns(folder, fingerprint, "")
        clock.ahead += rejections.FOR + 2
        assert not rejections.concerns(folder, fingerprint, "")


# -- within one command of a git that hands our state back


Get = Callable[..., dict[str, str]]


@pytest.fixture
def git(cache: Cache, source: Source, monkeypatch: pytest.MonkeyPatch) -> Get:
    """Ask as git or git-lfs does after an answer; returns the new answer's attributes."""
    monkeypatch.setenv("MSAUTH_TENANT", "contoso.com")
    monkeypatch.setenv("MSAUTH_CREDENTIAL", "service-principal")
    source.texts = ["one", "two"]

    def get(
        before: dict[str, str] | None = None,
        *,
        by: str = "git",
        claims: str = "",
        where: bytes = HELLO,
    ) -> dict[str, str]:
        stdin = CAPABLE + where + b"wwwauth[]=Bearer\n"
        if claims:
            encoded = base64.b64encode(claims.encode()).decode()
            stdin += f'wwwauth[]=Bearer error="insufficient_claims", claims="{encoded}"\n'.encode()
        if before is not None:
            stdin += come_back(before, by=by)
        code, output = git_credential.run(["get"], lambda: stdin)
        answer = attributes(output)
        assert (code == 0) is ("quit" not in answer)
        return answer

    return get


def refused(cache: Cache) -> int:
    return len(list(cache.place.glob("*" + REJECTED)))


def test_a_token_that_git_comes_back_with_is_replaced(
    git: Get, cache: Cache, source: Source
) -> None:
    """At once: git takes two answers and no more. Should the server refuse that too, it erases."""
    first = git()
    second = git(first)
    assert second["credential"] == text("two")
    assert "continue" not in second
    assert source.asked == 2
    assert store.read(of("contoso", credential="service-principal")) == text("two")
    assert refused(cache) == 0, "the new token has replaced it; nothing else is known"


def test_the_state_of_git_lfs_refuses_nothing(git: Get, cache: Cache, source: Source) -> None:
    """Its transfers run in parallel, and it says one's state on behalf of another."""
    first = answer = git()
    for _ in range(9):
        answer = git(answer, by="git-lfs")
        assert answer["credential"] == first["credential"] == text("one")
        assert "continue" not in answer, "so it erases what the server does refuse"
    assert (source.asked, refused(cache)) == (1, 0)


def test_what_git_lfs_erases_is_replaced(git: Get, source: Source) -> None:
    answer = git(git(), by="git-lfs")
    erased = f"authtype=Bearer\ncredential={answer['credential']}\n".encode()
    git_credential.run(["erase"], lambda: CAPABLE + HELLO + erased)
    assert git(answer, by="git-lfs")["credential"] == text("two")
    assert source.asked == 2


@pytest.mark.parametrize("by", ["git", "git-lfs"])
def test_claims_are_always_a_refusal(git: Get, cache: Cache, source: Source, by: str) -> None:
    first = git()
    assert git(first, by=by, claims=CLAIMS)["credential"] == text("two")
    assert source.claims == CLAIMS
    assert refused(cache) == 1


def test_claims_that_git_lfs_repeats_are_met_once(git: Get, source: Source) -> None:
    """It sends the last challenge with every later question, also when the new token is known."""
    answer = git()
    for _ in range(3):
        answer = git(answer, by="git-lfs", claims=CLAIMS)
        assert answer["credential"] == text("two")
    assert source.asked == 2


@pytest.mark.parametrize("by", ["git", "git-lfs"])
def test_there_is_no_quit_because_a_token_was_refused(
    git: Get, cache: Cache, source: Source, capfd: pytest.CaptureFixture[str], by: str
) -> None:
    """A source without another token: the same one, for the server to decide."""
    source.texts = ["one"]
    answer = git()
    for _ in range(3):
        answer = git(answer, by=by)
        assert answer["credential"] == text("one")
        assert "continue" not in answer
    assert capfd.readouterr().err == ""
    before = source.asked
    assert git()["credential"] == text("one"), "the next command has it from the cache"
    assert (source.asked, refused(cache)) == (before, 0)


def test_claims_that_the_only_token_does_not_satisfy_are_an_error(
    git: Get, source: Source, capfd: pytest.CaptureFixture[str]
) -> None:
    source.texts = ["one"]
    first = git()
    assert git(first, claims=CLAIMS) == {"quit": "1"}
    assert "the only token was rejected" in capfd.readouterr().err


def test_a_refusal_with_claims_in_one_command_concerns_everybody(git: Get, cache: Cache) -> None:
    git(git(), claims=CLAIMS)
    assert refused(cache) == 1
    with store.opened() as folder:
        assert rejections.concerns(folder, made_up("one").fingerprint, "fabrikam")
    assert git(where=FABRIKAM)["credential"] == text("two")


@pytest.mark.parametrize("ending", [".given", ".forced", ".renewing"])
def test_a_mark_of_long_ago_goes(cache: Cache, ending: str) -> None:
    with store.opened() as folder:
        for name, age in (("old", rejections.FOR + 60), ("young", 60)):
            folder.touch(name + ending)
            written = time.time() - age
            os.utime(folder.path_of(name + ending), (written, written))
    store.let_tidy()
    store.write(REQUEST, made_up("one"))
    with store.opened() as folder:
        assert folder.names(ending) == ["young" + ending]


def test_parallel_refusals_are_one(cache: Cache, clock: Clock) -> None:
    """Twelve transfers of one `git fetch -j 12` must not lock a person out for a day."""
    token = made_up("one").text
    for _ in range(12):
        store.reject(token, organisation="contoso")
    with store.opened() as folder:
        fingerprint = record.fingerprint(token)
        rejections.is_the_only_one(folder, fingerprint)
        assert rejections.concerns(folder, fingerprint, "contoso")
        clock.ahead += rejections.FIRST_PAUSE + 1
        assert not rejections.concerns(folder, fingerprint, "contoso")
