"""`msauth help TOPIC`: what the suite does, told by topic; in a pager on a terminal."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from textwrap import wrap

from ..errors import UsageError, nearest
from ..signin.programs import which
from . import arguments, markdown
from .show import bold as in_bold
from .show import may_style
from .topics import text_of, topics

HELP = """\
usage: msauth help [TOPIC | COMMAND | PROGRAM]

Explains a topic, or shows the help of a command or program. Without one: lists the topics.
On a terminal a long text is shown in $PAGER (default: less).
"""
OPTIONS: dict[str, str] = {}

_WIDTH = 100
_NARROW = 40
_INDENT = "    "


def run(argv: list[str]) -> int:
    """Show a topic. Raises UsageError for one that does not exist."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=1)
    if given is None:
        return 0
    words = given[1]
    if not words:
        sys.stdout.write(_list())
        return 0
    if words[0] in topics():
        show(render(text_of(words[0]), _width(), bold=may_style()))
    else:
        show(_help_of(words[0]))
    return 0


def _list() -> str:
    lines = [f"  {name:17}  {sentence}\n" for name, sentence in topics().items()]
    return f"msauth help TOPIC explains:\n\n{''.join(lines)}\nmsauth --help lists the commands.\n"


def _help_of(name: str) -> str:
    from .programs import commands

    known = {}
    for command in commands():
        known[command.name] = command.help
        known.setdefault(command.name.removeprefix("msauth "), command.help)
    if name in known:
        return known[name]
    near = nearest(name, [*topics(), *known])
    hint = f"did you mean msauth help {near}?" if near else "msauth help"
    raise UsageError(f"no topic {name!r}", hint)


def _width() -> int:
    if not sys.stdout.isatty():
        return _WIDTH
    return max(_NARROW, min(_WIDTH, shutil.get_terminal_size().columns))


def render(text: str, width: int, *, bold: bool) -> str:
    """Return a topic as a page of at most `width` columns; code is never broken."""
    strong = partial(in_bold, strong=bold)
    parts = [_block(block, width, strong) for block in markdown.blocks(text)]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _block(block: markdown.Block, width: int, strong: Callable[[str], str]) -> list[str]:
    match block:
        case markdown.Heading(_, title):
            return [strong(line) for line in _wrapped(markdown.plain(title), width)]
        case markdown.Paragraph(words):
            return _wrapped(markdown.plain(words), width)
        case markdown.Bullets(items):
            return [
                line for item in items for line in _wrapped(markdown.plain(item), width, "- ", "  ")
            ]
        case markdown.Code(_, lines):
            return [f"{_INDENT}{line}".rstrip() for line in lines]
        case markdown.Table(rows):
            return _table([[markdown.plain(cell) for cell in row] for row in rows], width, strong)


def _wrapped(text: str, width: int, first: str = "", then: str = "") -> list[str]:
    return wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(rows: list[list[str]], width: int, strong: Callable[[str], str]) -> list[str]:
    """Return a table, its last column wrapped; a record per block where it does not fit."""
    head, *body = rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(head) - 1)]
    left = sum(each + 2 for each in widths)
    if left + _NARROW // 2 > width:
        return _records(head, body, width)
    lines = []
    for row in rows:
        first = "".join(cell.ljust(size + 2) for cell, size in zip(row, widths, strict=False))
        told = _wrapped(row[-1], width, first, " " * left) or [first.rstrip()]
        if row is head:
            told = [strong(line) for line in told] if any(head) else []
        lines += told
    return lines


def _records(head: list[str], body: list[list[str]], width: int) -> list[str]:
    """Return a table's rows one below the other; the heads say which of several cells it is."""
    lines = []
    for first, *rest in body:
        lines += _wrapped(first, width, "", _INDENT)
        for name, cell in zip(head[1:], rest, strict=True):
            told = f"{name}: {cell}" if name and len(rest) > 1 else cell
            lines += _wrapped(told, width, _INDENT, _INDENT) if cell else []
    return lines


def show(text: str) -> None:
    """Write a text, in a pager where a person reads at a terminal."""
    pager = _pager() if sys.stdout.isatty() else []
    if not pager:
        sys.stdout.write(text)
        return
    # As git does: leave at once what fits on the screen, keep colours, leave the text there.
    env = {"LESS": "FRX", **os.environ}
    try:
        with subprocess.Popen(pager, stdin=subprocess.PIPE, env=env) as child:
            child.communicate(text.encode())
    except OSError:
        sys.stdout.write(text)


def _pager() -> list[str]:
    """Return the pager's command line; none for `PAGER=`, `PAGER=cat` and a dumb terminal."""
    env = os.environ
    if env.get("TERM", "dumb") == "dumb" or env.get("NO_PAGER"):
        return []
    try:
        words = shlex.split(env.get("PAGER", "less"))
    except ValueError:
        return []
    if not words or words == ["cat"]:
        return []
    program = which(words[0], env)
    return [program, *words[1:]] if program else []
