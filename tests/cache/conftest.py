"""A cache of our own in this process, made-up tokens, and programs that start warm."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from msauth.cache.folder import LOCK
from msauth.cache.record import TOKEN
from msauth.request.clouds import DEVOPS_SCOPE
from msauth.request.request import Token, TokenRequest
from msauth_sandbox import Sandbox

from ..conftest import Environment
from . import store
from .warm import Warm

REQUEST = TokenRequest((DEVOPS_SCOPE,), {}, credential="service-principal", tenant="contoso.com")
NOBODY = 65534


def made_up(mark: str, *, lives: int = 3600, age: int = 0, refresh_in: int = 1800) -> Token:
    """A well-formed token that no server issued; seconds from now."""
    now = int(time.time())
    return Token(
        f"eyJh.{mark}." + "x" * 1500,
        now + lives,
        refresh_on=now + refresh_in,
        issued=now - age,
        tenant="contoso.com",
        credential="service-principal",
    )


class Cache:
    """The cache directory of this process and what a test does to it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.place = base / "v1"
        self.stem = REQUEST.record_name
        self.record = self.place / (self.stem + TOKEN)
        self.lock = self.place / (self.stem + LOCK)

    def put(self, token: Token, request: TokenRequest = REQUEST) -> None:
        store.write(request, token)

    def get(self, request: TokenRequest = REQUEST) -> str | None:
        return store.read(request)

    def temporaries(self) -> list[str]:
        return [name for name in os.listdir(self.place) if name.endswith(".tmp")]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    base = tmp_path / "own-cache"
    monkeypatch.setenv("MSAUTH_CACHE_DIR", str(base))
    return Cache(base)


@pytest.fixture(scope="session")
def warm_process() -> Iterator[Warm]:
    warm = Warm()
    yield warm
    warm.close()


@pytest.fixture
def warm(warm_process: Warm) -> Warm:
    return warm_process


@pytest.fixture
def world(cloud: Sandbox) -> Iterator[Path]:
    """A directory that other users can reach, for tests that become another user."""
    path = Path(tempfile.mkdtemp(prefix="msauth-test-"))
    path.chmod(0o755)
    shutil.copy(cloud.ca_file, path / "ca.pem")
    (path / "ca.pem").chmod(0o644)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def world_env(env: Environment, cloud: Sandbox, world: Path) -> Environment:
    """`env` with its home and the CA in a place that other users can reach."""
    home = world / "home"
    home.mkdir(mode=0o700)
    ca = {name: str(world / "ca.pem") for name, value in env.items() if value == str(cloud.ca_file)}
    return env | ca | {"HOME": str(home), "MSAUTH_CACHE_DIR": str(home / "cache")}


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")


def readable_by_all(path: str) -> bool:
    """Whether another user can run what is installed there."""
    file = Path(path).resolve()
    folders = all(part.stat().st_mode & 0o005 == 0o005 for part in file.parents)
    return folders and bool(file.stat().st_mode & 0o004)
