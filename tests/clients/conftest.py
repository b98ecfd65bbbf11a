"""The clients that install/clients.sh prepares, as fixtures: a path, or a skip with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import Done, Environment, run_program
from .keyring import unlocked_keyring
from .places import prepared
from .recorder import Recorder, recording


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
