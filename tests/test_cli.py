"""`msauth login|status|inspect|logout`, as a person and as a program read them."""

import contextlib
import json
import os
import pty
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msauth.cache import record
from msauth.cli import logout, show
from msauth_sandbox import Sandbox

from .cache.seed import seed
from .conftest import Done, Environment, run_program

GRAPH = "https://graph.microsoft.com/.default"
DEVICES = "https://graph.microsoft.com/DeviceManagementManagedDevices.Read.All"
Records = Callable[[], list[Path]]


def msauth(*arguments: str, env: Environment) -> Done:
    return run_program("msauth", *arguments, env=env)


def answer(*arguments: str, env: Environment) -> Any:
    done = msauth(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return json.loads(done.stdout)


def secrets_in(records: Records) -> list[bytes]:
    found = [record.decode(path.read_bytes(), None) for path in records()]
    return [entry[1] for entry in found if entry]


@pytest.fixture
def az_folder(env: Environment, cloud: Sandbox, home: Path) -> Path:
    """An environment in which only az's files say who is signed in."""
    for name in cloud.identity_variables:
        env.pop(name, None)
    folder = home / ".azure"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.parametrize("command", ["", "login", "status", "inspect", "logout"])
def test_help(command: str, bare_env: Environment) -> None:
    for option in ("--help", "-h"):
        done = msauth(*command.split(), option, env=bare_env)
        assert done.returncode == 0
        assert done.stdout.startswith(b"usage: msauth ")
        assert done.stderr == b""
        assert max(map(len, done.stdout.split(b"\n"))) <= 100


LONG = (  # what fits into a buffer, and what does not
    ("msauth", "--help"),
    ("msauth", "completion", "bash"),
    ("msauth-run", "--help"),
    ("msauth-token", "--list-products"),
    ("msauth-token", "convert-kubeconfig", "--help"),
    ("git-credential-msauth", "--help"),
)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", LONG, ids=" ".join)
def test_a_full_stdout_is_said(
    command: tuple[str, ...], unbuffered: str, bare_env: Environment
) -> None:
    env = bare_env | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.decode().split("\n") == [
        f"{command[0]}: error: cannot write: No space left on device",
        f"{command[0]}: hint: df -h",
        "",
    ]


@pytest.mark.parametrize("command", LONG, ids=" ".join)
def test_a_closed_stdout_shows_no_traceback(
    command: tuple[str, ...], bare_env: Environment
) -> None:
    words = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(words, env=bare_env, stderr=subprocess.PIPE, check=False)
    assert b"internal" not in done.stderr
    assert done.stderr.count(b"\n") <= 1, done.stderr


def test_a_locale_without_the_characters(bare_env: Environment) -> None:
    bare_env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = msauth("help", "kubectl", env=bare_env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"https://\\u2026" in done.stdout


def test_what_was_said_first_comes_first(bare_env: Environment) -> None:
    """stdout waits in a buffer where it is no terminal, and stderr does not."""
    words = ["msauth", "status"]
    done = subprocess.run(
        words, env=bare_env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.stdout.splitlines()[-1].startswith(b"msauth: hint: msauth login")


WRONG = [
    (("logn",), b"unknown command logn", b"did you mean msauth login?"),
    (("--frob",), b"unknown option --frob", b"msauth --help"),
    (("login", "--teant", "x"), b"unknown option --teant", b"did you mean --tenant?"),
    (("login", "armm"), b"unknown product 'armm'", b"did you mean arm?"),
    (("login", "arm", "graph"), b"unexpected argument graph", b"hint: msauth login --help"),
    (("login", "arm", "--scope", "a/b"), b"give either the product arm or --scope", b""),
    (("status", "arm", "graph"), b"unexpected argument graph", b"hint: msauth status --help"),
    (("setup", "git", "now"), b"unexpected argument now", b"hint: msauth setup git --help"),
    (("setup", "--undo"), b"unknown option --undo", b"hint: msauth setup --help"),
    (("status", "armm"), b"unknown product 'armm'", b"did you mean arm?"),
    (("status", "arm", "--scope", "a/b"), b"give either the product arm or --scope", b""),
    (("logout", "--all", "--profile", "x"), b"exclude each other", b""),
    (("login", "--profile", "none"), b"no profile 'none'", b"create it"),
    (("status", "--credential", "bowser"), b"unknown credential", b"--credential browser?"),
]


@pytest.mark.parametrize(("arguments", "message", "hint"), WRONG)
def test_what_is_not_understood(
    arguments: tuple[str, ...], message: bytes, hint: bytes, bare_env: Environment
) -> None:
    done = msauth(*arguments, env=bare_env)
    assert done.returncode == 2
    assert done.stdout == b""
    lines = done.stderr.splitlines()
    assert lines[0].startswith(b"msauth: error: ")
    assert message in lines[0]
    assert hint in b"\n".join(lines[1:])


def test_no_command_shows_the_help(bare_env: Environment) -> None:
    done = msauth(env=bare_env)
    assert done.returncode == 2
    assert done.stdout.startswith(b"usage: msauth ")
    version = msauth("--version", env=bare_env)
    assert re.fullmatch(rb"msauth \d+\.\d+\.\d+\n", version.stdout)


def test_login(env: Environment, cloud: Sandbox, records: Records) -> None:
    done = msauth("login", env=env)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert text.startswith(f"signed in as {cloud.client_id}\n")
    assert f"tenant  {cloud.tenants['contoso'].id}\n" in text
    assert "for     https://management.azure.com/.default\n" in text
    assert re.search(r"until   20\d\d-\d\d-\d\d \d\d:\d\d \S+ \(in (1 hour|59 minutes)\)\n", text)
    assert len(records()) == 1
    assert cloud.count("token") == 1
    again = answer("login", "--json", env=env)
    assert cloud.count("token") == 2, "login signs in now, whatever is cached"
    assert again["account"] == cloud.client_id
    assert again["credential"] == "environment"
    assert again["scopes"] == ["https://management.azure.com/.default"]
    assert again["expires_at"] == show.rfc3339(again["expires_on"])
    token = run_program("msauth-token", "arm", env=env)
    assert token.returncode == 0
    assert cloud.count("token") == 2, "what login got is what the others use"


def test_login_of_a_profile(env: Environment, cloud: Sandbox, tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    config.write_text(f'[g]\nscopes = ["{GRAPH}"]\ntenant = "{cloud.tenants["fabrikam"].id}"\n')
    config.chmod(0o600)
    env |= {"MSAUTH_CONFIG": str(config)}
    for arguments, scope in (((), GRAPH), (("arm",), "https://management.azure.com/.default")):
        found = answer("login", "--profile", "g", *arguments, "--json", env=env)
        assert found["profile"] == "g"
        assert found["tenant"] == cloud.tenants["fabrikam"].id
        assert found["scopes"] == [scope]


def test_login_failure_is_one_error_and_one_hint(env: Environment, cloud: Sandbox) -> None:
    cloud.fail_tokens(7000222, times=None)
    done = msauth("login", env=env)
    assert done.returncode == 1
    assert done.stdout == b""
    lines = done.stderr.splitlines()
    assert [line.split(b": ")[1] for line in lines] == [b"error", b"hint"]
    assert b"the client secret has expired (AADSTS7000222)" in lines[0]


def test_login_asks_in_the_browser_although_it_could_answer_silently(
    env: Environment, cloud: Sandbox
) -> None:
    for name in cloud.identity_variables:
        env.pop(name, None)
    env |= cloud.browser_environ()
    options = (
        *("--credential", "browser", "--client-id", cloud.intune_client_id),
        *("--tenant", cloud.tenants["contoso"].id, "--scope", DEVICES),
    )
    for count in (1, 2):
        done = msauth("login", *options, env=env)
        assert done.stdout.startswith(b"signed in as alex@contoso.com\n"), done.stderr
        assert cloud.count("authorize") == count
    # Nobody may be asked here: only what was kept can answer.
    silent = ("inspect", *options, "--force-refresh", "--json")
    assert answer(*silent, env=env)["scopes"].count(DEVICES.rpartition("/")[2]) == 1
    done = msauth("logout", env=env)
    assert done.returncode == 0
    assert b"1 token removed, and what browser or device code kept\n" in done.stdout
    assert msauth(*silent, env=env).returncode == 1
    assert cloud.count("authorize") == 2


def test_login_with_az_says_how_when_nobody_is_signed_in(
    az_folder: Path, env: Environment, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    az = programs / "az"
    az.write_text("#!/bin/sh\necho \"Please run 'az login' to setup account.\" >&2\nexit 1\n")
    az.chmod(0o755)
    env["PATH"] = f"{programs}:{env['PATH']}"
    done = msauth("login", "--credential", "azure-cli", "--tenant", "contoso.com", env=env)
    assert done.returncode == 1
    assert b"msauth: hint: az login --tenant contoso.com" in done.stderr


def test_status_asks_nobody(env: Environment, cloud: Sandbox, records: Records) -> None:
    found = answer("status", "--json", env=env)
    assert [row["product"] for row in found["answers"]] == ["arm", "devops", "graph"]
    assert {row["credential"] for row in found["answers"]} == {"environment"}
    assert {row["account"] for row in found["answers"]} == {cloud.client_id}
    assert {row["tenant"] for row in found["answers"]} == {cloud.tenants["contoso"].id}
    assert not any(row["cached"] for row in found["answers"])
    assert found["cached"] == []
    assert cloud.count() == 0
    assert records() == []
    assert b"no token is cached\n" in msauth("status", env=env).stdout


def test_status_of_what_is_cached(env: Environment, cloud: Sandbox, records: Records) -> None:
    msauth("login", "graph", env=env)
    before = cloud.count()
    found = answer("status", "--json", env=env)
    (row,) = found["cached"]
    assert row["product"] == "graph"
    assert row["state"] == "valid"
    assert row["scopes"] == [GRAPH]
    assert row["account"] == cloud.client_id
    assert row["expires_at"] == show.rfc3339(row["expires_on"])
    assert row["refresh_at"] == show.rfc3339(row["refresh_on"])
    assert row["issued"] <= time.time()
    by_product = {row["product"]: row for row in found["answers"]}
    assert by_product["graph"]["cached"]
    assert by_product["graph"]["expires_on"] == row["expires_on"]
    assert not by_product["arm"]["cached"]
    assert set(found) == {
        *("profile", "profile_from", "profiles", "cache", "answers", "cached"),
    }
    text = msauth("status", env=env).stdout
    assert re.search(rb"graph +environment +.* +cached for (1 hour|59 minutes)\n", text)
    (secret,) = secrets_in(records)
    assert secret not in text
    assert secret not in json.dumps(found).encode()
    assert cloud.count() == before


@pytest.mark.parametrize("why", ["expired", "signed out"])
def test_status_tells_what_is_no_answer_any_more(
    why: str, env: Environment, cloud: Sandbox, records: Records
) -> None:
    if why == "expired":
        cloud.configure(expires_in=-5)
    msauth("login", "graph", env=env)
    if why == "signed out":
        epoch = records()[0].parent / "epoch"
        epoch.write_text("abc\n")
        epoch.chmod(0o600)
    (row,) = answer("status", "--json", env=env)["cached"]
    assert row["state"] == why


def test_status_says_when_az_has_changed_since(
    az_folder: Path, env: Environment, cloud: Sandbox
) -> None:
    az_profile(az_folder, "alex@contoso.com", cloud.tenants["contoso"].id)
    run_with_az_token(env, cloud)
    (row,) = answer("status", "--json", env=env)["cached"]
    assert row["state"] == "valid"
    time.sleep(0.01)
    az_profile(az_folder, "samantha@contoso.com", cloud.tenants["contoso"].id)
    found = answer("status", "--json", env=env)
    assert found["cached"][0]["state"] == "superseded"
    assert not any(row["cached"] for row in found["answers"])


def az_profile(folder: Path, user: str, tenant: str) -> None:
    entry = {
        "id": "s",
        "isDefault": True,
        "tenantId": tenant,
        "environmentName": "AzureCloud",
        "user": {"name": user, "type": "user"},
    }
    text = json.dumps({"subscriptions": [entry]})
    (folder / "azureProfile.json").write_text("\ufeff" + text, encoding="utf-8")


def run_with_az_token(env: Environment, cloud: Sandbox) -> None:
    """Put az on PATH as a program that answers like az, and ask it once."""
    token = cloud.issue_token(
        scope="https://management.azure.com/.default", user="alex@contoso.com"
    )
    programs = Path(env["HOME"]) / "bin"
    programs.mkdir()
    az = programs / "az"
    expires_on = int(time.time()) + 3600
    az.write_text(
        f'#!/bin/sh\necho \'{{"accessToken": "{token}", "expires_on": {expires_on},'
        f' "tokenType": "Bearer"}}\'\n'
    )
    az.chmod(0o755)
    env["PATH"] = f"{programs}:{env['PATH']}"
    done = msauth("inspect", "--credential", "auto", env=env)
    assert done.returncode == 0, done.stderr


def test_status_knows_az_account_without_az(
    az_folder: Path, env: Environment, cloud: Sandbox
) -> None:
    az = az_folder.parent / "az"
    az.write_text("#!/bin/sh\nexit 99\n")
    az.chmod(0o755)
    env["PATH"] = f"{az.parent}:{env['PATH']}"
    options = ("status", "--json", "--credential", "azure-cli")
    done = msauth(*options, env=env)
    assert done.returncode == 1, "nobody would answer"
    found = json.loads(done.stdout)
    assert {row["problem"] for row in found["answers"]} == {"nobody is signed in with az"}
    az_profile(az_folder, "alex@contoso.com", cloud.tenants["contoso"].id)
    row = answer(*options, env=env)["answers"][0]
    assert (row["credential"], row["account"]) == ("azure-cli", "alex@contoso.com")
    assert row["tenant"] == cloud.tenants["contoso"].id
    assert row["problem"] is None


def test_status_says_that_az_has_no_such_subscription(
    env: Environment, az_folder: Path, records: Records
) -> None:
    env |= {"MSAUTH_SUBSCRIPTION": "nowhere", "MSAUTH_CREDENTIAL": "azure-cli-cache"}
    found = json.loads(msauth("status", "--json", env=env).stdout)
    assert "az knows no subscription nowhere" in found["answers"][0]["problem"]


def test_status_shows_the_profiles_own_scopes(
    env: Environment, tmp_path: Path, cloud: Sandbox
) -> None:
    config = tmp_path / "p.toml"
    config.write_text(f'[g]\nscopes = ["{DEVICES}"]\n[h]\n')
    config.chmod(0o600)
    env |= {"MSAUTH_CONFIG": str(config)}
    found = answer("status", "--profile", "g", "--json", env=env)
    assert found["profile"] == "g"
    assert found["profile_from"] == "--profile"
    assert found["profiles"] == {
        "file": str(config),
        "names": ["g", "h"],
        "matches": {},
        "problem": None,
    }
    assert found["answers"][0]["scopes"] == [DEVICES]
    asked = answer("status", "--scope", "https://graph.microsoft.com", "--json", env=env)
    assert asked["answers"][0]["scopes"] == [GRAPH]
    config.write_text("[g\n")
    done = msauth("status", env=env)
    assert done.returncode == 0
    assert b"msauth: warning: " in done.stderr
    assert b"line 1: not valid TOML" in done.stderr


def test_inspect(env: Environment, cloud: Sandbox, records: Records) -> None:
    found = answer("inspect", "graph", "--json", env=env)
    assert found["audience"] == "https://graph.microsoft.com"
    assert found["tenant"] == cloud.tenants["contoso"].id
    assert found["client_id"] == cloud.client_id
    assert "User.Read.All" in found["roles"]
    assert found["scopes"] == []
    # Counted from before the request, so a slow machine is a little early, and never late.
    assert 0 <= found["claims"]["exp"] - found["expires_on"] < 60
    assert found["fixed_permissions"] is False
    text = msauth("inspect", "graph", env=env).stdout
    for line in (rb"audience +https://graph.microsoft.com  \(", rb"roles +User.Read.All "):
        assert re.search(line, text)
    assert b"fixed delegated" not in text
    (secret,) = secrets_in(records)
    signature = secret.rpartition(b".")[2]
    assert signature not in text
    assert signature not in json.dumps(found).encode()
    assert cloud.count("token") == 1


def test_inspect_explains_azs_fixed_permissions(
    az_folder: Path, env: Environment, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    az_profile(az_folder, "alex@contoso.com", cloud.tenants["contoso"].id)
    token = cloud.issue_token(scope=GRAPH, user="alex@contoso.com")
    monkeypatch.setattr(cloud, "issue_token", lambda **_: token)
    run_with_az_token(env, cloud)
    done = msauth("inspect", env=env)
    assert b"client          04b07795-8ddb-461a-bbee-02f9e1bf7b46 (Azure CLI)\n" in done.stdout
    assert b"Directory.AccessAsUser.All" in done.stdout
    assert b"fixed delegated permissions on Microsoft Graph" in done.stdout
    assert b"--credential browser --client-id YOUR-APP" in done.stdout
    assert answer("inspect", "--json", env=env)["fixed_permissions"] is True


def test_inspect_of_an_opaque_token(
    az_folder: Path, env: Environment, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    az_profile(az_folder, "alex@contoso.com", cloud.tenants["contoso"].id)
    monkeypatch.setattr(cloud, "issue_token", lambda **_: "opaque-token")
    run_with_az_token(env, cloud)
    assert b"this token is opaque" in msauth("inspect", env=env).stdout


AZ_CACHE = {
    "Account": {
        "a": {
            "username": "al\u202eex\x1b[2J@contoso.com",
            "realm": "organizations",
            "home_account_id": "o.t",
            "environment": "login.microsoftonline.com",
        }
    },
    "AccessToken": {
        "b": {
            "secret": "SENTINEL-1",
            "target": "https://management.core.windows.net//.default",
            "realm": "t",
            "home_account_id": "o.t",
            "client_id": "c",
            "expires_on": "4000000000",
            "cached_at": "1700000000",
        }
    },
    "IdToken": {"c": {"secret": "SENTINEL-2", "realm": "t", "home_account_id": "o.t"}},
    "RefreshToken": {
        "d": {
            "secret": "SENTINEL-3",
            "home_account_id": "o.t",
            "client_id": "c",
            "family_id": "1",
            "last_modification_time": "1700000000",
            "unknown_field": "SENTINEL-4",
        },
        "e": {"secret": "SENTINEL-5", "home_account_id": "o.t", "client_id": "d"},
    },
    "AppMetadata": {"x": {"secret": "SENTINEL-6"}},
}


def test_inspect_az(az_folder: Path, env: Environment) -> None:
    path = az_folder / "msal_token_cache.json"
    path.write_text(json.dumps(AZ_CACHE))
    before = path.read_bytes(), path.stat().st_mtime_ns
    text = msauth("inspect", "--az", env=env).stdout.decode()
    assert f"{path} (not encrypted)\n" in text
    for title in ("Account (1):", "AccessToken (1):", "IdToken (1):", "RefreshToken (2):"):
        assert title in text
    assert "al\\u202eex\\u001b[2J@contoso.com" in text
    assert re.search(r"\d{3,} days( \d+ hours?)? ago", text)
    assert "unknown" in text
    found = answer("inspect", "--az", "--json", env=env)
    assert found["state"] == "plain"
    assert found["AccessToken"][0]["target"] == "https://management.core.windows.net//.default"
    assert found["AccessToken"][0]["expires_on"] == 4000000000
    assert found["AccessToken"][0]["expires_on_rfc3339"] == "2096-10-02T07:06:40Z"
    ages = [row["last_modification_time_rfc3339"] for row in found["RefreshToken"]]
    assert sorted(ages, key=str) == ["2023-11-14T22:13:20Z", None]
    for output in (text, json.dumps(found)):
        assert "SENTINEL" not in output
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(os.listdir(az_folder)) == ["msal_token_cache.json"]


@pytest.mark.parametrize(
    ("name", "content", "state", "words", "code"),
    [
        ("msal_token_cache.bin", "x", "encrypted", ".bin is encrypted: only az can read it", 0),
        ("msal_token_cache.sig", "", "encrypted", ".sig is encrypted: only az can read it", 0),
        ("other", "", "missing", "nobody has signed in with az (az login)", 0),
        ("msal_token_cache.json", "", "unreadable", "is empty, or no JSON", 1),
        ("msal_token_cache.json", "[]", "unreadable", "is empty, or no JSON", 1),
    ],
)
def test_inspect_az_without_a_readable_cache(
    name: str, content: str, state: str, words: str, code: int, az_folder: Path, env: Environment
) -> None:
    (az_folder / name).write_text(content)
    done = msauth("inspect", "--az", env=env)
    assert done.returncode == code
    assert words in done.stdout.decode()
    found = json.loads(msauth("inspect", "--az", "--json", env=env).stdout)
    assert found["state"] == state
    assert found["RefreshToken"] == []


def test_logout_of_one_profile_and_of_all(
    env: Environment, tmp_path: Path, records: Records
) -> None:
    config = tmp_path / "p.toml"
    config.write_text("[one]\n[two]\n")
    config.chmod(0o600)
    env |= {"MSAUTH_CONFIG": str(config)}
    for name in ("", "one", "two"):
        assert msauth("login", "--profile", name, env=env).returncode == 0
    done = msauth("logout", "--profile", "one", env=env)
    assert done.stdout == b"signed out of profile one: 1 token removed\n"
    assert [row["profile"] for row in answer("status", "--json", env=env)["cached"]] == [
        None,
        "two",
    ]
    assert b"1 token removed" in msauth("logout", env=env).stdout
    assert [row["profile"] for row in answer("status", "--json", env=env)["cached"]] == ["two"]
    assert b"1 token removed" in msauth("logout", env=env | {"MSAUTH_PROFILE": "two"}).stdout
    assert msauth("login", env=env).returncode == 0
    assert b"signed out of every sign-in: 1 token" in msauth("logout", "--all", env=env).stdout
    assert records() == []
    assert msauth("logout", env=env).returncode == 0


def put(place: Path) -> Path:
    """Keep a made-up token in another cache directory of the same user."""
    seed({"MSAUTH_CACHE_DIR": str(place), "MSAUTH_TENANT": "contoso.com"})
    (place / "v1/leftover").write_bytes(b"of an earlier version")
    return place / "v1"


@pytest.mark.parametrize("arguments", [(), ("--all",)])
@pytest.mark.parametrize("used", ["disk", "memory", "chosen"])
def test_logout_of_all_goes_to_the_other_places_too(
    used: str, arguments: tuple[str, ...], bare_env: Environment, home: Path, tmp_path: Path
) -> None:
    """A session with a runtime directory caches in memory, cron and su on disk."""
    runtime, chosen = tmp_path / "run", tmp_path / "chosen"
    runtime.mkdir(mode=0o700)
    places = {
        "disk": put(home / ".cache/msauth"),
        "memory": put(runtime / "msauth"),
        "chosen": put(chosen),
    }
    env = {k: v for k, v in bare_env.items() if k != "MSAUTH_CACHE_DIR"}
    env["XDG_RUNTIME_DIR"] = str(runtime)
    if used == "chosen":
        env["MSAUTH_CACHE_DIR"] = str(chosen)
    elif used == "disk":
        del env["XDG_RUNTIME_DIR"]
    done = msauth("logout", *arguments, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    left = {name for name, place in places.items() if list(place.glob("*.tok"))}
    if not arguments:
        assert left == {"disk", "memory", "chosen"} - {used}
    elif used == "disk":
        assert "disk" not in left  # the runtime directory cannot be known: see the next test
    else:
        assert left == {"chosen"} - {used}
        other = "memory" if used == "chosen" else "disk"
        assert not (places[other] / "leftover").exists()


def test_logout_of_all_from_cron_knows_where_sessions_keep_theirs(
    monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    for name in [*os.environ]:
        if name.startswith(("MSAUTH_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    assert f"/run/user/{os.geteuid()}/msauth/v1" in logout._other_places("")
    runtime = tmp_path / str(os.geteuid())
    runtime.mkdir(mode=0o700)
    place = put(runtime / "msauth")
    monkeypatch.setattr(logout, "_RUNTIME", str(tmp_path))
    assert logout.run(["--all"]) == 0
    assert list(place.glob("*.tok")) == []


def test_logout_of_all_says_where_tokens_may_be_left(
    bare_env: Environment, home: Path, tmp_path: Path
) -> None:
    """Also where the cache in use cannot be signed out of."""
    disk, chosen = put(home / ".cache/msauth"), put(tmp_path / "chosen")
    chosen.chmod(0o755)
    env = bare_env | {"MSAUTH_CACHE_DIR": str(tmp_path / "chosen")}
    assert msauth("logout", "--all", env=env).returncode == 1
    assert list(disk.glob("*.tok")) == []
    disk.chmod(0o755)
    chosen.chmod(0o700)
    done = msauth("logout", "--all", env=env)
    assert done.returncode == 0
    assert f"warning: there may be tokens left in {disk}: ".encode() in done.stderr


def test_no_persist_leaves_no_token_behind(
    env: Environment, cloud: Sandbox, records: Records
) -> None:
    for count in (1, 2):
        done = run_program("msauth-token", "--no-persist", "arm", env=env)
        assert done.returncode == 0, done.stderr
        assert cloud.count("token") == count
        assert records() == []


def test_logout_of_a_name_that_no_profile_has_says_so(env: Environment, tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    config.write_text("[intune]\n")
    config.chmod(0o600)
    done = msauth("logout", "--profile", "intnue", env=env | {"MSAUTH_CONFIG": str(config)})
    assert b"warning: no profile 'intnue'" in done.stderr
    assert b"hint: did you mean --profile intune?" in done.stderr
    done = msauth("logout", "--profile", "intune", env=env | {"MSAUTH_CONFIG": str(config)})
    assert done.stderr == b""


@pytest.mark.parametrize("arguments", [(), ("--all",)])
def test_a_renewal_in_flight_cannot_bring_it_back(
    arguments: tuple[str, ...], env: Environment, cloud: Sandbox
) -> None:
    assert msauth("login", env=env).returncode == 0
    cloud.on_token(lambda _: check(msauth("logout", *arguments, env=env)))
    assert msauth("login", env=env).returncode == 1
    cloud.on_token(None)
    found = answer("status", "--json", env=env)
    assert not any(row["cached"] for row in found["answers"])
    assert all(row["state"] == "signed out" for row in found["cached"])


def check(done: Done) -> None:
    assert done.returncode == 0, done.stderr


def test_logout_that_cannot_be_written_fails(env: Environment) -> None:
    assert msauth("login", env=env).returncode == 0
    place = Path(env["MSAUTH_CACHE_DIR"]) / "v1"
    place.chmod(0o777)
    done = msauth("logout", env=env)
    assert done.returncode == 1
    assert b"cannot sign out" in done.stderr
    assert b"chmod 700" in done.stderr


def test_a_terminal_gets_tables(env: Environment) -> None:
    msauth("login", "graph", env=env)
    screen, terminal = pty.openpty()
    output = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while data := os.read(screen, 65536):
                output.extend(data)

    reading = threading.Thread(target=read)
    reading.start()
    program = Path(env["PATH"].partition(":")[0]) / "msauth"
    done = subprocess.run(
        [program, "status"],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        env=env | {"COLUMNS": "160", "TERM": "xterm"},
        timeout=60,
        check=False,
    )
    os.close(terminal)
    reading.join(20)
    os.close(screen)
    assert done.returncode == 0
    assert b"\x1b[1mwho answers:\x1b[0m\r\n" in output


def test_a_reader_that_goes_away_is_no_traceback(env: Environment) -> None:
    done = run_program("sh", "-c", "msauth status | true", env=env)
    assert done.stderr == b""


def test_durations_and_times() -> None:
    assert show.words(0) == "0 seconds"
    assert show.words(59) == "59 seconds"
    assert show.words(60) == "1 minute"
    assert show.words(3661) == "1 hour 1 minute"
    assert show.words(3600 * 25) == "1 day 1 hour"
    assert show.words(86400 + 61) == "1 day"
    assert show.rfc3339(0) is None
    assert show.rfc3339(10**15) is None
    assert show.rfc3339(1) == "1970-01-01T00:00:01Z"
