"""A kubeconfig as it may be shown to a person: without what opens a cluster. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from . import yaml_places as yaml

# What of a user is shown: names of things, nothing that opens anything.
_SHOWN = frozenset(
    (
        *("apiVersion", "command", "interactiveMode", "provideClusterInfo", "installHint", "name"),
        *("apiserver-id", "client-id", "tenant-id", "environment", "config-mode"),
    )
)
_SECRET_OPTION = re.compile(r"(?i)-{1,2}[\w-]*(?:secret|password|token|key|pat|credential)s?\Z")
_URL_USER = re.compile(r"(://)[^/@\s\"']+@")
_COMMENT = re.compile(
    r"(?im)((?:^|\s)#.*?(?:token|password|secret|key-data|credential|authorization)[\w\"'-]*"
    r"\s*[:=]\s*)\S.*?(?=[\r\n]|\Z)"
)


def masked(data: bytes | None) -> bytes | None:
    """Return a kubeconfig with `***` for what could be a secret; None is no file.

    Of one that cannot be read only the keys are shown.
    """
    if data is None:
        return None
    try:
        content = yaml.decode(data)
        root = yaml.compose(content)
        yaml.plain(root)
    except ValueError:
        return re.sub(rb"(?m)(^[ \t-]*(?:[\w-]+:(?=\s))?)[^\r\n]*", rb"\1 ***", data)
    seen: set[int] = set()
    secret = {
        yaml.Edit(yaml.start_of(node), yaml.end_of(content, node), "***")
        for users in yaml.children(root, "users")
        if users.id == "sequence"
        for entry in users.value
        for user in yaml.children(entry, "user")
        for node in _secrets(user, seen)
    }
    return _without_secret_words(yaml.splice(content, yaml.outer(secret))).encode()


def _secrets(user: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the nodes below a user that are not shown.

    seen: the ids of nodes that were gone through; an alias may lead back, or to one many times.
    """
    if user.id == "scalar":
        yield user
        return
    if id(user) in seen:
        return
    seen.add(id(user))
    if user.id == "sequence":
        for item in user.value:
            yield from _secrets(item, seen)
        return
    for key, value in user.value:
        if key.value == "args" and value.id == "sequence":
            yield from _secret_arguments(value.value)
        elif value.id == "scalar" and (key.value in _SHOWN or value.tag == yaml.TAG + "null"):
            continue
        else:
            yield from _secrets(value, seen)


def _secret_arguments(items: Sequence[Any]) -> Iterator[Any]:
    """Yield the values of options; of our own and kubelogin's only those that are secret."""
    words = [item.value if item.id == "scalar" else "" for item in items]
    ours = "get-token" in words and not any(word.startswith("--oidc") for word in words)
    for before, word, item in zip(["", *words], words, items, strict=False):
        name, equals, _ = word.partition("=")
        option = name if equals else before
        value = equals or not word.startswith("-")
        if item.id != "scalar" or (value and (not ours or _SECRET_OPTION.match(option))):
            yield item


def _without_secret_words(content: str) -> str:
    """Return text without the user and password of a URL, and without secrets in comments."""
    return _COMMENT.sub(r"\1***", _URL_USER.sub(r"\1***@", content))
