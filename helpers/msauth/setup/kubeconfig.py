"""A kubeconfig as bytes, and the same bytes with other credential plugins in it. Pure.

Nothing is written anew: what changes is spliced in at the places that the YAML parser names, and
everything else, comments and odd spacing included, stays as it was to the byte. The result is then
read again and must be what was meant, so that a place we took for another (an anchor that others
share, a style we do not know) is an error and never a damaged file.

The format is `v1.Config` of k8s.io/client-go/tools/clientcmd/api, in YAML or JSON. Errors are
ValueError with one sentence that holds nothing of the file but names and line numbers.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import yaml_places as yaml

V1 = "client.authentication.k8s.io/v1"

_COMMA = re.compile(r"\s*,\s*")
_MODES = ("Never", "IfAvailable", "Always")
_HINT = "msauth-token is not installed, or not on PATH"


class Plugin(NamedTuple):
    """What a user's `exec` shall say; args None: the arguments stay; env: variables it adds."""

    command: str
    args: Sequence[str] | None = None
    env: Mapping[str, str] = {}


class Kubeconfig:
    """A kubeconfig that was read.

    users: what each one's `user` holds, by name. contexts: the user of each, by name.
    servers: the servers that a user is used for. current: the current context, or "".
    """

    def __init__(self, data: bytes) -> None:
        """Read the bytes; raises ValueError for what kubectl could not read or we not change."""
        self._text = yaml.decode(data)
        self._root = yaml.compose(self._text)
        self._value = yaml.plain(self._root)
        self._nodes: dict[str, Any] = {}
        self.users: dict[str, dict[Any, Any]] = {}
        for index, (name, user) in enumerate(self._named("users", "user")):
            if name in self.users:
                raise ValueError(f"two users are called {name}")
            self.users[name] = user
            self._nodes[name] = self._node("users", index, "user")
        contexts = dict(self._named("contexts", "context"))
        clusters = dict(self._named("clusters", "cluster"))
        self.contexts = {name: text(value.get("user")) for name, value in contexts.items()}
        self.current = text(self._value.get("current-context"))
        self.servers: dict[str, list[str]] = {}
        for value in contexts.values():
            server = text(clusters.get(text(value.get("cluster")), {}).get("server"))
            self.servers.setdefault(text(value.get("user")), []).append(server)

    def with_plugins(self, plugins: Mapping[str, Plugin]) -> tuple[bytes, dict[str, str]]:
        """Return the bytes with these users' plugins, and why a user was left as it is.

        plugins: by the user's name. A user with an `auth-provider` gets `exec` in its place.
        Raises ValueError where other users would change with them.
        """
        edits: set[yaml.Edit] = set()
        wanted: dict[str, dict[Any, Any]] = {}
        left: dict[str, str] = {}
        for name, plugin in plugins.items():
            try:
                edits.update(self._edits(name, plugin))
            except ValueError as error:
                left[name] = str(error)
            else:
                wanted[name] = _with_exec(self.users[name], plugin)
        result = yaml.splice(self._text, edits)
        if result != self._text:
            self._check(result, wanted)
        return result.encode(), left

    def _named(self, plural: str, singular: str) -> Iterator[tuple[str, dict[Any, Any]]]:
        entries = self._value.get(plural)
        if entries is None:
            return
        wrong = f"{plural} is not a list of names, each with its {singular}"
        if not isinstance(entries, list):
            raise ValueError(wrong)
        for entry in entries:
            value = entry.get(singular) if isinstance(entry, dict) else wrong
            if not isinstance(value, dict | None):
                raise ValueError(wrong)
            yield text(entry.get("name")), value or {}

    def _node(self, plural: str, index: int, singular: str) -> Any:
        for entries in yaml.children(self._root, plural):
            for node in yaml.children(entries.value[index], singular):
                return node
        return None

    def _edits(self, name: str, plugin: Plugin) -> list[yaml.Edit]:
        """Return what to splice for one user."""
        node, user = self._nodes[name], self.users[name]
        if "exec" in user and "auth-provider" in user:
            raise ValueError("it has both exec and auth-provider")
        if "exec" not in user:
            return [self._replacing_provider(node, _with_exec({}, plugin)["exec"])]
        _, plugin_node = yaml.pair(node, "exec")
        old, new = user["exec"], _with_exec(user, plugin)["exec"]
        edits: list[yaml.Edit] = []
        for key, value in new.items():
            if key not in old:
                edits.append(self._insertion(plugin_node, key, value))
            elif value != old[key]:
                edits.append(self._replacement(plugin_node, key, value))
        return edits

    def _insertion(self, mapping: Any, key: str, value: Any) -> yaml.Edit:
        beside = "provideClusterInfo" if yaml.has(mapping, "provideClusterInfo") else "command"
        start = yaml.start_of(yaml.pair(mapping, beside)[0])
        if mapping.flow_style:
            before = self._text[:start]
            space = before[len(before.rstrip()) :] or " "
            return yaml.Edit(start, start, f"{yaml.flow(key)}: {yaml.flow(value)},{space}")
        indent = " " * yaml.pair(mapping, beside)[0].start_mark.column
        newline = yaml.newline_at(self._text, start)
        return yaml.Edit(start, start, yaml.block(key, value, newline, indent) + newline + indent)

    def _replacement(self, mapping: Any, key: str, value: Any) -> yaml.Edit:
        key_node, node = yaml.pair(mapping, key)
        if yaml.start_of(node) < yaml.start_of(key_node) or node.anchor:
            raise ValueError(f"its {key} is a YAML anchor or alias")
        if isinstance(value, list) and node.id == "sequence" and node.value:
            return self._new_items(node, value)
        whole = node.id == "scalar" or node.flow_style
        if not whole or yaml.start_of(node) == node.end_mark.index:
            raise ValueError(f"its {key} is not written in a way that can be changed")
        write = yaml.flow if mapping.flow_style else yaml.word
        return yaml.Edit(yaml.start_of(node), yaml.end_of(self._text, node), write(value))

    def _new_items(self, sequence: Any, values: list[Any]) -> yaml.Edit:
        items = sequence.value
        first, last = yaml.start_of(items[0]), yaml.end_of(self._text, items[-1])
        places = [yaml.start_of(sequence), *map(yaml.start_of, items)]
        if places != sorted(places):
            raise ValueError("its args have a YAML alias")
        comments = yaml.comments_between(self._text, items)
        if sequence.flow_style:
            between = _COMMA.match(self._text, items[0].end_mark.index)
            comma = between.group() if between and len(items) > 1 else ", "
            newline = yaml.newline_at(self._text, first)
            notes = "".join(f" {comment}{newline}" for comment in comments)
            return yaml.Edit(first, last, comma.join(map(yaml.flow, values)) + notes)
        dash = self._text.rfind("-", 0, first)
        mark = self._text[dash:first]
        column = items[0].start_mark.column - len(mark)
        line = yaml.newline_at(self._text, first) + " " * column
        if mark.strip(" ") != "-":
            raise ValueError("its args are not written in a way that can be changed")
        lines = [
            yaml.word(values[0]),
            *(mark + yaml.word(value) for value in values[1:]),
            *comments,
        ]
        return yaml.Edit(first, last, line.join(lines))

    def _replacing_provider(self, user: Any, plugin: dict[str, Any]) -> yaml.Edit:
        key, value = yaml.pair(user, "auth-provider")
        if yaml.start_of(value) < yaml.start_of(key) or value.anchor:
            raise ValueError("its auth-provider is a YAML anchor or alias")
        start, end = yaml.start_of(key), yaml.end_of(self._text, value)
        comments = yaml.comments_between(self._text, [key, *yaml.leaves(value)])
        newline = yaml.newline_at(self._text, start)
        if user.flow_style:
            notes = "".join(f"{comment}{newline}" for comment in comments)
            return yaml.Edit(start, end, notes + f'"exec": {yaml.flow(plugin)}')
        line = newline + " " * key.start_mark.column
        lines = [*comments, yaml.block("exec", plugin, newline, line[len(newline) :])]
        return yaml.Edit(start, end, line.join(lines))

    def _check(self, result: str, wanted: Mapping[str, dict[Any, Any]]) -> None:
        """Raise unless the result is what was there, with only these users changed."""
        meant = dict(self._value)
        meant["users"] = [
            {**entry, "user": wanted[text(entry.get("name"))]}
            if text(entry.get("name")) in wanted
            else entry
            for entry in self._value["users"]
        ]
        try:
            as_meant = yaml.same(yaml.plain(yaml.compose(result)), meant)
        except ValueError:
            as_meant = False
        if not as_meant:
            raise ValueError("it shares YAML anchors among users, or is written in an unusual way")


def text(value: object) -> str:
    """Return a value that is text, else ""."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """Return the texts of a list, else []."""
    return [text(item) for item in value] if isinstance(value, list) else []


def _with_exec(user: Mapping[Any, Any], plugin: Plugin) -> dict[Any, Any]:
    """Return what a user holds with another plugin; what it says of itself otherwise stays."""
    old = user.get("exec")
    # A new one has what kubectl itself writes, so that its next edit changes none of our lines.
    made: dict[Any, Any] = {"apiVersion": V1, "args": [], "command": "", "env": None}
    new = made if old is None else dict(old)
    new.update(apiVersion=V1, command=plugin.command)
    if plugin.args is not None:
        new["args"] = list(plugin.args)
    if plugin.env:
        others = [
            entry
            for entry in new.get("env") or ()
            if isinstance(entry, dict) and entry.get("name") not in plugin.env
        ]
        new["env"] = [*others, *({"name": n, "value": v} for n, v in plugin.env.items())]
    if "kubelogin" in text(new.get("installHint")).lower() or old is None:
        new["installHint"] = _HINT
    if new.get("interactiveMode") not in _MODES:
        new["interactiveMode"] = "IfAvailable"
    if old is None:
        new["provideClusterInfo"] = yaml.Scalar(yaml.TAG + "bool", "false")
    kept = {key: value for key, value in user.items() if key != "auth-provider"}
    return {**kept, "exec": new}
