"""msauth-run --shims: az and azd answer for tokens from the cache, and are the real ones else."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from msauth.errors import MsauthError
from msauth.shims import place
from msauth_sandbox import Sandbox

from .conftest import SCRIPTS, Environment, run_program, start_program
from .signin_stubs import stub, subscription, write_profile

PROG = "msauth-run"
GET = ("az", "account", "get-access-token")
AZD = ("azd", "auth", "token", "--output", "json")
GRAPH = "https://graph.microsoft.com"
CREDENTIAL = """
import sys
from azure.identity import AzureCliCredential, AzureDeveloperCliCredential
kind = AzureCliCredential if sys.argv[1] == "az" else AzureDeveloperCliCredential
print(kind().get_token(sys.argv[2]).token)
"""


def shimmed(env: Environment, *words: str, options: tuple[str, ...] = ()) -> str:
    done = run_program(PROG, "--shims", *options, "--", *words, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def claims_of(token: str) -> dict[str, str]:
    from msauth.signin.attempt import claims_of as claims

    return claims(token)


def folder_of(env: Environment) -> Path:
    path = shimmed(env, "sh", "-c", "command -v az")
    return Path(path.strip()).parent


def test_az_answers_from_the_cache(env: Environment, cloud: Sandbox) -> None:
    first = json.loads(shimmed(env, *GET, "--resource", GRAPH))
    assert list(first) == ["accessToken", "expiresOn", "expires_on", "tenant", "tokenType"]
    assert first["tenant"] == cloud.tenants["contoso"].id
    assert claims_of(first["accessToken"])["aud"] == GRAPH
    assert cloud.count("token") == 1
    again = shimmed(env, *GET, "--scope", f"{GRAPH}/.default", "--query=accessToken", "-otsv")
    assert again == first["accessToken"] + "\n"
    azd = json.loads(shimmed(env, *AZD, "--scope", f"{GRAPH}/.default"))
    assert azd["token"] == first["accessToken"]
    token = run_program("msauth-token", "graph", "--format", "token", env=env)
    assert token.stdout.decode().strip() == first["accessToken"]
    assert cloud.count("token") == 1


@pytest.mark.parametrize(
    ("words", "audience"),
    [
        ((), "https://management.core.windows.net/"),
        (("--resource-type", "arm"), "https://management.core.windows.net/"),
        (("--resource-type", "ms-graph"), "https://graph.microsoft.com/"),
        (("--resource", "https://management.azure.com/"), "https://management.azure.com/"),
    ],
)
def test_the_audience_is_the_one_that_az_asks_for(
    env: Environment, words: tuple[str, ...], audience: str
) -> None:
    token = shimmed(env, *GET, *words, "--query", "accessToken", "-o", "tsv")
    assert claims_of(token.strip())["aud"] == audience


def test_a_tenant_that_the_caller_names_is_the_one(env: Environment, cloud: Sandbox) -> None:
    fabrikam = cloud.tenants["fabrikam"].id
    env["MSAUTH_TENANT"] = cloud.tenants["contoso"].id
    for words in (GET, AZD):
        option = "--tenant" if words is GET else "--tenant-id"
        found = json.loads(shimmed(env, *words, option, fabrikam))
        assert claims_of(found.get("accessToken") or found["token"])["tid"] == fabrikam
    named = json.loads(shimmed(env, *GET, "--tenant", "fabrikam.com"))
    assert named["tenant"] == "fabrikam.com"  # az repeats it
    assert claims_of(named["accessToken"])["tid"] == fabrikam


@pytest.mark.parametrize("kind", ["az", "azd"])
def test_eight_real_credentials_at_once_make_one_request(
    env: Environment, cloud: Sandbox, kind: str
) -> None:
    """Neither az nor azd is on this machine's PATH: nothing but the shim can have answered."""
    script = 'for i in 1 2 3 4 5 6 7 8; do "$@" & done; wait'
    words = (sys.executable, "-c", CREDENTIAL, kind, f"{GRAPH}/.default")
    tokens = shimmed(env, "sh", "-c", script, "sh", *words).split()
    assert len(tokens) == 8
    assert len(set(tokens)) == 1
    assert cloud.count("token") == 1


def test_the_options_of_msauth_run_are_the_shims_too(env: Environment, cloud: Sandbox) -> None:
    fabrikam = cloud.tenants["fabrikam"].id
    found = json.loads(shimmed(env, *GET, options=("--tenant", fabrikam)))
    assert found["tenant"] == fabrikam


def test_under_serve_the_endpoint_answers(env: Environment, cloud: Sandbox) -> None:
    for words in (GET, AZD):
        found = json.loads(shimmed(env, *words, options=("--serve",)))
        assert claims_of(found.get("accessToken") or found["token"])["appid"] == cloud.client_id
    assert cloud.count("token") == 1


def test_an_endpoint_inside_stands_for_what_was_chosen_outside(
    env: Environment, cloud: Sandbox
) -> None:
    outer = ("--credential", "service-principal")
    found = json.loads(shimmed(env, PROG, "--serve", "--", *GET, options=outer))
    assert claims_of(found["accessToken"])["appid"] == cloud.client_id


def test_the_subscription_is_az_s_own(env: Environment, home: Path, cloud: Sandbox) -> None:
    write_profile(
        home,
        subscription(cloud, "contoso", default=True),
        subscription(cloud, "fabrikam"),
    )
    found = json.loads(shimmed(env, *GET))
    assert found["subscription"] == cloud.subscription_id("contoso")
    assert "subscription" not in json.loads(
        shimmed(env, *GET, "--tenant", cloud.tenants["contoso"].id)
    )
    named = json.loads(shimmed(env, *GET, "--subscription", "fabrikam"))
    assert named["subscription"] == cloud.subscription_id("fabrikam")
    assert named["tenant"] == cloud.tenants["fabrikam"].id
    assert claims_of(named["accessToken"])["tid"] == named["tenant"]
    elsewhere = {"MSAUTH_TENANT": cloud.tenants["fabrikam"].id}
    other = json.loads(shimmed(env | elsewhere, *GET))
    assert "subscription" not in other  # az's is in another tenant than this token


def test_a_kept_subscription_is_as_new_as_az_s_files(
    env: Environment, home: Path, cloud: Sandbox
) -> None:
    """It is kept once the files are settled, and forgotten with any change to them."""
    both = subscription(cloud, "contoso", default=True), subscription(cloud, "fabrikam")
    path = write_profile(home, *both)
    kept = Path(env["MSAUTH_CACHE_DIR"]) / "v1"
    shimmed(env, *GET)
    assert not list(kept.glob("*.subscription"))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    for _ in range(2):
        assert json.loads(shimmed(env, *GET))["subscription"] == both[0]["id"]
        assert len(list(kept.glob("*.subscription"))) == 1
    env["MSAUTH_TENANT"] = cloud.tenants["fabrikam"].id
    write_profile(home, both[0] | {"isDefault": False}, both[1] | {"isDefault": True})
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert json.loads(shimmed(env, *GET))["subscription"] == both[1]["id"]
    (home / ".azure/config").write_text("[cloud]\nname = AzureUSGovernment\n")
    assert "subscription" not in json.loads(shimmed(env, *GET))


OTHERS: list[tuple[str, ...]] = [
    ("az", "account", "show"),
    ("az", "login", "--tenant", "x y", ""),
    ("az",),
    ("az", "account", "get-access-token", "--help"),
    ("az", "account", "get-access-token", "--query", "length(accessToken)"),
    ("az", "account", "get-access-token", "-o", "yaml"),
    ("az", "account", "get-access-token", "--subscription", "unknown"),
    ("azd", "up"),
    ("azd", "auth", "token"),
    ("azd", "auth", "token", "--output", "json", "--claims", "e30="),
]


@pytest.mark.parametrize("words", OTHERS, ids=" ".join)
def test_everything_else_is_the_real_one_s(
    env: Environment, cloud: Sandbox, words: tuple[str, ...]
) -> None:
    """Arguments, streams, exit code, and an environment that knows nothing of shims."""
    stub(env, words[0], 'cat; printf "<%s>" "$@"; echo err >&2; echo "$PATH"; exit 73')
    given = dict(env)
    done = run_program(PROG, "--shims", "--", *words, env=env, stdin=b"in")
    bare = run_program(*words, env=given, stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (73, bare.stdout, bare.stderr)
    assert cloud.count("token") == 0


def test_the_real_one_takes_our_place_and_gets_its_signals(env: Environment) -> None:
    stub(env, "az", "echo $$; exec sleep 60")
    process = start_program(PROG, "--shims", "--", "az", "login", env=env)
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
    process.communicate()


def test_without_az_there_is_but_what_we_answer(env: Environment) -> None:
    assert json.loads(shimmed(env, *GET))
    done = run_program(PROG, "--shims", "--", "az", "account", "show", env=env)
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr == b"msauth-run: error: cannot run az: no such file or directory\n"


def test_a_sign_in_by_az_asks_the_real_one(bare_env: Environment, cloud: Sandbox) -> None:
    """With its own shim first in PATH, a sign-in would wait for itself."""
    env = bare_env | cloud.environ
    answer = {"accessToken": "e30.e30.e30", "expires_on": 4102444800}
    seen = Path(env["HOME"]) / "path"
    log = stub(env, "az", f"echo $PATH >{seen}; echo '{json.dumps(answer)}'")
    env["MSAUTH_CREDENTIAL"] = "azure-cli"
    found = json.loads(shimmed(env, *GET, "--resource", GRAPH))
    assert found["accessToken"] == "e30.e30.e30"
    inside = shimmed(env, "msauth-token", "graph", "--format", "token")
    assert inside == "e30.e30.e30\n"
    assert log.read_text().count("\n") == 1
    inside = shimmed(env, "msauth-token", "storage", "--format", "token")
    assert inside == "e30.e30.e30\n"
    assert log.read_text().count("\n") == 2
    assert seen.read_text() == env["PATH"] + "\n"  # nor do the programs that az starts find one


def test_az_says_in_its_own_words_that_nobody_is_signed_in(
    bare_env: Environment, cloud: Sandbox
) -> None:
    env = bare_env | cloud.environ
    stub(env, "az", "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    done = run_program(PROG, "--shims", "--", *GET, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"ERROR: Please run 'az login' to setup account.\n"


def test_az_is_not_asked_in_another_one_s_place(env: Environment, cloud: Sandbox) -> None:
    """For a chosen application, az's own sign-in would be the wrong person."""
    log = stub(env, "az", "echo wrong")
    env["MSAUTH_CREDENTIAL"] = "service-principal"
    done = run_program(PROG, "--shims", "--", *GET, "-o", "yaml", env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"would answer as somebody else" in done.stderr
    cloud.fail_tokens(7000222, times=None)
    done = run_program(PROG, "--shims", "--", *GET, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"secret has expired" in done.stderr
    assert not log.exists()


@pytest.mark.parametrize(
    ("setting", "answered"),
    [
        ("", True),
        ("[core]\nonly_show_errors=true\n", True),
        ("[core]\noutput = table\n", False),
        ("[core]\nOUTPUT=tsv\n", False),
    ],
)
def test_az_s_own_default_format(
    env: Environment, home: Path, setting: str, *, answered: bool
) -> None:
    (home / ".azure").mkdir()
    (home / ".azure/config").write_text(setting)
    stub(env, "az", "echo real")
    assert (shimmed(env, *GET) == "real\n") is not answered
    assert json.loads(shimmed(env, *GET, "--output", "json"))
    assert shimmed(env | {"AZURE_CORE_OUTPUT": "yaml"}, *GET) == "real\n"
    tsv = shimmed(env | {"AZURE_CORE_OUTPUT": "tsv"}, *GET, "--query", "tokenType")
    assert tsv == "Bearer\n"


def test_no_token_is_fetched_or_shown_that_nobody_asked_for(
    env: Environment, cloud: Sandbox
) -> None:
    text = shimmed(env, "env")
    assert "AZURE_ACCESS_TOKEN" not in text
    assert cloud.count("token") == 0
    shimmed(env, "sh", "-c", 'test -n "$AZURE_ACCESS_TOKEN"', options=("--product", "arm"))


def test_the_folder_is_private_and_used_again(env: Environment) -> None:
    os.umask(os.umask(0o022))
    folder = folder_of(env)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["az", "azd"]
    before = (folder / "az").stat()
    assert before.st_mode & 0o777 == 0o700
    assert folder_of(env) == folder
    assert (folder / "az").stat().st_mtime_ns == before.st_mtime_ns


def test_a_disk_that_is_full_leaves_no_half_of_a_shim(
    bare_env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what a killed process of the same number left stand in the way."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("PATH", bare_env["PATH"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", full)
        with pytest.raises(MsauthError, match="no place for --shims: No space left on device"):
            place.add(dict(bare_env), str(SCRIPTS / "msauth-run"))
    folder = Path(bare_env["HOME"]) / ".local/state/msauth/shims"
    (own,) = folder.iterdir()
    assert list(own.iterdir()) == []
    (own / f"az.{os.getpid()}").touch()
    place.add(dict(bare_env), str(SCRIPTS / "msauth-run"))
    assert (own / "az").exists()


def test_what_somebody_else_put_there_is_not_run(env: Environment, tmp_path: Path) -> None:
    folder = folder_of(env)
    wrong = tmp_path / "wrong"
    wrong.write_text("#!/bin/sh\necho wrong\n")
    wrong.chmod(0o755)
    right = tmp_path / "right"
    shutil.copy(folder / "az", right)
    for change in ("content", "link", "mode", "link to the right one"):
        path = folder / "az"
        if change == "content":
            path.write_text(wrong.read_text())
        elif change == "mode":
            path.chmod(0o777)
        else:
            path.unlink()
            path.symlink_to(wrong if change == "link" else right)
        assert json.loads(shimmed(env, *GET))
        assert not path.is_symlink()
        assert path.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    done = run_program(PROG, "--shims", "--", *GET, env=env)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"is open to other users" in done.stderr
    assert b"hint: chmod 700 " in done.stderr


def test_a_place_that_path_cannot_hold(env: Environment, tmp_path: Path) -> None:
    state = tmp_path / "a:b"
    state.mkdir()
    done = run_program(PROG, "--shims", "--", "true", env=env | {"XDG_STATE_HOME": str(state)})
    assert done.returncode == 1
    assert b"has a colon" in done.stderr


def test_runs_in_runs_have_one_folder_in_path(env: Environment) -> None:
    nested = (PROG, "--shims", "--", PROG, "--shims", "--", "sh", "-c", 'echo "$PATH"')
    assert shimmed(env, *nested).strip() == f"{folder_of(env)}:{env['PATH']}"
    stub(env, "az", 'echo "$PATH"')
    assert shimmed(env, *nested[:-3], "az", "x").strip() == env["PATH"]


def test_shims_of_other_installations_are_never_asked_in_a_circle(
    env: Environment, tmp_path: Path
) -> None:
    """Two installations, and links to both in folders of a person's own."""
    other = tmp_path / "other/bin"
    other.mkdir(parents=True)
    (other / PROG).symlink_to(SCRIPTS / PROG)
    ours = folder_of(env)
    theirs = Path(
        run_program(
            str(other / PROG), "--shims", "--", "sh", "-c", "command -v az", env=env
        ).stdout.decode()
    ).parent
    assert theirs != ours
    links = []
    for folder in (ours, theirs):
        link = tmp_path / f"link-{folder.name}"
        link.mkdir()
        (link / "az").symlink_to(folder / "az")
        links.append(str(link))
    env["PATH"] = ":".join([str(theirs), *links, env["PATH"], str(ours)])
    done = run_program(PROG, "--shims", "--", "az", "account", "show", env=env, timeout=30)
    assert done.returncode == 127
    stub(env, "az", "echo real")
    for first in (str(ours), str(theirs), *links):
        path = f"{first}:{':'.join(links)}:{env['PATH']}"
        done = run_program("az", "account", "show", env=env | {"PATH": path}, timeout=30)
        assert done.stdout == b"real\n", done.stderr
    env["MSAUTH_CREDENTIAL"] = "azure-cli"
    done = run_program("msauth-token", "graph", env=env | {"PATH": path}, timeout=30)
    assert b"answer cannot be understood" in done.stderr  # the real one's


def test_without_another_folder_the_current_one_is_not_searched(
    env: Environment, tmp_path: Path
) -> None:
    """A program has narrowed its PATH to the shims; the repository has an `az` of its own."""
    (tmp_path / "az").write_text("#!/bin/sh\necho hostile\n")
    (tmp_path / "az").chmod(0o755)
    words = ("sh", "-c", "PATH=${PATH%%:*}; az version")
    done = run_program(PROG, "--shims", "--", *words, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (127, b"")
    assert b"cannot run az: no such file or directory" in done.stderr


def test_a_folder_of_ones_own_stays_in_path(tmp_path: Path) -> None:
    mine = tmp_path / "bin"
    mine.mkdir()
    shim = tmp_path / "shim"
    shim.write_bytes(place._MARK)
    for name in place.NAMES:
        (mine / name).symlink_to(shim)
    assert place.without(f"/x:{mine}::/y") == f"/x:{mine}::/y"
    assert place.without(f"/x:{mine}::/y", "az") == "/x::/y"
    os.mkfifo(tmp_path / "az")
    assert place.without(str(tmp_path), "az") == str(tmp_path)


def test_a_shim_is_made_for_the_program_that_is_there(env: Environment, tmp_path: Path) -> None:
    """Started as a function, the launcher beside Python is the one; a quote in its path is kept."""
    folder = tmp_path / "it's mine"
    folder.mkdir()
    (folder / PROG).symlink_to(SCRIPTS / PROG)
    done = subprocess.run(
        [folder / PROG, "--shims", "--", *GET], env=env, capture_output=True, check=False
    )
    assert json.loads(done.stdout), done.stderr
    start = "from msauth.run.program import main; main()"
    words = [sys.executable, "-c", start, "--shims", "--", *GET]
    done = subprocess.run(words, env=env, capture_output=True, check=False)
    assert json.loads(done.stdout), done.stderr
