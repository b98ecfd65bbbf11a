"""What the sandbox's own tests add to the cloud of the whole suite: plain HTTP and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from msauth_sandbox import Sandbox


@pytest.fixture
def http(cloud: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": cloud.url, "http": cloud.url}
        session.verify = str(cloud.ca_file)
        yield session


@pytest.fixture
def environ(cloud: Sandbox, tmp_path: Path) -> dict[str, str]:
    """For subprocesses: the sandbox's network, an empty HOME, nothing of the caller's identity."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return kept | cloud.environ | {"HOME": str(home), "GIT_TERMINAL_PROMPT": "0"}


@pytest.fixture
def run_python(environ: dict[str, str]):  # type: ignore[no-untyped-def]
    """Run a Python program in a process of its own and return its output."""

    def run(program: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environ | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


class SignIn:
    """The token endpoint as a client would call it."""

    def __init__(self, cloud: Sandbox, http: requests.Session) -> None:
        self.cloud = cloud
        self.http = http

    def post(self, tenant: str, **form: str) -> requests.Response:
        url = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
        return self.http.post(url, data=form)

    def app(self, tenant: str = "contoso.com", **form: str) -> requests.Response:
        defaults = {
            "grant_type": "client_credentials",
            "client_id": self.cloud.client_id,
            "client_secret": self.cloud.client_secret,
            "scope": "499b84ac-1321-427f-aa17-267ca6975798/.default",
        }
        return self.post(tenant, **(defaults | form))


@pytest.fixture
def sign_in(cloud: Sandbox, http: requests.Session) -> SignIn:
    return SignIn(cloud, http)
