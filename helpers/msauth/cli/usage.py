"""What a help text says, taken apart: completions and manual pages come from the same words. Pure.

A help text is lines: `usage:` first, then paragraphs, indented code, and lists whose entries are
`  --option VALUE         what it does`, with lines that go on below it further to the right.
"""

import re
from typing import NamedTuple

from ..request.options import FLAG, VALUE


class Entry(NamedTuple):
    """A line of a list: what is typed, and what it does."""

    left: str
    about: str

    @property
    def options(self) -> list[str]:
        """The options that the entry is about; none for a word such as PRODUCT or a command."""
        return _OPTION.findall(self.left) if self.left.startswith("-") else []

    @property
    def value(self) -> str:
        """How the value of the option is called, "" for a flag."""
        return self.left.rpartition(self.options[-1])[2].strip(" =") if self.options else ""


class Part(NamedTuple):
    """A part of a help text: `lines` of text or code, or `entries`, with a title or ""."""

    title: str
    lines: list[str]
    entries: list[Entry]
    code: bool


class Help(NamedTuple):
    """usage: a command line each, without the word `usage:`."""

    usage: list[str]
    parts: list[Part]

    def entries(self) -> list[Entry]:
        """Return the entries of all lists."""
        return [entry for part in self.parts for entry in part.entries]

    def options(self) -> dict[str, Entry]:
        """Return what is said of each option."""
        return {name: entry for entry in self.entries() for name in entry.options}

    def table(self) -> dict[str, str]:
        """Return the options as `request.options.parse` takes them."""
        return {name: VALUE if entry.value else FLAG for name, entry in self.options().items()}


_OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9-]*")
_WORDS = re.compile(r"[\w-]+(?: [\w\[\]|=.-]+)*")
_ENTRY = re.compile(r"  (\S.*?)(?: {2,}(\S.*))?$")
_MORE = re.compile(r" {10,}(\S.*)")


def read(text: str) -> Help:
    """Return the parts of a help text."""
    lines = text.rstrip("\n").split("\n")
    usage: list[str] = []
    while lines and lines[0]:
        command = lines.pop(0).removeprefix("usage:").strip()
        if not usage or command.partition(" ")[0] == usage[0].partition(" ")[0]:
            usage.append(command)
        else:
            usage[-1] += " " + command
    parts: list[Part] = []
    for block in "\n".join(lines).split("\n\n"):
        parts += _parts([line for line in block.split("\n") if line])
    return Help(usage, parts)


def _parts(lines: list[str]) -> list[Part]:
    """Return the parts of a block of lines that no empty line divides."""
    parts: list[Part] = []
    title = ""
    for number, line in enumerate(lines):
        more = _MORE.match(line)
        entry = _entry(line)
        if more and parts and parts[-1].entries:
            last = parts[-1].entries.pop()
            parts[-1].entries.append(Entry(last.left, f"{last.about} {more[1]}".strip()))
        elif entry:
            if not (parts and parts[-1].entries):
                parts.append(Part(title, [], [], code=False))
                title = ""
            parts[-1].entries.append(entry)
        elif line.startswith("  "):
            if not (parts and parts[-1].code):
                parts.append(Part(title, [], [], code=True))
                title = ""
            parts[-1].lines.append(line)
        elif line.endswith(":") and lines[number + 1 :] and lines[number + 1].startswith("  "):
            title = line[:-1]
        elif parts and parts[-1].lines and not parts[-1].code:
            parts[-1].lines.append(line)
        else:
            parts.append(Part("", [line], [], code=False))
    return parts


def _entry(line: str) -> Entry | None:
    found = _ENTRY.match(line)
    if found is None:
        return None
    left, about = found[1], found[2] or ""
    word = _WORDS.fullmatch(left) and about and not about.startswith("#")
    return Entry(left, about) if left.startswith("-") or word else None
