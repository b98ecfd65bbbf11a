"""What an SDK is given from memory, and that nothing which ends a token is overlooked."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import msauth
import msauth.aio
from msauth.broker import remembered as memory
from msauth.broker.remembered import remember
from msauth.cache import record
from msauth_sandbox import Sandbox

from .cache import store
from .conftest import Environment
from .test_credential import ARM, GRAPH, here

__all__ = ["here"]
Monkey = pytest.MonkeyPatch


@pytest.fixture
def settled(monkeypatch: Monkey) -> None:
    """Files are settled at once: the tests do not wait two seconds."""
    monkeypatch.setattr(memory, "_SETTLED", 0)


@pytest.fixture
def reads(monkeypatch: Monkey) -> Callable[[], int]:
    """A function that says how often the cache was asked since the last time."""
    counted = [0]
    real = memory.broker.cached

    def cached(request: object) -> object:
        counted[0] += 1
        return real(request)  # type: ignore[arg-type]

    monkeypatch.setattr(memory.broker, "cached", cached)

    def taken() -> int:
        count, counted[0] = counted[0], 0
        return count

    return taken


@pytest.fixture
def credential(here: Environment, settled: None) -> msauth.MsauthCredential:
    return msauth.MsauthCredential()


def test_a_token_is_remembered(
    credential: msauth.MsauthCredential, reads: Callable[[], int], cloud: Sandbox
) -> None:
    first = credential.get_token(ARM)
    reads()
    credential.get_token(ARM)
    info = credential.get_token_info(ARM)
    assert (info.token, info.expires_on) == (first.token, first.expires_on)
    assert reads() == 0
    assert cloud.count("token") == 1
    assert first.token not in repr(credential.__dict__)


def test_other_scopes_and_tenants_are_other_tokens(
    credential: msauth.MsauthCredential, cloud: Sandbox
) -> None:
    arm = credential.get_token(ARM).token
    assert credential.get_token(GRAPH).token != arm
    assert credential.get_token(ARM, tenant_id=cloud.tenants["contoso"].id).token
    assert credential.get_token(ARM).token == arm


def test_claims_are_never_answered_from_memory(
    credential: msauth.MsauthCredential, cloud: Sandbox
) -> None:
    arm = credential.get_token(ARM).token
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    assert credential.get_token(ARM, claims=claims).token != arm


def test_a_logout_in_another_process_is_seen_at_once(
    credential: msauth.MsauthCredential, here: Environment, cloud: Sandbox
) -> None:
    before = credential.get_token(ARM).token
    program = str(Path(sys.executable).parent / "msauth")
    subprocess.run([program, "logout"], env=here, check=True, capture_output=True)
    assert credential.get_token(ARM).token != before
    assert cloud.count("token") == 2


def test_a_refusal_is_seen_at_once(credential: msauth.MsauthCredential) -> None:
    before = credential.get_token(ARM).token
    store.reject(before, '{"claims":1}')
    assert credential.get_token(ARM).token != before


def test_a_renewal_by_another_process_is_seen_at_once(
    credential: msauth.MsauthCredential,
) -> None:
    before = credential.get_token(ARM)
    other = msauth.MsauthCredential()
    request = other._request((ARM,), None, None, False).with_(force_refresh=True)
    renewed = memory.broker.get_token(request).text
    assert renewed != before.token
    assert credential.get_token(ARM).token == renewed


def test_a_change_of_the_environment_is_seen_at_once(
    credential: msauth.MsauthCredential, monkeypatch: Monkey, cloud: Sandbox
) -> None:
    before = credential.get_token(ARM).token
    for name, value in cloud.service_principal_environ("fabrikam").items():
        monkeypatch.setenv(name, value)
    assert credential.get_token(ARM).token != before


@pytest.mark.parametrize("change", ["in place", "renamed", "made", "removed"])
def test_another_sign_in_of_az_is_seen_at_once(
    here: Environment, settled: None, monkeypatch: Monkey, tmp_path: Path, change: str
) -> None:
    """The stamp of azureProfile.json is a part of the question."""
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "az"))
    profile = tmp_path / "az" / "azureProfile.json"
    if change != "made":
        profile.parent.mkdir()
        profile.write_text("{}")
    credential = msauth.MsauthCredential(credential="azure-cli")
    request = credential._request((ARM,), None, None, False)
    token = store_token(request.with_(credential="azure-cli"))
    found = remember(request, token)
    assert found is not None
    assert found.holds()
    if change == "in place":
        profile.write_text('{"subscriptions": []}')
    elif change == "renamed":
        (tmp_path / "new").write_text("{}")
        os.replace(tmp_path / "new", profile)
    elif change == "removed":
        profile.unlink()
    else:
        profile.parent.mkdir()
        profile.write_text("{}")
    assert not found.holds()


def store_token(request: "memory.TokenRequest") -> "memory.Token":
    text = "eyJh.memory.x"
    token = memory.Token(
        text,
        int(time.time()) + 3600,
        issued=int(time.time()),
        credential="azure-cli",
        fingerprint=record.fingerprint(text),
    )
    store.write(request, token)
    return token


def test_nothing_is_remembered_while_a_file_may_change_unseen(
    here: Environment, reads: Callable[[], int]
) -> None:
    """Two changes within one tick of the file system's clock bear the same time."""
    credential = msauth.MsauthCredential()
    for _ in range(3):
        credential.get_token(ARM)
    assert credential._remembered == {}


@pytest.mark.parametrize(("expires_in", "refresh_in"), [(200, 0), (3600, -1), (299, 3600)])
def test_a_token_that_is_due_is_asked_for_again(
    here: Environment, settled: None, expires_in: int, refresh_in: int
) -> None:
    request = msauth.MsauthCredential()._request((ARM,), None, None, False)
    now = int(time.time())
    token = memory.Token("eyJh.x.y", now + expires_in, refresh_on=refresh_in and now + refresh_in)
    found = remember(request, token)
    assert found is None or not found.holds()


def test_a_profile_that_is_edited_is_read_again(
    here: Environment, settled: None, tmp_path: Path, monkeypatch: Monkey, cloud: Sandbox
) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(f'[work]\nscopes = ["{GRAPH}"]\n')
    path.chmod(0o600)
    monkeypatch.setenv("MSAUTH_CONFIG", str(path))
    credential = msauth.MsauthCredential(profile="work")
    graph = credential.get_token().token
    assert credential.get_token().token == graph
    path.write_text(f'[work]\nscopes = ["{ARM}"]\n')
    assert credential.get_token().token != graph


def test_many_threads_and_an_event_loop(
    credential: msauth.MsauthCredential, reads: Callable[[], int], cloud: Sandbox
) -> None:
    tokens = set()
    threads = [
        threading.Thread(target=lambda: tokens.add(credential.get_token(ARM).token))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def ask() -> None:
        other = msauth.aio.MsauthCredential()
        for _ in range(2):
            tokens.add((await other.get_token(ARM)).token)
        reads()
        tokens.add((await other.get_token(ARM)).token)
        tokens.add((await other.get_token_info(ARM)).token)

    asyncio.run(ask())
    assert len(tokens) == 1
    assert reads() <= 1
    assert cloud.count("token") == 1
