"""What `msauth status` says of a sign-in is what the next `msauth-token` does.

A table of sign-ins: status is asked first, then a token, and the record that this leaves says
which kind gave it, for whom and in which tenant. Where nobody can answer both say so.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from msauth.cache import record
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program
from .signin_stubs import ARM, DEVOPS, HELLO, az_login, stub, subscription, write_profile
from .slices import sliced
from .terminal import Terminal

ALEX = "alex@contoso.com"
NEVER = 'echo "ERROR: the test did not expect this program" >&2; exit 1'


class World:
    """A person's machine in the sandbox, without any sign-in to begin with."""

    def __init__(self, env: Environment, cloud: Sandbox, home: Path) -> None:
        self.env = {n: v for n, v in env.items() if n not in cloud.identity_variables}
        self.cloud = cloud
        self.home = home
        self.options: tuple[str, ...] = ()

    def status(self) -> tuple[int, dict[str, Any]]:
        """Return the exit code of `msauth status arm` and the one row of what would answer."""
        done = run_program("msauth", "status", "arm", *self.options, "--json", env=self.env)
        (row,) = json.loads(done.stdout)["answers"]
        return done.returncode, row

    def token(self) -> tuple[int, str, str]:
        """Return the exit code of `msauth-token arm`, the token and what it said."""
        words = ("arm", *self.options, "--format", "token")
        done = run_program("msauth-token", *words, env=self.env)
        return done.returncode, done.stdout.decode().strip(), done.stderr.decode()

    def record_of(self, token: str) -> dict[str, str]:
        for path in sorted((self.home / "cache/v1").glob("*.tok")):
            found = record.decode(path.read_bytes(), None)
            if found is not None and found[1] == token.encode():
                return found[0]
        raise AssertionError("the token is in no record")

    def profile(self, text: str) -> None:
        path = self.home / "profiles.toml"
        path.write_text(text)
        path.chmod(0o600)
        self.env["MSAUTH_CONFIG"] = str(path)

    def az(self, *scopes: str) -> None:
        """Sign alex in with az, which holds tokens for these scopes."""
        profile = [subscription(self.cloud, "contoso", default=True)]
        write_profile(self.home, *profile, subscription(self.cloud, "fabrikam"))
        az_login(self.cloud, self.env, *scopes)
        stub(self.env, "az", NEVER)

    def az_prints(self, tenant: str = "contoso", user: str = ALEX) -> None:
        token = self.cloud.issue_token(tenant, ARM, user=user)
        answer = {"accessToken": token, "expires_on": int(time.time()) + 3600}
        stub(self.env, "az", f"echo '{json.dumps(answer)}'")

    def file(self, name: str, value: object) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def principal(self) -> None:
        self.env |= self.cloud.service_principal_environ("contoso")


@pytest.fixture
def world(env: Environment, cloud: Sandbox, home: Path) -> World:
    return World(env, cloud, home)


def nobody(world: World) -> None:
    del world


def environment(world: World) -> None:
    world.principal()


def environment_of_another_tenant(world: World) -> None:
    world.principal()
    world.options = ("--tenant", world.cloud.tenants["fabrikam"].id.upper())


def service_principal(world: World) -> None:
    world.principal()
    world.options = ("--credential", "service-principal")


def service_principal_without_secret(world: World) -> None:
    world.principal()
    del world.env["AZURE_CLIENT_SECRET"]
    world.options = ("--credential", "service-principal")


def certificate_that_is_none(world: World) -> None:
    world.principal()
    del world.env["AZURE_CLIENT_SECRET"]
    (world.home / "c.pem").write_text("nothing")
    world.env["AZURE_CLIENT_CERTIFICATE_PATH"] = str(world.home / "c.pem")


def workload_identity(world: World) -> None:
    world.env |= world.cloud.workload_identity_environ("contoso")


def workload_identity_without_its_file(world: World) -> None:
    workload_identity(world)
    world.env["AZURE_FEDERATED_TOKEN_FILE"] = str(world.home / "missing")


def github_actions(world: World) -> None:
    world.env |= world.cloud.github_actions_environ("contoso")


def azure_pipelines(world: World) -> None:
    world.env |= world.cloud.azure_pipelines_environ("contoso")


def managed_identity(world: World) -> None:
    world.env |= world.cloud.managed_identity_environ()


def managed_identity_of_another_tenant(world: World) -> None:
    managed_identity(world)
    world.options = ("--tenant", world.cloud.tenants["contoso"].id)


def managed_identity_without_its_key(world: World) -> None:
    world.env["IDENTITY_ENDPOINT"] = "http://127.0.0.1:1/token"
    world.options = ("--credential", "managed-identity")


def managed_identity_without_its_key_and_az(world: World) -> None:
    world.az(ARM)
    world.env["IDENTITY_ENDPOINT"] = "http://127.0.0.1:1/token"


def managed_identity_at_no_url(world: World) -> None:
    world.az(ARM)
    world.env |= {"IDENTITY_ENDPOINT": "127.0.0.1:1/token", "IDENTITY_HEADER": "key"}


def a_choice_in_a_cloud_shell(world: World) -> None:
    world.env |= {"MSI_ENDPOINT": "http://127.0.0.1:1/token", "AZURE_CLIENT_ID": "chosen"}


def two_names_for_a_managed_identity(world: World) -> None:
    managed_identity(world)
    world.env["MSAUTH_IDENTITY_RESOURCE_ID"] = "/subscriptions/s/resourceGroups/g/x"
    chosen = ("--client-id", world.cloud.managed_identity_client_id)
    world.options = ("--credential", "managed-identity", *chosen)


def az_holds_it(world: World) -> None:
    world.az(ARM)


def az_is_asked(world: World) -> None:
    world.az(DEVOPS)
    world.az_prints()


def az_as_a_guest(world: World) -> None:
    world.az(ARM)
    world.az_prints("fabrikam")
    world.options = ("--tenant", "fabrikam.com")


def az_by_name(world: World) -> None:
    world.az(ARM)
    world.options = ("--credential", "azure-cli")


def az_cache(world: World) -> None:
    world.az(DEVOPS)
    world.options = ("--credential", "azure-cli-cache")


def az_encrypted(world: World) -> None:
    world.az(ARM)
    folder = world.home / ".azure"
    (folder / "msal_token_cache.json").rename(folder / "msal_token_cache.bin")
    world.az_prints()


def az_of_another_cloud(world: World) -> None:
    world.az(ARM)
    (world.home / ".azure/config").write_text("[cloud]\nname = AzureUSGovernment\n")


def az_of_another_cloud_by_name(world: World) -> None:
    az_of_another_cloud(world)
    world.options = ("--credential", "azure-cli")


def az_and_a_principal(world: World) -> None:
    world.az(ARM)
    world.principal()


def az_signed_out_with_a_cached_token(world: World) -> None:
    world.az(ARM)
    assert world.token()[0] == 0
    write_profile(world.home)
    (world.home / ".azure/msal_token_cache.json").write_text("{}")
    stub(world.env, "az", "echo \"Please run 'az login' to setup account.\" >&2; exit 1")


def az_changed_the_person(world: World) -> None:
    world.az(ARM)
    assert world.token()[0] == 0
    entry = subscription(world.cloud, "contoso", "sam@contoso.com", default=True)
    write_profile(world.home, entry)
    world.az_prints(user="sam@contoso.com")


def az_not_on_path(world: World) -> None:
    world.az(ARM)
    (world.home / "stubs/az").unlink()


def azd(world: World) -> None:
    world.file(".azd/auth.json", {"auth": {"account": {"currentUser": {"homeId": "x"}}}})
    token = world.cloud.issue_token("contoso", ARM, user=ALEX)
    stub(
        world.env,
        "azd",
        f"echo '{json.dumps({'token': token, 'expiresOn': '2096-01-01T00:00:00Z'})}'",
    )


def azd_signed_out(world: World) -> None:
    stub(world.env, "azd", "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1")
    world.options = ("--credential", "azure-developer-cli")


def pwsh(world: World) -> None:
    tenant = world.cloud.tenants["contoso"].id
    context = {"Account": {"Id": ALEX, "Type": "User"}, "Tenant": {"Id": tenant}}
    contexts = {"DefaultContextKey": "c", "Contexts": {"c": context}}
    world.file(".Azure/AzureRmContext.json", contexts)
    token = world.cloud.issue_token("contoso", ARM, user=ALEX)
    stub(world.env, "pwsh", f"echo azsdk%{token}%4000000000")


def pwsh_signed_out(world: World) -> None:
    stub(world.env, "pwsh", "echo 'Run Connect-AzAccount to login.' >&2; exit 1")
    world.options = ("--credential", "azure-powershell")


def browser(world: World) -> None:
    world.options = ("--credential", "browser", "--tenant", world.cloud.tenants["contoso"].id)
    words = ("login", *world.options, "devops")
    done = run_program("msauth", *words, env=world.env | world.cloud.browser_environ())
    assert done.returncode == 0, done.stderr


def browser_in_ci(world: World) -> None:
    browser(world)
    world.env["CI"] = "true"


def device_code_nobody_in_ci(world: World) -> None:
    world.options = ("--credential", "device-code")
    world.env["CI"] = "true"


def device_code_without_a_terminal(world: World) -> None:
    world.options = ("--credential", "device-code")


def cached(world: World) -> None:
    world.principal()
    assert world.token()[0] == 0


def cached_under_a_profile_that_wants_more_life(world: World) -> None:
    """The cached token has 400 seconds left, which is enough for anybody else."""
    world.principal()
    world.profile("[long]\nmin_valid = 900\n")
    world.options = ("--profile", "long")
    world.cloud.configure(expires_in=1200)
    assert world.token()[0] == 0
    age(world, 800)
    world.cloud.configure(expires_in=3600)


def cached_and_expired(world: World) -> None:
    world.principal()
    assert world.token()[0] == 0
    age(world, 3600)


def cached_but_superseded_by_a_logout(world: World) -> None:
    cached(world)
    assert run_program("msauth", "logout", env=world.env).returncode == 0


def cached_but_rejected(world: World) -> None:
    world.az(ARM)
    code, token, _ = world.token()
    assert code == 0
    for organisation in (b"contoso", b"fabrikam"):
        text = HELLO.replace(b"contoso/", organisation + b"/")[:-1] + b"password=" + token.encode()
        run_program("git-credential-msauth", "erase", env=world.env, stdin=text + b"\n\n")


def failed_a_moment_ago(world: World) -> None:
    world.principal()
    world.env["AZURE_CLIENT_SECRET"] = "wrong"
    assert world.token()[0] == 1


def a_profile_by_variable(world: World) -> None:
    world.az(ARM)
    world.az_prints("fabrikam")
    world.profile('[guest]\ntenant = "fabrikam.com"\ncredential = "azure-cli"\n')
    world.env["MSAUTH_PROFILE"] = "guest"


def a_profile_with_az_files_of_its_own(world: World) -> None:
    world.az(ARM)
    (world.home / ".azure").rename(world.home / ".azure-work")
    world.profile('[work]\naz_config_dir = "~/.azure-work"\n')
    world.options = ("--profile", "work")


def wrong_word_for_the_chain(world: World) -> None:
    world.principal()
    world.env["AZURE_TOKEN_CREDENTIALS"] = "prod"


def age(world: World, seconds: int) -> None:
    """Make the cached token older, as time would."""
    (path,) = (world.home / "cache/v1").glob("*.tok")
    found = record.decode(path.read_bytes(), None)
    assert found is not None
    attributes, payload = found
    for name in ("issued", "refresh_on", "expires_on"):
        attributes[name] = str(int(attributes[name]) - seconds)
    own = {n: v for n, v in attributes.items() if not n.startswith("request.")}
    key = "".join(f"{n}={v}\n" for n, v in attributes.items() if n.startswith("request."))
    path.write_bytes(record.encode(key.encode(), own, payload))


class Case(NamedTuple):
    """What is to be said and to come; account and tenant "" are what status cannot know."""

    prepare: Callable[[World], None]
    credential: str = ""
    account: str = ""
    tenant: str = "contoso"
    cached: bool = False


APP = "the application"
TABLE = [
    Case(environment, "environment", APP),
    Case(environment_of_another_tenant, "environment", APP, "fabrikam"),
    Case(service_principal, "service-principal", APP),
    Case(workload_identity, "workload-identity", APP),
    Case(github_actions, "github-actions", APP),
    Case(azure_pipelines, "azure-pipelines", APP),
    Case(managed_identity, "managed-identity", "", ""),
    Case(managed_identity_of_another_tenant, "managed-identity", "", "contoso"),
    Case(managed_identity_without_its_key_and_az, "azure-cli", ALEX),
    Case(az_holds_it, "azure-cli", ALEX),
    Case(az_is_asked, "azure-cli", ALEX),
    Case(az_as_a_guest, "azure-cli", ALEX, "fabrikam"),
    Case(az_by_name, "azure-cli", ALEX),
    Case(az_cache, "azure-cli-cache", ALEX),
    Case(az_encrypted, "azure-cli", ALEX),
    Case(az_and_a_principal, "environment", APP),
    Case(az_changed_the_person, "azure-cli", "sam@contoso.com"),
    Case(azd, "azure-developer-cli", "", ""),
    Case(pwsh, "azure-powershell", ALEX),
    Case(browser, "browser", ALEX),
    Case(browser_in_ci, "browser", ALEX),
    Case(cached, "environment", APP, cached=True),
    Case(cached_under_a_profile_that_wants_more_life, "environment", APP),
    Case(cached_and_expired, "environment", APP),
    Case(cached_but_superseded_by_a_logout, "environment", APP),
    Case(cached_but_rejected, "azure-cli", ALEX),
    Case(a_profile_by_variable, "azure-cli", ALEX, "fabrikam"),
    Case(a_profile_with_az_files_of_its_own, "azure-cli", ALEX),
    Case(wrong_word_for_the_chain, "environment", APP),
]


@pytest.mark.parametrize("case", sliced(TABLE, 2), ids=lambda case: case.prepare.__name__)
def test_what_status_says_comes(case: Case, world: World) -> None:
    case.prepare(world)
    requests = world.cloud.count()
    code, row = world.status()
    assert world.cloud.count() == requests, "status asks nobody"
    assert (code, row["problem"]) == (0, None)
    assert row["cached"] == case.cached
    assert not row["asks"]
    code, token, said = world.token()
    assert code == 0, said
    found = world.record_of(token)
    tenant = world.cloud.tenants[case.tenant].id if case.tenant else ""
    account = world.cloud.client_id if case.account == APP else case.account
    assert row["credential"] == case.credential
    assert (row["account"] or "", row["tenant"] or "") == (account, tenant)
    assert found["credential"] == case.credential
    assert found["account"] == (account or found["account"])
    assert found["tenant"] == (tenant or found["tenant"])
    # From here on it is the cached token that answers, and nothing is unknown any more.
    code, row = world.status()
    assert (code, row["cached"]) == (0, True)
    for name in ("credential", "account", "tenant"):
        assert row[name] == found[name]


NOBODY = "no credential can sign in"
FAILING = [
    (nobody, NOBODY),
    (service_principal_without_secret, "neither AZURE_CLIENT_SECRET nor"),
    (certificate_that_is_none, "not a usable PEM"),
    (workload_identity_without_its_file, "missing: no such file"),
    (two_names_for_a_managed_identity, "both a client id and"),
    (managed_identity_without_its_key, "neither IDENTITY_HEADER nor IMDS_ENDPOINT"),
    (managed_identity_at_no_url, "IDENTITY_ENDPOINT is no http URL"),
    (a_choice_in_a_cloud_shell, "a Cloud Shell has one identity"),
    (az_of_another_cloud, NOBODY),
    (az_of_another_cloud_by_name, "az is set to another cloud"),
    (az_signed_out_with_a_cached_token, NOBODY),
    (az_not_on_path, NOBODY),
    (device_code_nobody_in_ci, "nobody has signed in yet"),
    (device_code_without_a_terminal, "nobody has signed in yet"),
    (failed_a_moment_ago, "AADSTS7000215"),
]
FAILING_IN_A_TOOL = [
    (azd_signed_out, "nobody is signed in with azd", "nobody is signed in with azd"),
    (pwsh_signed_out, "nobody is signed in with Connect-AzAccount", "Connect-AzAccount"),
]


def fails(world: World, problem: str) -> tuple[dict[str, Any], str]:
    """Return the row of a status that says so, and what the program says that is then asked."""
    code, row = world.status()
    assert code == 1
    assert problem in row["problem"]
    assert not row["cached"]
    told = run_program("msauth", "status", "arm", *world.options, env=world.env)
    assert told.stderr.decode() == f"msauth: hint: {row['hint']}\n"
    code, token, said = world.token()
    assert (code, token) == (1, "")
    return row, said


@pytest.mark.parametrize(("prepare", "problem"), FAILING, ids=lambda v: getattr(v, "__name__", ""))
def test_what_status_says_fails(
    prepare: Callable[[World], None], problem: str, world: World
) -> None:
    prepare(world)
    row, said = fails(world, problem)
    assert row["problem"] in said
    assert f"hint: {row['hint']}\n" in said


@pytest.mark.parametrize(
    ("prepare", "problem", "error"), FAILING_IN_A_TOOL, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_tool_has_words_of_its_own(
    prepare: Callable[[World], None], problem: str, error: str, world: World
) -> None:
    prepare(world)
    assert error in fails(world, problem)[1]


@pytest.mark.parametrize("profile", ["none", "wrong"])
def test_a_profile_that_cannot_be_used(profile: str, world: World) -> None:
    world.principal()
    world.profile("[wrong]\ntennant = 3\n")
    for words in (("msauth-token", "arm"), ("msauth", "status", "arm")):
        assert run_program(*words, "--profile", profile, env=world.env).returncode == 2


def test_at_a_terminal_a_person_would_be_asked(world: World) -> None:
    program = str(Path(world.env["PATH"].partition(":")[0]) / "msauth")
    with Terminal([program, "status"], world.env | {"COLUMNS": "200"}) as terminal:
        assert terminal.event() == ("exited", 0)
        shown = terminal.rest()
    assert b"device-code" in shown
    assert b"would ask you" in shown
    asked = world.env | {"CI": "true"}
    with Terminal([program, "status"], asked) as terminal:
        assert terminal.event() == ("exited", 1)
        assert b"nobody" in terminal.rest()


def test_the_exit_code_is_for_what_was_asked(world: World) -> None:
    """az holds no token and cannot be asked for one scope of several, but for arm it can."""
    world.az_prints()
    write_profile(world.home, subscription(world.cloud, "contoso", default=True))
    narrow = ("--scope", "https://graph.microsoft.com/User.Read")
    assert run_program("msauth", "status", env=world.env).returncode == 0
    assert run_program("msauth", "status", "arm", env=world.env).returncode == 0
    assert run_program("msauth", "status", *narrow, env=world.env).returncode == 1
    assert run_program("msauth-token", *narrow, env=world.env).returncode == 1


def test_which_profile_is_used_and_why(world: World) -> None:
    world.principal()
    world.profile('[one]\n[two]\n[match.organisation]\ncontoso = "two"\n')

    def said(*options: str, **more: str) -> tuple[Any, Any, str]:
        env = world.env | more
        done = run_program("msauth", "status", *options, "--json", env=env)
        found = json.loads(done.stdout)
        text = run_program("msauth", "status", *options, env=env).stdout.decode()
        return found["profile"], found["profile_from"], text

    assert said()[:2] == (None, None)
    profile, by, text = said("--profile", "one", MSAUTH_PROFILE="two")
    assert (profile, by) == ("one", "--profile")
    assert "profile   one (by --profile)\n" in text
    assert "organisation.contoso uses two\n" in text
    profile, by, text = said(MSAUTH_PROFILE="two")
    assert (profile, by) == ("two", "MSAUTH_PROFILE")
    assert "profile   two (by MSAUTH_PROFILE)\n" in text


def test_what_git_has_asked_for_is_an_answer_of_its_own(world: World) -> None:
    """git asks in the organisation's tenant, so its token is not the one without a tenant."""
    world.az(DEVOPS)
    done = run_program("git-credential-msauth", "get", env=world.env, stdin=HELLO)
    assert b"password=ey" in done.stdout
    found = json.loads(run_program("msauth", "status", "--json", env=world.env).stdout)
    rows = {(row["product"], row["organisation"]): row for row in found["answers"]}
    row = rows["devops", "contoso"]
    assert row["cached"]
    assert row["tenant"] == world.cloud.tenants["contoso"].id
    assert not rows["devops", None]["cached"]
    assert run_program("msauth-token", "devops", env=world.env).returncode == 0
    done = run_program("msauth", "status", env=world.env)
    table = done.stdout.decode().partition("cached tokens:\n")[2]
    assert table.count("devops") == 1, "two records, and for a person one token"
    assert "devops of contoso  azure-cli" in done.stdout.decode()


def test_a_profile_s_own_az_files_say_whether_its_token_is_superseded(world: World) -> None:
    a_profile_with_az_files_of_its_own(world)
    assert world.token()[0] == 0
    (row,) = json.loads(run_program("msauth", "status", "--json", env=world.env).stdout)["cached"]
    assert row["state"] == "valid"
    os.utime(world.home / ".azure-work/azureProfile.json", (1, 1))
    (row,) = json.loads(run_program("msauth", "status", "--json", env=world.env).stdout)["cached"]
    assert row["state"] == "superseded"
