"""README.md and the topics, and what of them is a command line."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from msauth.cli import markdown, programs

REPOSITORY = Path(__file__).parent.parent.parent
TOPICS = sorted((REPOSITORY / "helpers/msauth/topics").glob("*.md"))
README = REPOSITORY / "README.md"
TEXTS = [README, *TOPICS]

COMMANDS = {command.name: command for command in programs.commands()}
_PROGRAM = re.compile(
    r"(?<![\w./@-])(git-credential-msauth|msauth-token|msauth-run|msauth-sandbox|msauth)"
    r"(?= |$)(?! import)([^|;&<>\n]*)"
)


class Block(NamedTuple):
    """The commands of one ```console block, with the text it is in and where it begins."""

    text: Path
    line: int
    commands: list[str]


class Call(NamedTuple):
    """A command line of ours that a text names. options: without their values."""

    command: str
    words: list[str]
    options: list[str]


def console_blocks(text: Path) -> list[Block]:
    """Return the blocks that a reader may type as they are."""
    found: list[Block] = []
    inside = False
    for number, line in enumerate(text.read_text("utf-8").split("\n"), 1):
        if line == "```console":
            found.append(Block(text, number, []))
            inside = True
        elif line.startswith("```"):
            inside = False
        elif inside:
            commands = found[-1].commands
            if line.startswith("$ "):
                commands.append(line[2:])
            elif commands and _goes_on(commands[-1]):
                commands[-1] += "\n" + line
    return found


def _goes_on(command: str) -> bool:
    if command.endswith("\\"):
        return True
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def code(text: Path) -> list[str]:
    """Return the lines of code of a text and the code within its sentences."""
    found: list[str] = []
    for block in markdown.blocks(text.read_text("utf-8")):
        match block:
            case markdown.Code(language, lines) if language not in ("python", "toml"):
                found += "\n".join(lines).replace("\\\n", " ").split("\n")
            case markdown.Heading(_, words) | markdown.Paragraph(words):
                found += _inline(words)
            case markdown.Bullets(items):
                found += [each for item in items for each in _inline(item)]
            case markdown.Table(rows):
                found += [each for row in rows for cell in row for each in _inline(cell)]
    return found


def _inline(words: str) -> list[str]:
    return [run for kind, run in markdown.spans(words) if kind == "code"]


def calls(line: str) -> list[Call]:
    """Return what a line calls of ours, as far as the options go."""
    found = []
    for program, rest in _PROGRAM.findall(line):
        # git adds the prefix to what `credential.helper` names.
        name = "git-credential-msauth" if program == "msauth" and "helper" in line else program
        words: list[str] = []
        options: list[str] = []
        waiting = False
        for word in rest.partition(" #")[0].split():
            bare = word.strip("\"'`)([],.…")
            if waiting:
                waiting = False
            elif bare == "--" or (words and COMMANDS[name].wraps):
                break
            elif bare.startswith("-"):
                option, equals, _ = bare.partition("=")
                options.append(option)
                waiting = not equals and _takes_value(name, option)
            elif f"{name} {bare}" in COMMANDS:
                name = f"{name} {bare}"
            elif bare:
                words.append(bare)
        found.append(Call(name, words, options))
    return found


def _takes_value(command: str, name: str) -> bool:
    return any(option.kind for option in COMMANDS[command].options if option.name == name)
