"""Real git-lfs and a git with `authtype` and `state`, with nothing configured but the snippet."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Environment
from ..test_git import HELLO, SNIPPET

PLACE = ("contoso", "hello", "hello")
FILES = 8
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def new_repository(cloud: Sandbox) -> Iterator[None]:
    cloud.reset(repositories=True)
    yield
    cloud.reset(repositories=True)


@pytest.fixture(params=["service-principal", "managed-identity"])
def credential(request: pytest.FixtureRequest) -> str:
    """The second gives the same token for as long as it lives, as a host that caches does."""
    name: str = request.param
    return name


@pytest.fixture
def lfs_env(
    bare_env: Environment,
    cloud: Sandbox,
    home: Path,
    new_git: str,
    git_lfs: str,
    credential: str,
) -> Environment:
    """git-lfs beside the newer git, eight transfers at a time, and one of two identities."""
    programs = home / "programs"
    programs.mkdir()
    (programs / "git-lfs").symlink_to(git_lfs)
    (programs / "git").symlink_to(new_git)
    (home / ".gitconfig").write_text(
        SNIPPET + "[user]\n\tname = Alex\n\temail = alex@contoso.com\n"
        "[lfs]\n\tconcurrentTransfers = 8\n"
    )
    if credential == "managed-identity":
        cloud.configure(managed_identity_caches=True)
        identity = cloud.managed_identity_environ()
    else:
        identity = cloud.service_principal_environ("contoso")
    path = {"PATH": f"{programs}:{bare_env['PATH']}"}
    return bare_env | cloud.environ | identity | path


@pytest.fixture
def git(lfs_env: Environment) -> Run:
    def run(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["git", *arguments],
            env=lfs_env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def work(git: Run, tmp_path: Path) -> Path:
    """A clone with eight big files committed."""
    copy = tmp_path / "work"
    git("clone", "-q", HELLO, str(copy))
    git("lfs", "install", "--local", cwd=copy)
    git("lfs", "track", "*.bin", cwd=copy)
    for number in range(FILES):
        (copy / f"{number}.bin").write_bytes(os.urandom(200_000))
    git("add", ".", cwd=copy)
    git("commit", "-q", "-m", "Eight", cwd=copy)
    return copy


def sizes(work: Path) -> dict[str, int]:
    contents = [path.read_bytes() for path in work.glob("*.bin")]
    return {hashlib.sha256(content).hexdigest(): len(content) for content in contents}


def sign_ins(cloud: Sandbox) -> int:
    return cloud.count("token") + cloud.count("managed_identity")


@pytest.mark.parametrize("remembers", ["true", "false"])
def test_a_push_of_many_files_makes_one_token_request(
    cloud: Sandbox, git: Run, work: Path, remembers: str
) -> None:
    """Also when git-lfs asks for every transfer by itself (lfs.cacheCredentials)."""
    git("config", "lfs.cacheCredentials", remembers, cwd=work)
    git("push", "-q", "origin", "HEAD:refs/heads/big", cwd=work)
    assert cloud.lfs_objects(*PLACE) == sizes(work)
    assert cloud.count("lfs", status=401) == 0, "it knows that it has to sign in"
    assert sign_ins(cloud) == 1


@pytest.fixture
def without_objects(git: Run, work: Path) -> Path:
    """A clone that has pushed its files and lost them; a fetch of git-lfs's asks git nothing."""
    git("push", "-q", "origin", "HEAD:refs/heads/big", cwd=work)
    shutil.rmtree(work / ".git" / "lfs" / "objects")
    return work


@pytest.mark.parametrize("credential", ["service-principal"], indirect=True)
@pytest.mark.parametrize("knows", [False, True], ids=["finds-out", "knows"])
def test_a_revoked_token_is_replaced_in_the_same_fetch(
    cloud: Sandbox, git: Run, without_objects: Path, knows: bool
) -> None:
    """git-lfs tries three times, and once more where it does not know that it must sign in."""
    if not knows:
        git("config", f"lfs.{HELLO}.git/info/lfs.access", "none", cwd=without_objects)
    cloud.revoke_all("devops")
    cloud.on_token(None)
    git("lfs", "fetch", "origin", "HEAD", cwd=without_objects)
    git("lfs", "fsck", "--objects", cwd=without_objects)
    assert cloud.count("lfs", error="revoked") == 2, "the second time it is sure"
    assert sign_ins(cloud) == 2


@pytest.mark.parametrize("credential", ["service-principal"], indirect=True)
def test_a_cae_challenge_is_met_in_the_same_fetch(
    cloud: Sandbox, git: Run, without_objects: Path
) -> None:
    """Transfers that ask by themselves repeat the challenge; it is met once for all of them."""
    git("config", "lfs.cacheCredentials", "false", cwd=without_objects)
    cloud.require_claims("devops")
    git("lfs", "fetch", "origin", "HEAD", cwd=without_objects)
    git("lfs", "fsck", "--objects", cwd=without_objects)
    assert cloud.count("token", claims=True) == 1
    assert sign_ins(cloud) == 2


@pytest.mark.parametrize("credential", ["service-principal"], indirect=True)
def test_a_public_project_is_fetched_without_a_sign_in(
    cloud: Sandbox, lfs_env: Environment, git: Run, without_objects: Path
) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"):
        del lfs_env[name]
    lfs_env["MSAUTH_CACHE_DIR"] += "-empty"
    cloud.configure(public_projects=("contoso/hello",))
    before = len(cloud.requests)
    git("lfs", "fetch", "origin", "HEAD", cwd=without_objects)
    git("lfs", "fsck", "--objects", cwd=without_objects)
    assert {one.status for one in cloud.requests[before:] if one.kind == "lfs"} == {200}
