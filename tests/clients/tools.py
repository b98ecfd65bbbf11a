"""Package managers and registry clients inside the sandbox, and the packages that wait for them.

`Tool` runs one; the fixtures of conftest.py make them. A credential helper is tried by giving the
tool's `env` what a person would set, and counting the cloud's requests afterwards.
"""

import base64
import json
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from msauth_sandbox import Sandbox

from ..conftest import Done, Environment, run_program

ACR = "https://containerregistry.azure.net/.default"
ORGANIZATIONS = ("contoso", "fabrikam")  # in two tenants, of the same names
REGISTRIES = tuple(f"{name}.azurecr.io" for name in ORGANIZATIONS)
REGISTRY_USER = "00000000-0000-0000-0000-000000000000"


@dataclass
class Tool:
    """A client with a HOME, caches and a work folder of its own, and no identity.

    `env` and `work` may be changed and filled before it is called.
    """

    program: list[str]
    env: Environment
    work: Path

    def __call__(
        self, *arguments: str, ok: bool = True, cwd: Path | None = None, **more: str
    ) -> Done:
        """Run it in `work`; `more` are variables. A failure fails the test unless ok is false."""
        first, *rest = self.program
        env = self.env | more
        done = run_program(first, *rest, *arguments, env=env, cwd=cwd or self.work, timeout=120)
        assert (done.returncode == 0) is ok, (done.stdout + done.stderr).decode()
        return done

    @property
    def home(self) -> Path:
        return Path(self.env["HOME"])

    def write(self, name: str, text: str) -> Path:
        """A file of the work folder, or of HOME when its name starts with `~/`."""
        path = self.home / name[2:] if name.startswith("~/") else self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def machines_own(name: str) -> str:
    """The path of a program that the machine has, or a skipped test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name} on this machine")
    return path


def feed(organization: str, protocol: str, feed: str = "hello") -> str:
    """The address of a feed, such as `feed("contoso", "pypi/simple/")`."""
    return f"https://pkgs.dev.azure.com/{organization}/_packaging/{feed}/{protocol}"


def refresh_token(cloud: Sandbox, registry: str, token: str = "") -> str:
    """A registry's own token, for an Entra token of its tenant: what a helper has to do."""
    tenant = registry.partition(".")[0]
    form = {
        "grant_type": "access_token",
        "service": registry,
        "tenant": cloud.tenants[tenant].id,
        "access_token": token or cloud.issue_token(tenant, ACR),
    }
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": cloud.url}
        session.verify = str(cloud.ca_file)
        answer = session.post(f"https://{registry}/oauth2/exchange", data=form)
    answer.raise_for_status()
    return str(answer.json()["refresh_token"])


def docker_config(home: Path, passwords: dict[str, str]) -> Path:
    """`~/.docker/config.json` with a refresh token for each registry."""
    auths = {
        registry: {"auth": base64.b64encode(f"{REGISTRY_USER}:{password}".encode()).decode()}
        for registry, password in passwords.items()
    }
    path = home / ".docker" / "config.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps({"auths": auths}))
    return path


def import_msauth(tool: Tool) -> None:
    """Let a Python tool import msauth and find its entry points, after all that it has itself.

    Its environment is not the tests' own; what both have, such as requests, stays the tool's.
    """
    folder = tool.home / "python"
    folder.mkdir(exist_ok=True)
    site = sysconfig.get_path("purelib")
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.path.append({site!r})\n")
    tool.env["PYTHONPATH"] = str(folder)
