"""The private directory of interactive sign-ins, and the library's store beside it."""

import time
from pathlib import Path

import pytest
from azure.identity import AuthenticationRecord

from msauth.cache.private import Refused
from msauth.errors import SignInError
from msauth.request.request import TokenRequest
from msauth.signin import prompts
from msauth.signin.persistence import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))  # where azure-identity puts its store
    return tmp_path


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    return {"HOME": str(home)}


@pytest.fixture
def base(env: dict[str, str]) -> TokenRequest:
    return TokenRequest((), env)


def account(person: str, tenant: str = "contoso") -> AuthenticationRecord:
    host = "login.microsoftonline.com"
    return AuthenticationRecord(tenant, "client", host, f"{person}.home", f"{person}@contoso.com")


def kept(store: Store, tenant: str | None) -> list[str]:
    return [record.username for record in store.records(tenant)]


def test_the_same_person_keeps_the_sign_ins_of_other_tenants(base: TokenRequest) -> None:
    store = Store(base, "client")
    assert store.remember(account("alex"), "contoso")
    assert not store.remember(account("alex", "fabrikam"), "fabrikam")
    assert [r.tenant_id for r in store.records("contoso")] == ["contoso"]
    assert [r.tenant_id for r in store.records("fabrikam")] == ["fabrikam"]


@pytest.mark.parametrize("tenant", [None, "contoso", "fabrikam"])
def test_another_person_is_the_only_one(base: TokenRequest, tenant: str | None) -> None:
    store, others = Store(base, "client"), Store(base.with_(profile="work"), "client")
    others.remember(account("alex"), None)
    store.remember(account("alex"), "contoso")
    store.remember(account("alex"), None)
    store.forget_others(account("sam"))
    store.remember(account("sam"), tenant)
    for asked in (None, "contoso", "fabrikam"):
        assert kept(store, asked) == ["sam@contoso.com"]
    assert kept(others, "contoso") == ["alex@contoso.com"]


def test_a_place_that_others_can_open_is_not_used(home: Path, base: TokenRequest) -> None:
    place = home / ".local/state/msauth"
    place.mkdir(parents=True)
    place.chmod(0o755)
    store = Store(base, "client")
    assert store.refused() == (
        f"directory {place} is open to other users (mode 0755)",
        f"chmod 700 {place}",
    )
    with pytest.raises(Refused):
        store.remember(account("alex"), None)
    assert list(place.iterdir()) == []


def test_a_dead_process_lock_of_the_library_is_removed(home: Path, base: TokenRequest) -> None:
    store = Store(base, "client")
    folder = home / ".IdentityService"
    folder.mkdir()
    stale = folder / f"{store.name}.cae.lockfile"
    other = folder / "msal.cache.nocae.lockfile"
    stale.touch()
    other.touch()
    assert store.refused() is None
    store.prepare()
    assert not stale.exists()
    assert other.exists()


def test_stores_differ_in_all_that_selects_a_sign_in(base: TokenRequest) -> None:
    names = {
        Store(base, "client").name,
        Store(base, "another client").name,
        Store(base.with_(profile="work"), "client").name,
        Store(base.with_(authority="https://login.microsoftonline.us"), "client").name,
        Store(base.with_(username="sam@contoso.com"), "client").name,
    }
    assert len(names) == 5
    assert Store(base.with_(tenant="contoso.com", scopes=("x",)), "client").name in names


def test_an_answer_that_is_no_json_does_not_cost_the_sign_in(
    home: Path, base: TokenRequest
) -> None:
    store = Store(base, "client")
    assert store.refused() is None
    cache = home / ".IdentityService" / f"{store.name}.cae"
    cache.write_text("{}")
    assert not store.broken(ValueError("a proxy's page"))
    cache.write_text("{")
    assert store.broken(None)


def test_another_prompt_is_waited_for_in_bounds(env: dict[str, str]) -> None:
    with prompts.turn(env, "device-code", time.monotonic() + 5):
        assert prompts.somebody_asks(env)
        with (
            pytest.raises(SignInError, match="another process is still waiting"),
            prompts.turn(env, "device-code", time.monotonic() + 0.1),
        ):
            pass
    assert not prompts.somebody_asks(env)


def test_unanswered_prompts_are_forgotten_in_time(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        prompts.refuse_if_ignored(env, "device-code", "name", None)
        prompts.ignored(env, "name")
    with pytest.raises(SignInError, match="3 sign-in prompts were not answered"):
        prompts.refuse_if_ignored(env, "device-code", "name", None)
    prompts.refuse_if_ignored(env, "device-code", "other", None)
    prompts.answered(env, "other")
    later = time.time() + 901
    monkeypatch.setattr(prompts.time, "time", lambda: later)
    prompts.refuse_if_ignored(env, "device-code", "name", None)


def test_a_folder_in_which_others_may_write_keeps_no_sign_in(
    base: TokenRequest, home: Path
) -> None:
    """They could put a file of theirs where the library will write the refresh token."""
    store = Store(base, "client")
    assert store.refused() is None
    (home / ".IdentityService").chmod(0o777)
    assert store.refused() is not None
