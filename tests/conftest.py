"""What every test stands on: the sandbox's cloud, a clean environment, the installed programs.

Nothing of ours is faked. The programs under test are those that the wheel installed; the cloud is
the sandbox's, under the real host names; git, kubectl and az are the machine's own.
"""

import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .clients.places import prepared
from .clients.where import remember_folder

SCRIPTS = Path(sysconfig.get_path("scripts"))
Environment = dict[str, str]
Done = subprocess.CompletedProcess[bytes]

# What names an identity, a place or a way to one, in the environment of whoever runs the tests.
_PERSONAL = (
    *("ACTIONS_", "ARM_", "AZD_", "AZURE_", "GITHUB_", "IDENTITY_", "IMDS_", "MSAUTH_", "MSI_"),
    *("SYSTEM_", "TF_", "AAD_", "GIT_", "KUBE", "NETRC", "PYTHON", "SSH_", "XDG_"),
    *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "BROWSER", "DISPLAY", "WAYLAND_"),
)
_KEPT = ("MSAUTH_TEST_", "MSAUTH_BUILD_DIR", "MSAUTH_CLIENTS_DIR")


def pytest_configure(config: pytest.Config) -> None:
    """Give the test process, and so all it starts, a home of its own and no identity.

    Before anything is collected: what a module reads when it is imported counts, too.
    """
    remember_folder()
    for name in list(os.environ):
        if name.upper().startswith(_PERSONAL) and not name.startswith(_KEPT):
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="msauth-test-home-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ["HOME"] = home
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    _let_children_die()


def _let_children_die() -> None:
    """Undo for our children what `nohup` (SIGHUP) and `&` in a script (SIGINT, SIGQUIT) ignore.

    An ignored signal stays ignored in every child; one that is handled is back at its default
    there. The handler does nothing, so the tests themselves go on under nohup.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The one running cloud of this test process; tests take `cloud`, which is reset."""
    with Sandbox() as cloud:
        yield cloud


@pytest.fixture
def cloud(sandbox: Sandbox) -> Iterator[Sandbox]:
    sandbox.reset()
    yield sandbox
    sandbox.reset()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def bare_env(home: Path) -> Environment:
    """An environment that knows the installed programs and an empty home, and no identity."""
    return {
        "PATH": f"{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "MSAUTH_CACHE_DIR": str(home / "cache"),
        "MSAUTH_BACKGROUND_REFRESH": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


@pytest.fixture
def env(bare_env: Environment, cloud: Sandbox) -> Environment:
    """A bare environment inside the sandbox, signed in as its service principal."""
    return bare_env | cloud.environ | cloud.service_principal_environ("contoso")


@pytest.fixture
def records(bare_env: Environment) -> Callable[[], list[Path]]:
    """A function that lists the token records of the cache."""
    return lambda: sorted(Path(bare_env["MSAUTH_CACHE_DIR"]).glob("v1/*.tok"))


def run_program(
    name: str,
    *arguments: str,
    env: Environment,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 60,
) -> Done:
    """Run an installed program (or any other on env's PATH) and return what it said."""
    path = shutil.which(name, path=env["PATH"])
    assert path is not None, f"{name} is not installed"
    return subprocess.run(
        [path, *arguments],
        input=stdin,
        env=env,
        cwd=cwd,
        capture_output=True,
        timeout=timeout,
        check=False,
        start_new_session=True,  # no terminal of whoever runs the tests
    )


def start_program(name: str, *arguments: str, env: Environment) -> "subprocess.Popen[bytes]":
    """Start an installed program with pipes, for tests of many at once."""
    path = shutil.which(name, path=env["PATH"])
    assert path is not None, f"{name} is not installed"
    return subprocess.Popen(
        [path, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=True,
    )


@pytest.fixture
def new_git() -> str:
    """A git ≥ 2.46 with `authtype` and `state`: the machine's own, or one that was prepared."""
    own = shutil.which("git") or "git"
    text = subprocess.run([own, "version"], capture_output=True, check=True).stdout.decode()
    version = tuple(int(part) for part in text.split()[2].split(".")[:2])
    return own if version >= (2, 46) and not os.environ.get("MSAUTH_TEST_GIT") else prepared("git")
