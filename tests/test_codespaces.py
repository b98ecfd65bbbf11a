"""Codespaces' helpers: as a source of tokens, and as programs that stand for the extension's."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.errors import MsauthError, UnavailableError
from msauth.request.clouds import DEVOPS_RESOURCE, DEVOPS_SCOPE
from msauth.request.request import TokenRequest
from msauth.signin import chain, developer_tools
from msauth.signin.attempt import Attempt, claims_of
from msauth.signin.codespaces import CODESPACES, KIND
from msauth_sandbox import Sandbox
from msauth_sandbox.entra.keys import base64url

from .conftest import Done, Environment, run_program
from .signin_stubs import HELLO, attributes, stub

GRAPH = "https://graph.microsoft.com"
TENANT = "0f0e0d0c-1111-2222-3333-444455556666"


def token(audience: str = DEVOPS_RESOURCE, **claims: object) -> str:
    """Return a made-up token as an extension prints it, for an hour."""
    said = {"aud": audience, "exp": int(time.time()) + 3600, "tid": TENANT, **claims}
    return ".".join(map(base64url, (b"{}", json.dumps(said).encode(), b"x")))


def helper(home: Path, name: str, text: str) -> Path:
    """Write a helper that notes its arguments and then runs text."""
    path = home / name
    path.write_text(f'#!/bin/sh\necho "$@" >>{home}/{name}.log\n{text}\n')
    path.chmod(0o755)
    return path


def get(env: Environment, *words: str) -> Done:
    return run_program("msauth-token", *words, "--format", "token", env=env, timeout=30)


def test_azure_devops_is_served_by_its_helper(
    bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    """After the deployed kinds and before az, from the cache the second time."""
    env = bare_env | cloud.environ
    given = token()
    helper(home, "ado-auth-helper", f"echo {given}")
    az = stub(env, "az", "exit 1")
    assert get(env, "devops").stdout.decode().strip() == given
    assert get(env, "devops", "--credential", KIND).stdout.decode().strip() == given
    assert (home / "ado-auth-helper.log").read_text() == "get-access-token\n" * 2
    done = run_program(
        "git-credential-msauth", "get", env=env | {"MSAUTH_TENANT": TENANT}, stdin=HELLO
    )
    assert attributes(done.stdout)["password"] == given
    assert not az.exists()
    principal = env | cloud.service_principal_environ("contoso")
    deployed = get(principal, "devops").stdout.decode()
    assert claims_of(deployed.strip())["appid"] == cloud.client_id


def test_everything_else_is_served_by_the_other(bare_env: Environment, home: Path) -> None:
    given = token(GRAPH)
    helper(home, "ado-auth-helper", f"echo {token()}")
    done = get(bare_env, "graph", "--credential", KIND)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"there is no " in done.stderr
    helper(home, "azure-auth-helper", f"echo {given}")
    bare_env["MSAUTH_CACHE_DIR"] += "-2"
    scopes = ("--scope", f"{GRAPH}/User.Read", "--scope", f"{GRAPH}/Mail.Read")
    assert get(bare_env, *scopes, "--credential", KIND).stdout.decode().strip() == given
    said = f"get-access-token {GRAPH}/User.Read {GRAPH}/Mail.Read\n"
    assert (home / "azure-auth-helper.log").read_text() == said
    assert not (home / "ado-auth-helper.log").exists()


def test_without_its_own_helper_azure_devops_has_the_other(
    bare_env: Environment, home: Path
) -> None:
    helper(home, "azure-auth-helper", f"echo {token()}")
    assert get(bare_env, "devops", "--credential", KIND).returncode == 0
    assert (home / "azure-auth-helper.log").read_text() == f"get-access-token {DEVOPS_SCOPE}\n"


def test_another_person_in_vs_code_is_another_answer(bare_env: Environment, home: Path) -> None:
    for name in ("alex", "sam"):
        path = helper(home, "ado-auth-helper", f"echo {token(upn=name)}")
        os.utime(path, (1, 1) if name == "alex" else (2, 2))
        said = claims_of(get(bare_env, "devops", "--credential", KIND).stdout.decode().strip())
        assert said["upn"] == name


def attempt(env: Environment, scope: str = DEVOPS_SCOPE, **fields: object) -> Attempt:
    request = TokenRequest((scope,), env, credential=KIND, **fields)  # type: ignore[arg-type]
    return Attempt(request, None, lambda _: False)


RUBBISH = {
    "nothing": "exit 0",
    "undefined": "echo undefined",
    "an error": "echo 'Error: no session'",
    "two": f"echo {token()}; echo {token()}",
    "no expiry": f"echo {token(exp=None)}",
    "an odd expiry": f"echo {token(exp='soon')}",
    "a truth value": f"echo {token(exp=True)}",
    "before all time": f"echo {token(exp=-5)}",
    "the end of the world": f"echo {token(exp=10**18)}",
    "over": f"echo {token(exp=1_000_000_000)}",
    "for ever": "exec cat /dev/zero",
    "a line for another terminal": f"printf '\\033[2J{token()}'",
}


@pytest.mark.parametrize("text", RUBBISH.values(), ids=RUBBISH)
def test_what_is_no_token_is_not_taken_for_one(
    bare_env: Environment, home: Path, text: str
) -> None:
    helper(home, "ado-auth-helper", text)
    with pytest.raises(MsauthError):
        CODESPACES.sign_in(attempt(bare_env))


def test_where_no_vs_code_is_connected_the_next_kind_is_tried(
    bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    env = bare_env | cloud.environ
    helper(home, "ado-auth-helper", "exit 1")
    az = stub(env, "az", "exit 1")
    assert get(env, "devops").returncode == 1
    assert "get-access-token" in az.read_text()
    done = get(env, "devops", "--credential", KIND)
    assert b"is VS Code connected?" in done.stderr


def test_a_hanging_helper_is_ended(
    bare_env: Environment, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(developer_tools, "TIMEOUT", 1)
    helper(home, "ado-auth-helper", "exec sleep 600")
    with pytest.raises(MsauthError, match="did not answer within 1 seconds"):
        CODESPACES.sign_in(attempt(bare_env))


def test_a_token_for_something_else_goes_nowhere(bare_env: Environment, home: Path) -> None:
    """Older extensions print the one for Azure DevOps whatever they are asked for."""
    helper(home, "azure-auth-helper", f"echo {token()}")
    with pytest.raises(UnavailableError, match="for something else"):
        CODESPACES.sign_in(attempt(bare_env, f"{GRAPH}/.default"))
    helper(home, "ado-auth-helper", f"echo {token(GRAPH)}")
    with pytest.raises(UnavailableError, match="for something else"):
        CODESPACES.sign_in(attempt(bare_env))


def test_a_token_of_another_tenant_leaves_it_to_the_next_kind(
    bare_env: Environment, home: Path
) -> None:
    helper(home, "ado-auth-helper", f"echo {token()}")
    other = TENANT.replace("0f", "1f")
    with pytest.raises(UnavailableError, match="but tenant"):
        CODESPACES.sign_in(attempt(bare_env, tenant=other))


def test_claims_cannot_be_met(bare_env: Environment, home: Path) -> None:
    path = helper(home, "ado-auth-helper", f"echo {token()}")
    request = attempt(bare_env).request
    with pytest.raises(UnavailableError, match="wants a new sign-in"):
        CODESPACES.sign_in(Attempt(request, "{}", lambda _: False))
    assert not path.with_suffix(".log").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "there is no"),
        (lambda path: path.chmod(0o775), "can be written by others"),
        (lambda path: path.chmod(0o757), "can be written by others"),
        (lambda path: path.chmod(0o644), "is not executable"),
        (lambda path: os.chown(path, 4711, -1), "belongs to another user"),
        (lambda path: (path.rename(f"{path}2"), path.symlink_to(f"{path}2")), "is not a file"),
        (lambda path: (path.unlink(), path.mkdir()), "is not a file"),
    ],
)
def test_a_program_that_is_not_to_be_run(
    bare_env: Environment, home: Path, change: Callable[[Path], object], words: str
) -> None:
    if "another user" in words and os.geteuid():
        pytest.skip("only root can give a file away")
    path = helper(home, "ado-auth-helper", f"echo {token()}")
    change(path)
    if words == "is not executable" and not os.geteuid():
        assert not os.access(path, os.X_OK)
    assert words in (CODESPACES.reason(attempt(bare_env)) or "")
    with pytest.raises(UnavailableError):
        chain.sign_in(attempt(bare_env))
    assert not (home / "ado-auth-helper.log").exists()


# --- As programs ---


def setup(env: Environment, *options: str) -> str:
    done = run_program("msauth", "setup", KIND, *options, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_the_programs_answer_as_the_extension_s(env: Environment, cloud: Sandbox) -> None:
    home = Path(env["HOME"])
    ado, azure = home / "ado-auth-helper", home / "azure-auth-helper"
    assert setup(env) == f"wrote {ado}\nwrote {azure}\n"
    assert setup(env) == "nothing to do\n"
    for words, audience in (
        ((ado, "get-access-token"), DEVOPS_RESOURCE),
        ((azure, "get-access-token", f"{GRAPH}/.default"), GRAPH),
        ((azure, "get-access-token"), DEVOPS_RESOURCE),
    ):
        done = run_program(*map(str, words), env=env)
        assert done.stdout.endswith(b"\n"), done.stderr
        assert claims_of(done.stdout.decode().strip())["aud"] == audience
    done = run_program(str(ado), "get", env=env, stdin=HELLO)
    assert "password" in attributes(done.stdout)
    assert run_program(str(ado), "store", env=env, stdin=HELLO).stdout == b""
    assert run_program(str(ado), env=env).returncode == 0
    several = f"{GRAPH}/User.Read  {GRAPH}/*"
    done = run_program(str(azure), "get-access-token", several, env=env, cwd=home)
    assert b"AADSTS1002012" in done.stderr  # a service principal cannot have them
    scopes = [record.scope for record in cloud.requests if record.kind == "token"]
    assert set((scopes[-1] or "").split()) == {f"{GRAPH}/User.Read", f"{GRAPH}/*"}


def test_our_own_programs_are_no_source(bare_env: Environment, cloud: Sandbox) -> None:
    """They would ask us, who would ask them."""
    env = bare_env | cloud.environ
    setup(env)
    assert "msauth's own" in (CODESPACES.reason(attempt(env)) or "")
    done = run_program(str(Path(env["HOME"]) / "ado-auth-helper"), "get-access-token", env=env)
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_pipe_of_that_name_does_not_hang(bare_env: Environment, home: Path) -> None:
    os.mkfifo(home / "ado-auth-helper")
    for words in (("setup",), ("setup", "codespaces")):
        done = run_program("msauth", *words, env=bare_env, timeout=30)
    assert done.returncode == 1
    assert b"ado-auth-helper is there already, and not ours" in done.stderr


def test_undo_leaves_nothing(bare_env: Environment, home: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in home.rglob("*")}
    text = setup(bare_env, "--dry-run")
    assert "+exec" in text
    assert {path: path.lstat().st_mtime_ns for path in home.rglob("*")} == before
    setup(bare_env)
    assert (home / "ado-auth-helper").stat().st_mode & 0o777 == 0o700
    assert "set up" in run_program("msauth", "setup", env=bare_env).stdout.decode()
    setup(bare_env, "--undo")
    assert not list(home.glob("*-auth-helper"))
    assert setup(bare_env, "--undo") == "nothing to do\n"


def test_the_extension_s_own_programs_stay(bare_env: Environment, home: Path) -> None:
    path = helper(home, "azure-auth-helper", "echo theirs")
    before = path.read_bytes()
    done = run_program("msauth", "setup", KIND, env=bare_env)
    assert done.returncode == 1
    assert b"is there already, and not ours" in done.stderr
    assert path.read_bytes() == before
    assert not (home / "ado-auth-helper").exists()
    shutil.move(path, home / "old")
    (home / "azure-auth-helper").symlink_to("old")
    assert run_program("msauth", "setup", KIND, env=bare_env).returncode == 1
    assert (home / "old").read_bytes() == before
