"""Secrets in what git and git-credential-store read."""

import re
from collections.abc import Iterator

from .secret import (
    AUTHORIZATION,
    Cut,
    Names,
    Secret,
    is_pat,
    is_token,
    lines,
    names_ours,
    urls,
    whole_line,
)

SECTION = re.compile(r'[ \t]*\[[ \t]*([\w.-]+)(?:[ \t]+"((?:[^"\\\n]|\\.)*)")?[ \t]*\]')
_GIT_KEY = re.compile(r"[ \t]*([A-Za-z][\w-]*)[ \t]*=[ \t]*([^\n]*)")


def git_config(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find tokens in URLs, in `http.extraHeader` and in a credential helper's own text."""
    found = urls(text)
    section = subsection = ""
    for line in lines(text):
        position = line.start()
        header = SECTION.match(text, position)
        if header:
            section, subsection = header[1].lower(), header[2] or ""
            position = header.end()
        key = _GIT_KEY.match(text, position)
        if key is None or section not in ("http", "credential"):
            continue
        cut = None if header else Cut(*whole_line(text, *key.span()))
        elsewhere = bool(subsection) and not names_ours(subsection)
        if key[1].lower() == "extraheader" and not elsewhere:
            found += _headers(text, key, cut, any_secret=bool(subsection))
        elif section == "credential" and not elsewhere:
            for word in re.finditer(r"[A-Za-z0-9]{52,}", key[2]):
                if is_pat(word[0]):
                    start = key.start(2) + word.start()
                    what = f"in credential.{key[1]}"
                    found.append(Secret(start, start + len(word[0]), what, cut))
    return found


def _headers(
    text: str, key: "re.Match[str]", cut: Cut | None, *, any_secret: bool
) -> Iterator[Secret]:
    for match in AUTHORIZATION.finditer(text, *key.span(2)):
        if any_secret or is_pat(match[2]):
            yield Secret(*match.span(2), "in http.extraHeader", cut, is_token(match[2]))


def git_credentials(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find the entries of git-credential-store's file, one URL a line."""
    return [
        secret._replace(cut=Cut(*whole_line(text, secret.start, secret.end)), what="in an entry")
        for secret in urls(text)
    ]
