"""What a secret for Azure DevOps looks like, and those that any file may hold.

A password, token or header that is for one of our hosts is a personal access token (PAT) whatever
it looks like, because these hosts take nothing else; elsewhere only what has a PAT's own shape is.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from ...request.clouds import DEVOPS_HOST, LEGACY_DOMAIN


class Cut(NamedTuple):
    """Text from start to end is replaced by instead."""

    start: int
    end: int
    instead: str = ""


class Secret(NamedTuple):
    """A secret at start to end. what: for a person, where in the file. cut: None, by hand.

    token: it is a signed token that expires within the hour, not a PAT.
    """

    start: int
    end: int
    what: str
    cut: Cut | None
    token: bool = False


Names = frozenset[str]
"""Feeds, registries and servers that other files say are ours, by the name they give them."""

# 52 characters of base32; since 2024 84 characters, with a signature that has AZDO before its end.
_OLD = re.compile(r"[a-z2-7]{52}")
NEW_PAT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])")
SIGNED = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_PLACEHOLDER = re.compile(
    r"\$\{.*\}|\$\(.*\)|\$\w+|%\w+%|<.*>|\[.*\]|\{\{.*\}\}|\*+|\.\.\.|…", re.DOTALL
)
_URL = re.compile(r"(?i)https?://([^\s\"'<>/\\]+)@([a-z0-9.-]+)(?::\d+)?(?![\w.@-])")
ANY_URL = re.compile(r"(?i)https?://(?:[^\s\"'<>/@]*@)?([a-z0-9.*-]+)")
AUTHORIZATION = re.compile(r"(?i)\b(basic|bearer)[ \t]+([A-Za-z0-9+/=._~-]+)")

_LINE = re.compile(r"[^\n]+")
_LONGEST = 4096
"""Characters of a line with a key and a value; longer ones are only searched for URLs."""


def lines(text: str) -> Iterator["re.Match[str]"]:
    """Return the lines that may hold a key and a value: none that is empty or very long."""
    return (line for line in _LINE.finditer(text) if len(line[0]) <= _LONGEST)


def is_ours(host: str) -> bool:
    """Say whether a host (`*.` in front is a pattern) belongs to Azure DevOps."""
    host = host.lower()
    return host == DEVOPS_HOST or host.endswith(("." + DEVOPS_HOST, LEGACY_DOMAIN))


def names_ours(text: str) -> bool:
    """Say whether a text holds a URL of ours."""
    return any(is_ours(match[1]) for match in ANY_URL.finditer(text))


def is_pat(text: str) -> bool:
    """Say whether a text has the shape of a PAT, plain or as base64 of it or of `user:PAT`."""
    return any(
        bool(_OLD.fullmatch(word) or NEW_PAT.fullmatch(word))
        for plain in (text, _decoded(text))
        for word in (plain, plain.partition(":")[2])
    )


def is_token(text: str) -> bool:
    """Say whether a text is a signed token (RFC 7519), plain, in base64 or after `Bearer`."""
    return any(SIGNED.fullmatch(word.rpartition(":")[2]) for word in (text, _decoded(text)))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def is_secret(text: str) -> bool:
    """Say whether a value is one, and no placeholder such as `${TOKEN}` or `<token>`."""
    return bool(text) and not _PLACEHOLDER.fullmatch(unquote(text))


def whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the lines that a stretch of text is on, with the newline."""
    stop = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if stop < 0 else stop + 1


def urls(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find passwords in URLs, also a PAT in the place of the user name."""
    found = []
    for match in _URL.finditer(text):
        user, _, password = match[1].partition(":")
        start = match.end(1) - len(password)
        if not is_ours(match[2]):
            continue
        if not is_secret(password):
            password, start = user, match.start(1)
            if not is_pat(unquote(user)) and not is_token(unquote(user)):
                continue
        organisation = re.match(r"/([\w-]+)", text[match.end() : match.end() + 64])
        kept = organisation is not None and user.lower() == organisation[1].lower()
        cut = Cut(match.start(1), match.end(1) + 1, f"{user}@" if kept else "")
        what = f"in a URL of {match[2]}"
        end = start + len(password)
        found.append(Secret(start, end, what, cut, is_token(unquote(password))))
    return found


def shapes(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find what can only be a PAT, wherever it is; what to do with it, a person must say."""
    return [Secret(*match.span(), "as a word of its own", None) for match in NEW_PAT.finditer(text)]
