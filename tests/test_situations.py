"""What a person meets on a bad day: the error, and the hint that is followed as it is printed.

Each situation is set up in the sandbox; the command fails in at most three lines of ours, the last
of which is the hint. Then the hint is followed, by a shell where it is a command and by the
sandbox's control where it names somebody else's work, and the same command works. What is said
here must also be explained by `msauth help troubleshooting`.
"""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from .conftest import Environment
from .test_git import HELLO, SNIPPET, WIDGETS

OWN_AUTHORITY = "login.sandbox.invalid"
ALEX, SAM = "alex@contoso.com", "sam@contoso.com"
CLONE = f"git clone -q {HELLO} $(mktemp -d)"
CLONE_WIDGETS = f"git clone -q {WIDGETS} $(mktemp -d)"
CLONE_NOTES = "git clone -q https://dev.azure.com/personal/notes/_git/notes $(mktemp -d)"
ARM = "msauth-token arm --format token"
FEED = "https://pkgs.dev.azure.com/contoso/_packaging/hello/pypi/simple/"
GET_FEED = (
    f"msauth-run -e T=devops -- sh -c 'curl -sS --fail -H \"Authorization: Bearer $T\" {FEED}'"
)
OURS = re.compile(r"(git-credential-msauth|msauth(-\w+)?): (error|warning|note|hint): (.*)")


class World:
    """One situation: the environment in which its command runs, and the cloud around it."""

    def __init__(self, env: Environment, cloud: Sandbox, home: Path) -> None:
        self.env = env
        self.cloud = cloud
        self.home = home

    def sh(self, script: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-c", script],
            env=self.env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            start_new_session=True,
        )

    def succeed(self, script: str) -> None:
        done = self.sh(script)
        assert done.returncode == 0, done.stderr

    def log_in(self, user: str, kind: str = "device-code") -> None:
        """Sign a person in and leave what is kept of it, without the token."""
        self.cloud.configure(user=user)
        self.succeed(f"msauth login --credential {kind} devops")
        self.forget_tokens()

    def forget_tokens(self) -> None:
        for path in Path(self.env["MSAUTH_CACHE_DIR"]).glob("v1/*.tok"):
            path.unlink()

    def be_the_application(self) -> None:
        self.env |= self.cloud.service_principal_environ("contoso")


@dataclass
class Situation:
    """`follow` returns the shell's line for a hint, after what others do about it is done.

    `error` and `hint` are the texts with the sandbox's names in them. `serves` says that the
    command works all the same, with a warning.
    """

    set_up: Callable[[World], object]
    command: str
    error: str
    hint: str
    follow: Callable[[World, str], str] = lambda _, hint: hint
    serves: bool = False


def secret_expired(world: World) -> None:
    world.be_the_application()
    world.env["NEW_SECRET"] = world.cloud.renew_secret()


def new_secret(_: World, hint: str) -> str:
    return hint.partition(", and ")[2].replace("…", '"$NEW_SECRET"')


def no_secret(world: World) -> None:
    world.be_the_application()
    world.env["NEW_SECRET"] = world.env.pop("AZURE_CLIENT_SECRET")


def wrong_secret(world: World) -> None:
    no_secret(world)
    world.env["AZURE_CLIENT_SECRET"] = "wrong~Secret~0123456789"


def with_secret(_: World, hint: str) -> str:
    return hint.replace("…", '"$NEW_SECRET"')


def variable(name: str, value: str) -> Callable[[World], None]:
    def set_up(world: World) -> None:
        world.be_the_application()
        world.env[name] = value

    return set_up


def profile(world: World) -> None:
    world.be_the_application()
    path = world.home / ".config/msauth/profiles.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[work]\ntenant = "nosuch.example"\n')
    world.env["MSAUTH_PROFILE"] = "work"


def corrected(world: World, hint: str) -> str:
    path = hint.rpartition(" in ")[2]
    return f"printf '[work]\\ntenant = \"{world.cloud.tenants['contoso'].id}\"\\n' > {path}"


def revoked(world: World) -> None:
    """Somebody signed in with msauth, and az, which is here too, nobody ever did."""
    az = world.home / "bin/az"
    az.parent.mkdir()
    az.write_text("#!/bin/sh\necho \"Please run 'az login' to setup account.\" >&2\nexit 1\n")
    az.chmod(0o755)
    world.env["PATH"] = f"{az.parent}:{world.env['PATH']}"
    world.env |= world.cloud.browser_environ()
    world.log_in(ALEX, "browser")
    world.cloud.revoke_refresh_tokens()


def as_alex(world: World, hint: str) -> str:
    world.cloud.configure(user=ALEX)
    return hint


def conditional_access(world: World) -> None:
    world.log_in(ALEX)
    claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    world.cloud.fail_tokens(50076, times=None, claims=claims, grant="refresh_token")


def no_path(world: World) -> None:
    version = world.sh("git version").stdout.split()[2]
    if tuple(map(int, version.split(".")[:2])) >= (2, 41):
        pytest.skip("this git says the tenant of the refusal, and its helper is right at once")
    world.log_in(ALEX)
    config = world.home / ".gitconfig"
    lines = config.read_text().split("\n")
    config.write_text("\n".join(line for line in lines if "useHttpPath" not in line))


def pat(world: World, hint: str) -> str:
    """The person types the PAT where git asks for a password."""
    askpass = world.home / "askpass"
    askpass.write_text(f'#!/bin/sh\necho "{world.cloud.pat}"\n')
    askpass.chmod(0o700)
    world.env["GIT_ASKPASS"] = str(askpass)
    return hint


def newcomer(world: World) -> None:
    world.log_in(ALEX)
    world.cloud.configure(newcomers=(ALEX,))


def stranger(world: World) -> None:
    world.log_in(ALEX)
    world.cloud.configure(strangers=(ALEX,))


def other_tenant(world: World) -> None:
    world.log_in(ALEX)
    world.env["MSAUTH_TENANT"] = "contoso.com"


def others(**settings: object) -> Callable[[World, str], str]:
    """Return what somebody else does about it, in the cloud; the person does nothing here."""

    def follow(world: World, _: str) -> str:
        world.cloud.configure(**settings)
        return ":"

    return follow


def clock(world: World) -> None:
    world.env |= world.cloud.workload_identity_environ("contoso")
    world.cloud.configure(clock=86400 * 365.0)


def clock_set(world: World, _: str) -> str:
    """The cloud's clock agrees again; what was remembered by the wrong one is of another time."""
    world.cloud.configure(clock=0.0)
    for path in Path(world.env["MSAUTH_CACHE_DIR"]).glob("v1/*.fail"):
        path.unlink()
    return ":"


def no_proxy(world: World) -> None:
    world.be_the_application()
    world.env["AZURE_AUTHORITY_HOST"] = OWN_AUTHORITY
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        world.env.pop(name)


def with_proxy(world: World, hint: str) -> str:
    return hint.partition(": ")[2].replace("http://HOST:PORT", world.cloud.url)


def no_ca(world: World) -> None:
    world.be_the_application()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"):
        world.env.pop(name)


def with_ca(world: World, hint: str) -> str:
    return hint.replace("/path/to/your/company-ca.pem", str(world.cloud.ca_file))


def others_cache(world: World) -> None:
    if os.geteuid():
        pytest.skip("only root can make a folder of another user's")
    world.be_the_application()
    folder = Path(world.env["MSAUTH_CACHE_DIR"]) / "v1"
    folder.mkdir(parents=True, mode=0o700)
    os.chown(folder, 65534, 65534)


def other_cache(world: World, hint: str) -> str:
    return hint.replace("/a/private/directory", str(world.home / "another"))


DEVOPS = "--scope 499b84ac-1321-427f-aa17-267ca6975798/.default"
SITUATIONS = {
    "signed out": Situation(
        lambda _: None,
        ARM,
        "no credential can sign in: device-code: nobody has signed in yet",
        "msauth login --credential device-code --scope https://management.azure.com/.default",
    ),
    "a revoked browser sign-in": Situation(
        revoked,
        CLONE,
        "browser: the sign-in was revoked (password changed or session ended) (AADSTS50173)",
        f"msauth login --credential browser --tenant {{contoso}} {DEVOPS}",
    ),
    "a service principal without its secret": Situation(
        no_secret,
        ARM,
        "environment: neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set",
        "export AZURE_CLIENT_SECRET=…",
        with_secret,
    ),
    "a wrong secret": Situation(
        wrong_secret,
        ARM,
        "environment: the client secret is wrong (AADSTS7000215)",
        "export AZURE_CLIENT_SECRET=…",
        with_secret,
    ),
    "expired secret": Situation(
        secret_expired,
        ARM,
        "environment: the client secret has expired (AADSTS7000222)",
        "make a new secret for application {client}, and export AZURE_CLIENT_SECRET=…",
        new_secret,
    ),
    "wrong tenant": Situation(
        variable("MSAUTH_TENANT", "nosuch.example"),
        ARM,
        "the tenant does not exist (AADSTS90002)",
        "unset MSAUTH_TENANT",
    ),
    "wrong tenant of a profile": Situation(
        profile,
        ARM,
        "the tenant does not exist (AADSTS90002)",
        "correct tenant of profile work in {home}/.config/msauth/profiles.toml",
        corrected,
    ),
    "a wrong variable": Situation(
        variable("MSAUTH_CREDENTIAL", "enviroment"),
        ARM,
        "unknown credential 'enviroment' in MSAUTH_CREDENTIAL",
        "export MSAUTH_CREDENTIAL=environment",
    ),
    "guest not in tenant": Situation(
        lambda world: world.log_in(SAM),
        CLONE_WIDGETS,
        "this account is not a member or guest of the tenant (AADSTS50020)",
        f"msauth login --credential browser --tenant {{fabrikam}} {DEVOPS}",
        as_alex,
    ),
    "Conditional Access": Situation(
        conditional_access,
        CLONE,
        "multi-factor authentication is required (AADSTS50076)",
        f"msauth login --credential browser --tenant {{contoso}} {DEVOPS}",
    ),
    "no useHttpPath": Situation(
        no_path,
        CLONE_WIDGETS,
        "dev.azure.com refused the token, and git did not say for which organisation",
        "git config --global credential.https://dev.azure.com.useHttpPath true",
    ),
    "personal-account organisation": Situation(
        World.be_the_application,
        CLONE_NOTES,
        "organisation personal names no Entra tenant: only a PAT works there",
        "git config --global credential.https://dev.azure.com/personal.helper ''",
        pat,
    ),
    "TF401444": Situation(
        newcomer,
        CLONE,
        "organisation contoso refused alex@contoso.com: it has never opened the organisation in a"
        " browser (TF401444)",
        "open https://dev.azure.com/contoso in a browser once, as alex@contoso.com",
        others(newcomers=()),
    ),
    "TF400813": Situation(
        stranger,
        CLONE,
        "organisation contoso refused alex@contoso.com: the account is no member (TF400813)",
        "ask an administrator of the organisation to add it at"
        " https://dev.azure.com/contoso/_settings/users",
        others(strangers=()),
    ),
    "TF400813 of another tenant": Situation(
        other_tenant,
        CLONE_WIDGETS,
        "organisation fabrikam refused alex@contoso.com: the token is of another tenant (TF400813)",
        "unset MSAUTH_TENANT",
    ),
    "clock wrong": Situation(
        clock,
        ARM,
        "workload-identity: the clock of this machine is wrong (AADSTS700024)",
        "sudo timedatectl set-ntp true",
        clock_set,
    ),
    "no proxy": Situation(
        no_proxy,
        "msauth-token --scope https://management.azure.com/.default --format token"
        " --disable-instance-discovery",
        "environment: cannot reach login.sandbox.invalid",
        "check the network, or if a proxy is needed: export HTTPS_PROXY=http://HOST:PORT",
        with_proxy,
    ),
    "private CA missing": Situation(
        no_ca,
        ARM,
        "environment: the certificate of login.microsoftonline.com is not trusted",
        "export REQUESTS_CA_BUNDLE=/path/to/your/company-ca.pem",
        with_ca,
    ),
    "cache folder of another user": Situation(
        others_cache,
        ARM,
        "belongs to another user (uid 65534)",
        "export MSAUTH_CACHE_DIR=/a/private/directory",
        other_cache,
        serves=True,
    ),
}


@pytest.fixture
def world(bare_env: Environment, cloud: Sandbox, home: Path) -> World:
    """Nobody is signed in; git knows the helper and nothing else."""
    (home / ".gitconfig").write_text(SNIPPET)
    env = bare_env | cloud.environ | {"GIT_ASKPASS": "/bin/false"}
    return World(env, cloud, home)


def said(stderr: str) -> list[tuple[str, str]]:
    """Return level and text of each line that is ours."""
    found = (OURS.fullmatch(line) for line in stderr.split("\n"))
    return [(match[3], match[4]) for match in found if match]


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_hint_is_followed_and_the_command_works(name: str, world: World) -> None:
    situation = SITUATIONS[name]
    situation.set_up(world)
    done = world.sh(situation.command)
    assert (done.returncode == 0) is situation.serves, done.stderr
    lines = said(done.stderr)
    assert len(lines) <= 3, done.stderr
    if name.startswith("TF40") and situation.command == CLONE:
        assert f"remote: {name}: " in done.stderr, "git shows the server's own text too"
    assert [level for level, _ in lines] in (["error", "hint"], ["warning", "hint"]), done.stderr
    names = {
        "contoso": world.cloud.tenants["contoso"].id,
        "fabrikam": world.cloud.tenants["fabrikam"].id,
        "client": world.cloud.client_id,
        "home": str(world.home),
    }
    assert situation.error in lines[0][1]
    assert lines[1][1] == situation.hint.format(**names)
    line = situation.follow(world, lines[1][1])
    again = world.sh(f"{line} && {situation.command}")
    assert again.returncode == 0, again.stderr
    assert not {"error", "warning"} & {level for level, _ in said(again.stderr)}, again.stderr


def test_a_feed_that_may_not_be_read(world: World) -> None:
    """The client shows the server's 403; there is nothing of ours in between that could speak."""
    world.log_in(ALEX)
    world.cloud.configure(forbidden_feeds=("contoso/hello",))
    done = world.sh(GET_FEED)
    assert done.returncode != 0
    assert "403" in done.stderr
    assert said(done.stderr) == []
    assert "403" in troubleshooting()
    assert "Feed Reader" in troubleshooting()
    world.cloud.configure(forbidden_feeds=())  # what the feed's owner does
    world.succeed(GET_FEED)


def test_a_browser_that_cannot_open(world: World) -> None:
    """The page and a code are shown, and the person signs in with those."""
    world.env["BROWSER"] = "/bin/false"
    world.cloud.device_code("manual")

    def person(_: object) -> None:
        for code in world.cloud.pending_device_codes():
            world.cloud.approve(code, ALEX)

    world.cloud.on_token(person)
    done = world.sh("msauth login --credential browser arm")
    assert done.returncode == 0, done.stderr
    assert "the browser could not be opened: signing in with a device code" in done.stderr
    assert "    https://microsoft.com/devicelogin\n" in done.stderr
    assert f"signed in as {ALEX}" in done.stdout
    assert "the browser could not be opened" in troubleshooting()
    world.succeed(ARM)


def troubleshooting() -> str:
    """Return the topic with its folded lines unfolded."""
    text = resources.files("msauth").joinpath("topics/troubleshooting.md").read_text("utf-8")
    return re.sub(r" \\\n +|\n +", " ", text)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_topic_explains_it(name: str) -> None:
    situation = SITUATIONS[name]
    words = {"contoso": "TENANT", "fabrikam": "TENANT", "client": "ID", "home": "~"}
    assert situation.error in troubleshooting()
    assert situation.hint.format(**words) in troubleshooting()
