"""The one renderer of tables: ids are whole, narrow terminals get blocks, pipes plain text."""

import io
import sys
from collections.abc import Callable

import pytest

from msauth.cli import show
from msauth.errors import printable


@pytest.mark.parametrize("code", [0x1B, 0x9B, 0xAD, 0x180E, 0x2060, 0x206F, 0xFFFA, 0xE0041])
def test_what_a_terminal_does_not_show_is_shown(code: int) -> None:
    """Also the letters of the block of tags, with which a text says what nobody sees."""
    assert printable(f"a{chr(code)}b") == f"a\\u{code:04x}b"


GUID = "72f988bf-86f1-41af-91ab-2d7cd011db47"
COLUMNS = ("for", "account", "tenant")
Shown = Callable[..., str]
ROWS = [("arm", "alex@contoso.com", GUID), ("devops", "", GUID)]


class Stream(io.StringIO):
    """A stdout that is a terminal or a pipe."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: terminal  # type: ignore[method-assign]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """A function: what `table` writes to a terminal of so many columns, or to a pipe (0)."""

    def shown(columns: int, rows: show.Rows = ROWS, **env: str) -> str:
        stream = Stream(columns > 0)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            for name in ("NO_COLOR", "TERM"):
                patch.delenv(name, raising=False)
            for name, value in ({"COLUMNS": str(columns)} | env).items():
                patch.setenv(name, value)
            show.table("who answers", COLUMNS, rows)
        return stream.getvalue()

    return shown


PLAIN = f"""\
who answers:
  for     account           tenant
  arm     alex@contoso.com  {GUID}
  devops                    {GUID}
"""


def test_a_pipe_gets_the_plain_table_whatever_columns_says(shown: Shown) -> None:
    assert shown(0) == PLAIN
    assert shown(0, COLUMNS="20") == PLAIN


def test_headings_are_bold_on_a_terminal_alone(shown: Shown) -> None:
    wide = shown(64)  # just as wide as the table
    assert wide.startswith("\x1b[1mwho answers:\x1b[0m\n  \x1b[1mfor     account ")
    assert wide.replace("\x1b[1m", "").replace("\x1b[0m", "") == PLAIN
    assert shown(64, NO_COLOR="") == wide, "only a value that is not empty forbids it"
    assert shown(64, NO_COLOR="1") == PLAIN
    assert shown(64, TERM="dumb") == PLAIN


def test_a_narrow_terminal_gets_blocks_and_no_id_is_cut(shown: Shown) -> None:
    assert shown(63, NO_COLOR="1") == (
        "who answers:\n"
        "  for      arm\n"
        "  account  alex@contoso.com\n"
        f"  tenant   {GUID}\n"
        "\n"
        "  for     devops\n"
        f"  tenant  {GUID}\n"
    )
    assert GUID in shown(10, NO_COLOR="1")


def test_wide_and_combining_characters_are_measured(shown: Shown) -> None:
    text = shown(0, [("東京", "e\u0301", "x"), ("ab", "abc", "y")])
    assert text.split("\n")[2:4] == ["  東京  e\u0301        x", "  ab    abc      y"]


def test_what_could_move_the_cursor_is_escaped_before_it_is_measured(shown: Shown) -> None:
    text = shown(0, [("a\x1b[2J", "b", "c"), ("d", "e", "f")])
    assert text.split("\n")[2:4] == ["  a\\u001b[2J  b        c", "  d           e        f"]
