"""Reading az's files while az writes them, and choosing the account as az would."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.signin import az_cache
from msauth.signin.az_cache import AzCache

CONTOSO = "11111111-1111-1111-1111-111111111111"
FABRIKAM = "22222222-2222-2222-2222-222222222222"
ELSEWHERE = "33333333-3333-3333-3333-333333333333"


def subscription(
    number: str, tenant: str, user: str, *, default: bool = False, cloud: str = "AzureCloud"
) -> dict[str, object]:
    return {
        "id": number,
        "tenantId": tenant,
        "tenantDefaultDomain": "fabrikam.com" if tenant == FABRIKAM else "contoso.com",
        "isDefault": default,
        "environmentName": cloud,
        "user": {"name": user, "type": "user"},
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., dict[str, str]]:
    def write(*subscriptions: object) -> dict[str, str]:
        text = json.dumps({"installationId": "x", "subscriptions": subscriptions})
        (tmp_path / "azureProfile.json").write_text(text, encoding="utf-8-sig")
        return {"AZURE_CONFIG_DIR": str(tmp_path)}

    return write


def chosen(env: dict[str, str], tenant: str | None) -> tuple[str, str, str] | None:
    account = AzCache(env).account(tenant)
    return account and (account.name, account.tenant, account.subscription)


def test_a_torn_profile_is_read_again(
    write: Callable[..., dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = write(subscription("1", CONTOSO, "alex", default=True))
    path = tmp_path / "azureProfile.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        path.write_bytes(whole if len(slept) == 2 else b"")

    monkeypatch.setattr(az_cache.time, "sleep", sleep)
    assert chosen(env, None) == ("alex", CONTOSO, "")
    assert 0 < sum(slept) < 0.5


def test_a_profile_that_stays_torn_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "azureProfile.json").write_text("{")
    monkeypatch.setattr(az_cache.time, "sleep", lambda _: None)
    cache = AzCache({"AZURE_CONFIG_DIR": str(tmp_path)})
    assert cache.signed_in is None
    assert cache.account(None) is None


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        (None, ("alex", CONTOSO, "")),
        (CONTOSO, ("alex", CONTOSO, "")),
        ("contoso.com", ("alex", CONTOSO, "")),
        (FABRIKAM.upper(), ("sam", FABRIKAM, "2")),
        ("fabrikam.com", ("sam", FABRIKAM, "2")),
        (ELSEWHERE, ("alex", ELSEWHERE, "")),  # as a guest, as az would try
    ],
)
def test_the_account_for_a_tenant(
    write: Callable[..., dict[str, str]], tenant: str | None, expected: tuple[str, str, str]
) -> None:
    env = write(
        subscription("1", CONTOSO, "alex", default=True), subscription("2", FABRIKAM, "sam")
    )
    assert chosen(env, tenant) == expected


def test_two_candidates_are_az_s_to_refuse(write: Callable[..., dict[str, str]]) -> None:
    env = write(
        subscription("1", CONTOSO, "alex", default=True),
        subscription("2", FABRIKAM, "sam"),
        subscription("3", FABRIKAM, "kim"),
    )
    assert chosen(env, FABRIKAM) == ("alex", FABRIKAM, "")


def test_subscriptions_of_another_cloud_do_not_count(
    write: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    entry = subscription("1", CONTOSO, "alex", default=True, cloud="AzureUSGovernment")
    env = write(entry)
    assert chosen(env, None) is None
    (tmp_path / "config").write_text("[cloud]\nname = AzureUSGovernment\n")
    assert chosen(env, None) == ("alex", CONTOSO, "")
    cache = AzCache(env)
    assert cache.serves("https://login.microsoftonline.us")
    assert cache.other_cloud("https://login.microsoftonline.com")
    assert not cache.other_cloud("https://login.example.test")


def test_contents_never_hold_a_secret(tmp_path: Path) -> None:
    cache = {
        "AccessToken": {"a": {"secret": "SENTINEL", "target": "scope"}},
        "RefreshToken": {"r": {"secret": "SENTINEL", "family_id": "1"}},
        "AppMetadata": {},
        "odd": 3,
    }
    (tmp_path / "msal_token_cache.json").write_text(json.dumps(cache))
    path, encrypted, kinds = az_cache.contents({"AZURE_CONFIG_DIR": str(tmp_path)})
    assert "SENTINEL" not in repr(kinds)
    assert kinds["AccessToken"] == [{"target": "scope"}]
    assert not encrypted
    assert path == f"{tmp_path}/msal_token_cache.json"


@pytest.mark.parametrize("ending", [".bin", ".sig"])
@pytest.mark.parametrize("age", [None, -5, 5])
def test_a_signal_that_is_newer_than_the_plain_file_is_believed(
    tmp_path: Path, ending: str, age: int | None
) -> None:
    """age: seconds by which the plain file is older than the signal; None without one."""
    env = {"AZURE_CONFIG_DIR": str(tmp_path)}
    plain, signal = tmp_path / "msal_token_cache.json", tmp_path / f"msal_token_cache{ending}"
    signal.write_bytes(b"")
    if age is not None:
        plain.write_text(json.dumps({"AccessToken": {"a": {"target": "scope"}}}))
        written = signal.stat().st_mtime - age
        os.utime(plain, (written, written))
    encrypted = age is None or age > 0
    _, said, kinds = az_cache.contents(env)
    assert said is encrypted
    assert bool(kinds) is not encrypted
    assert AzCache(env).path == str(signal if encrypted else plain)


@pytest.mark.parametrize("ending", [".bin", ".sig"])
def test_a_stale_secret_of_a_service_principal_is_not_used(
    write: Callable[..., dict[str, str]], tmp_path: Path, ending: str
) -> None:
    entry = subscription("1", CONTOSO, "app", default=True)
    entry["user"] = {"name": "app", "type": "servicePrincipal"}
    env = write(entry)
    kept = tmp_path / "service_principal_entries.json"
    kept.write_text(json.dumps([{"client_id": "app", "tenant": CONTOSO, "client_secret": "s"}]))
    authority = "https://login.microsoftonline.com"

    def secret() -> object:
        cache = AzCache(env)
        account = cache.account(None)
        assert account is not None
        return cache.secret(account, authority)

    assert secret() is not None
    signal = kept.with_suffix(ending)
    signal.touch()
    later = kept.stat().st_mtime + 1
    os.utime(signal, (later, later))
    assert secret() is None
