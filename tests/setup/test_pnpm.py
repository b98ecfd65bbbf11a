"""`msauth setup pnpm`: lines for pnpm's files, names for the helper, and all of it back again."""

import os
from pathlib import Path

import pytest

from msauth.setup import pnpm

from ..conftest import SCRIPTS, Done, Environment, run_program

KEY, VALUE = b"//h/o/:tokenHelper", b"/x/pnpm-token-msauth-o"
LINE = KEY + b"=" + VALUE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, LINE + b"\n"),
        (b"", LINE + b"\n"),
        (b"a=1\n", b"a=1\n" + LINE + b"\n"),
        (b"a=1", b"a=1\n" + LINE + b"\n"),
        (b"a=1\r\nb=2\r\n", b"a=1\r\nb=2\r\n" + LINE + b"\r\n"),
        (KEY + b" = " + VALUE + b"\n", KEY + b" = " + VALUE + b"\n"),
        (KEY + b"=/old\na=1\n", LINE + b"\na=1\n"),
        (KEY + b"=/1\n" + KEY + b"=/2\n", KEY + b"=/1\n" + LINE + b"\n"),
        (b"a=1\n[s]\nb=2\n", b"a=1\n" + LINE + b"\n[s]\nb=2\n"),
        (b"[s]\n" + LINE + b"\n", LINE + b"\n[s]\n" + LINE + b"\n"),
        (b"//h/o/:_authToken=x\n", b"//h/o/:_authToken=x\n" + LINE + b"\n"),
    ],
)
def test_the_line_that_counts(before: bytes | None, after: bytes) -> None:
    assert pnpm.with_line(before, KEY, VALUE) == after
    assert pnpm.with_line(after, KEY, VALUE) == after


@pytest.fixture
def person(bare_env: Environment, home: Path) -> Environment:
    """Somebody whose pnpm says the version in `~/version`, and who has a profile `work`."""
    program = home / "bin/pnpm"
    program.parent.mkdir()
    (home / ".local/share").mkdir(parents=True)
    program.write_text('#!/bin/sh\ncat "$HOME/version"\n')
    program.chmod(0o755)
    (home / "version").write_text("12.21.0\n")
    config = home / ".config/msauth/profiles.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[work]\ntenant = "contoso.com"\n')
    return bare_env | {"PATH": f"{program.parent}:{bare_env['PATH']}"}


def setup(env: Environment, *words: str, code: int = 0) -> Done:
    done = run_program("msauth", "setup", "pnpm", *words, env=env)
    assert done.returncode == code, done.stderr
    return done


def everything(home: Path) -> dict[str, object]:
    """Every file, folder and link below HOME, the journal's and the cache's left out."""
    return {
        str(path.relative_to(home)): path.is_symlink() or path.is_dir() or path.read_bytes()
        for path in sorted(home.rglob("*"))
        if not {"cache", "state"} & set(path.relative_to(home).parts)
    }


def helpers(path: Path) -> dict[str, str]:
    pairs = (line.partition(":tokenHelper=") for line in path.read_text().split("\n"))
    return {key: value for key, found, value in pairs if found}


def test_an_organisation_and_back(person: Environment, home: Path) -> None:
    before = everything(home)
    wanted = setup(person, "--dry-run", "contoso").stdout
    assert b"+//pkgs.dev.azure.com/contoso/:tokenHelper=" in wanted
    assert b"+a link to " in wanted
    assert everything(home) == before
    setup(person, "Contoso")
    found = helpers(home / ".config/pnpm/auth.ini")
    link = home / ".local/share/msauth/pnpm/pnpm-token-msauth-contoso"
    assert found == {
        "//pkgs.dev.azure.com/contoso/": str(link),
        "//contoso.pkgs.visualstudio.com/": str(link),
    }
    assert os.readlink(link) == str(SCRIPTS / "pnpm-token-msauth")
    assert (home / ".config/pnpm/auth.ini").stat().st_mode & 0o777 == 0o600
    assert setup(person, "contoso").stdout == b"nothing to do\n"
    assert b"set up" in run_program("msauth", "setup", env=person).stdout
    setup(person, "fabrikam")
    assert len(helpers(home / ".config/pnpm/auth.ini")) == 4
    assert b"-a link to" in setup(person, "--undo", "--dry-run").stdout
    setup(person, "--undo")
    assert everything(home) == before
    assert setup(person, "--undo").stdout == b"nothing to do\n"


def test_everything_of_azure_artifacts(person: Environment, home: Path) -> None:
    setup(person)
    place = "//pkgs.dev.azure.com/"
    assert helpers(home / ".config/pnpm/auth.ini") == {place: str(SCRIPTS / "pnpm-token-msauth")}
    setup(person, "work")
    link = home / ".local/share/msauth/pnpm/pnpm-token-msauth-work"
    assert helpers(home / ".config/pnpm/auth.ini") == {place: str(link)}


@pytest.mark.parametrize("how", ["an old pnpm", "--npmrc"])
def test_the_file_that_all_of_pnpm_reads(person: Environment, home: Path, how: str) -> None:
    mine = "registry=https://x.example/\n//x.example/:_authToken=secret\n"
    (home / ".npmrc").write_text(mine)
    option = [how] if how.startswith("-") else []
    if not option:
        (home / "version").write_text("10.34.9\n")
    assert b"secret" not in setup(person, "contoso", "--dry-run", *option).stdout
    setup(person, "contoso", *option)
    assert "//pkgs.dev.azure.com/contoso/" in helpers(home / ".npmrc")
    assert not (home / ".config/pnpm").exists()
    setup(person, "--undo")
    assert (home / ".npmrc").read_text() == mine


def test_a_token_that_would_be_sent_in_place_of_ours(person: Environment, home: Path) -> None:
    secret = "//pkgs.dev.azure.com/contoso/_packaging/f/npm/registry/:_authToken"
    (home / ".npmrc").write_text(f"{secret}=secret\n")
    said = setup(person, "contoso").stderr.decode()
    assert f"warning: {secret} is set, and pnpm sends that token" in said
    assert "=secret" not in said


@pytest.mark.parametrize("word", ["../x", "a b", "-", "ünïcode", "a" * 51])
def test_what_is_no_name(person: Environment, home: Path, word: str) -> None:
    before = everything(home)
    setup(person, "--", word, code=2)
    assert everything(home) == before


def test_a_path_that_a_shell_would_read_otherwise(person: Environment, home: Path) -> None:
    before = everything(home)
    odd = str(home / "a;b")
    assert b"pnpm cannot run" in setup(person | {"XDG_DATA_HOME": odd}, "contoso", code=1).stderr
    assert everything(home) == before


def test_a_file_in_a_names_place_stays(person: Environment, home: Path) -> None:
    path = home / ".local/share/msauth/pnpm/pnpm-token-msauth-contoso"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert b"is no link of ours" in setup(person, "contoso", code=1).stderr
    setup(person, "--undo")
    assert path.read_text() == "mine"
