"""The backend of keyring: what it answers, what it leaves to others, and what it costs them."""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest
from keyring.backends.chainer import ChainerBackend

from msauth.credential_helpers import feeds, keyring_backend
from msauth.credential_helpers.keyring_backend import USER, AzureFeeds
from msauth.errors import SignInError
from msauth.request.request import Token
from msauth_sandbox import Sandbox

from ..conftest import Environment, run_program, start_program
from .test_feeds import STRANGERS

URL = "https://pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/"
OTHERS = (
    *(url.decode("utf-8", "surrogateescape") for url in STRANGERS),
    "pkgs.dev.azure.com",
    "https://pkgs.dev.azure.com/",
    "https://pkgs.dev.azure.com",
    "python-poetry-check",
    "poetry-repository-contoso",
    "https://pkgs.dev.azure.com/\ud800contoso/",
    "https://pkgs\udcff.dev.azure.com/contoso/",
)
"""What keyring is asked and is not ours to answer, by the tools themselves too."""


def run_python(program: str, env: Environment, *arguments: str) -> str:
    command = [sys.executable, "-I", "-c", program, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_it_costs_nothing(bare_env: Environment) -> None:
    """keyring loads it whoever asks: only the module itself, and packages of a few lines."""
    program = (
        "import sys, keyring.backend, keyring.credentials\n"
        "before = set(sys.modules)\n"
        "import msauth.credential_helpers.keyring_backend\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    assert run_python(program, bare_env).split() == [
        "msauth",
        "msauth.credential_helpers",
        "msauth.credential_helpers.keyring_backend",
    ]


def test_strangers_get_nothing_and_nothing_is_asked(env: Environment, cloud: Sandbox) -> None:
    """No file is opened but modules, no program started, nobody connected to, and nothing said."""
    program = (
        "import json, sys\n"
        "from msauth.credential_helpers.keyring_backend import AzureFeeds\n"
        "backend = AzureFeeds()\n"
        "def watch(event, arguments):\n"
        "    if event.startswith(('socket.', 'subprocess.', 'os.posix_spawn', 'os.fork')):\n"
        "        raise SystemExit(event)\n"
        "    if event == 'open' and not str(arguments[0]).endswith(('.py', '.pyc')):\n"
        "        raise SystemExit(f'{event} {arguments[0]}')\n"
        "sys.addaudithook(watch)\n"
        "for service in json.loads(sys.argv[1]):\n"
        "    for user in (None, 'x'):\n"
        "        assert backend.get_credential(service, user) is None, service\n"
        "    assert backend.get_password(service, 'x') is None, service\n"
        "loaded = [n for n in ('azure', 'msal', 'requests') if n in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    run_python(program, env, json.dumps(OTHERS))
    assert cloud.count() == 0


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> AzureFeeds:
    monkeypatch.setattr(keyring_backend, "_said", set())
    return AzureFeeds()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments with which tokens were asked for; each is answered with `secret`."""
    environments: list[dict[str, str]] = []

    def answer(url: bytes, options: object, env: dict[str, str]) -> Token:
        environments.append(env)
        return Token("secret", 2_000_000_000)

    monkeypatch.setattr(feeds, "devops_token", answer)
    return environments


def test_the_user_is_the_callers(backend: AzureFeeds, served: object) -> None:
    for given, user in ((None, USER), ("", USER), ("alex", "alex")):
        credential = backend.get_credential(URL, given)
        assert credential is not None
        assert (credential.username, credential.password) == (user, "secret")
    assert backend.get_password(URL, "alex") == "secret"


def test_passwords_are_for_the_next_backend_to_keep(backend: AzureFeeds) -> None:
    kept = []

    class Next(AzureFeeds):
        priority = 1.0

        def set_password(self, service: str, username: str, password: str) -> None:
            kept.append(password)

        def delete_password(self, service: str, username: str) -> None:
            kept.clear()

    chain = type("Chain", (ChainerBackend,), {"backends": [backend, Next()]})()
    chain.set_password(URL, "x", "pat")
    assert kept == ["pat"]
    chain.delete_password(URL, "x")
    assert kept == []
    with pytest.raises(NotImplementedError):
        backend.set_password(URL, "x", "pat")


@pytest.mark.parametrize(
    ("argv", "more", "forbidden"),
    [
        (["pip", "install", "x"], {}, False),
        (["pip", "install", "x"], {"PIP_NO_INPUT": "1"}, True),
        (["pip", "install", "x"], {"PIP_NO_INPUT": "false"}, False),
        (["pip", "--no-input", "install", "x"], {}, True),
        (["keyring", "get", URL, "x"], {"PIP_NO_INPUT": "true"}, True),
        (["twine", "upload", "--non-interactive", "x"], {}, True),
        (["twine", "upload", "x"], {"TWINE_NON_INTERACTIVE": "1"}, True),
        (["/opt/bin/poetry", "install", "--no-interaction"], {}, True),
        (["/opt/bin/poetry", "install", "-n"], {}, True),
        (["head", "-n"], {}, False),
        (["poetry", "install"], {"POETRY_NO_INTERACTION": "1"}, True),
        (["poetry", "install"], {"POETRY_NO_INTERACTION": ""}, False),
    ],
)
def test_nobody_is_asked_where_the_tool_asks_nobody(
    backend: AzureFeeds,
    served: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    more: dict[str, str],
    forbidden: bool,
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert backend.get_password(URL, "x") == "secret"
    assert ("MSAUTH_NO_PROMPT" in served[0]) is forbidden
    assert "MSAUTH_NO_PROMPT" not in os.environ


@pytest.mark.parametrize("error", [SignInError("no sign-in", "az login"), RuntimeError("broken")])
def test_a_failure_is_said_once_and_never_raised(
    backend: AzureFeeds,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def fail(*_: object) -> Token:
        raise error

    monkeypatch.setattr(feeds, "devops_token", fail)
    assert backend.get_credential(URL, None) is None
    said = capfd.readouterr().err
    assert said.count("error: ") == said.count("hint: ") == 1
    assert "Traceback" not in said
    assert backend.get_credential(URL, None) is None
    assert backend.get_password(URL, "x") is None
    assert capfd.readouterr().err == ""


def test_a_wrong_setting_is_said_too(env: Environment) -> None:
    """What is no failed sign-in must not reach pip as an exception either."""
    done = run_program("keyring", "get", URL, "x", env=env | {"MSAUTH_PROFILE": "missing"})
    assert done.returncode == 1
    assert b"no profile" in done.stderr
    assert b"Traceback" not in done.stderr


def test_what_signs_in_does_not_log(
    backend: AzureFeeds, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor afterwards in vain: a second thread could take the silence for what to go back to."""
    logger = logging.getLogger("azure.core.something")
    started, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def answer(*_: object) -> Token:
        logger.error("a request")
        if not started.is_set():
            started.set()
            second_is_in.wait(0.3)  # it cannot be, and comes in afterwards
        else:
            second_is_in.set()
            first_is_out.wait(10)
        return Token("secret", 2_000_000_000)

    monkeypatch.setattr(feeds, "devops_token", answer)
    first, second = (
        threading.Thread(target=backend.get_password, args=(URL, "x")) for _ in range(2)
    )
    first.start()
    assert started.wait(10)
    second.start()
    first.join(10)
    first_is_out.set()
    second.join(10)
    assert caplog.records == []
    logger.error("a word of somebody else's")
    assert len(caplog.records) == 1


def test_a_token_has_five_minutes_left(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(expires_in=299)
    for count in (1, 2):
        done = run_program("keyring", "get", URL, "x", env=env)
        assert done.returncode == 0, done.stderr
        assert cloud.count("token") == count


def test_the_profile_that_is_matched(env: Environment, cloud: Sandbox) -> None:
    folder = env["HOME"] + "/.config/msauth"
    os.makedirs(folder)
    with open(folder + "/profiles.toml", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(
            '[partner]\ntenant = "fabrikam.com"\n[match.organisation]\ncontoso = "partner"\n'
        )
    run_program("keyring", "get", URL, "x", env=env)
    assert {record.tenant for record in cloud.requests if record.kind == "token"} == {
        cloud.tenants["fabrikam"].id
    }


def test_many_at_once_sign_in_once(env: Environment, cloud: Sandbox) -> None:
    cloud.configure(latency=0.3)
    processes = [start_program("keyring", "get", URL, "x", env=env) for _ in range(6)]
    assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
    assert all(process.returncode == 0 for process in processes)
    assert cloud.count("token") == 1
