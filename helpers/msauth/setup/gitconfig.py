"""git's configuration as bytes: an `include.path` at its end, put in and taken out again.

`git config` cannot do this: it puts a new `include.path` into an `[include]` section that is
there already (so the person's own helpers may come after ours), writes LF into CRLF files, adds a
final newline where there was none, and leaves an empty file behind.

All functions are pure. None stands for a file that does not exist.
"""

import os
import re

from ..request.clouds import DEVOPS_HOST, LEGACY_DOMAIN

HOSTS = (f"https://{DEVOPS_HOST}", f"https://*{LEGACY_DOMAIN}")
"""The URLs, as `credential.<url>` takes them, that are asked of us."""

# A backslash at the end of the person's file would make our first line a part of their value.
_CONTINUED = b"# msauth: a comment, because the line above ends in a backslash"

# The heading of a section `credential` for all URLs, or for a host without a path.
_GENERAL = re.compile(
    rb'(?im)^[ \t]*\[[ \t]*credential[ \t]*(?:"[^"/\n]*(?://)?[^"/\n]*/?"[ \t]*)?\]'
)


def added(data: bytes | None, value: bytes) -> bytes:
    """Return a configuration that includes value, at its end: what is read last decides.

    An `[include]` of ours stays where it is unless a section after it names helpers for our hosts
    as a whole; one for an organisation of its own, or an include, is there for a purpose. A file
    that ends without a newline goes on doing so, which is how `removed` knows.
    """
    text = _without_block(data)
    if text is not None:
        ours = find(text, value)
        if ours and not _GENERAL.search(text, ours.end()):
            return text
    text = removed(text, value)
    eol = b"\r\n" if re.search(rb"\r\n[^\n]*\Z", text or b"") else b"\n"
    block = b"[include]" + eol + b"\tpath = " + value
    if text is None:
        return block + eol
    if re.search(rb"(?<!\\)(\\\\)*\\(\r?\n)?\Z", text):
        block = _CONTINUED + eol + block
    if text.endswith(b"\n"):
        return text + block + eol
    return text + (eol if text else b"") + block


def removed(data: bytes | None, value: bytes) -> bytes | None:
    """Return a configuration as it was before `added`, with all that was written into it since."""
    text = _without_block(data)
    while text is not None and (line := find(text, value)):
        before, after = text[: line.start()], text[line.end() :]
        header = re.search(rb"(?i)(?:^|(?<=\n))[ \t]*\[include\][ \t]*(\r?\n)\Z", before)
        # git puts another `include.path` into this section: then its heading must stay.
        if header is None or re.match(rb"(?:\s|[#;][^\n]*(?:\n|\Z))*[^\s#;\[]", after):
            text = before + after
            continue
        eol, before = header[1], before[: header.start()]
        if not after:
            before = before.removesuffix(_CONTINUED + eol)
        if not line[0].endswith(b"\n"):
            before = before.removesuffix(eol)
        elif not before + after:
            return None  # only a file that we made has our lines alone, and a newline
        text = before + after
    return text


def find(text: bytes, value: bytes) -> "re.Match[bytes] | None":
    """Return the first line with our path that stands in a section `[include]`."""
    pattern = rb"(?m)^[ \t]*(?i:path)[ \t]*=[ \t]*" + re.escape(value) + rb"[ \t]*(?:\r?\n|\r?\Z)"
    for line in re.finditer(pattern, text):
        headers = re.findall(rb"(?m)^[ \t]*\[([^\]\n]*)", text[: line.start()])
        if headers and headers[-1].strip().lower() == b"include":
            return line
    return None


def include_value(include: str, home: str | None = None) -> bytes:
    """Return a file's name as the value of `include.path`, in git's quoting.

    Below home it starts with `~/`, so that the line still holds when the home directory moves.
    """
    path = os.path.abspath(include)
    if home:
        inside = os.path.join(os.path.abspath(home), "")
        if path.startswith(inside):
            path = "~/" + path.removeprefix(inside)
    return os.fsencode(quoted(path))


def quoted(value: str) -> str:
    r"""Return a value as git's configuration writes it, in quotes only where it must be."""
    if re.fullmatch(r"[^\s\"\\#;]+( [^\s\"\\#;]+)*", value):
        return value
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


# --- What msauth 0.1 wrote: a marked block instead of an include --------------------------------

_BEGIN, _END = b"# >>> msauth >>>", b"# <<< msauth <<<"
_NO_NEWLINE = b"# the line above had no newline"
_NEW_FILE = b"# this file was made for the lines below"
_BLOCK_HEADERS = tuple(f'[credential "{host}"]'.encode() for host in HOSTS)
_BLOCK_KEY = re.compile(rb'(?i)(helper\s*=|helper\s*=\s*("?)[^"]*msauth\2|usehttppath\s*=\s*true)')


def _without_block(data: bytes | None) -> bytes | None:
    """Take the block of an older version out: of all lines within it, only those that it wrote."""
    if data is None or (_BEGIN not in data and _END not in data):
        return data
    lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", data)
    start, stop = _block(lines)
    if start == stop:
        return data
    before, after = b"".join(lines[:start]), b"".join(lines[stop:])
    notes = [line.strip() for line in lines[start:stop]]
    after = _not_ours(lines[start:stop]) + after
    if _NO_NEWLINE in notes and not after:
        before = before.removesuffix(b"\n").removesuffix(b"\r")
    if _NEW_FILE in notes and not before + after:
        return None
    return _without_block(before + after)


def _block(lines: list[bytes]) -> tuple[int, int]:
    """Return where the block starts and stops (line numbers), also when a marker is missing."""
    bare = [line.strip() for line in lines]
    if _BEGIN in bare:
        start = bare.index(_BEGIN)
        for stop in range(start + 1, len(bare)):
            if bare[stop] == _END:
                return start, stop + 1
            if bare[stop] == _BEGIN:
                return start, stop
        for stop in range(start + 1, len(bare)):
            if bare[stop].startswith(b"[") and bare[stop] not in _BLOCK_HEADERS:
                return start, stop
        return start, len(bare)
    if _END not in bare:
        return 0, 0
    start = bare.index(_END)
    stop = start + 1
    while start and (bare[start - 1] in _BLOCK_HEADERS or _BLOCK_KEY.fullmatch(bare[start - 1])):
        start -= 1
    while bare[start] not in (*_BLOCK_HEADERS, _END):  # keys above belong to a section not ours
        start += 1
    return start, stop


def _not_ours(lines: list[bytes]) -> bytes:
    """Return what the person, or `git config`, has written into the block, with its headings."""
    kept = heading = b""
    ours = True
    for line in lines:
        bare = line.strip()
        if bare.startswith(b"["):
            ours = bare in _BLOCK_HEADERS
            heading = line if ours else b""
            kept += b"" if ours else line
        elif bare in (_BEGIN, _END, _NO_NEWLINE, _NEW_FILE):
            continue
        elif not ours or not bare or bare.startswith((b"#", b";")):
            kept += line
        elif not _BLOCK_KEY.fullmatch(bare):
            kept += heading + line
            heading = b""
    return kept
