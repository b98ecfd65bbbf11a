"""What the wheel has beside the sources, made while it is built: a build hook of hatchling.

Manual pages, completions, an empty file in the place of each merged one (see msauth_start.py), and
0_msauth.pth, which Python reads beside the packages; not in a checkout that is installed as it is,
whose folder is no part of the path yet when that is read.

`msauth-TOPIC(7)` is a topic of `msauth help`; `msauth(1)` and the other programs' pages are their
help texts. The wheel puts them below share/, where man(1) and the shells of the environment look.
"""

import datetime
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration is of no interest
    """Adds the files to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files into a temporary folder and say where each belongs."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="msauth-build-"))
        sys.path.insert(0, str(Path(self.root) / "helpers"))
        try:
            for place, text in pages(self.metadata.version).items():
                build_data["shared_data"][self._written(place, text)] = place
            name = "0_msauth.pth"
            build_data["force_include"][f"{self.root}/helpers/{name}"] = name
            for place in merged_files():
                build_data["force_include"][self._written(place, "")] = place
        finally:
            sys.path.pop(0)

    def _written(self, place: str, text: str) -> str:
        file = self._folder / place.replace("/", "%")
        file.write_text(text, "utf-8")
        return str(file)

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Remove the temporary folder."""
        if version != "editable":
            shutil.rmtree(self._folder)


def merged_files() -> list[str]:
    """Return each merged file's place in the wheel."""
    import msauth_start as start
    from msauth import merge

    return [start.merged_file("msauth", program) for program in merge.MODULES]


def pages(version: str) -> dict[str, str]:
    """Return each file's place below the environment's prefix, and its text."""
    from msauth.cli import programs, topics
    from msauth.cli.shells import bash, fish, zsh

    commands = programs.commands()
    names = [command.name for command in commands if " " not in command.name]
    every = [f"{name}(1)" for name in names] + [f"msauth-{name}(7)" for name in topics.topics()]
    page = Page(version, every)
    found = {}
    for name in names:
        own = [each for each in commands if f"{each.name} ".startswith(f"{name} ")]
        found[f"share/man/man1/{name}.1"] = page.of_program(own)
    for name, sentence in topics.topics().items():
        text = topics.text_of(name)
        found[f"share/man/man7/msauth-{name}.7"] = page.of_topic(name, sentence, text)
    found["share/bash-completion/completions/msauth"] = bash.script(commands)
    found["share/zsh/site-functions/_msauth"] = zsh.script(commands)
    found["share/fish/vendor_completions.d/msauth.fish"] = fish.script(commands)
    return found


class Page:
    """Writes pages in man(7)'s macros."""

    def __init__(self, version: str, every: list[str]) -> None:
        self._version = version
        self._every = every

    def of_topic(self, name: str, sentence: str, text: str) -> str:
        """Return the page of a topic."""
        from msauth.cli import markdown

        first, *blocks = markdown.blocks(text)
        assert isinstance(first, markdown.Heading)
        lines = self._head(f"msauth-{name}", 7, sentence)
        if not isinstance(blocks[0], markdown.Heading):
            lines.append(".SH DESCRIPTION")
        for block in blocks:
            lines += _block(block)
        return self._page(lines, f"msauth-{name}(7)")

    def of_program(self, commands: "list[Any]") -> str:
        """Return the page of a program and of the commands that it has."""
        from msauth.cli import usage

        program, *below = commands
        told = usage.read(program.help)
        lines = [*self._head(program.name, 1, program.summary), ".SH SYNOPSIS"]
        lines += _synopsis(told.usage)
        lines += [".SH DESCRIPTION", *_texts(told)]
        listed = [e for e in told.entries() if not e.options and e.left in program.words]
        others = [e for e in told.entries() if e not in listed]
        if others:
            lines += [".SH OPTIONS", *_entries(told, others)]
        # Below a program that lists its commands each has a help of its own.
        own = [each for each in below if each.help != program.help]
        if own:
            lines.append(".SH COMMANDS")
        for command in own:
            told = usage.read(command.help)
            lines += [f".SS {_quoted(command.name)}", *_synopsis(told.usage)]
            lines += [*_texts(told), *_entries(told, told.entries())]
        return self._page(lines, f"{program.name}(1)")

    def _head(self, name: str, section: int, sentence: str) -> list[str]:
        given = os.environ.get("SOURCE_DATE_EPOCH")
        today = datetime.datetime.now(datetime.timezone.utc)
        if given:
            today = datetime.datetime.fromtimestamp(int(given), datetime.timezone.utc)
        title = f".TH {_escaped(name.upper())} {section} {today:%Y-%m-%d} {_quoted(self._version)}"
        return [title, ".ad l", ".SH NAME", f"{_escaped(name)} \\- {_escaped(sentence)}"]

    def _page(self, lines: list[str], own: str) -> str:
        others = [name for name in self._every if name != own]
        also = [
            f".BR {_escaped(name[:-3])} ({name[-2]}){',' if name != others[-1] else ''}"
            for name in others
        ]
        return "\n".join(_tidy([*lines, ".SH SEE ALSO", *also])) + "\n"


def _tidy(lines: list[str]) -> list[str]:
    """Return the lines without a paragraph that has no text, or that its heading begins."""
    told = [
        line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line != ".PP" or not after.startswith((".PP", ".SH", ".SS", ".TP", ".IP"))
    ]
    return [
        line
        for before, line in zip(["", *told], told, strict=False)
        if line != ".PP" or not before.startswith((".SH", ".SS"))
    ]


def _synopsis(usage: list[str]) -> list[str]:
    lines = []
    for command in usage:
        program, _, rest = command.partition(" ")
        lines += [".PP", f".B {_escaped(program)}", *([_text(rest)] if rest else [])]
    return lines


def _texts(told: "Any") -> list[str]:
    lines = []
    for part in told.parts:
        if part.entries:
            continue
        if part.title:
            lines += [".PP", _text(part.title + ":")]
        lines += _code(part.lines) if part.code else [".PP", _text(" ".join(part.lines))]
    return lines


def _entries(told: "Any", wanted: "list[Any]") -> list[str]:
    lines = []
    for part in told.parts:
        entries = [entry for entry in part.entries if entry in wanted]
        if entries and part.title:
            lines += [".PP", _text(part.title + ":")]
        for entry in entries:
            lines += [".TP", f".B {_escaped(entry.left)}", _text(entry.about)]
    return lines


def _block(block: "Any") -> list[str]:
    from msauth.cli import markdown

    match block:
        case markdown.Heading(_, title):
            return [f".SH {_quoted(markdown.plain(title).upper())}"]
        case markdown.Paragraph(text):
            return [".PP", _spans(text)]
        case markdown.Bullets(items):
            return [line for item in items for line in (".IP \\(bu 2", _spans(item))]
        case markdown.Code(_, code):
            return _code(code)
        case markdown.Table(rows):
            return _table(rows)
    raise TypeError(block)


def _table(rows: list[list[str]]) -> list[str]:
    """Return a table as a list: a row's first cell is its term, the heads name the further ones."""
    head, *body = rows
    lines = []
    for first, *rest in body:
        cells = [(name, cell) for name, cell in zip(head[1:], rest, strict=True) if cell]
        named = len(head) > 2
        lines += [".TP", f".B {_spans(first)}"]
        for number, (name, cell) in enumerate(cells):
            if number:
                lines.append(".br")
            lines.append(_spans(f"{name}: {cell}" if named and name else cell))
        if not cells:
            lines.append("\\&")
    return lines


def _code(code: Iterable[str]) -> list[str]:
    indented = list(code)
    return [".PP", ".RS 4", ".nf", *(_text(line.removeprefix("  ")) for line in indented), *_END]


_END = (".fi", ".RE")


def _spans(text: str) -> str:
    from msauth.cli import markdown

    marks = {"code": "\\fB{}\\fR", "bold": "\\fB{}\\fR", "": "{}"}
    runs = "".join(marks[kind].format(_escaped(run)) for kind, run in markdown.spans(text))
    return _line(runs)


def _text(text: str) -> str:
    return _line(_escaped(text))


def _line(text: str) -> str:
    """Return a line that does not begin with what roff takes for a request."""
    return "\\&" + text if text.startswith((".", "'")) or not text else text


def _quoted(text: str) -> str:
    escaped = _escaped(text).replace('"', "\\(dq")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    named: dict[str, str] = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha"}
    named["~"] = "\\(ti"
    other: Callable[[str], str] = lambda c: c if c.isascii() else f"\\[u{ord(c):04X}]"  # noqa: E731
    return "".join(named.get(c) or other(c) for c in text)
