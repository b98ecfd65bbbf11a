"""Real git-lfs against the LFS of Azure DevOps, with a token in a header and no helper of ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., "subprocess.CompletedProcess[str]"]

URL = "https://dev.azure.com/contoso/hello/_git/hello"
LFS = URL + "/info/lfs"
KIND = "application/vnd.git-lfs+json"
PLACE = ("contoso", "hello", "hello")
PROGRAM = os.environ.get("MSAUTH_TEST_GIT_LFS") or shutil.which("git-lfs")


@pytest.fixture(autouse=True)
def new_repository(cloud):
    cloud.reset(repositories=True)
    yield
    cloud.reset(repositories=True)


class TestProtocol:
    def batch(self, cloud, http, operation, *contents, token=None):
        objects = [{"oid": oid(content), "size": len(content)} for content in contents]
        return http.post(
            f"{LFS}/objects/batch",
            json={"operation": operation, "transfers": ["basic"], "objects": objects},
            headers=self.head(token or cloud.issue_token()),
        )

    def head(self, token):
        return {"Authorization": f"Bearer {token}", "Accept": KIND, "Content-Type": KIND}

    def test_up_and_down(self, cloud, http):
        head, content = self.head(cloud.issue_token()), os.urandom(300_000)
        answer = self.batch(cloud, http, "upload", content)
        assert answer.headers["Content-Type"] == KIND
        (entry,) = answer.json()["objects"]
        assert entry["actions"].keys() == {"upload", "verify"}
        upload, verify = (entry["actions"][name]["href"] for name in ("upload", "verify"))
        assert upload.startswith("https://dev.azure.com/contoso/hello/_git/hello/")
        named = {"oid": oid(content), "size": len(content)}
        assert http.post(verify, json=named, headers=head).status_code == 404
        assert http.put(upload, data=content[1:], headers=head).status_code == 400
        assert http.put(upload, data=content, headers=head).status_code == 200
        assert http.post(verify, json=named, headers=head).status_code == 200
        assert http.post(verify, json={**named, "size": 1}, headers=head).status_code == 404
        assert cloud.lfs_objects(*PLACE) == {oid(content): len(content)}
        (entry,) = self.batch(cloud, http, "upload", content).json()["objects"]
        assert "actions" not in entry
        there, not_there = self.batch(cloud, http, "download", content, b"x").json()["objects"]
        assert http.get(there["actions"]["download"]["href"], headers=head).content == content
        assert not_there["error"]["code"] == 404

    def test_every_address_wants_the_token(self, cloud, http):
        content, good = b"hello", cloud.issue_token()
        (entry,) = self.batch(cloud, http, "upload", content, token=good).json()["objects"]
        href = entry["actions"]["upload"]["href"]
        assert http.put(href, data=content, headers=self.head(good)).ok
        bad = cloud.issue_token()
        cloud.revoke(bad)
        calls = (
            ("POST", f"{LFS}/objects/batch"),
            ("POST", f"{LFS}/locks/verify"),
            ("POST", entry["actions"]["verify"]["href"]),
            ("PUT", href),
            ("GET", href),
        )
        for header in ({}, self.head(bad), self.head(cloud.issue_token("fabrikam"))):
            for method, url in calls:
                answer = http.request(method, url, headers=header, allow_redirects=False)
                assert answer.status_code == 401
                first = answer.raw.headers.getlist("WWW-Authenticate")[0]
                assert first.endswith("/" + cloud.tenants["contoso"].id)
        assert cloud.count("lfs", status=401) == 15
        assert cloud.count("lfs", error="revoked") == len(calls)

    @pytest.mark.parametrize("name", ["objects/%2e%2e%2fhello.git%2fHEAD", "objects/" + "g" * 64])
    def test_no_other_file(self, cloud, http, name):
        head, content = self.head(cloud.issue_token()), b"hello"
        assert http.put(f"{LFS}/objects/{oid(content)}", data=content, headers=head).ok
        for method in ("GET", "PUT"):
            assert http.request(method, f"{LFS}/{name}", headers=head).status_code == 404
        assert cloud.lfs_objects(*PLACE) == {oid(content): 5}


def oid(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.skipif(
    PROGRAM is None, reason="git-lfs is not installed; or name one in MSAUTH_TEST_GIT_LFS"
)
class TestGitLfs:
    @pytest.fixture
    def git(self, environ: dict[str, str], tmp_path: Path) -> Git:
        """git with git-lfs on its PATH and a token in every header; 8 transfers at a time."""
        assert PROGRAM is not None
        programs = tmp_path / "programs"
        programs.mkdir()
        (programs / "git-lfs").symlink_to(Path(PROGRAM).resolve())
        environ = environ | {
            "PATH": f"{programs}{os.pathsep}{environ['PATH']}",
            "GIT_AUTHOR_NAME": "Alex",
            "GIT_AUTHOR_EMAIL": "alex@contoso.com",
            "GIT_COMMITTER_NAME": "Alex",
            "GIT_COMMITTER_EMAIL": "alex@contoso.com",
        }

        def run(*arguments: str, token: str, ok: bool = True):
            config = {
                "http.extraHeader": f"Authorization: Bearer {token}",
                "lfs.concurrentTransfers": "8",
                "core.askPass": "false",
                "credential.helper": "",
            }
            options = [part for item in config.items() for part in ("-c", "=".join(item))]
            done = subprocess.run(
                ["git", *options, *arguments],
                env=environ,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert (done.returncode == 0) is ok, done.stderr
            return done

        return run

    def commit(self, git: Git, work: Path, token: str) -> dict[str, bytes]:
        """A clone with eight big files committed."""
        git("clone", "-q", URL, str(work), token=token)
        git("-C", str(work), "lfs", "install", "--local", token=token)
        git("-C", str(work), "lfs", "track", "*.bin", token=token)
        contents = {f"{number}.bin": os.urandom(200_000) for number in range(8)}
        for name, content in contents.items():
            (work / name).write_bytes(content)
        git("-C", str(work), "add", ".", token=token)
        git("-C", str(work), "commit", "-q", "-m", "Eight", token=token)
        return contents

    def test_push_and_clone(self, cloud, git, tmp_path):
        token, work, again = cloud.issue_token(), tmp_path / "work", tmp_path / "again"
        contents = self.commit(git, work, token)
        git("-C", str(work), "push", "-q", "origin", "HEAD:refs/heads/big", token=token)
        sizes = {oid(content): len(content) for content in contents.values()}
        assert cloud.lfs_objects(*PLACE) == sizes
        git("clone", "-q", "-b", "big", URL, str(again), token=token)
        git("-C", str(again), "lfs", "install", "--local", token=token)
        git("-C", str(again), "lfs", "pull", token=token)
        assert {name: (again / name).read_bytes() for name in contents} == contents
        methods = Counter(r.method for r in cloud.requests if r.kind == "lfs" and r.status == 200)
        assert (methods["PUT"], methods["GET"]) == (8, 8)
        (used,) = {r.token_id for r in cloud.requests if r.kind == "lfs"}
        assert cloud.count("lfs", token_id=used) == cloud.count("lfs")
        assert cloud.count("unknown_host") == 0

    def test_a_revoked_token(self, cloud, git, tmp_path):
        token, work = cloud.issue_token(), tmp_path / "work"
        self.commit(git, work, token)
        cloud.revoke(token)
        git("-C", str(work), "lfs", "push", "--all", "origin", token=token, ok=False)
        assert cloud.count("lfs", error="revoked") >= 1
        assert cloud.lfs_objects(*PLACE) == {}
