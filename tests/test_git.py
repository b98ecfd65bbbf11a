"""Real git against the sandbox's Azure DevOps, with nothing configured but the snippet."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from msauth.setup.git import include_text
from msauth_sandbox import Sandbox

from .conftest import Done, Environment, run_program

SNIPPET = include_text("!git-credential-msauth")
HELLO = "https://dev.azure.com/contoso/hello/_git/hello"
HELLO_AS_COPIED = "https://contoso@dev.azure.com/contoso/hello/_git/hello"
WIDGETS = "https://dev.azure.com/fabrikam/widgets/_git/widgets"
WIDGETS_LEGACY = "https://fabrikam.visualstudio.com/widgets/_git/widgets"


def gits() -> list[str]:
    newer = os.environ.get("MSAUTH_TEST_GIT")
    return ["git", newer] if newer else ["git"]


@pytest.fixture(params=gits(), ids=lambda path: "system" if path == "git" else "newer")
def git(request: pytest.FixtureRequest) -> str:
    path: str | None = shutil.which(request.param)
    assert path is not None, f"{request.param} is not there"
    return path


@pytest.fixture
def git_env(env: Environment, home: Path) -> Environment:
    (home / ".gitconfig").write_text(
        SNIPPET + "[user]\n\tname = Alex\n\temail = alex@contoso.com\n"
    )
    return env


def run(git: str, *arguments: str, env: Environment, cwd: Path | None = None) -> Done:
    return subprocess.run(
        [git, *arguments],
        env=env,
        cwd=cwd,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def succeed(git: str, *arguments: str, env: Environment, cwd: Path | None = None) -> bytes:
    done = run(git, *arguments, env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "tenant"),
    [
        (HELLO, "contoso"),
        (HELLO_AS_COPIED, "contoso"),
        (WIDGETS, "fabrikam"),
        (WIDGETS_LEGACY, "fabrikam"),
    ],
)
def test_clone_fetch_and_push(
    git: str, git_env: Environment, cloud: Sandbox, tmp_path: Path, url: str, tenant: str
) -> None:
    copy = tmp_path / "copy"
    succeed(git, "clone", "-q", url, str(copy), env=git_env)
    succeed(git, "fetch", env=git_env, cwd=copy)
    (copy / "new.txt").write_text(git + url)
    succeed(git, "add", "new.txt", env=git_env, cwd=copy)
    succeed(git, "commit", "-q", "-m", f"by {git} {url}", env=git_env, cwd=copy)
    branch = "refs/heads/" + os.urandom(4).hex()
    succeed(git, "push", "-q", "origin", f"HEAD:{branch}", env=git_env, cwd=copy)
    assert branch.encode() in succeed(git, "ls-remote", url, env=git_env)
    assert cloud.count("token") == 1
    assert cloud.count("token", tenant=tenant) == 1
    assert cloud.count("unknown_host") == 0


def test_no_token_reaches_another_helper(
    git: str, git_env: Environment, home: Path, tmp_path: Path
) -> None:
    """`credential.helper = store` is a common leftover; the empty `helper =` keeps it out."""
    path = home / ".gitconfig"
    path.write_text("[credential]\n\thelper = store\n" + path.read_text())
    succeed(git, "clone", "-q", HELLO, str(tmp_path / "copy"), env=git_env)
    assert not (home / ".git-credentials").exists()
    for file in home.rglob("*"):
        if file.is_file() and "cache" not in file.parts:
            assert b"eyJ" not in file.read_bytes(), file


def test_a_revoked_token_with_an_old_git(
    git_env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    """The command fails once, git erases the token, the next command works."""
    succeed("git", "ls-remote", HELLO, env=git_env)
    cloud.revoke_all("devops")
    version = run("git", "version", env=git_env).stdout.split()[2]
    if tuple(map(int, version.split(b".")[:2])) < (2, 46):
        assert run("git", "ls-remote", HELLO, env=git_env).returncode != 0
    succeed("git", "ls-remote", HELLO, env=git_env)
    assert cloud.count("token") == 2


def test_a_revoked_token_is_replaced_in_the_same_command(
    new_git: str, git_env: Environment, cloud: Sandbox
) -> None:
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    cloud.revoke_all("devops")
    cloud.on_token(None)
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    assert cloud.count("token") == 2
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    assert cloud.count("token") == 2


def test_a_cae_challenge_is_met_in_the_same_command(
    new_git: str, git_env: Environment, cloud: Sandbox
) -> None:
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    cloud.require_claims("devops")
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    assert cloud.count("token", claims=True) == 1
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    assert cloud.count("token") == 2


def test_a_second_rejection_ends_the_command(
    new_git: str, git_env: Environment, cloud: Sandbox
) -> None:
    """A server that rejects everything: two tokens are tried, then git gives up. No loop."""
    cloud.fail_http(host="dev.azure.com", status=401, times=20)
    done = run(new_git, "ls-remote", HELLO, env=git_env)
    assert done.returncode != 0
    assert cloud.count("token") <= 2


def test_not_signed_in_is_one_error_and_no_prompt(
    git: str, git_env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"):
        del git_env[name]
    git_env["GIT_ASKPASS"] = "/bin/false"
    tenant = cloud.tenants["contoso"].id
    done = run(git, "clone", "-q", HELLO, str(tmp_path / "copy"), env=git_env)
    assert done.returncode == 128
    text = done.stderr.decode()
    assert text.count("git-credential-msauth: error: no credential can sign in") == 1
    assert f"hint: msauth login --credential device-code --tenant {tenant}" in text
    assert "askpass" not in text.lower(), "quit=1 keeps git from asking for a password"


@pytest.mark.parametrize("url", [HELLO, HELLO_AS_COPIED])
def test_a_cached_token_costs_no_request_more_than_one_in_the_configuration(
    new_git: str, git_env: Environment, cloud: Sandbox, home: Path, url: str
) -> None:
    """`proactiveAuth`: no 401, no second connection, and two starts of the helper."""

    def asked(*options: str) -> list[tuple[str, str, int]]:
        before = len(cloud.requests)
        trace = {"GIT_TRACE": str(home / "trace")}
        succeed(new_git, *options, "ls-remote", url, env=git_env | trace)
        return [(one.method, one.path, one.status) for one in cloud.requests[before:]]

    succeed(new_git, "ls-remote", url, env=git_env)  # signs in
    ours = asked()
    started = [
        line.rpartition(" ")[2].rstrip("'")
        for line in (home / "trace").read_text().splitlines()
        if "run_command: " in line and "credential-msauth" in line
    ]
    header = f"http.extraHeader=Authorization: Bearer {cloud.issue_token()}"
    never = "http.https://dev.azure.com.proactiveAuth=none"
    assert ours == asked("-c", never, "-c", header)
    assert [status for _, _, status in ours] == [200, 200, 200]
    assert started == ["get", "store"]


def test_several_organisations_by_url_configuration(
    git: str, git_env: Environment, cloud: Sandbox, home: Path
) -> None:
    """Options per organisation, by git's own URL matching."""
    tenant = cloud.tenants["contoso"].id
    with (home / ".gitconfig").open("a") as file:
        file.write(
            '[credential "https://dev.azure.com/contoso"]\n'
            f"\thelper =\n\thelper = msauth --tenant {tenant}\n"
        )
    succeed(git, "ls-remote", HELLO, env=git_env)
    succeed(git, "ls-remote", WIDGETS, env=git_env)
    assert cloud.count("token", tenant="contoso") == 1
    assert cloud.count("token", tenant="fabrikam") == 1


def test_a_herd_of_fetches_makes_one_request(
    git_env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.configure(latency=0.2)
    processes = [
        subprocess.Popen(
            ["git", "ls-remote", HELLO],
            env=git_env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(12)
    ]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        assert b"refs/heads" in output
    assert cloud.count("token") == 1


def test_the_private_ca_of_git_serves_the_probe(
    env: Environment, cloud: Sandbox, home: Path
) -> None:
    """Only git knows the CA: the tenant is still found, and the sign-in says what it lacks."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"):
        del env[name]
    (home / ".gitconfig").write_text(f"[http]\n\tsslCAInfo = {cloud.ca_file}\n")
    stdin = b"protocol=https\nhost=dev.azure.com\npath=fabrikam/widgets\n"
    done = run_program("git-credential-msauth", "get", env=env, stdin=stdin)
    assert cloud.count("devops", org="fabrikam") == 1
    assert b"certificate of login.microsoftonline.com is not trusted" in done.stderr
    assert b"hint: export REQUESTS_CA_BUNDLE=" in done.stderr


def test_a_public_project_sees_who_reads_it_where_somebody_is_signed_in(
    new_git: str, git_env: Environment, cloud: Sandbox
) -> None:
    cloud.configure(public_projects=("contoso/hello",))
    succeed(new_git, "ls-remote", HELLO, env=git_env)
    assert {one.auth for one in cloud.requests if "/_git/" in one.path} == {"bearer"}


def test_a_private_project_is_asked_once_without_a_sign_in(
    new_git: str, bare_env: Environment, cloud: Sandbox, home: Path
) -> None:
    (home / ".gitconfig").write_text(SNIPPET)
    done = run(new_git, "ls-remote", HELLO, env=bare_env | cloud.environ)
    assert done.returncode == 128
    assert done.stderr.count(b"error: no credential can sign in") == 1
    asked = [(one.method, one.status) for one in cloud.requests if "/_git/" in one.path]
    assert asked == [("GET", 401)]
