"""A sign-in that answers at once, in this process, and a clock that can be set."""

import time
from collections.abc import Callable

import pytest

from msauth import signin
from msauth.errors import OnlyRejectedError, SignInError
from msauth.request.request import Token, TokenRequest

from .conftest import made_up


class Source:
    """Stands in for `signin.acquire`, with its contract: no rejected token is ever returned.

    texts: the tokens to give, one a sign-in; the last one is given for ever. error: raised
    instead. asked: how often somebody signed in; claims: what the last one was to satisfy.
    """

    def __init__(self) -> None:
        self.texts = ["one"]
        self.credential = "service-principal"
        self.account = ""
        self.error: SignInError | None = None
        self.asked = 0
        self.claims: str | None = None

    def acquire(
        self,
        request: TokenRequest,
        *,
        claims: str | None,
        rejected: Callable[[str], bool],
        prompt: bool = False,
    ) -> Token:
        self.asked += 1
        self.claims = claims
        if self.error is not None:
            raise self.error
        token = made_up(self.texts[0], lives=80000)
        if len(self.texts) > 1:
            del self.texts[0]
        token.credential, token.account = self.credential, self.account
        if rejected(token.text):
            raise OnlyRejectedError("the only token was rejected", "log in", token)
        return token


class Clock:
    """Real time plus `ahead` seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    source = Source()
    monkeypatch.setattr(signin, "acquire", source.acquire)
    return source


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, real, real_ns = Clock(), time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + clock.ahead)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(clock.ahead * 1e9))
    return clock
