"""The order of `auto`, as documented in the README, and AZURE_TOKEN_CREDENTIALS."""

import pytest

from msauth.errors import SignInError, UnavailableError, UsageError
from msauth.request.kinds import KINDS, order
from msauth.request.request import Token, TokenRequest
from msauth.signin import chain
from msauth.signin.attempt import Attempt, Way
from msauth.signin.chain import way

AUTO = [
    *("environment", "workload-identity", "azure-pipelines", "github-actions"),
    *("managed-identity", "codespaces", "azure-cli", "azure-powershell", "azure-developer-cli"),
    *("broker", "browser", "device-code"),
]


def test_the_documented_order() -> None:
    assert list(order("")) == AUTO
    assert list(order("prod")) == AUTO[:5]
    assert list(order(" Dev ")) == AUTO[5:]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_way(kind: str) -> None:
    assert isinstance(way(kind), Way)


@pytest.mark.parametrize("word", ["production", "azure-cli", "VisualStudioCodeCredential"])
def test_a_bad_choice_is_an_error(word: str) -> None:
    with pytest.raises(UsageError):
        order(word)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("EnvironmentCredential", "environment"),
        ("AzurePipelinesCredential", "azure-pipelines"),
        ("DeviceCodeCredential", "device-code"),
        ("InteractiveBrowserCredential", "browser"),
    ],
)
def test_a_class_name_chooses_one(name: str, kind: str) -> None:
    assert order(name) == (kind,)


def test_a_failure_of_a_later_kind_does_not_hide_a_sign_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the tool gave before goes from the cache also when azd then fails."""

    def signed_out(_: Attempt) -> Token:
        error = UnavailableError("nobody is signed in with az")
        error.signed_out = True
        raise error

    def fails(_: Attempt) -> Token:
        raise SignInError("azure-developer-cli: it broke")

    ways = {"azure-cli": signed_out, "azure-developer-cli": fails}

    def found(kind: str) -> Way:
        reason = None if kind in ways else "not here"
        return Way(lambda _: reason, ways.get(kind, fails))

    monkeypatch.setattr(chain, "way", found)
    with pytest.raises(SignInError, match="it broke") as caught:
        chain.sign_in(Attempt(TokenRequest(("s",), {}), None, lambda _: False))
    assert caught.value.signed_out
