"""Service principals without a secret: the assertion of a profile, and what is wrong with one."""

import os
import select
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth.errors import SignInError
from msauth.request.kinds import ASSERTION
from msauth.request.request import TokenRequest
from msauth.signin import federated, programs
from msauth.signin.attempt import Attempt, claims_of
from msauth.signin.federated import FEDERATED
from msauth_sandbox import Sandbox
from msauth_sandbox.services.oidc import workload_token

from .conftest import Done, Environment, run_program
from .signin_stubs import ARM

Ask = Callable[..., Done]


@pytest.fixture
def ask(bare_env: Environment, cloud: Sandbox, tmp_path: Path) -> Ask:
    """A function that asks with a profile of these lines, for the sandbox's service principal."""
    config = tmp_path / "profiles.toml"

    def ask(*lines: str, **variables: str) -> Done:
        tenant = cloud.tenants["contoso"].id
        head = ("[ci]", f'tenant = "{tenant}"', f'client_id = "{cloud.client_id}"')
        config.write_text("\n".join([*head, *lines]) + "\n")
        config.chmod(0o600)
        env = bare_env | cloud.environ | {"MSAUTH_CONFIG": str(config)} | variables
        options = ("--profile", "ci", "--format", "token")
        return run_program("msauth-token", "arm", *options, env=env, timeout=30)

    return ask


def is_token(done: Done, cloud: Sandbox) -> bool:
    return claims_of(done.stdout.decode().strip()).get("appid") == cloud.client_id


def program(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_a_managed_identity_vouches_for_the_application(ask: Ask, cloud: Sandbox) -> None:
    done = ask('assertion = "managed-identity"', **cloud.managed_identity_environ())
    assert is_token(done, cloud), done.stderr
    assert cloud.count("managed_identity") == 1
    assert cloud.count("token", grant="client_credentials") == 1


@pytest.mark.parametrize("by", ["client id", "resource id"])
def test_a_user_assigned_identity_does(ask: Ask, cloud: Sandbox, by: str) -> None:
    identity = cloud.user_assigned_identity
    name = identity[by.replace(" ", "_")]
    lines = ('assertion = "managed-identity"', f'assertion_identity = "{name}"')
    done = ask(*lines, **cloud.managed_identity_environ())
    assert is_token(done, cloud), done.stderr
    (record,) = [r for r in cloud.requests if r.kind == "managed_identity"]
    assert record.client_id == identity["client_id"]


def test_where_there_is_no_managed_identity_nothing_is_asked(ask: Ask, cloud: Sandbox) -> None:
    done = ask('assertion = "managed-identity"')
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"this is no Azure machine" in done.stderr
    assert cloud.count("token") == 0


def test_a_file(ask: Ask, cloud: Sandbox, home: Path) -> None:
    (home / "assertion").write_text(workload_token() + "\n")
    done = ask('assertion = "~/assertion"')
    assert is_token(done, cloud), done.stderr


def test_a_command(ask: Ask, cloud: Sandbox, tmp_path: Path) -> None:
    """Its words are its own, whatever a shell would make of them."""
    log = tmp_path / "log"
    path = program(
        tmp_path / "a program",
        f'printf "<%s>" "$@" >{log}; cat; pwd >>{log}; echo {workload_token()}',
    )
    done = ask(f"assertion = ['{path}', 'a b', '$(touch {tmp_path}/x); *', '']")
    assert is_token(done, cloud), done.stderr
    assert log.read_text() == f"<a b><$(touch {tmp_path}/x); *><>/\n"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("audience", "lifetime", "words"),
    [
        ("api://other", 3600, b"AADSTS700212"),
        ("api://AzureADTokenExchange", -10, b"AADSTS700024"),
    ],
)
def test_an_assertion_that_entra_refuses(
    ask: Ask, cloud: Sandbox, home: Path, audience: str, lifetime: int, words: bytes
) -> None:
    (home / "assertion").write_text(workload_token(audience, lifetime))
    done = ask('assertion = "~/assertion"')
    assert (done.returncode, done.stdout) == (1, b"")
    assert words in done.stderr
    assert done.stderr.count(b"\n") == 2
    assert cloud.count("token") == 1


@pytest.mark.parametrize("audience", ["", "api://other"])
def test_github_is_asked_for_the_audience_of_the_profile(
    ask: Ask, cloud: Sandbox, audience: str
) -> None:
    lines = ['credential = "github-actions"']
    if audience:
        lines.append(f'assertion_audience = "{audience}"')
    done = ask(*lines, **cloud.github_actions_environ())
    assert is_token(done, cloud) is not bool(audience)
    assert (b"AADSTS700212" in done.stderr) is bool(audience)


JWT = "e30.e30.e30"
BAD_COMMANDS = {
    "fails": ("echo SECRET >&2; echo SECRET; exit 3", b"failed (exit code 3)"),
    "killed": ("kill -9 $$", b"failed (signal 9)"),
    "prints nothing": ("exit 0", b"no assertion (a JWT)"),
    "prints rubbish": ("echo 'SECRET not a token'", b"no assertion (a JWT)"),
    "prints two": (f"echo {JWT}; echo {JWT}", b"no assertion (a JWT)"),
    "prints an opaque token": ("echo SECRET", b"no assertion (a JWT)"),
    "prints bytes": ("printf '\\377\\376.a.b'", b"no assertion (a JWT)"),
    "prints for ever": ("exec cat /dev/zero", b"prints far more than a token"),
    "complains for ever": ("exec cat /dev/zero >&2", b"prints far more than a token"),
}


@pytest.mark.parametrize(("text", "words"), BAD_COMMANDS.values(), ids=BAD_COMMANDS)
def test_a_command_that_gives_no_assertion(
    ask: Ask, cloud: Sandbox, tmp_path: Path, text: str, words: bytes
) -> None:
    path = program(tmp_path / "give", text)
    done = ask(f"assertion = ['{path}', 'x y']")
    assert (done.returncode, done.stdout) == (1, b"")
    assert words in done.stderr
    assert b"SECRET" not in done.stderr
    assert done.stderr.count(b"\n") == 2
    assert cloud.count("token") == 0


def test_a_command_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federated, "TIMEOUT", 1)
    log = tmp_path / "log"
    path = program(tmp_path / "give", f"sleep 600 & echo $! >{log}; wait")
    with pytest.raises(SignInError, match="did not end within 1 seconds") as caught:
        sign_in("command", str(path))
    assert not caught.value.deterministic
    assert ends(int(log.read_text()))


def ends(pid: int) -> bool:
    """Wait for the end of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([descriptor], [], [], 10)
    os.close(descriptor)
    return bool(ready)


def test_a_program_that_closes_its_streams_and_hangs_is_ended_too(tmp_path: Path) -> None:
    path = program(tmp_path / "give", "exec sleep 600 >/dev/null 2>&1")
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run([str(path)], dict(os.environ), timeout=1)


def sign_in(*words: str) -> None:
    request = TokenRequest(
        (ARM,),
        dict(os.environ),
        credential="federated",
        client_id="app",
        tenant="contoso.com",
        assertion=ASSERTION.join(words),
    )
    federated._assertion(Attempt(request, None, lambda _: False))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is not a file"),
        (os.mkfifo, "is not a file"),
        (lambda path: (path.write_text(JWT), path.chmod(0o622)), "can be written by others"),
        (lambda path: (path.write_text(JWT), os.chown(path, 4711, -1)), "belongs to another user"),
        (lambda path: path.write_text("x" * (1 << 17)), "no assertion"),
        (lambda path: path.write_text(f"{JWT}\n{JWT}"), "no assertion"),
    ],
)
def test_a_file_that_is_no_assertion(
    make: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "assertion"
    if "another user" in words and os.geteuid():
        pytest.skip("only root can give a file away")
    make(path)
    with pytest.raises(SignInError, match=words):
        sign_in("file", str(path))


@pytest.mark.parametrize("kind", ["none", "folder", "plain"])
def test_a_program_that_is_not_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "give"
    if kind == "folder":
        path.mkdir()
    elif kind == "plain":
        path.write_text("#!/bin/sh\n")
        path.chmod(stat.S_IRUSR)
    with pytest.raises(SignInError, match="is not there, or not a program"):
        sign_in("command", str(path))


@pytest.mark.parametrize(
    ("missing", "words"),
    [("assertion", "no assertion"), ("client_id", "no client_id"), ("tenant", "no tenant")],
)
def test_what_is_missing_is_named(missing: str, words: str) -> None:
    fields = {"assertion": "file\x1f/x", "client_id": "app", "tenant": "contoso.com"}
    del fields[missing]
    request = TokenRequest((ARM,), {}, credential="federated", **fields)  # type: ignore[arg-type]
    assert words in (FEDERATED.reason(Attempt(request, None, lambda _: False)) or "")


@pytest.mark.parametrize(
    ("authority", "suffix"),
    [
        ("https://login.microsoftonline.com", ""),
        ("https://login.microsoftonline.us", "USGov"),
        ("https://login.chinacloudapi.cn", "China"),
        ("https://login.contoso.example", ""),
    ],
)
def test_each_cloud_has_an_audience_of_its_own(authority: str, suffix: str) -> None:
    request = TokenRequest((ARM,), {}, authority=authority)
    audience = federated._audience(Attempt(request, None, lambda _: False))
    assert audience == "api://AzureADTokenExchange" + suffix


@pytest.mark.parametrize("field", ["assertion", "assertion_audience", "assertion_identity"])
def test_what_selects_the_identity_is_in_the_key(field: str) -> None:
    one, other = (
        TokenRequest((ARM,), {}, credential="federated", **{field: value})  # type: ignore[arg-type]
        for value in ("x", "y")
    )
    assert one.cache_key != other.cache_key != TokenRequest((ARM,), {}).cache_key
