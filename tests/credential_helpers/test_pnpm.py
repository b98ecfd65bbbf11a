"""pnpm-token-msauth: whose token it prints, by the name that it is started by."""

import os
from pathlib import Path

import pytest

from msauth_sandbox import Sandbox

from ..conftest import SCRIPTS, Done, Environment, run_program

PROG = "pnpm-token-msauth"


@pytest.fixture
def profiles(home: Path, cloud: Sandbox) -> Path:
    """A profile `work` of the second tenant; a test may write more of the file."""
    path = home / ".config/msauth/profiles.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f'[work]\ntenant = "{cloud.tenants["fabrikam"].id}"\n')
    return path


def ask(env: Environment, home: Path, name: str = "", *arguments: str) -> Done:
    """Run it as `pnpm-token-msauth-NAME`, a link as `msauth setup pnpm` makes one."""
    link = home / (f"{PROG}-{name}" if name else PROG)
    if not link.is_symlink():
        link.symlink_to(SCRIPTS / PROG)
    return run_program(str(link), *arguments, env=env)


def answered(done: Done) -> None:
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"Bearer ey")
    assert done.stdout.endswith(b"\n")
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_without_a_name_it_is_ones_own_sign_in(
    cloud: Sandbox, env: Environment, home: Path
) -> None:
    answered(ask(env, home))
    answered(ask(env, home))
    assert (cloud.count("token"), cloud.count("token", tenant="contoso")) == (1, 1)


@pytest.mark.parametrize("name", ["fabrikam", "FABRIKAM"])
def test_an_organisation_has_its_own_tenant(
    cloud: Sandbox, env: Environment, home: Path, name: str
) -> None:
    answered(ask(env, home, name))
    assert (cloud.count("token"), cloud.count("token", tenant="fabrikam")) == (1, 1)


def test_a_profile(cloud: Sandbox, env: Environment, home: Path, profiles: Path) -> None:
    answered(ask(env, home, "work"))
    assert (cloud.count("token"), cloud.count("token", tenant="fabrikam")) == (1, 1)


def test_a_profile_comes_before_an_organisation(
    cloud: Sandbox, env: Environment, home: Path, profiles: Path
) -> None:
    profiles.write_text(profiles.read_text().replace("work", "contoso"))
    answered(ask(env, home, "contoso"))
    assert cloud.count("token", tenant="fabrikam") == 1


def test_an_organisation_beside_profiles(
    cloud: Sandbox, env: Environment, home: Path, profiles: Path
) -> None:
    answered(ask(env, home, "contoso"))
    assert cloud.count("token", tenant="contoso") == 1
    profiles.write_text(profiles.read_text().replace("work", "contoso"))
    answered(ask(env, home, "contoso"))
    assert cloud.count("token", tenant="fabrikam") == 1, "an edit counts at once"


def test_what_cannot_name_a_profile_does_not_make_one(
    cloud: Sandbox, env: Environment, home: Path, profiles: Path
) -> None:
    """The names are kept a line each for the next process; a quoted key may hold a newline."""
    profiles.write_text(profiles.read_text().replace("[work]", '["x=1\\nname.contoso"]'))
    os.utime(profiles, (1, 1))
    for _ in range(2):
        answered(ask(env, home, "contoso"))
    assert (cloud.count("token"), cloud.count("token", tenant="contoso")) == (1, 1)


@pytest.mark.parametrize("table", ["host]\n'pkgs.dev.azure.com'", "organisation]\ncontoso"])
def test_what_is_matched(
    cloud: Sandbox, env: Environment, home: Path, profiles: Path, table: str
) -> None:
    profiles.write_text(f'{profiles.read_text()}[match.{table} = "work"\n')
    answered(ask(env, home, "contoso" if "contoso" in table else ""))
    assert cloud.count("token", tenant="fabrikam") == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("no_such", ()), ("a.b", ()), ("", ("x",)), ("", ("--nonsense",)), ("", ("--profile=x",))],
)
def test_what_cannot_be_meant(
    cloud: Sandbox, env: Environment, home: Path, name: str, arguments: tuple[str, ...]
) -> None:
    done = ask(env, home, name, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{PROG}{name and '-'}{name}: error: ".encode())
    assert cloud.requests == []


def test_its_own_words(env: Environment, home: Path) -> None:
    assert b"usage: pnpm-token-msauth" in ask(env, home, "", "--help").stdout
    assert ask(env, home, "", "--version").stdout.startswith(b"pnpm-token-msauth ")


@pytest.mark.parametrize("name", ["$(x)", "a\n\033[2Jb", "a b", "\u202ex"])
def test_a_name_for_a_shell_or_a_terminal_is_not_repeated(
    env: Environment, home: Path, name: str
) -> None:
    done = ask(env, home, name)
    assert (done.returncode, done.stdout) == (2, b"")
    error, hint = done.stderr.decode().splitlines()
    assert error.startswith("msauth: error: ")
    assert error.endswith(" is neither a profile nor an organisation")
    assert (error + hint).isprintable()
    assert hint.startswith("msauth: hint: ")
    assert name not in hint
