"""The order of `auto`, as documented in the README, and AZURE_TOKEN_CREDENTIALS."""

import pytest

from msauth.errors import UsageError
from msauth.request.kinds import KINDS, order
from msauth.signin.attempt import Way
from msauth.signin.chain import way

AUTO = [
    *("environment", "workload-identity", "azure-pipelines", "github-actions"),
    *("managed-identity", "azure-cli", "azure-powershell", "azure-developer-cli"),
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
