"""The order of `auto`, as documented in the README, and AZURE_TOKEN_CREDENTIALS."""

import pytest

from msauth.errors import UsageError
from msauth.request.request import KINDS as NAMES
from msauth.signin.chain import order
from msauth.signin.kinds import KINDS

AUTO = [
    *("environment", "workload-identity", "azure-pipelines", "github-actions"),
    *("managed-identity", "azure-cli", "azure-powershell", "azure-developer-cli"),
    *("broker", "browser", "device-code"),
]


def test_the_documented_order() -> None:
    assert list(order("")) == AUTO
    assert list(order("prod")) == AUTO[:5]
    assert list(order(" Dev ")) == AUTO[5:]


def test_every_name_of_the_option_is_in_the_table() -> None:
    assert set(KINDS) == set(NAMES) - {"auto"}


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
