"""`msauth help` at a terminal and in a pipe, and the manual pages that the wheel brings."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msauth.cli import help as pages
from msauth.cli import markdown, programs, usage
from msauth.cli.topics import text_of

from ..conftest import Environment, run_program
from ..terminal import Terminal
from .texts import TOPICS

MAN = Path(sys.prefix) / "share/man"
COMMANDS = {command.name: command for command in programs.commands()}
NAMES = [text.stem for text in TOPICS]


def test_the_topics_are_listed(bare_env: Environment) -> None:
    done = run_program("msauth", "help", env=bare_env)
    assert done.returncode == 0
    for text in TOPICS:
        name, _, sentence = text.read_text("utf-8").split("\n")[0][2:].partition(": ")
        assert re.search(rf"^  {name} +{re.escape(sentence)}$", done.stdout.decode(), re.M)


@pytest.mark.parametrize("name", NAMES)
def test_a_topic_in_a_pipe_is_plain(bare_env: Environment, name: str) -> None:
    done = run_program("msauth", "help", name, env=bare_env)
    assert done.returncode == 0
    assert b"\033" not in done.stdout
    text = done.stdout.decode()
    assert text.startswith(f"{name}: ")
    assert [mark for mark in ("**", "```", "|---") if mark in text] == []


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("name", NAMES)
def test_a_topic_fits_the_terminal(name: str, width: int) -> None:
    """Code is never broken, nor is a word that is longer than the line."""
    page = pages.render(text_of(name), width, bold=False)
    for line in page.split("\n"):
        assert (
            len(line) <= width
            or line.startswith("    ")
            or len(max(line.split(), key=len)) > width // 2
        )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_topic_is_lost(name: str) -> None:
    page = re.sub(r"\s+", "", pages.render(text_of(name), 100, bold=True))
    for word in re.findall(r"[\w-]{4,}", markdown.plain(text_of(name))):
        assert word in page or word in ("console", "toml", "text", "python", "yaml")


def test_a_command_and_a_program_have_their_own_help(bare_env: Environment) -> None:
    for asked, command in (
        ("login", ("msauth", "login")),
        ("msauth-token", ("msauth-token",)),
        ("msauth-run", ("msauth-run",)),
        ("git-credential-msauth", ("git-credential-msauth",)),
    ):
        shown = run_program("msauth", "help", asked, env=bare_env)
        assert shown.returncode == 0
        assert shown.stdout == run_program(*command, "--help", env=bare_env).stdout


@pytest.mark.parametrize("command", programs.commands(), ids=lambda command: command.name)
def test_no_line_of_a_help_is_wider_than_a_page(command: programs.Command) -> None:
    assert max(map(len, command.help.split("\n"))) <= 100


@pytest.mark.parametrize(
    ("word", "hint"), [("rnu", b"msauth help run"), ("migrat", b"migrate"), ("xyzzy", b"help")]
)
def test_an_unknown_topic(bare_env: Environment, word: str, hint: bytes) -> None:
    done = run_program("msauth", "help", word, env=bare_env)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no topic" in done.stderr
    assert hint in done.stderr


@pytest.fixture
def pager(bare_env: Environment, tmp_path: Path) -> Path:
    """A pager that keeps what it was given, and the environment that names it."""
    program = tmp_path / "our-pager"
    program.write_text(
        f'#!/bin/sh\necho "LESS=$LESS" >{tmp_path}/less\nexec cat >{tmp_path}/page\n'
    )
    program.chmod(0o755)
    bare_env |= {"TERM": "xterm", "PAGER": str(program)}
    return tmp_path / "page"


END = b"token there."


def at_a_terminal(env: Environment, *, until: bytes = b"", path: str = "") -> None:
    """Run `msauth help run` at a terminal, until it has shown something there and ended."""
    program = shutil.which("msauth", path=path or env["PATH"])
    assert program
    with Terminal([program, "help", "run"], env) as terminal:
        terminal.read_until(until)
        assert terminal.event() == ("exited", 0)


def test_a_terminal_gets_a_pager_and_bold_headings(bare_env: Environment, pager: Path) -> None:
    at_a_terminal(bare_env)
    assert pager.read_bytes().startswith(b"\033[1mrun: ")
    assert pager.with_name("less").read_text() == "LESS=FRX\n"


@pytest.mark.parametrize(
    ("name", "value"), [("PAGER", "cat"), ("PAGER", ""), ("TERM", "dumb"), ("PAGER", "/nowhere")]
)
def test_no_pager_where_none_is_wanted(
    bare_env: Environment, pager: Path, name: str, value: str
) -> None:
    at_a_terminal(bare_env | {name: value}, until=END)
    assert not pager.exists()


def test_no_colour_no_bold(bare_env: Environment, pager: Path) -> None:
    at_a_terminal(bare_env | {"NO_COLOR": "1"})
    assert b"\033" not in pager.read_bytes()


def test_a_pager_is_never_found_in_the_current_directory(
    bare_env: Environment, pager: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bare_env["PATH"]
    monkeypatch.chdir(pager.parent)
    for hostile in ("our-pager", "./our-pager"):
        env = bare_env | {"PAGER": hostile, "PATH": f":.:{path}"}
        at_a_terminal(env, until=END, path=path)
        assert not pager.exists()


PAGES = [
    *(MAN / "man1" / f"{name}.1" for name in COMMANDS if " " not in name),
    *(MAN / "man7" / f"msauth-{name}.7" for name in NAMES),
]
PAGE = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


def test_every_page_is_installed_and_no_other() -> None:
    there = {*MAN.glob("man*/*msauth*")}
    assert there == set(PAGES)


@PAGE
def test_a_page_is_clean_roff(page: Path) -> None:
    checked = 0
    for command in (["groff", "-man", "-Tutf8", "-wall"], ["mandoc", "-Tlint", "-Wwarning"]):
        if shutil.which(command[0]) is not None:
            done = subprocess.run([*command, page], capture_output=True, text=True, check=False)
            said = done.stderr + (done.stdout if command[0] == "mandoc" else "")
            assert said == ""
            checked += 1
    if not checked:
        pytest.skip("there is neither groff nor mandoc on this machine")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_of_the_help(name: str) -> None:
    page = (MAN / "man1" / f"{name.partition(' ')[0]}.1").read_text("utf-8")
    for entry in usage.read(COMMANDS[name].help).entries():
        for option in entry.options:
            assert (
                f".B {option}".replace("-", "\\-") in page
                or f", {option}".replace("-", "\\-") in page
            )


@PAGE
def test_man_shows_a_page(page: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("there is no man on this machine")
    done = subprocess.run(
        ["man", "--warnings", "-l", str(page)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "NAME" in done.stdout
    assert "SEE ALSO" in done.stdout
