"""The table of credential kinds: what of the environment and of other tools selects an answer."""

import os
import pwd
from importlib import import_module
from pathlib import Path

import pytest

from msauth.request import kinds
from msauth.request.kinds import KINDS, NAMES, identity_of
from msauth.request.request import TokenRequest
from msauth.signin.attempt import Way

VALUES = [(name, variable) for name, kind in KINDS.items() for variable in kind.values]
SECRETS = [(name, variable) for name, kind in KINDS.items() for variable in kind.secrets]
KEYS = [(name, variable) for name, kind in KINDS.items() for variable in kind.keys]


def key(credential: str, env: dict[str, str]) -> bytes:
    return TokenRequest(("s",), env, credential=credential).cache_key


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home."""
    return {"HOME": str(tmp_path)}


def reachable(name: str) -> list[str]:
    """The choices that a kind takes part in: its own name, and `auto` if that tries it."""
    return [name, "auto"] if KINDS[name].group else [name]


@pytest.mark.parametrize(("name", "variable"), [*VALUES, *KEYS])
def test_every_value_selects(name: str, variable: str, place: dict[str, str]) -> None:
    for credential in reachable(name):
        plain, one, other = (
            key(credential, {**place, **more})
            for more in ({}, {variable: "/one"}, {variable: "/other"})
        )
        assert len({plain, one, other}) == 3


@pytest.mark.parametrize(("name", "variable"), SECRETS)
def test_of_a_secret_only_counts_that_there_is_one(
    name: str, variable: str, place: dict[str, str]
) -> None:
    for credential in reachable(name):
        plain, one, other = (
            key(credential, {**place, **more})
            for more in ({}, {variable: "hush-one"}, {variable: "hush-other"})
        )
        assert plain != one == other
        assert b"hush" not in one


@pytest.mark.parametrize(("name", "variable"), KEYS)
def test_a_key_is_not_written_down(name: str, variable: str, place: dict[str, str]) -> None:
    assert b"hush" not in key(name, {**place, variable: "hush-hush"})


def test_the_table_is_about_something() -> None:
    assert len(VALUES) > 30
    assert {variable for _, variable in KEYS} == {"IDENTITY_HEADER", "MSI_SECRET", "AZD_AUTH_KEY"}
    assert {variable for _, variable in SECRETS} >= {"AZURE_CLIENT_SECRET", "SYSTEM_ACCESSTOKEN"}


@pytest.mark.parametrize("word", ["dev", "prod", "AzureCliCredential"])
def test_the_choice_of_the_chain_selects(word: str, place: dict[str, str]) -> None:
    assert key("auto", place) != key("auto", {**place, "AZURE_TOKEN_CREDENTIALS": word})
    assert key("browser", place) == key("browser", {**place, "AZURE_TOKEN_CREDENTIALS": word})


def test_what_is_of_no_kind_selects_nothing(place: dict[str, str]) -> None:
    for credential in NAMES:
        other = {**place, "PATH": "/x", "LANG": "C", "AZURE_UNRELATED": "1", "SSL_CERT_FILE": "/x"}
        assert key(credential, place) == key(credential, other)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_its_way(name: str) -> None:
    module, _, attribute = KINDS[name].where.partition(":")
    assert isinstance(getattr(import_module(f"msauth.signin.{module}"), attribute), Way)


# -- who is signed in with other tools


def write(path: Path, text: str, *, when: int) -> None:
    """Write a file as if at a time of its own, so that the clock's grain does not matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (when, when))


@pytest.mark.parametrize(
    ("credential", "file"),
    [
        ("azure-cli", ".azure/azureProfile.json"),
        ("azure-cli-cache", ".azure/azureProfile.json"),
        ("azure-developer-cli", ".azd/auth.json"),
        ("azure-powershell", ".Azure/AzureRmContext.json"),
        ("azure-powershell", ".Azure/AzureRmContextSettings.json"),
    ],
)
def test_a_login_of_a_tool_takes_effect_at_once(
    credential: str, file: str, place: dict[str, str], tmp_path: Path
) -> None:
    """azd's file has the same size after every login."""
    for choice in reachable(credential):
        seen = {key(choice, place)}
        for when, text in ((1000, "{alex}"), (2000, "{sam-}")):
            write(tmp_path / file, text, when=when)
            seen.add(key(choice, place))
            assert key(choice, place) in seen
        (tmp_path / file).unlink()
        seen.add(key(choice, place))
        assert len(seen) == 3, "none, one person, another; and none is none again"


@pytest.mark.parametrize(
    ("variable", "credential", "file"),
    [
        ("AZURE_CONFIG_DIR", "azure-cli", "azureProfile.json"),
        ("AZD_CONFIG_DIR", "azure-developer-cli", "auth.json"),
    ],
)
def test_a_tools_own_folder_is_looked_into(
    variable: str, credential: str, file: str, place: dict[str, str], tmp_path: Path
) -> None:
    env = {**place, variable: str(tmp_path / "elsewhere")}
    before = key(credential, env)
    write(tmp_path / "elsewhere" / file, "{}", when=1000)
    assert key(credential, env) != before


@pytest.mark.parametrize(
    ("settings", "follows"),
    [
        ('{"auth":{"useAzCliAuth":"true"}}', True),
        ('{\n  "auth": {\n    "useAzCliAuth": true\n  }\n}', True),
        ('{"auth":{"useAzCliAuth":"True"}}', True),
        ('{"auth":{"useAzCliAuth":"false"}}', False),
        ('{"defaults":{"location":"true"}}', False),
        ("", False),
        (None, False),
    ],
)
def test_azd_follows_az_where_it_is_told_to(
    settings: str | None, follows: bool, place: dict[str, str], tmp_path: Path
) -> None:
    name = "azure-developer-cli"
    write(tmp_path / ".azd/auth.json", "{}", when=1000)
    if settings is not None:
        write(tmp_path / ".azd/config.json", settings, when=1000)
    write(tmp_path / ".azure/azureProfile.json", "{alex}", when=1000)
    before = key(name, place)
    write(tmp_path / ".azure/azureProfile.json", "{sam-}", when=2000)
    assert (key(name, place) != before) is follows


def test_azds_other_settings_select_nothing(place: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / ".azd/config.json", '{"a":1}', when=1000)
    before = key("azure-developer-cli", place)
    write(tmp_path / ".azd/config.json", '{"b":"2"}', when=2000)
    assert key("azure-developer-cli", place) == before


def test_powershell_may_keep_its_context_elsewhere(place: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    settings = f'{{"Mode":"CurrentUser","ContextDirectory":"{folder}","ContextFile":"C.json"}}'
    write(tmp_path / ".Azure/AzureRmContextSettings.json", settings, when=1000)
    write(folder / "C.json", "{alex}", when=1000)
    before = key("azure-powershell", place)
    write(folder / "C.json", "{sam-}", when=2000)
    assert key("azure-powershell", place) != before


def test_a_tools_file_says_nothing_of_other_kinds(place: dict[str, str], tmp_path: Path) -> None:
    before = {name: identity_of(name, place) for name in KINDS}
    write(tmp_path / ".azure/azureProfile.json", "{}", when=1000)
    changed = {name for name in KINDS if identity_of(name, place) != before[name]}
    assert changed == {"azure-cli", "azure-cli-cache"}


def test_the_home_of_the_environment_counts(tmp_path: Path) -> None:
    write(tmp_path / "one/.azure/azureProfile.json", "{}", when=1000)
    write(tmp_path / "two/.azure/azureProfile.json", "{}", when=1000)
    stamps = {kinds.az_stamp({"HOME": str(tmp_path / name)}) for name in ("one", "two", "three")}
    assert len(stamps) == 3


@pytest.mark.parametrize("relative", ["", ".", "work/tree"])
def test_a_relative_home_counts_as_none(relative: str) -> None:
    """It would lead into a repository, which could name a person and a profile."""
    own = pwd.getpwuid(os.getuid()).pw_dir
    assert kinds.home({"HOME": relative}) == own
    assert kinds.home({"HOME": "/home/x/"}) == "/home/x"
