"""azure-cli: the token az holds, az itself, its refresh token; az's files stay as they are."""

import base64
import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from msauth.signin.attempt import claims_of
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .signin_stubs import (
    DEVOPS,
    HELLO,
    WIDGETS,
    attributes,
    az_login,
    stub,
    subscription,
    write_profile,
)

PROG = "git-credential-msauth"
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
NEVER = 'echo "ERROR: the test did not expect az to be started" >&2; exit 1'


@pytest.fixture
def az_env(bare_env: Environment, cloud: Sandbox, home: Path) -> Environment:
    """The sandbox's network; alex@contoso.com signed in with az; an az that must not be needed."""
    env = bare_env | cloud.environ
    write_profile(
        home, subscription(cloud, "contoso", default=True), subscription(cloud, "fabrikam")
    )
    az_login(cloud, env, DEVOPS)
    stub(env, "az", NEVER)
    return env


def log_of(env: Environment, name: str = "az") -> list[str]:
    path = Path(env["HOME"]) / "stubs" / f"{name}.log"
    return path.read_text().splitlines() if path.exists() else []


def cache_of(env: Environment) -> Path:
    return Path(env["HOME"]) / ".azure" / "msal_token_cache.json"


def az_prints(env: Environment, token: str, expires_in: int = 3600) -> None:
    answer = {"accessToken": token, "expires_on": int(time.time()) + expires_in}
    stub(env, "az", f"echo '{json.dumps(answer)}'")


def edit(env: Environment, kind: str, **fields: object) -> None:
    path = cache_of(env)
    cache = json.loads(path.read_text())
    for entry in cache[kind].values():
        entry.update(fields)
    path.write_text(json.dumps(cache))


def get(env: Environment, *options: str, stdin: bytes = HELLO) -> dict[str, str]:
    done = run_program(PROG, *options, "get", env=env, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return attributes(done.stdout)


def snapshot(env: Environment) -> dict[str, tuple[str, int]]:
    folder = Path(env["HOME"]) / ".azure"
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


@pytest.mark.parametrize("kind", ["auto", "azure-cli", "azure-cli-cache"])
def test_the_token_az_holds_is_served_without_az(
    az_env: Environment, cloud: Sandbox, kind: str
) -> None:
    before, requests = snapshot(az_env), cloud.count("token")
    answer = get(az_env, "--credential", kind)
    held = json.loads(cache_of(az_env).read_text())["AccessToken"]
    assert answer["password"] in {entry["secret"] for entry in held.values()}
    assert log_of(az_env) == []
    assert cloud.count("token") == requests
    assert snapshot(az_env) == before


@pytest.mark.parametrize(
    "change",
    [
        {"ext_cache_key": "bound to a key"},
        {"expires_on": str(int(time.time()) + 290)},
        {"refresh_on": str(int(time.time()) - 1)},
        {"target": "https://graph.microsoft.com/.default"},
        {"realm": "bb95a3dd-0000-0000-0000-000000000000"},
        {"home_account_id": "another.account"},
        {"client_id": "80faf920-1908-4b52-b5ef-a8e7bedfc67a"},
        {"environment": "login.microsoftonline.us"},
        {"token_type": "pop"},
        {"secret": "not a token\n"},
        {"secret": None},
    ],
)
def test_any_other_entry_is_left_to_az(
    az_env: Environment, cloud: Sandbox, change: dict[str, object]
) -> None:
    edit(az_env, "AccessToken", **change)
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    az_prints(az_env, token)
    assert get(az_env, "--credential", "azure-cli")["password"] == token
    assert len(log_of(az_env)) == 1


@pytest.mark.parametrize(
    "cache", [b"", b"{", b"[]", b'{"AccessToken": 3}', b'{"AccessToken": {"a": 7}}', None]
)
def test_a_torn_cache_is_left_to_az(
    az_env: Environment, cloud: Sandbox, cache: bytes | None
) -> None:
    if cache is None:
        cache_of(az_env).rename(cache_of(az_env).with_suffix(".bin"))  # encrypted
    else:
        cache_of(az_env).write_bytes(cache)
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    az_prints(az_env, token)
    assert get(az_env)["password"] == token


def test_az_that_reads_its_own_torn_cache_is_asked_once_more(
    az_env: Environment, cloud: Sandbox, home: Path
) -> None:
    edit(az_env, "AccessToken", target="")
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    answer = json.dumps({"accessToken": token, "expires_on": int(time.time()) + 3600})
    said = "ERROR: User 'alex@contoso.com' does not exist in MSAL token cache. Run `az login`."
    stub(
        az_env,
        "az",
        f"[ -e {home}/again ] && echo '{answer}' && exit; touch {home}/again; "
        f'cat >&2 <<"EOF"\n{said}\nEOF\nexit 1',
    )
    assert get(az_env, "--credential", "azure-cli")["password"] == token
    assert len(log_of(az_env)) == 2


def test_nobody_signed_in_is_believed_at_once(az_env: Environment, home: Path) -> None:
    write_profile(home)
    stub(az_env, "az", "echo \"Please run 'az login' to setup account.\" >&2; exit 1")
    done = run_program(PROG, "--credential", "azure-cli", "get", env=az_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert b"hint: az login --tenant" in done.stderr
    assert len(log_of(az_env)) == 1


def test_a_guest_tenant_gets_its_own_token_from_the_home_refresh_token(
    az_env: Environment, cloud: Sandbox
) -> None:
    requests = cloud.count("token", grant="refresh_token")
    answer = get(az_env, "--credential", "azure-cli-cache", stdin=WIDGETS)
    assert cloud.count("token", grant="refresh_token", tenant="fabrikam") == 1
    assert requests == 0
    assert log_of(az_env) == []
    assert claims_of(answer["password"])["tid"] == cloud.tenants["fabrikam"].id


def test_a_second_account_answers_for_the_tenant_that_only_it_has(
    az_env: Environment, cloud: Sandbox, home: Path
) -> None:
    write_profile(
        home,
        subscription(cloud, "contoso", "alex@contoso.com", default=True),
        subscription(cloud, "fabrikam", "sam@contoso.com"),
    )
    token = cloud.issue_token("fabrikam", user="alex@contoso.com")
    az_prints(az_env, token)
    assert get(az_env, "--credential", "azure-cli", stdin=WIDGETS)["password"] == token
    (asked,) = log_of(az_env)
    assert f"--subscription {cloud.subscription_id('fabrikam')}" in asked
    assert "--tenant" not in asked


@pytest.mark.parametrize("word", ["id", "name"])
def test_kubelogin_s_subscription_says_who_answers(
    az_env: Environment, cloud: Sandbox, home: Path, word: str
) -> None:
    write_profile(
        home,
        subscription(cloud, "contoso", "alex@contoso.com", default=True),
        subscription(cloud, "fabrikam", "sam@contoso.com"),
    )
    az_prints(az_env, cloud.issue_token("fabrikam", user="alex@contoso.com"))
    number = cloud.subscription_id("fabrikam")
    server = "6dae42f8-4368-4678-94ff-3960e28e3630"
    get_token = ("get-token", "--login", "azurecli", "--server-id", server, "-s")
    named = number if word == "id" else "fabrikam"
    done = run_program("msauth-token", *get_token, named, env=az_env)
    assert json.loads(done.stdout)["status"]["token"], done.stderr
    (asked,) = log_of(az_env)
    assert asked.endswith(f"--resource {server} --subscription {number}")
    done = run_program("msauth-token", *get_token, "nosuch", env=az_env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"az knows no subscription nosuch" in done.stderr
    assert len(log_of(az_env)) == 1


def test_a_tenant_wins_over_another_program_s_subscription(
    az_env: Environment, cloud: Sandbox
) -> None:
    env = az_env | {"AZURE_SUBSCRIPTION_ID": cloud.subscription_id("fabrikam")}
    held = get(az_env)["password"]
    for kind in ("azure-cli", "auto"):
        assert get(env, "--credential", kind)["password"] == held
    assert log_of(env) == []


def erase(env: Environment, token: str, claims: str | None = None) -> None:
    text = HELLO[:-1] + b"username=msauth\npassword=" + token.encode() + b"\n"
    if claims is not None:
        challenge = base64.b64encode(claims.encode()).decode()
        text += f'wwwauth[]=Bearer error="insufficient_claims", claims="{challenge}"\n'.encode()
    run_program(PROG, "erase", env=env, stdin=text + b"\n")


@pytest.mark.parametrize("claims", [None, CLAIMS])
@pytest.mark.parametrize("kind", ["azure-cli", "azure-cli-cache", "auto"])
def test_a_rejected_token_is_replaced_by_redeeming(
    az_env: Environment, cloud: Sandbox, claims: str | None, kind: str
) -> None:
    before = snapshot(az_env)
    first = get(az_env, "--credential", kind)["password"]
    cloud.revoke(first)
    erase(az_env, first, claims)
    second = get(az_env, "--credential", kind)["password"]
    assert second != first
    assert cloud.count("token", grant="refresh_token") == 1
    assert cloud.count("token", grant="refresh_token", claims=True) == (claims is not None)
    assert get(az_env, "--credential", kind)["password"] == second
    assert snapshot(az_env) == before
    assert log_of(az_env) == []


@pytest.mark.parametrize("claims", [None, CLAIMS])
def test_without_a_refresh_token_a_rejected_token_is_one_hint_and_never_served_again(
    az_env: Environment, cloud: Sandbox, claims: str | None
) -> None:
    first = get(az_env, "--credential", "azure-cli")["password"]
    cache = json.loads(cache_of(az_env).read_text())
    cache["RefreshToken"] = {}
    cache_of(az_env).write_text(json.dumps(cache))
    az_prints(az_env, first)  # as az does: the very same token
    erase(az_env, first, claims)
    for _ in range(2):
        done = run_program(PROG, "--credential", "azure-cli", "get", env=az_env, stdin=HELLO)
        assert done.stdout == b"quit=1\n"
        (hint,) = [line for line in done.stderr.decode().split("\n") if ": hint: " in line]
        tenant = cloud.tenants["contoso"].id
        assert f"az login --tenant {tenant} --scope {DEVOPS}" in hint
        if claims is None:
            assert "--claims-challenge" not in hint
        else:
            encoded = hint.partition("--claims-challenge ")[2].split()[0].strip('"')
            assert base64.b64decode(encoded).decode() == claims


@pytest.mark.parametrize("kind", ["azure-cli", "azure-cli-cache", "azure-developer-cli"])
def test_the_only_token_to_be_had_is_named_in_the_error(
    az_env: Environment, cloud: Sandbox, kind: str
) -> None:
    """So that it can be offered again later: what refused it may have been an outage."""
    cache = json.loads(cache_of(az_env).read_text())
    cache_of(az_env).write_text(json.dumps({**cache, "RefreshToken": {}}))
    (held,) = {entry["secret"] for entry in cache["AccessToken"].values()}
    az_prints(az_env, held)
    azd = {"token": held, "expiresOn": "2099-01-01T00:00:00Z"}
    stub(az_env, "azd", f"echo '{json.dumps(azd)}'")
    program = (
        "import os, sys\n"
        "from msauth.errors import OnlyRejectedError\n"
        "from msauth.request.clouds import DEVOPS_SCOPE\n"
        "from msauth.request.request import TokenRequest\n"
        "from msauth.signin import acquire\n"
        "request = TokenRequest((DEVOPS_SCOPE,), dict(os.environ), credential=sys.argv[1])\n"
        "try:\n"
        "    acquire(request, claims=None, rejected=lambda text: True)\n"
        "except OnlyRejectedError as error:\n"
        "    print(error.token.text)\n"
    )
    done = run_program("python", "-c", program, kind, env=az_env)
    assert done.stdout.decode().strip() == held, done.stderr


def test_what_az_itself_returns_after_a_rejection_is_never_served(
    az_env: Environment, cloud: Sandbox
) -> None:
    edit(az_env, "AccessToken", target="")  # so that az is asked
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    az_prints(az_env, token)
    assert get(az_env)["password"] == token
    erase(az_env, token)
    assert get(az_env)["password"] != token
    assert cloud.count("token", grant="refresh_token") == 1


def test_a_revoked_refresh_token_is_one_hint(az_env: Environment, cloud: Sandbox) -> None:
    first = get(az_env)["password"]
    cloud.revoke_refresh_tokens()
    erase(az_env, first)
    done = run_program(PROG, "get", env=az_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert done.stderr.count(b"error:") == 1
    assert b"AADSTS50173" in done.stderr
    assert b"hint: az login --tenant" in done.stderr
    assert cloud.count("token", grant="refresh_token") == 1


def test_force_refresh_is_really_new(az_env: Environment, cloud: Sandbox) -> None:
    first = get(az_env)["password"]
    second = get(az_env, "--force-refresh")["password"]
    assert second != first
    assert cloud.count("token", grant="refresh_token") == 1
    assert log_of(az_env) == []


def test_another_login_takes_effect_at_once(
    az_env: Environment, cloud: Sandbox, home: Path
) -> None:
    first = get(az_env)["password"]
    write_profile(home, subscription(cloud, "contoso", "sam@contoso.com", default=True))
    cache_of(az_env).unlink()
    az_login(cloud, az_env, DEVOPS, user="sam@contoso.com")
    second = get(az_env)["password"]
    assert second != first
    write_profile(home)
    stub(az_env, "az", "echo \"Please run 'az login' to setup account.\" >&2; exit 1")
    assert run_program(PROG, "get", env=az_env, stdin=HELLO).stdout == b"quit=1\n"


def test_another_cloud_is_refused(az_env: Environment) -> None:
    env = az_env | {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us"}
    done = run_program(PROG, "--credential", "azure-cli", "get", env=env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    assert b"az is set to another cloud" in done.stderr
    assert log_of(env) == []


def sign_in_service_principal(env: Environment, cloud: Sandbox, *, secret: str) -> str:
    """Leave what `az login --service-principal` leaves; returns the token that az holds."""
    home = Path(env["HOME"])
    entry = subscription(cloud, "contoso", cloud.client_id, default=True)
    entry["user"] = {"name": cloud.client_id, "type": "servicePrincipal"}
    write_profile(home, entry)
    token = cloud.issue_token("contoso")
    edit(
        env,
        "AccessToken",
        home_account_id=None,
        client_id=cloud.client_id,
        secret=token,
    )
    kept = {"client_id": cloud.client_id, "tenant": cloud.tenants["contoso"].id}
    if secret:
        kept["client_secret"] = secret
    (home / ".azure/service_principal_entries.json").write_text(json.dumps([kept]))
    return token


def test_a_service_principal_of_az(az_env: Environment, cloud: Sandbox) -> None:
    token = sign_in_service_principal(az_env, cloud, secret=cloud.client_secret)
    before = snapshot(az_env)
    assert get(az_env)["password"] == token
    assert cloud.count("token") == 0
    cloud.revoke(token)
    erase(az_env, token)
    second = get(az_env)["password"]
    assert second != token
    assert cloud.count("token", grant="client_credentials") == 1
    assert get(az_env, "--force-refresh")["password"] != second
    assert log_of(az_env) == []
    assert snapshot(az_env) == before


def test_a_service_principal_whose_secret_az_hides(az_env: Environment, cloud: Sandbox) -> None:
    token = sign_in_service_principal(az_env, cloud, secret="")
    assert get(az_env)["password"] == token
    erase(az_env, token)
    az_prints(az_env, token)
    done = run_program(PROG, "get", env=az_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"
    hint = f"az login --service-principal --username {cloud.client_id} --tenant "
    assert done.stderr.count(b": hint: ") == 1
    assert hint.encode() in done.stderr


def test_the_secret_of_az_goes_to_its_own_cloud_alone(az_env: Environment, cloud: Sandbox) -> None:
    sign_in_service_principal(az_env, cloud, secret=cloud.client_secret)
    az_prints(az_env, cloud.issue_token("contoso"))
    env = az_env | {"AZURE_AUTHORITY_HOST": "login.example.com"}
    run_program(PROG, "--force-refresh", "get", env=env, stdin=HELLO)
    assert cloud.stats()["unknown_hosts"] == []


def test_a_server_that_is_down_is_one_error(az_env: Environment, cloud: Sandbox) -> None:
    cloud.fail_http(times=None)
    for kind in ("azure-cli", "azure-cli-cache"):
        options = ("--credential", kind, "--force-refresh")
        done = run_program(PROG, *options, "get", env=az_env, stdin=HELLO)
        assert b"the sign-in server answered" in done.stderr
        assert b"hint: try again in a minute" in done.stderr


def test_single_permissions_are_redeemed_because_az_knows_resources_only(
    az_env: Environment, cloud: Sandbox
) -> None:
    scope = "https://graph.microsoft.com/User.ReadWrite.All"
    options = ("--credential", "azure-cli", "--scope", scope, "--format", "token")
    done = run_program("msauth-token", *options, env=az_env)
    assert done.returncode == 0, done.stderr
    edit(az_env, "RefreshToken", secret="")
    done = run_program("msauth-token", *options, "--force-refresh", env=az_env)
    assert b"az can only be asked for one resource as a whole" in done.stderr
    assert log_of(az_env) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (50076, b"az login --tenant "),
        (53003, b"sign in where the policy lets you"),
        (65001, b"az login --tenant "),
        (700082, b"az login --tenant "),
        (90033, b"try again in a minute"),
        (500011, b"check --tenant and --scope"),
    ],
)
def test_the_hint_is_one_for_a_person(
    az_env: Environment, cloud: Sandbox, code: int, hint: bytes
) -> None:
    cloud.fail_tokens(code, times=None)
    done = run_program(PROG, "--force-refresh", "get", env=az_env, stdin=HELLO)
    assert done.stderr.count(b": error: ") == 1
    assert b": hint: " + hint in done.stderr


def test_az_is_never_taken_from_the_current_directory(
    az_env: Environment, cloud: Sandbox, home: Path
) -> None:
    edit(az_env, "AccessToken", target="")
    trap = home / "repository"
    trap.mkdir()
    (trap / "az").write_text(f"#!/bin/sh\ntouch {home}/trapped\n")
    (trap / "az").chmod(0o755)
    env = dict(az_env)
    program = next(
        Path(place) / PROG for place in az_env["PATH"].split(":") if (Path(place) / PROG).exists()
    )
    env["PATH"] = f":.:{program.parent}:/usr/bin:/bin"
    run_program(PROG, "--credential", "azure-cli", "get", env=env, stdin=HELLO, cwd=trap)
    assert not (home / "trapped").exists()


def test_what_az_holds_costs_no_library(az_env: Environment) -> None:
    program = (
        "import os, sys\n"
        "from msauth.request.clouds import DEVOPS_SCOPE\n"
        "from msauth.request.request import TokenRequest\n"
        "from msauth.signin import acquire\n"
        "assert acquire(TokenRequest((DEVOPS_SCOPE,), dict(os.environ)), claims=None).text\n"
        "heavy = {'azure', 'msal', 'requests', 'platformdirs', 'cryptography'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_program("python", "-c", program, env=az_env)
    assert done.returncode == 0, done.stderr


def test_az_itself_costs_no_library(az_env: Environment, cloud: Sandbox) -> None:
    edit(az_env, "AccessToken", target="")
    az_prints(az_env, cloud.issue_token("contoso", user="alex@contoso.com"))
    test_what_az_holds_costs_no_library(az_env)
    assert len(log_of(az_env)) == 1


def test_a_dot_in_path_hides_no_az(az_env: Environment, cloud: Sandbox, home: Path) -> None:
    edit(az_env, "AccessToken", target="")
    token = cloud.issue_token("contoso", user="alex@contoso.com")
    az_prints(az_env, token)
    (home / "az").write_text(f"#!/bin/sh\ntouch {home}/trapped\n")
    (home / "az").chmod(0o755)
    env = az_env | {"PATH": f":.:{az_env['PATH']}"}
    done = run_program(PROG, "--credential", "azure-cli", "get", env=env, stdin=HELLO, cwd=home)
    assert attributes(done.stdout)["password"] == token, done.stderr
    assert not (home / "trapped").exists()


@pytest.mark.parametrize("ending", [".bin", ".sig"])
def test_a_plain_cache_of_before_the_keyring_is_another_person_s(
    az_env: Environment, cloud: Sandbox, home: Path, ending: str
) -> None:
    before = get(az_env)["password"]
    signal = cache_of(az_env).with_suffix(ending)
    signal.touch()
    later = cache_of(az_env).stat().st_mtime + 1
    os.utime(signal, (later, later))
    write_profile(home, subscription(cloud, "contoso", "sam@contoso.com", default=True))
    token = cloud.issue_token("contoso", user="sam@contoso.com")
    az_prints(az_env, token)
    assert get(az_env)["password"] == token != before
    assert len(log_of(az_env)) == 1


@pytest.mark.parametrize(
    "said",
    [
        "ERROR: The command failed with an unexpected error. Here is the traceback:\n"
        "ImportError: Unable to import module 'gi'\nRuntime dependency of PyGObject is missing.",
        "ERROR: g-io-error-quark: Cannot autolaunch D-Bus without X11 $DISPLAY (0)",
        "ERROR: g-dbus-error-quark: GDBus.Error:org.freedesktop.Secret.Error.IsLocked: "
        "Cannot create an item in a locked collection (36)",
        "ERROR: Decryption failed: [WinError -2146893813] Key not valid for use.",
    ],
)
def test_a_keyring_that_az_cannot_open(
    az_env: Environment, cloud: Sandbox, home: Path, said: str
) -> None:
    cache_of(az_env).rename(cache_of(az_env).with_suffix(".bin"))
    stub(az_env, "az", f"cat >&2 <<'EOF'\n{said}\nEOF\nexit 1")
    done = run_program(PROG, "--credential", "azure-cli", "get", env=az_env, stdin=HELLO)
    error, hint, rest = done.stderr.decode().split("\n")
    assert error.endswith("azure-cli: az cannot open the keyring that holds its sign-in")
    assert "hint: unlock the keyring, or let az use a file: az config set core.encrypt" in hint
    assert rest == ""


@pytest.mark.parametrize("kind", ["azure-cli", "auto"])
def test_a_logout_of_az_that_crashed_ends_what_is_cached(
    az_env: Environment, cloud: Sandbox, kind: str
) -> None:
    """With a keyring `az logout` removes the tokens, and fails before it changes the profile."""
    cache_of(az_env).rename(cache_of(az_env).with_suffix(".bin"))
    az_prints(az_env, cloud.issue_token("contoso", user="alex@contoso.com"))
    options = ("--credential", kind)
    assert get(az_env, *options)["password"]
    said = "ERROR: User 'alex@contoso.com' does not exist in MSAL token cache. Run `az login`."
    stub(az_env, "az", f'cat >&2 <<"EOF"\n{said}\nEOF\nexit 1')
    done = run_program(PROG, *options, "--force-refresh", "get", env=az_env, stdin=HELLO)
    assert b"nobody is signed in with az" in done.stderr
    done = run_program(PROG, *options, "get", env=az_env, stdin=HELLO)
    assert done.stdout == b"quit=1\n"


@pytest.mark.parametrize("off", [{}, {"MSAUTH_BACKGROUND_REFRESH": "0"}, {"CI": "1"}])
def test_the_signal_of_az_ends_what_is_cached(
    az_env: Environment, cloud: Sandbox, off: Environment
) -> None:
    """With no renewal behind the answer the very next one asks az again."""
    signal = cache_of(az_env).with_suffix(".bin")
    cache_of(az_env).rename(signal)
    az_prints(az_env, cloud.issue_token("contoso", user="alex@contoso.com"))
    options, env = ("--credential", "azure-cli"), az_env | off

    def answer() -> bytes:
        return run_program(PROG, *options, "get", env=env, stdin=HELLO).stdout

    assert b"password=" in answer()
    said = "ERROR: User 'alex@contoso.com' does not exist in MSAL token cache. Run `az login`."
    stub(az_env, "az", f'cat >&2 <<"EOF"\n{said}\nEOF\nexit 1')
    assert b"password=" in answer(), "as long as az has changed nothing"
    os.utime(signal, ns=(1, 1))
    if off:
        assert answer() == b"quit=1\n"
    else:
        deadline = time.monotonic() + 30
        while answer() != b"quit=1\n":  # a renewal behind the answer finds out
            assert time.monotonic() < deadline


def test_az_that_hangs_is_ended_with_all_it_started(az_env: Environment, home: Path) -> None:
    program = (
        "import os\n"
        "from msauth.signin import programs\n"
        "from subprocess import TimeoutExpired\n"
        "try:\n"
        "    programs.run([programs.which('az', os.environ)], os.environ, timeout=1)\n"
        "except TimeoutExpired:\n"
        "    print('ended')\n"
    )
    stub(az_env, "az", f"sleep 300 & echo $! > {home}/child; wait")
    done = run_program("python", "-c", program, env=az_env, timeout=30)
    assert done.stdout == b"ended\n", done.stderr
    child = Path(f"/proc/{(home / 'child').read_text().strip()}")
    assert not child.exists() or "State:\tZ" in (child / "status").read_text()
