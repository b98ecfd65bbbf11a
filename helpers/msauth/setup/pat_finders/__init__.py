"""Where a text holds a secret for Azure DevOps, and what may be put in its place: pure functions.

A text is a file's bytes decoded as latin-1, so that an index is an offset and everything can be
written back byte for byte. A finder returns `Secret`s, and none for the secrets of other hosts.
"""

from collections.abc import Callable, Iterable

from .git import git_config, git_credentials
from .netrc import netrc
from .npm import npmrc, yarnrc
from .secret import Names, Secret, shapes, urls
from .shell import shell
from .tables import ini, toml
from .xml_files import maven, nuget

FINDERS: dict[str, Callable[[str, Names], list[Secret]]] = {
    "git-config": git_config,
    "git-credentials": git_credentials,
    "ini": ini,
    "maven": maven,
    "netrc": netrc,
    "npmrc": npmrc,
    "nuget": nuget,
    "shell": shell,
    "toml": toml,
    "urls": urls,
    "yarnrc": yarnrc,
}
"""What finds the secrets of a file of some format."""


def find(form: str, text: str, names: Names = frozenset()) -> list[Secret]:
    """Return all secrets of a text in a format of FINDERS, in their order, none twice."""
    end = 0
    kept = []
    for _, secret in sorted(enumerate((*FINDERS[form](text, names), *shapes(text))), key=_order):
        if secret.start >= end:
            kept.append(secret)
            end = secret.end
    return kept


def _order(numbered: tuple[int, Secret]) -> tuple[int, bool, int]:
    """Order by place; of two at the same place the one that can be cut, then the first, counts."""
    number, secret = numbered
    return secret.start, secret.cut is None, number


def without(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text with every cut made; one that lies within another is a part of that."""
    cuts = sorted({secret.cut for secret in secrets if secret.cut}, key=lambda c: (c.start, -c.end))
    parts, position = [], 0
    for cut in cuts:
        if cut.start >= position:
            parts += [text[position : cut.start], cut.instead]
            position = cut.end
    return "".join(parts) + text[position:]
