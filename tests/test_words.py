"""What is said beside an answer: every way that was tried, and a token's life that is too short."""

import pytest

from msauth_sandbox import Sandbox

from .conftest import Environment, run_program

HELLO = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n"
COMMANDS = [
    ("git-credential-msauth", "get"),
    ("msauth-token", "arm", "--format", "token"),
    ("msauth-run", "--", "true"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("how", ["-v", "--verbose", "MSAUTH_TRACE"])
def test_every_way_is_shown_to_who_asks(
    bare_env: Environment, cloud: Sandbox, command: tuple[str, ...], how: str
) -> None:
    """Also the second time, when the failure is only remembered."""
    env = bare_env | cloud.environ
    plain = run_program(*command, env=env, stdin=HELLO)
    lines = plain.stderr.decode().rstrip("\n").split("\n")
    assert [line.split(": ")[1] for line in lines] == ["error", "hint"]
    if how.startswith("-"):
        command = (command[0], how, *command[1:])
    else:
        env[how] = "1"
    for kind in ("environment: AZURE_CLIENT_ID is not set", "azure-cli: az is not on PATH"):
        done = run_program(*command, env=env, stdin=HELLO)
        assert kind.encode() in done.stderr
        assert plain.stderr in done.stderr


def test_what_was_tried_before_the_one_that_failed(env: Environment, cloud: Sandbox) -> None:
    """Also when the failure is only remembered, and the same without being asked is two lines."""
    cloud.fail_tokens(700016, times=None)
    env |= cloud.workload_identity_environ("contoso")
    del env["AZURE_CLIENT_SECRET"]
    command = ("msauth-token", "arm")
    for _ in range(2):
        done = run_program(*command, "-v", env=env)
        assert b" environment: neither AZURE_CLIENT_SECRET nor" in done.stderr
        assert b" workload-identity: the application does not exist" in done.stderr
    assert cloud.count("token") == 1
    assert run_program(*command, env=env).stderr.count(b"\n") == 2


def test_verbose_is_not_handed_to_the_command(env: Environment) -> None:
    done = run_program("msauth-run", "-v", "--", "env", env=env)
    assert done.returncode == 0
    assert b"cache miss" in done.stderr
    assert b"MSAUTH_TRACE" not in done.stdout


@pytest.mark.parametrize("word", ["-v", "--verbose"])
def test_login_and_status_take_it(bare_env: Environment, cloud: Sandbox, word: str) -> None:
    done = run_program("msauth", "login", word, env=bare_env | cloud.environ | {"CI": "1"})
    assert b"environment: AZURE_CLIENT_ID is not set" in done.stderr
    assert run_program("msauth", "status", word, env=bare_env).returncode == 1


def test_kubelogins_own_v_is_its_level(env: Environment) -> None:
    line = ("get-token", "-v", "5", "--login", "spn", "--server-id", "a", "--tenant-id", "b")
    done = run_program("msauth-token", *line, env=env)
    assert b"cache miss" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_longer_than_a_token_lives_is_served_with_a_warning(
    env: Environment, cloud: Sandbox, command: tuple[str, ...]
) -> None:
    asked = (command[0], "--min-valid", "86400", *command[1:])
    for done in (run_program(*asked, env=env, stdin=HELLO) for _ in range(2)):
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(b"\n") == 1
        assert b": warning: the token lives 3" in done.stderr
        assert done.stderr.endswith(b" seconds, less than the 86400 of --min-valid\n")
        assert command[0] == "msauth-run" or b"ey" in done.stdout
    assert run_program(*command, env=env, stdin=HELLO).stderr == b""
    asked = (command[0], "--min-valid", "3000", *command[1:])
    assert run_program(*asked, env=env, stdin=HELLO).stderr == b""
    assert cloud.count("token") == 2
