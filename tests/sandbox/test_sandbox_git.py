"""Real git against the repositories, with a token in a header: no helper of ours is involved."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def git(environ: dict[str, str]) -> Git:
    names = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Alex"), ("EMAIL", "alex@contoso.com"))
    }

    def run(*arguments: str, token: str | None = None, ok: bool = True, **more: str):
        header = ["-c", f"http.extraHeader=Authorization: Bearer {token}"] if token else []
        done = subprocess.run(
            ["git", *header, *arguments],
            env=environ | names | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode == 0) is ok, done.stderr
        return done

    return run


@pytest.mark.parametrize(
    ("tenant", "url"),
    [
        ("contoso", "https://contoso@dev.azure.com/contoso/hello/_git/hello"),
        ("fabrikam", "https://fabrikam.visualstudio.com/DefaultCollection/widgets/_git/widgets"),
    ],
)
def test_clone_fetch_push(cloud, git, tmp_path, tenant, url):
    token = cloud.issue_token(tenant)
    work = tmp_path / "work"
    git("clone", "-q", url, str(work), token=token)
    assert (work / "README.md").read_text() == "# hello\n"
    branch = f"refs/heads/{os.urandom(4).hex()}"
    git("-C", str(work), "commit", "-q", "--allow-empty", "-m", "More")
    git("-C", str(work), "push", "-q", "origin", f"HEAD:{branch}", token=token)
    git("-C", str(work), "fetch", "-q", token=token)
    assert branch in git("ls-remote", url, token=token).stdout
    assert cloud.count("unknown_host") == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/contoso/_git/hello",
        "https://contoso.visualstudio.com/hello/_git/hello",
        "https://dev.azure.com/contoso/My%20Project/_git/My%20Repo",
    ],
)
def test_other_addresses(cloud, git, url):
    assert "refs/heads/main" in git("ls-remote", url, token=cloud.issue_token()).stdout


def test_push_of_much(cloud, git, tmp_path):
    """More than http.postBuffer: git sends it chunked, after a probe."""
    url, token = "https://dev.azure.com/contoso/hello/_git/hello", cloud.issue_token()
    work = tmp_path / "work"
    git("clone", "-q", url, str(work), token=token)
    data = os.urandom(2_000_000)
    (work / "blob").write_bytes(data)
    git("-C", str(work), "add", "blob")
    git("-C", str(work), "commit", "-q", "-m", "Much")
    branch = "much"
    config = ("-c", "http.postBuffer=65536")
    git("-C", str(work), *config, "push", "-q", "-f", "origin", f"HEAD:{branch}", token=token)
    again = tmp_path / "again"
    git("clone", "-q", "-b", branch, url, str(again), token=token)
    assert (again / "blob").read_bytes() == data
    served = cloud.repository("contoso", "hello", "hello")
    assert branch in git("--git-dir", str(served), "branch").stdout
    cloud.reset(repositories=True)
    assert branch not in git("ls-remote", url, token=cloud.issue_token()).stdout


def test_basic_with_a_token_as_password(cloud, git):
    url = f"https://any:{cloud.issue_token()}@dev.azure.com/contoso/hello/_git/hello"
    assert "refs/heads/main" in git("ls-remote", url).stdout
    assert cloud.count("devops", auth="basic", status=200) > 0


def test_refusals(cloud, git):
    url = "https://dev.azure.com/contoso/hello/_git/hello"
    assert "could not read Username" in git("ls-remote", url, ok=False).stderr
    revoked = cloud.issue_token()
    cloud.revoke(revoked)
    git("ls-remote", url, token=revoked, ok=False)
    git("ls-remote", url, token=cloud.issue_token("fabrikam"), ok=False)
    missing = "https://dev.azure.com/contoso/hello/_git/nonesuch"
    assert "TF401019" in git("ls-remote", missing, token=cloud.issue_token(), ok=False).stderr


def test_a_public_project_is_read_by_anybody_and_written_by_nobody(cloud, git, tmp_path):
    cloud.configure(public_projects=("contoso/hello",))
    url, work = "https://dev.azure.com/contoso/hello/_git/hello", tmp_path / "work"
    git("clone", "-q", url, str(work))
    git("-C", str(work), "push", "-q", "origin", "HEAD:refs/heads/mine", ok=False)
    git("ls-remote", url, token=cloud.issue_token("fabrikam"), ok=False)
    git("ls-remote", "https://dev.azure.com/contoso/My%20Project/_git/My%20Repo", ok=False)


def test_callers_git_environment_does_not_leak(
    cloud, git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    cloud.reset(repositories=True)
    url = "https://dev.azure.com/contoso/hello/_git/hello"
    assert "refs/heads/main" in git("ls-remote", url, token=cloud.issue_token()).stdout
