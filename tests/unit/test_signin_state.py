"""The private directory of interactive sign-ins, and the library's store beside it."""

import os
import stat
import time
from pathlib import Path

import pytest

from msauth.errors import SignInError
from msauth.request.request import TokenRequest
from msauth.signin import prompts, state
from msauth.signin.persistence import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return tmp_path


def test_it_is_born_private_under_any_umask(home: Path) -> None:
    old = os.umask(0)
    try:
        assert state.write("x", b"1")
    finally:
        os.umask(old)
    place = home / ".local/state/msauth"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "x").stat().st_mode) == 0o600
    assert state.read("x") == b"1"


def test_a_place_that_others_can_open_is_not_used(home: Path) -> None:
    place = home / ".local/state/msauth"
    place.mkdir(parents=True)
    place.chmod(0o755)
    assert state.directory() is None
    assert not state.write("x", b"1")
    assert list(place.iterdir()) == []


def test_a_linked_place_is_not_used(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("elsewhere")
    (home / ".local/state").mkdir(parents=True)
    (home / ".local/state/msauth").symlink_to(target)
    assert state.directory() is None


def test_a_dead_process_lock_of_the_library_is_removed(home: Path) -> None:
    store = Store(TokenRequest(()), "client")
    folder = home / ".IdentityService"
    folder.mkdir()
    stale = folder / f"{store.name}.cae.lockfile"
    other = folder / "msal.cache.nocae.lockfile"
    stale.touch()
    other.touch()
    assert store.usable
    store.prepare()
    assert not stale.exists()
    assert other.exists()


def test_stores_differ_in_all_that_selects_a_sign_in() -> None:
    base = TokenRequest(())
    names = {
        Store(base, "client").name,
        Store(base, "another client").name,
        Store(base.with_(profile="work"), "client").name,
        Store(base.with_(authority="https://login.microsoftonline.us"), "client").name,
        Store(base.with_(username="sam@contoso.com"), "client").name,
    }
    assert len(names) == 5
    assert Store(base.with_(tenant="contoso.com", scopes=("x",)), "client").name in names


def test_an_answer_that_is_no_json_does_not_cost_the_sign_in(home: Path) -> None:
    store = Store(TokenRequest(()), "client")
    assert store.usable
    kept = home / ".IdentityService" / f"{store.name}.cae"
    kept.write_text("{}")
    assert not store.broken(ValueError("a proxy's page"))
    kept.write_text("{")
    assert store.broken(None)


def test_a_neighbour_s_prompt_is_waited_for_in_bounds() -> None:
    with prompts.turn("test", "device-code", time.monotonic() + 5):
        assert prompts.somebody_asks()
        with (
            pytest.raises(SignInError, match="another process is still waiting"),
            prompts.turn("test", "device-code", time.monotonic() + 0.1),
        ):
            pass
    assert not prompts.somebody_asks()


def test_unanswered_prompts_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        prompts.refuse_if_ignored("device-code", "name", None)
        prompts.ignored("name")
    with pytest.raises(SignInError, match="3 sign-in prompts were not answered"):
        prompts.refuse_if_ignored("device-code", "name", None)
    prompts.refuse_if_ignored("device-code", "other", None)
    later = time.time() + 901
    monkeypatch.setattr(prompts.time, "time", lambda: later)
    prompts.refuse_if_ignored("device-code", "name", None)
