"""The clients that install/clients.sh prepares, as fixtures: a path, or a skip with the reason."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Done, Environment, run_program
from .keyring import unlocked_keyring
from .places import prepared
from .recorder import Recorder, recording
from .tools import Tool, machines_own


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A managed identity endpoint that writes down what it is asked."""
    with recording() as result:
        yield result


@pytest.fixture
def git_lfs() -> str:
    """git-lfs 3.8; its folder first on PATH makes `git lfs` and git's filters find it."""
    return prepared("git-lfs")


@dataclass(frozen=True)
class EncryptedAz:
    """The real az whose token cache is in a keyring; a person is signed in with it.

    `env` leads to its files and to the keyring; `program` is az, also first on env's PATH.
    """

    env: Environment
    program: str

    def __call__(self, *arguments: str, **more: str) -> Done:
        return run_program(self.program, *arguments, env=self.env | more, timeout=120)


@pytest.fixture
def encrypted_az(bare_env: Environment, cloud: Sandbox) -> Iterator[EncryptedAz]:
    """Inside the sandbox, signed in as alex@contoso.com; for tests marked real_az."""
    program, python = prepared("azure-cli"), prepared("keyring")
    env = bare_env | cloud.environ
    env |= {
        "PATH": f"{Path(program).parent}:{env['PATH']}",
        "PYTHONPATH": python,
        "AZURE_CONFIG_DIR": str(Path(env["HOME"]) / ".azure"),
        "AZURE_CORE_ENCRYPT_TOKEN_CACHE": "true",
    }
    with unlocked_keyring(env) as found:
        az = EncryptedAz(env | found, program)
        done = az("login", "--use-device-code")
        assert done.returncode == 0, done.stderr
        yield az


@pytest.fixture
def tool_env(bare_env: Environment, cloud: Sandbox) -> Iterator[Environment]:
    """The sandbox's network and no identity. What a test published is gone after it."""
    cloud.reset(repositories=True)
    yield bare_env | cloud.environ | {"DO_NOT_TRACK": "1"}
    cloud.reset(repositories=True)


@pytest.fixture
def tool(tool_env: Environment, tmp_path: Path) -> Callable[..., Tool]:
    """Make a `Tool` of a program's path; its folder comes first on PATH."""

    def make(program: str, **more: str) -> Tool:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        env = tool_env | {"PATH": f"{Path(program).parent}:{tool_env['PATH']}"} | more
        return Tool([program], env, work)

    return make


@pytest.fixture
def pip(tool: Callable[..., Tool]) -> Tool:
    """pip of the tests' own environment, so that it can import what is installed there."""
    none = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    result = tool(sys.executable, **none)
    result.program += ["-m", "pip"]
    return result


@pytest.fixture
def uv(tool: Callable[..., Tool]) -> Tool:
    more = {"UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": sys.executable, "UV_NO_PROGRESS": "1"}
    return tool(f"{prepared('python-tools')}/uv", **more)


@pytest.fixture
def twine(tool: Callable[..., Tool]) -> Tool:
    return tool(f"{prepared('python-tools')}/twine")


@pytest.fixture
def poetry(tool: Callable[..., Tool]) -> Tool:
    more = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "POETRY_NO_INTERACTION": "1"}
    return tool(f"{prepared('python-tools')}/poetry", **more)


@pytest.fixture
def npm(tool: Callable[..., Tool]) -> Tool:
    more = {"npm_config_audit": "false", "npm_config_update_notifier": "false"}
    return tool(f"{prepared('node-tools')}/npm", **more)


@pytest.fixture(params=["10", "12"])
def pnpm(request: pytest.FixtureRequest, tool: Callable[..., Tool]) -> Tool:
    """pnpm 10 and pnpm 12: a test that takes it runs twice."""
    more = {"npm_config_update_notifier": "false", "PNPM_CONFIG_UPDATE_NOTIFIER": "false"}
    return tool(f"{prepared('node-tools')}/pnpm-{request.param}", **more)


@pytest.fixture
def yarn(tool: Callable[..., Tool]) -> Tool:
    more = {"YARN_ENABLE_TELEMETRY": "0", "YARN_NODE_LINKER": "node-modules"}
    return tool(f"{prepared('node-tools')}/yarn-4", **more)


@pytest.fixture
def cargo(tool: Callable[..., Tool]) -> Tool:
    """cargo and rustc of the machine, and none of its configuration."""
    result = tool(prepared("cargo"))
    result.env["CARGO_HOME"] = str(result.home / "cargo")
    return result


@pytest.fixture
def go(tool: Callable[..., Tool]) -> Tool:
    """Go of the machine; no checksum database, and modules that can be removed afterwards."""
    more = {"GOFLAGS": "-modcacherw", "GOSUMDB": "off", "GOTOOLCHAIN": "local"}
    return tool(machines_own("go"), **more)


@pytest.fixture
def mvn(tool: Callable[..., Tool]) -> Tool:
    """Maven with a copy of the plugins that the tests run, since there is no Maven Central."""
    program = Path(prepared("maven"))
    result = tool(str(program))
    local = result.home / "maven"
    shutil.copytree(program.parent.parent / "repository", local, copy_function=os.link)
    # Java asks the system, not HOME, where its user is at home.
    result.env["MAVEN_OPTS"] += f" -Duser.home={result.home}"
    result.program += ["-B", "-ntp", f"-Dmaven.repo.local={local}"]
    return result


@pytest.fixture
def crane(tool: Callable[..., Tool]) -> Tool:
    return tool(prepared("crane"))


@pytest.fixture
def oras(tool: Callable[..., Tool]) -> Tool:
    return tool(prepared("oras"))


@pytest.fixture
def helm(tool: Callable[..., Tool]) -> Tool:
    return tool(prepared("helm"))


@pytest.fixture
def skopeo(tool: Callable[..., Tool]) -> Tool:
    """skopeo, which looks for docker's configuration only after its own."""
    return tool(prepared("skopeo"))


@pytest.fixture
def docker(tool: Callable[..., Tool]) -> Tool:
    """docker's client, for what it does without a daemon: `docker manifest …`."""
    return tool(machines_own("docker"))
