"""azd and pwsh, played by stubs; the order of `auto`, and what it passes over."""

import datetime
import json
import time
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .signin_stubs import DEVOPS, HELLO, attributes, stub

PROG = "git-credential-msauth"


@pytest.fixture
def person_env(bare_env: Environment, cloud: Sandbox) -> Environment:
    return bare_env | cloud.environ


def azd_prints(env: Environment, token: str, expires_in: int = 3600) -> Path:
    until = datetime.datetime.fromtimestamp(time.time() + expires_in, datetime.timezone.utc)
    answer = {"token": token, "expiresOn": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return stub(env, "azd", f"echo '{json.dumps(answer)}'")


def pwsh_prints(env: Environment, token: str, expires_in: int = 3600) -> Path:
    return stub(env, "pwsh", f"echo; echo azsdk%{token}%{int(time.time()) + expires_in}")


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_azd_in_any_time_zone(person_env: Environment, cloud: Sandbox, zone: str) -> None:
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    log = azd_prints(person_env, token)
    env = person_env | {"TZ": zone}
    done = run_program(PROG, "--credential", "azure-developer-cli", "get", env=env, stdin=HELLO)
    answer = attributes(done.stdout)
    assert answer["password"] == token, done.stderr
    assert abs(int(answer["password_expiry_utc"]) - time.time() - 3600) < 60
    # With a space instead of `=` the real azd first asks a web address about extensions.
    asked = f"--output=json --no-prompt --scope={DEVOPS} --tenant-id={cloud.tenants['contoso'].id}"
    assert log.read_text() == f"auth token {asked}\n"


def test_azd_gets_the_claims_of_a_rejection(person_env: Environment, cloud: Sandbox) -> None:
    first = cloud.issue_token("contoso", user="alex@contoso.com")
    second = cloud.issue_token("contoso", user="alex@contoso.com", expires_in=3599)
    log = azd_prints(person_env, first)
    options = ("--credential", "azure-developer-cli")
    run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
    challenge = (
        b'wwwauth[]=Bearer error="insufficient_claims", '
        b'claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="\n'
    )
    erase = HELLO[:-1] + b"password=" + first.encode() + b"\n" + challenge + b"\n"
    run_program(PROG, *options, "erase", env=person_env, stdin=erase)
    azd_prints(person_env, second)
    done = run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
    assert attributes(done.stdout)["password"] == second, done.stderr
    assert "--claims=eyJhY2Nlc3NfdG9rZW4i" in log.read_text().splitlines()[-1]


def test_pwsh(person_env: Environment, cloud: Sandbox) -> None:
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    log = pwsh_prints(person_env, token)
    options = ("--credential", "azure-powershell")
    done = run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
    assert attributes(done.stdout)["password"] == token, done.stderr
    assert "-NoProfile -NonInteractive -EncodedCommand" in log.read_text()


@pytest.mark.parametrize(
    ("kind", "program", "script", "hint"),
    [
        (
            "azure-developer-cli",
            "azd",
            "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1",
            b"azd auth login --tenant-id ",
        ),
        (
            "azure-powershell",
            "pwsh",
            "echo 'Run Connect-AzAccount to login.' >&2; exit 1",
            b"Connect-AzAccount -Tenant ",
        ),
        ("azure-powershell", "pwsh", "echo NO_AZ_ACCOUNT_MODULE", b"Install-Module Az.Accounts"),
    ],
)
def test_nobody_signed_in_is_one_error_and_the_command(
    person_env: Environment, kind: str, program: str, script: str, hint: bytes
) -> None:
    stub(person_env, program, script)
    done = run_program(PROG, "--credential", kind, "get", env=person_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert done.stderr.count(b"error:") == 1
    assert hint in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_rejected_token_of_azd_is_never_served_again(
    person_env: Environment, cloud: Sandbox
) -> None:
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    azd_prints(person_env, token)
    options = ("--credential", "azure-developer-cli")
    run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
    erase = HELLO[:-1] + b"password=" + token.encode() + b"\n\n"
    run_program(PROG, *options, "erase", env=person_env, stdin=erase)
    done = run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert token.encode() not in done.stderr


def test_auto_starts_no_program_that_nobody_signed_in_with(person_env: Environment) -> None:
    logs = [stub(person_env, name, "exit 1") for name in ("azd", "pwsh")]
    env = person_env | {"MSAUTH_TRACE": "1"}
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert not any(log.exists() for log in logs)
    assert b"nobody is signed in with azd" in done.stderr
    assert b"nobody may be asked here" in done.stderr
    assert b"hint: msauth login --credential device-code --tenant" in done.stderr


def azd_account(home: Path, *, person: str | None) -> None:
    """Leave the auth.json of a login, or of a logout: it stays, with an empty account."""
    (home / ".azd").mkdir(exist_ok=True)
    account = {} if person is None else {"currentUser": {"homeAccountId": f"{person}.contoso"}}
    text = json.dumps({"auth": {"account": account}}, indent=2)
    assert person is not None or len(text) == 37  # as azd 1.32 leaves it
    (home / ".azd" / "auth.json").write_text(text)


def test_auto_takes_azd_where_it_was_signed_in(
    person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    azd_account(home, person="alex")
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    azd_prints(person_env, token)
    done = run_program(PROG, "get", env=person_env, stdin=HELLO)
    assert attributes(done.stdout)["password"] == token, done.stderr


def test_another_person_of_azd_is_answered_at_once(
    person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    options = ("--credential", "azure-developer-cli")
    for person in ("alex", "kim!"):  # of the same length, as azd's identifiers are
        azd_account(home, person=person)
        token = cloud.issue_token(
            "contoso", user="alex@contoso.com", expires_in=3600 + ord(person[0])
        )
        azd_prints(person_env, token)
        done = run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
        assert attributes(done.stdout)["password"] == token, done.stderr
    azd_account(home, person=None)
    stub(
        person_env, "azd", "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1"
    )
    done = run_program(PROG, *options, "get", env=person_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"


def test_a_logged_out_azd_is_not_started(
    person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    azd_account(home, person=None)
    log = azd_prints(person_env, cloud.issue_token("contoso"))
    done = run_program(PROG, "get", env=person_env, stdin=HELLO)
    assert b"nobody is signed in with azd" in done.stderr
    assert not log.exists()


@pytest.mark.parametrize(
    "contexts", [{}, {"Default": {"Account": None}}, {"Default": {"Account": {"Id": "alex"}}}]
)
def test_an_empty_context_of_powershell_is_no_sign_in(
    person_env: Environment, cloud: Sandbox, home: Path, contexts: dict[str, object]
) -> None:
    """Importing Az.Accounts creates the file; Disconnect-AzAccount leaves it."""
    (home / ".Azure").mkdir()
    text = json.dumps({"DefaultContextKey": "Default", "Contexts": contexts})
    (home / ".Azure" / "AzureRmContext.json").write_text(text, encoding="utf-8-sig")
    log = pwsh_prints(person_env, cloud.issue_token("contoso", user="alex@contoso.com"))
    run_program(PROG, "get", env=person_env, stdin=HELLO)
    assert log.exists() == ("Id" in text)


def test_azd_is_started_in_no_repository_and_reads_nothing(
    person_env: Environment, cloud: Sandbox, home: Path
) -> None:
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    answer = json.dumps({"token": token, "expiresOn": "2099-01-01T00:00:00.123456+00:00"})
    stub(person_env, "azd", f"(pwd; readlink /proc/self/fd/0) > {home}/place; echo '{answer}'")
    options = ("--credential", "azure-developer-cli")
    done = run_program(PROG, *options, "get", env=person_env, stdin=HELLO, cwd=home)
    assert attributes(done.stdout)["password"] == token, done.stderr
    assert (home / "place").read_text().split() == ["/", "/dev/null"]


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ('{"error":"AADSTS70043: expired","message":"x"}', b"AADSTS70043"),
        ('{"type":"consoleMessage","data":{"message":"ERROR: AADSTS50173: no"}}', b"AADSTS50173"),
        ('{"type":"consoleMessage"}\n{"error":"fetching token: AADSTS50076: x"}', b"AADSTS50076"),
        ("{}", b"azd's answer cannot be understood"),
        ('{"token":"t","expiresOn":"soon"}', b"azd's answer cannot be understood"),
    ],
)
def test_what_azd_says_is_understood(person_env: Environment, output: str, error: bytes) -> None:
    stub(person_env, "azd", f"cat <<'EOF'\n{output}\nEOF\nexit {int('AADSTS' in output)}")
    done = run_program(
        PROG, "--credential", "azure-developer-cli", "get", env=person_env, stdin=HELLO
    )
    assert done.stdout == b"quit=1\n"
    assert error in done.stderr
    assert done.stderr.count(b": hint: ") == 1


@pytest.mark.parametrize(
    "text", ["x; touch trapped", "a\nusername=eve", "$(touch trapped)", "", "é"]
)
@pytest.mark.parametrize("kind", ["azure-developer-cli", "azure-powershell", "azure-cli"])
def test_what_is_no_token_goes_no_further(
    person_env: Environment, home: Path, kind: str, text: str
) -> None:
    """`eval "$(msauth-token --format export)"` would run it, git would take it for attributes."""
    until = int(time.time()) + 3600
    azd = {"token": text, "expiresOn": "2099-01-01T00:00:00Z"}
    az = {"accessToken": text, "expires_on": until}
    stub(person_env, "azd", f"cat <<'EOF'\n{json.dumps(azd)}\nEOF")
    stub(person_env, "az", f"cat <<'EOF'\n{json.dumps(az)}\nEOF")
    stub(person_env, "pwsh", f"cat <<'EOF'\nazsdk%{text}%{until}\nEOF")
    options = ("arm", "--credential", kind, "--format", "export")
    done = run_program("msauth-token", *options, env=person_env, cwd=home)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b": error: ") == 1
    done = run_program(PROG, "--credential", kind, "get", env=person_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"


def test_an_expiry_that_is_no_time_is_no_fault_of_ours(person_env: Environment) -> None:
    stub(person_env, "az", """echo '{"accessToken": "hello", "expires_on": Infinity}'""")
    options = ("arm", "--credential", "azure-cli")
    done = run_program("msauth-token", *options, env=person_env)
    assert b"az's answer cannot be understood" in done.stderr


@pytest.mark.parametrize("kind", ["azure-developer-cli", "azure-powershell", "azure-cli"])
def test_a_token_of_another_tenant_is_an_error(
    person_env: Environment, cloud: Sandbox, home: Path, kind: str
) -> None:
    token = cloud.issue_token("fabrikam", user="alex@contoso.com")
    azd_prints(person_env, token)
    pwsh_prints(person_env, token)
    answer = {"accessToken": token, "expires_on": int(time.time()) + 3600}
    stub(person_env, "az", f"echo '{json.dumps(answer)}'")
    done = run_program(PROG, "--credential", kind, "get", env=person_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    wanted = cloud.tenants["contoso"].id
    assert f"but tenant {wanted} was asked for".encode() in done.stderr
    assert b": hint: " in done.stderr
    assert not list((home / "cache" / "v1").glob("*.tok"))


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("AzureDeveloperCliCredential", "azure-developer-cli"),
        ("azurepowershellcredential", "azure-powershell"),
    ],
)
def test_azure_token_credentials_names_one(
    person_env: Environment, cloud: Sandbox, choice: str, kind: str
) -> None:
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    other = cloud.issue_token("contoso", user="sam@contoso.com")
    azd_prints(person_env, token if kind == "azure-developer-cli" else other)
    pwsh_prints(person_env, token if kind == "azure-powershell" else other)
    env = person_env | {"AZURE_TOKEN_CREDENTIALS": choice}
    done = run_program(PROG, "get", env=env, stdin=HELLO)
    assert attributes(done.stdout)["password"] == token, done.stderr


def test_the_broker_is_named_where_it_is_missing(person_env: Environment) -> None:
    done = run_program(PROG, "--credential", "broker", "get", env=person_env, stdin=HELLO)
    assert b"azure-identity-broker is not installed" in done.stderr
    assert done.stdout == b"quit=1\n"


def test_a_program_that_is_missing_is_no_reason_to_sign_in(person_env: Environment) -> None:
    for kind, program in (("azure-developer-cli", "azd"), ("azure-powershell", "pwsh")):
        done = run_program(PROG, "--credential", kind, "get", env=person_env, stdin=HELLO)
        assert f"{program} is not on PATH".encode() in done.stderr
        assert b", or choose another --credential\n" in done.stderr
