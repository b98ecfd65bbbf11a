"""What README.md and the topics say is true: commands run, options, topics and links exist."""

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from msauth.cli import markdown, topics
from msauth.cli.program import COMMANDS as OF_MSAUTH
from msauth_sandbox.entra.directory import Directory
from msauth_sandbox.services.organizations import organizations

from ..conftest import SCRIPTS
from .texts import COMMANDS, README, REPOSITORY, TEXTS, TOPICS, Block, calls, code, console_blocks

OPTIONS = {option.name for command in COMMANDS.values() for option in command.options}
FOREIGN = {
    "--claims-challenge": "az",
    "--domain": "azureauth",
    "--mode": "azureauth",
    "--output": "azureauth",
    "--alias": "azureauth",
    "--resource": "azureauth",
    "--target": "pip",
    "--keyring-provider": "pip",
    "--no-input": "pip",
    "--credential_helper": "bazel",
}
"""Options of other programs that a text names without their program, and whose they are."""
OF_SCRIPTS = {
    option
    for script in (REPOSITORY / "install").glob("*.sh")
    for option in re.findall(r"(?m)^\t?(--[a-z-]+)\)", script.read_text("utf-8"))
}
"""What install.sh, uninstall.sh and test.sh take, by the patterns that they compare with."""
TEXT = pytest.mark.parametrize("text", TEXTS, ids=[text.name for text in TEXTS])


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


@pytest.mark.parametrize("text", TOPICS, ids=[text.name for text in TOPICS])
def test_a_topic_begins_with_its_name_and_a_sentence(text: Path) -> None:
    lines = text.read_text("utf-8").split("\n")
    assert re.fullmatch(rf"# {text.stem}: \S.*[^.]", lines[0])
    assert [line for line in lines if len(line) > 100] == []


@TEXT
def test_a_text_is_in_the_small_markdown(text: Path) -> None:
    """Nothing that the renderer would show as it is: numbered lists, html, nested marks."""
    for block in markdown.blocks(text.read_text("utf-8")):
        assert not isinstance(block, markdown.Paragraph) or not re.match(
            r"(\d+\.|\*|>|<\w+>) ", block.text
        )
        if isinstance(block, markdown.Table):
            assert {len(row) for row in block.rows} == {len(block.rows[0])}
        if isinstance(block, markdown.Code):
            assert block.language in ("console", "sh", "text", "ini", "toml", "yaml", "python")


@TEXT
def test_every_option_exists(text: Path) -> None:
    wrong = []
    for line in code(text):
        for call in calls(line):
            known = {option.name for option in COMMANDS[call.command].options}
            wrong += [(line, option) for option in call.options if option not in known]
        if line.startswith("-"):
            option = re.split(r"[ =\[/]", line)[0]
            known = OPTIONS | OF_SCRIPTS | FOREIGN.keys()
            if re.match("--?[a-z]", option) and option not in known:
                wrong.append((line, option))
    assert wrong == []


@TEXT
def test_every_command_and_topic_exists(text: Path) -> None:
    """`msauth WORD` is one of its commands; `msauth help WORD` has something to show."""
    shown = topics.topics().keys() | OF_MSAUTH.keys() | COMMANDS.keys() | {"TOPIC"}
    wrong = []
    for line in code(text):
        for call in calls(line):
            first = call.words[0] if call.words else ""
            if call.command == "msauth" and first and not first.startswith(("COMMAND", "error:")):
                wrong.append(line)
            if call.command == "msauth help" and first and first not in shown:
                wrong.append(line)
    assert wrong == []


@TEXT
def test_every_link_leads_somewhere(text: Path) -> None:
    links = re.findall(r"(?:\]\(|src(?:set)?=\")([^)\"]+)[)\"]", text.read_text("utf-8"))
    places = [link.partition("#")[0] for link in links if not link.startswith("https://")]
    assert [place for place in places if not (text.parent / place).exists()] == []


@TEXT
def test_every_file_of_the_checkout_exists(text: Path) -> None:
    named = re.findall(r"\b(?:install|tests)/[\w/.-]+\w", "\n".join(code(text)))
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


@TEXT
def test_every_repository_is_in_the_sandbox(text: Path) -> None:
    there = organizations(Directory().tenants)
    place = r"https://(?:\w+@)?dev\.azure\.com/([a-z]\w*)/([^/\s]+)/_git/([\w%-]+)"
    wrong = []
    for organization, project, repository in re.findall(place, "\n".join(code(text))):
        projects = there[organization].projects
        if unquote(repository) not in projects.get(unquote(project), []):
            wrong.append((organization, project, repository))
    assert wrong == []


def test_topics_are_those_of_the_checkout() -> None:
    assert topics.topics().keys() == {text.stem for text in TOPICS}


class ReadyShell:
    """The one shell in the sandbox in which all commands are typed, one after the other.

    It is what a reader has: `msauth-sandbox -- bash`, with git set up in a HOME of its own.
    """

    def __init__(self, home: Path) -> None:
        self._shell = subprocess.Popen(
            [str(SCRIPTS / "msauth-sandbox"), "--", "bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                "PATH": f"{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "GIT_CONFIG_NOSYSTEM": "1",
            },
            cwd=home,
            start_new_session=True,
        )

    def run(self, command: str, folder: Path) -> tuple[int, str]:
        """Type a command; return its exit code and what it said."""
        assert self._shell.stdin is not None
        text = f"cd {folder}; {{ {command}\n}} </dev/null 2>&1\nprintf '\\n<<%s>>\\n' $?\n"
        self._shell.stdin.write(text.encode())
        self._shell.stdin.flush()
        said = self._read()
        output, _, code = said.rpartition("\n<<")
        return int(code), output

    def _read(self) -> str:
        assert self._shell.stdout is not None
        said = b""
        end = time.monotonic() + 120
        while not re.search(rb"\n<<\d+>>\n$", said):
            left = end - time.monotonic()
            assert left > 0, said
            assert select.select([self._shell.stdout], [], [], left)[0], said
            more = os.read(self._shell.stdout.fileno(), 65536)
            assert more, f"the shell has ended: {said.decode()}"
            said += more
        return said.decode().removesuffix(">>\n")

    def close(self) -> None:
        """End the shell, and the sandbox with it."""
        self._shell.communicate(timeout=60)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadyShell]:
    home = tmp_path_factory.mktemp("home")
    ready = ReadyShell(home)
    yield ready
    ready.close()


BLOCKS = [block for text in TEXTS for block in console_blocks(text)]


@pytest.mark.parametrize(
    "block", BLOCKS, ids=[f"{block.text.name}:{block.line}" for block in BLOCKS]
)
def test_every_command_that_is_shown_runs(shell: ReadyShell, block: Block, tmp_path: Path) -> None:
    assert block.commands
    assert shell.run("msauth setup git", tmp_path)[0] == 0  # which another block may have undone
    for command in block.commands:
        code, output = shell.run(command, tmp_path)
        assert code == 0, f"{command}\n{output}"
