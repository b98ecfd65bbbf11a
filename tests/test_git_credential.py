"""The conformance table of git-credential-msauth: stdin, environment → stdout, stderr, exit."""

import base64
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msauth import git_credential
from msauth.broker import broker
from msauth.errors import SignInError
from msauth.signin.attempt import claims_of
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program, start_program
from .unit.test_azure_devops import FOREIGN

PROG = "git-credential-msauth"
HELLO = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n"
FABRIKAM = b"protocol=https\nhost=dev.azure.com\npath=fabrikam/widgets/_git/widgets\n"
CAPABLE = b"capability[]=authtype\ncapability[]=state\n"


def attributes(output: bytes) -> dict[str, str]:
    lines = output.decode("ascii").split("\n")
    assert lines.pop() == ""
    return dict(line.split("=", 1) for line in lines)


def tenant_in(token: str) -> str:
    tenant = claims_of(token)["tid"]
    assert isinstance(tenant, str)
    return tenant


def challenge(tenant: str) -> bytes:
    return f"wwwauth[]=Bearer authorization_uri=https://login.windows.net/{tenant}\n".encode()


def cae_challenge(tenant: str, claims: str) -> bytes:
    encoded = base64.b64encode(claims.encode()).decode()
    return (
        f'wwwauth[]=Bearer authorization_uri="https://login.microsoftonline.com/{tenant}", '
        f'error="insufficient_claims", claims="{encoded}"\n'
    ).encode()


def test_an_old_git_gets_a_password(env: Environment, cloud: Sandbox) -> None:
    before = time.time()
    done = run_program(PROG, "get", env=env, stdin=HELLO + b"username=contoso\n\n")
    assert done.returncode == 0
    assert done.stderr == b""
    answer = attributes(done.stdout)
    assert list(answer) == ["username", "password", "password_expiry_utc"]
    assert answer["username"] == "contoso"
    assert tenant_in(answer["password"]) == cloud.tenants["contoso"].id
    assert 3500 < int(answer["password_expiry_utc"]) - before < 3700
    assert cloud.count("unknown_host") == 0


def test_a_capable_git_gets_an_ephemeral_bearer(env: Environment, cloud: Sandbox) -> None:
    stdin = CAPABLE + HELLO + challenge(cloud.tenants["contoso"].id) + b"\n"
    done = run_program(PROG, "get", env=env, stdin=stdin)
    lines = done.stdout.decode().split("\n")
    assert lines[:3] == ["capability[]=authtype", "capability[]=state", "authtype=Bearer"]
    assert lines[3].startswith("credential=ey")
    assert lines[4] == "ephemeral=1"
    assert lines[5].startswith("state[]=msauth.tried=")
    assert lines[6] == "continue=1"
    token = lines[3].partition("=")[2]
    assert token not in lines[5]
    assert cloud.count("devops") == 0, "the challenge names the tenant: nothing to probe"


def test_the_second_get_asks_nobody(env: Environment, cloud: Sandbox) -> None:
    first = run_program(PROG, "get", env=env, stdin=HELLO)
    cloud.reset()
    second = run_program(PROG, "get", env=env, stdin=HELLO)
    assert second.stdout == first.stdout
    assert cloud.count("request") == 0


def test_every_organisation_gets_its_own_tenant(env: Environment, cloud: Sandbox) -> None:
    for stdin, tenant in ((HELLO, "contoso"), (FABRIKAM, "fabrikam")):
        token = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)["password"]
        assert tenant_in(token) == cloud.tenants[tenant].id
    assert cloud.count("token") == 2


@pytest.mark.parametrize("how", ["option", "variable"])
def test_an_explicit_tenant_beats_the_challenge(env: Environment, cloud: Sandbox, how: str) -> None:
    tenant = cloud.tenants["fabrikam"].id
    stdin = CAPABLE + HELLO + challenge(cloud.tenants["contoso"].id)
    options = ["--tenant", tenant] if how == "option" else []
    extra = {"MSAUTH_TENANT": tenant} if how == "variable" else {}
    done = run_program(PROG, *options, "get", env=env | extra, stdin=stdin)
    assert tenant_in(attributes(done.stdout)["credential"]) == tenant


@pytest.mark.parametrize(
    "named",
    ["00000000-0000-0000-0000-000000000000", "../../evil", "common", ""],
)
def test_a_tenant_that_is_none_is_not_believed(
    env: Environment, cloud: Sandbox, named: str
) -> None:
    """The sign-in's own tenant is used, and nothing is remembered for the organisation."""
    done = run_program(PROG, "get", env=env, stdin=CAPABLE + HELLO + challenge(named))
    token = attributes(done.stdout)["credential"]
    assert tenant_in(token) == cloud.tenants["contoso"].id


def test_an_unknown_sign_in_host_is_not_believed(env: Environment, cloud: Sandbox) -> None:
    fabrikam = cloud.tenants["fabrikam"].id
    line = f"wwwauth[]=Bearer authorization_uri=https://login.evil.com/{fabrikam}\n".encode()
    done = run_program(PROG, "get", env=env, stdin=CAPABLE + HELLO + line)
    assert tenant_in(attributes(done.stdout)["credential"]) == cloud.tenants["contoso"].id
    assert cloud.count("unknown_host") == 0


@pytest.mark.parametrize(
    ("user", "path"), [(b"username=fabrikam\n", b""), (b"", b"path=fabrikam/widgets\n")]
)
def test_the_organisation_may_be_the_user_name(
    env: Environment, cloud: Sandbox, user: bytes, path: bytes
) -> None:
    stdin = b"protocol=https\nhost=dev.azure.com\n" + user + path
    token = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)["password"]
    assert tenant_in(token) == cloud.tenants["fabrikam"].id


def test_the_legacy_host_names_the_organisation(env: Environment, cloud: Sandbox) -> None:
    stdin = b"protocol=https\nhost=fabrikam.visualstudio.com\nusername=someone\n"
    token = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)["password"]
    assert tenant_in(token) == cloud.tenants["fabrikam"].id


@pytest.mark.parametrize("action", ["get", "erase", "store", "approve", "frobnicate"])
def test_foreign_hosts_get_nothing(env: Environment, cloud: Sandbox, action: str) -> None:
    sweep = FOREIGN if action == "get" else FOREIGN[:2]
    for host in sweep:
        stdin = b"protocol=https\nhost=" + host + b"\npath=contoso/x\nusername=contoso\n"
        done = run_program(PROG, action, env=env, stdin=stdin)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), host
    assert cloud.count("request") == 0


HOSTILE = [
    b"",
    b"\n",
    b"protocol=https\n",
    b"host=dev.azure.com\n",
    b"protocol=\nhost=dev.azure.com\npath=contoso/x\n",
    b"protocol=http\nhost=dev.azure.com\npath=contoso/x\n",
    b"protocol=https\nhost=\npath=contoso/x\n",
    b"protocol=https\nhost=dev.azure.com\nhost=dev.azure.com\npath=contoso/x\n",
    b"protocol=http\nprotocol=https\nhost=dev.azure.com\npath=contoso/x\n",
    b"protocol=https\nhost=dev.azure.com\rhost=evil\npath=contoso/x\n",
    b"protocol=https\r\nhost=dev.azure.com\r\npath=contoso/x\r\n",
    b"protocol=https\nhost=dev.azure.com\0\npath=contoso/x\n",
    b"protocol=https\nhost=dev.azure.com\npath=contoso%0ahost=evil\n",
    b"protocol=https\nhost=dev.azure.com\npath=a\nno-equals-sign\n",
    b"\nprotocol=https\nhost=dev.azure.com\npath=contoso/x\n",
    b"url=https://dev.azure.com/contoso\n",
    b"protocol=https\nhost=dev.azure.com\npath=" + b"a" * 70000 + b"\n",
    b"\xff\xfe=\xff\n",
    os.urandom(4096).replace(b"\n", b"") + b"\n",
]


@pytest.mark.parametrize("stdin", HOSTILE)
def test_hostile_input_gets_nothing(env: Environment, cloud: Sandbox, stdin: bytes) -> None:
    for action in ("get", "erase"):
        done = run_program(PROG, action, env=env, stdin=stdin)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert cloud.count("request") == 0


def test_store_writes_nothing_and_reads_everything(env: Environment, home: Path) -> None:
    data = HELLO + b"password=s\n" + b"x=y\n" * 50000
    done = run_program(PROG, "store", env=env, stdin=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with start_program(PROG, "store", env=env) as process:
        assert process.stdin is not None
        process.stdin.write(data)  # more than a pipe holds: BrokenPipeError where nobody reads
        process.stdin.close()
    assert process.returncode == 0
    assert list(home.iterdir()) == []


def test_capability_action(bare_env: Environment) -> None:
    done = run_program(PROG, "capability", env=bare_env)
    assert done.stdout == b"version 0\ncapability authtype\ncapability state\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, [b"error: no action given", b"hint: "]),
        (["--tennant", "x", "get"], 2, [b"unknown option --tennant", b"did you mean --tenant?"]),
        (["--tenant"], 2, [b"option --tenant needs a value"]),
        (["--force-refresh=1", "get"], 2, [b"takes no value"]),
        (["--credential", "azure-clj", "get"], 2, [b"unknown credential", b"azure-cli"]),
        (["--tenant", "a b", "get"], 2, [b"neither a GUID nor a domain"]),
        (["--min-valid", "soon", "get"], 2, [b"number of seconds"]),
        (["--authority-host", "http://login.evil", "get"], 2, [b"not an https host"]),
    ],
)
def test_usage_errors(
    env: Environment, cloud: Sandbox, arguments: list[str], code: int, words: list[bytes]
) -> None:
    done = run_program(PROG, *arguments, env=env, stdin=HELLO)
    assert done.returncode == code
    for line in done.stderr.split(b"\n")[:-1]:
        assert line.startswith((PROG.encode() + b": error: ", PROG.encode() + b": hint: "))
    for word in words:
        assert word in done.stderr
    assert done.stdout == (b"quit=1\n" if arguments[-1:] == ["get"] else b"")
    assert cloud.count("token") == 0


def test_a_wrong_option_is_no_matter_of_other_hosts(env: Environment) -> None:
    stdin = b"protocol=https\nhost=github.com\n"
    done = run_program(PROG, "--tennant", "x", "get", env=env, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_help_and_version(bare_env: Environment) -> None:
    assert b"usage: git-credential-msauth" in run_program(PROG, "--help", env=bare_env).stdout
    assert run_program(PROG, "--version", env=bare_env).stdout.startswith(PROG.encode() + b" 0.")


def test_nobody_signed_in_stops_git_with_one_hint(bare_env: Environment, cloud: Sandbox) -> None:
    env = bare_env | cloud.environ
    stdin = CAPABLE + HELLO + challenge(cloud.tenants["contoso"].id)
    done = run_program(PROG, "get", env=env, stdin=stdin)
    assert done.returncode == 1
    assert done.stdout == b"quit=1\n"
    lines = done.stderr.decode().split("\n")
    why = "device-code: nobody has signed in yet, and nobody may be asked here"
    assert lines[0] == f"{PROG}: error: no credential can sign in: {why}"
    assert len(lines) == 3
    login = f"hint: msauth login --credential device-code --tenant {cloud.tenants['contoso'].id}"
    assert login in lines[-2]
    assert cloud.count("token") == 0


def test_nobody_signed_in_lets_git_ask_the_server_first(
    bare_env: Environment, cloud: Sandbox
) -> None:
    """Only who has not been refused yet, and can come back, is given an empty credential."""
    env = bare_env | cloud.environ
    done = run_program(PROG, "get", env=env, stdin=CAPABLE + HELLO)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[2:5] == ["authtype=", "credential=", "ephemeral=1"]
    assert lines[-1] == "continue=1"
    state = next(line for line in lines if line.startswith("state[]=")).encode() + b"\n"
    for refused in (
        CAPABLE + HELLO + b"wwwauth[]=Bearer\n",
        CAPABLE + HELLO + state,
        b"capability[]=authtype\n" + HELLO,
        b"capability[]=state\n" + HELLO,
    ):
        done = run_program(PROG, "get", env=env, stdin=refused)
        assert (done.returncode, done.stdout) == (1, b"quit=1\n")
        assert done.stderr.count(b"error: no credential can sign in") == 1
    done = run_program(PROG, "--profile", "wrok", "get", env=env, stdin=CAPABLE + HELLO)
    assert (done.returncode, done.stdout) == (2, b"quit=1\n")


@pytest.mark.parametrize("kind", ["auto", "service-principal"])
def test_who_failed_without_asking_anybody_is_not_asked_again(
    env: Environment, cloud: Sandbox, kind: str
) -> None:
    """git comes back at once, and then a person might be asked; but this kind asks nobody."""
    env |= {"AZURE_CLIENT_SECRET": "wrong", "GIT_TERMINAL_PROMPT": "1"}
    options = ("--credential", kind, "--tenant", cloud.tenants["contoso"].id)
    first = run_program(PROG, *options, "get", env=env, stdin=CAPABLE + HELLO)
    assert b"continue=1\n" in first.stdout
    refused = CAPABLE + HELLO + b"wwwauth[]=Bearer\n"
    done = run_program(PROG, *options, "get", env=env, stdin=refused)
    assert (done.returncode, done.stdout) == (1, b"quit=1\n")
    assert done.stderr.count(b"the client secret is wrong") == 1
    assert cloud.count("token") == 1


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        (b"", False),
        (b"wwwauth[]=Bearer\n", True),
        (b"state[]=msauth.anonymous=1\n", True),
        (b"capability[]=\n", True),  # an older git, which asks once
    ],
)
def test_nobody_is_asked_for_what_may_be_public(
    monkeypatch: pytest.MonkeyPatch, bare_env: Environment, more: bytes, asked: bool
) -> None:
    """A hostile submodule's URL alone opens no browser: only a server's refusal does."""

    def get_token(_: object, *, may_prompt: Callable[[], bool]) -> None:
        found.append(may_prompt())
        raise SignInError("nobody is signed in")

    found: list[bool] = []
    monkeypatch.setattr(broker, "get_token", get_token)
    monkeypatch.setattr(git_credential, "_may_prompt", lambda *_: True)
    monkeypatch.setattr(
        git_credential,
        "environment",
        lambda: dict(bare_env) | {"MSAUTH_TENANT": "11111111-1111-1111-1111-111111111111"},
    )
    _, answer = git_credential.run(["get"], lambda: CAPABLE + HELLO + more)
    assert found == [asked]
    assert (b"quit=1" in answer) == asked


def test_with_az_the_hint_is_az_login(bare_env: Environment, cloud: Sandbox, home: Path) -> None:
    az = home / "az"
    az.write_text(
        "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n"
    )
    az.chmod(0o755)
    env = bare_env | cloud.environ | {"PATH": f"{home}:{bare_env['PATH']}"}
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert (done.returncode, done.stdout) == (1, b"quit=1\n")
    assert f"hint: az login --tenant {cloud.tenants['contoso'].id}" in done.stderr.decode()


def test_a_wrong_secret_is_one_error_and_is_not_repeated(
    env: Environment, cloud: Sandbox, home: Path
) -> None:
    secret = "wrong~Secret~0123456789"
    env = env | {"AZURE_CLIENT_SECRET": secret}
    for _ in range(3):
        done = run_program(PROG, "get", env=env, stdin=HELLO)
        assert (done.returncode, done.stdout) == (1, b"quit=1\n")
        assert b"AADSTS7000215" in done.stderr
        assert b"Traceback" not in done.stderr
        assert secret.encode() not in done.stderr
    assert cloud.count("token") == 1
    for path in home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
    # The corrected secret is tried at once.
    env["AZURE_CLIENT_SECRET"] = cloud.client_secret
    assert b"password=" in run_program(PROG, "get", env=env, stdin=HELLO).stdout


def test_erase_concerns_exactly_the_rejected_token(
    env: Environment, cloud: Sandbox, records: Callable[[], list[Path]]
) -> None:
    first = attributes(run_program(PROG, "get", env=env, stdin=HELLO).stdout)["password"]
    run_program(PROG, "get", env=env, stdin=FABRIKAM)
    assert len(records()) == 2
    # Another secret: nothing happens.
    run_program(PROG, "erase", env=env, stdin=HELLO + b"username=x\npassword=other\n")
    assert len(records()) == 2
    done = run_program(PROG, "erase", env=env, stdin=HELLO + f"password={first}\n".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    # It stays for other organisations, and this one is not given it again.
    assert len(records()) == 2
    second = attributes(run_program(PROG, "get", env=env, stdin=HELLO).stdout)["password"]
    assert second != first
    # A late erase of the old token leaves the new one.
    run_program(PROG, "erase", env=env, stdin=HELLO + f"password={first}\n".encode())
    cloud.reset()
    third = attributes(run_program(PROG, "get", env=env, stdin=HELLO).stdout)["password"]
    assert third == second
    assert cloud.count("token") == 0


def test_erase_keeps_the_claims_for_the_next_get(env: Environment, cloud: Sandbox) -> None:
    token = attributes(run_program(PROG, "get", env=env, stdin=HELLO).stdout)["password"]
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    tenant = cloud.tenants["contoso"].id
    stdin = HELLO + f"password={token}\n".encode() + cae_challenge(tenant, claims)
    run_program(PROG, "erase", env=env, stdin=stdin)
    cloud.reset()
    run_program(PROG, "get", env=env, stdin=HELLO)
    assert cloud.count("token", claims=True) == 1
    # They are honoured once; the token that satisfied them is then served as usual.
    run_program(PROG, "get", env=env, stdin=HELLO)
    assert cloud.count("token") == 1


def come_back(answer: dict[str, str], *, by: str = "git") -> bytes:
    """What git says of an answer that was refused, and git-lfs of any answer."""
    state = f"state[]={answer['state[]']}\n"
    return (state if by == "git-lfs" else "authtype=Bearer\nephemeral=1\n" + state).encode()


def test_a_token_rejected_within_the_same_command_is_replaced(
    env: Environment, cloud: Sandbox
) -> None:
    stdin = CAPABLE + HELLO + challenge(cloud.tenants["contoso"].id)
    first = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)
    done = run_program(PROG, "get", env=env, stdin=stdin + come_back(first))
    second = attributes(done.stdout)
    assert second["credential"] != first["credential"]
    assert "continue" not in second
    assert cloud.count("token") == 2


@pytest.mark.parametrize("by", ["git", "git-lfs"])
def test_the_same_token_is_the_answer_where_there_is_no_other(
    bare_env: Environment, cloud: Sandbox, by: str
) -> None:
    """A host that caches its managed identity: the server decides, and nobody is locked out."""
    cloud.configure(managed_identity_caches=True)
    env = bare_env | cloud.environ | cloud.managed_identity_environ()
    stdin = CAPABLE + HELLO + challenge(cloud.tenants["contoso"].id)
    first = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)
    done = run_program(PROG, "get", env=env, stdin=stdin + come_back(first, by=by))
    assert done.stderr == b""
    assert attributes(done.stdout)["credential"] == first["credential"]
    cloud.reset()
    cloud.configure(managed_identity_caches=True)
    later = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)
    assert later["credential"] == first["credential"]
    assert cloud.count("managed_identity") == 0, "the server may have taken it"


def test_a_rejected_token_is_replaced_though_nothing_can_be_written(
    env: Environment, cloud: Sandbox
) -> None:
    """As on a full disk: the old record is still read, and no rejection can be noted."""
    tenant = cloud.tenants["contoso"].id
    stdin = CAPABLE + HELLO + challenge(tenant)
    first = attributes(run_program(PROG, "get", env=env, stdin=stdin).stdout)
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    again = CAPABLE + HELLO + cae_challenge(tenant, claims) + come_back(first)
    done = run_program("sh", "-c", f"ulimit -f 0; exec {PROG} get", env=env, stdin=again)
    second = attributes(done.stdout)
    assert second["credential"] != first["credential"]
    assert cloud.count("token", claims=True) == 1


@pytest.mark.parametrize("value", ["false", "never"])
def test_nobody_is_asked_when_git_forbids_it(
    bare_env: Environment, cloud: Sandbox, value: str
) -> None:
    env = bare_env | cloud.environ | {"GIT_TERMINAL_PROMPT": "1"}
    ask = ["--credential", "device-code", "get"]
    forbidden = env | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.https://dev.azure.com.interactive",
        "GIT_CONFIG_VALUE_0": value,
    }
    done = run_program(PROG, *ask, env=forbidden, stdin=HELLO)
    assert (done.returncode, done.stdout) == (1, b"quit=1\n")
    assert cloud.count("token") == 0
    done = run_program(PROG, *ask, env=env | {"GIT_TERMINAL_PROMPT": "off"}, stdin=HELLO)
    assert (done.returncode, done.stdout) == (1, b"quit=1\n")
    assert b"password=" in run_program(PROG, *ask, env=env, stdin=HELLO).stdout


@pytest.mark.parametrize("herd", [2, 16, 64])
def test_a_herd_makes_one_request(env: Environment, cloud: Sandbox, herd: int) -> None:
    cloud.configure(latency=0.3)
    processes = [start_program(PROG, "get", env=env) for _ in range(herd)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(HELLO)
        process.stdin.close()
        process.stdin = None
    answers = {process.communicate(timeout=120)[0] for process in processes}
    assert len(answers) == 1
    assert b"password=ey" in answers.pop()
    assert cloud.count("token") == 1
    assert cloud.count("devops") == 1


def test_a_short_lived_token_is_shared_by_the_herd(env: Environment, cloud: Sandbox) -> None:
    """Tokens shorter than the margin are no reason for one request each."""
    cloud.configure(expires_in=120)
    everybody_asked = threading.Event()

    def hold(_: object) -> None:
        everybody_asked.wait(60)

    cloud.on_token(hold)
    traced = env | {"MSAUTH_TRACE": "1"}
    processes = [start_program(PROG, "get", env=traced) for _ in range(8)]
    for process in processes:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(HELLO)
        process.stdin.close()
        process.stdin = None
        assert b"cache miss" in process.stderr.readline()
    everybody_asked.set()
    outputs = {process.communicate(timeout=120)[0] for process in processes}
    assert len(outputs) == 1
    assert b"password=ey" in outputs.pop()
    assert cloud.count("token") == 1


def test_force_refresh_signs_in_again(env: Environment, cloud: Sandbox) -> None:
    first = run_program(PROG, "get", env=env, stdin=HELLO).stdout
    second = run_program(PROG, "--force-refresh", "get", env=env, stdin=HELLO).stdout
    assert attributes(first)["password"] != attributes(second)["password"]
    assert run_program(PROG, "get", env=env, stdin=HELLO).stdout == second


def test_no_token_in_the_trace(env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    for where in ("1", str(path)):
        done = run_program(PROG, "get", env=env | {"MSAUTH_TRACE": where}, stdin=HELLO)
        token = attributes(done.stdout)["password"]
        text = done.stderr if where == "1" else path.read_bytes()
        assert b"cache" in text
        assert token.encode() not in text
        assert token.split(".")[2].encode() not in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_erase_on_a_full_disk_still_evicts(
    env: Environment, cloud: Sandbox, records: Callable[[], list[Path]]
) -> None:
    token = attributes(run_program(PROG, "get", env=env, stdin=HELLO).stdout)["password"]
    command = ["-c", f"ulimit -f 0; exec {PROG} erase"]
    done = run_program("sh", *command, env=env, stdin=HELLO + f"password={token}\n".encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert records() == []


def test_a_cache_that_cannot_be_written_is_not_read(
    env: Environment, cloud: Sandbox, home: Path, tmp_path: Path
) -> None:
    """A rejection could not be noted there, so the rejected token would be served for ever."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only mount of tests/cache covers it")
    run_program(PROG, "get", env=env, stdin=HELLO)
    (home / "cache" / "v1").chmod(0o500)
    try:
        assert b"password=" in run_program(PROG, "get", env=env, stdin=HELLO).stdout
        assert cloud.count("token") == 2
    finally:
        (home / "cache" / "v1").chmod(0o700)


@pytest.mark.parametrize("place", ["cache", "~/cache", "./x"])
def test_a_relative_cache_directory_is_refused(
    env: Environment, cloud: Sandbox, tmp_path: Path, place: str
) -> None:
    work = tmp_path / "work-tree"
    work.mkdir()
    done = run_program(PROG, "get", env=env | {"MSAUTH_CACHE_DIR": place}, stdin=HELLO, cwd=work)
    assert done.returncode == 0
    assert b"password=ey" in done.stdout
    assert b"is not an absolute path" in done.stderr
    assert b"hint: export MSAUTH_CACHE_DIR=/a/private/directory" in done.stderr
    assert list(work.iterdir()) == []


def test_an_organisation_of_personal_accounts_is_pointed_out(
    env: Environment, cloud: Sandbox
) -> None:
    stdin = b"protocol=https\nhost=dev.azure.com\npath=personal/x/_git/x\n"
    done = run_program(PROG, "get", env=env, stdin=stdin)
    assert done.returncode == 0
    assert b"warning: organisation personal names no Entra tenant" in done.stderr
    assert b"only a PAT works there" in done.stderr
    explicit = run_program(PROG, "--tenant", "contoso.com", "get", env=env, stdin=stdin)
    assert explicit.stderr == b""
