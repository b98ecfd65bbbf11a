"""Kubeconfigs as bytes: what is spliced into them, what stays, and what is refused."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from msauth.setup.kubeconfig import V1, Kubeconfig, Plugin
from msauth.setup.kubeconfig_shown import masked

from .kubeconfig_samples import AZ, HEAD, MODES, OTHERS, PROVIDER, PROVIDER_USED, kubelogin

USER = "clusterUser_rg_hello"
PLUGIN = Plugin("msauth-token")


def parsed(data: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(data.decode())


def converted(data: str | bytes, plugins: Mapping[str, Plugin] | None = None) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    after, left = Kubeconfig(data).with_plugins(plugins or {USER: PLUGIN})
    assert left == {}
    return after


@pytest.mark.parametrize("mode", MODES)
def test_what_kubelogin_wrote_keeps_its_arguments_and_its_layout(mode: str) -> None:
    before = kubelogin(*MODES[mode])
    after = converted(before)
    hint = before[before.index("|2") : before.index("      provideClusterInfo")]
    expected = (
        before.replace("io/v1beta1", "io/v1")
        .replace("command: kubelogin", "command: msauth-token")
        .replace(
            hint,
            "msauth-token is not installed, or not on PATH\n      interactiveMode: IfAvailable\n",
        )
    )
    assert after.decode() == expected


def test_what_az_wrote() -> None:
    user = parsed(converted(AZ))["users"][0]["user"]["exec"]
    assert user == {
        "apiVersion": V1,
        "args": parsed(AZ.encode())["users"][0]["user"]["exec"]["args"],
        "command": "msauth-token",
        "env": None,
        "installHint": "msauth-token is not installed, or not on PATH",
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": False,
    }


@pytest.mark.parametrize("before", [PROVIDER, PROVIDER_USED])
def test_an_auth_provider_becomes_a_plugin(before: str) -> None:
    after = converted(before, {USER: Plugin("msauth-token", ["get-token", "--server-id", "x"])})
    assert after.decode() == HEAD + (
        "users:\n"
        f"- name: {USER}\n"
        "  user:\n"
        "    exec:\n"
        "      apiVersion: client.authentication.k8s.io/v1\n"
        "      args:\n"
        "      - get-token\n"
        "      - --server-id\n"
        "      - x\n"
        "      command: msauth-token\n"
        "      env: null\n"
        "      installHint: msauth-token is not installed, or not on PATH\n"
        "      interactiveMode: IfAvailable\n"
        "      provideClusterInfo: false\n"
    )


PLUGIN_STYLES = {
    "flow": "  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, args: [get-token,"
    " --server-id, x], command: kubelogin}} # c\n",
    "tight flow": '  "user": {"exec":{"args":["get-token","--server-id","x"],"command":"kubelogin"'
    ',"apiVersion":"client.authentication.k8s.io/v1beta1"}}\n',
    "odd spacing": "  user:\n      exec:   # mine\n          command:    'kubelogin'   # here\n"
    "          # why\n          args:\n          -   get-token # first\n          # the server\n"
    '          -   "--server-id"\n          -   x\n\n'
    "          apiVersion: client.authentication.k8s.io/v1alpha1\n",
    "the command first and last": "  user:\n    exec:\n      command: kubelogin\n"
    "      apiVersion: client.authentication.k8s.io/v1beta1\n"
    "      args: [get-token,\n        --server-id, # s\n        x]",
    "block scalars": "  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n"
    "      command: |-\n        kubelogin\n\n      # between\n      installHint: >\n"
    "        kubelogin, it\n\n        says\n   # less\n      args:\n      - get-token\n"
    "      - --server-id\n      - |-\n        x\n",
    "never asks": "  user:\n    exec:\n      interactiveMode: Never\n      command: kubelogin\n"
    "      apiVersion: client.authentication.k8s.io/v1beta1\n      args: [get-token]\n"
    "      provideClusterInfo: true\n",
    "tags": '  user:\n    exec:\n      command: !!str kubelogin\n      apiVersion: !!str "a"\n'
    "      args: !!seq [get-token]\n",
    "explicit keys": "  user:\n    ? exec\n    : ? command\n      : kubelogin\n"
    "      ? apiVersion\n      : v\n      ? interactiveMode\n      : Always\n      ? args\n"
    "      : - get-token\n",
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("style", PLUGIN_STYLES)
@pytest.mark.parametrize("args", [None, ["get-token", "--login", "azurecli", "yes", "a b"]])
def test_every_style_is_changed_in_place(style: str, newline: str, args: list[str] | None) -> None:
    before = "users:\n- name: me\n" + PLUGIN_STYLES[style]
    if not before.endswith("\n") and args is None:
        newline = "\r\n"
    data = before.replace("\n", newline).encode()
    after = converted(data, {"me": Plugin("/opt/my bin/msauth-token", args)})
    old, new = (parsed(d)["users"][0]["user"]["exec"] for d in (data, after))
    assert new["command"] == "/opt/my bin/msauth-token"
    assert new["apiVersion"] == V1
    assert new["interactiveMode"] == old.get("interactiveMode", "IfAvailable")
    assert new["args"] == (args or old["args"])
    rest = ("provideClusterInfo",)
    assert [new.get(key) for key in rest] == [old.get(key) for key in rest]
    assert re.findall(rb"#[^\r\n]*", data) == re.findall(rb"#[^\r\n]*", after)
    assert (b"\r\n" in data) == (b"\r\n" in after)
    assert after.count(b"\n") == after.count(b"\r\n") or newline == "\n"
    assert before.endswith("\n") == after.endswith(b"\n")


def test_json_stays_json() -> None:
    value = parsed(AZ.encode())
    for indent in (None, 1, 4):
        after = converted(json.dumps(value, indent=indent))
        user = json.loads(after)["users"][0]["user"]["exec"]
        assert user["interactiveMode"] == "IfAvailable"
        assert user["command"] == "msauth-token"
        lines = after.count(b"\n") - json.dumps(value, indent=indent).count("\n")
        assert lines == (0 if indent is None else 1)
    provider = json.dumps(parsed(PROVIDER.encode()), indent=4)
    after = converted(provider, {USER: Plugin("msauth-token", ["get-token"])})
    assert json.loads(after)["users"][0]["user"]["exec"]["args"] == ["get-token"]


def test_comments_in_an_auth_provider_stay() -> None:
    before = (
        "users:\n- name: me # who\n  user:\n    # old\n    auth-provider: # 1\n      # 2\n"
        "      name: azure # 3\n      config: {} # 4\n"
    )
    after = converted(before, {"me": Plugin("msauth-token", ["get-token"])}).decode()
    assert re.findall(r"# \w+", after) == ["# who", "# old", "# 1", "# 2", "# 3", "# 4"]


def test_a_byte_order_mark_stays() -> None:
    after = converted(b"\xef\xbb\xbf" + AZ.encode())
    assert after == b"\xef\xbb\xbf" + converted(AZ)


def test_variables_are_added() -> None:
    plugin = Plugin("msauth-token", None, {"AZURE_CONFIG_DIR": "/home/me/az"})
    wanted = [{"name": "AZURE_CONFIG_DIR", "value": "/home/me/az"}]
    for before in (AZ, AZ.replace("      env: null\n", ""), AZ.replace("env: null", "env: []")):
        assert (
            parsed(converted(before, {USER: plugin}))["users"][0]["user"]["exec"]["env"] == wanted
        )
    some = (
        "env:\n      - name: A\n        value: b\n      - name: AZURE_CONFIG_DIR\n        value: c"
    )
    after = converted(AZ.replace("env: null", some), {USER: plugin})
    env = parsed(after)["users"][0]["user"]["exec"]["env"]
    assert env == [{"name": "A", "value": "b"}, *wanted]


BASE = "x-base: &base\n  apiVersion: v\n  command: kubelogin\n  args: [get-token]\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BASE + "users:\n- name: me\n  user: {exec: {<<: *base}}\n", "merge key"),
        ("users:\n- name: me\n  user:\n    exec: {command: &c kubelogin}\n    x: *c\n", "anchor"),
        ("c: &c kubelogin\nusers:\n- name: me\n  user: {exec: {command: *c}}\n", "alias"),
        ("users:\n- name: me\n  user: {exec: {command: x}, auth-provider: {}}\n", "both exec and"),
    ],
)
def test_a_user_that_cannot_be_changed_alone_is_left(data: str, reason: str) -> None:
    after, left = Kubeconfig(data.encode()).with_plugins({"me": PLUGIN})
    assert after == data.encode()
    assert reason in left["me"]


SHARED = (
    "users:\n- name: me\n"
    "  user: &u {exec: {command: kubelogin, apiVersion: v, args: [get-token]}}\n"
    "- name: you\n  user: *u\n"
)


def test_an_entry_that_two_users_share_changes_for_both_or_not_at_all() -> None:
    after = converted(SHARED, {"me": PLUGIN, "you": PLUGIN})
    commands = [user["user"]["exec"]["command"] for user in parsed(after)["users"]]
    assert commands == ["msauth-token", "msauth-token"]
    with pytest.raises(ValueError, match="shares YAML anchors"):
        Kubeconfig(SHARED.encode()).with_plugins({"me": PLUGIN})
    logins = {who: Plugin("m", ["get-token", who]) for who in ("me", "you")}
    with pytest.raises(ValueError, match="share a part that cannot be changed for both"):
        Kubeconfig(SHARED.encode()).with_plugins(logins)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"users: [\n", "line 2: it is not valid YAML"),
        (b"\tusers: SENTINEL\n", "line 1: it is not valid YAML"),
        (b"users: \xff\n", "not UTF-8"),
        ("users: x".encode("utf-16"), "not UTF-8"),
        (b"users: \x07\n", "characters"),
        (b"kind: Config\n---\nkind: Config\n", "more than one YAML document"),
        (b"kind: a\nusers: []\nkind: b\n", "line 3: the key kind stands there twice"),
        (b"users:\n- name: a\n- name: a\n", "two users are called a"),
        (b"- a\n", "not a kubeconfig"),
        (b"users: {a: b}\n", "users is not a list"),
        (b"users: [a]\n", "users is not a list"),
        (b"users: [null]\n", "users is not a list"),
        (b"users: [{name: a, user: SENTINEL}]\n", "users is not a list"),
        (b"? {a: b}\n: c\n", "a key is not a word"),
        (b"a: " + b"[" * 5000, "nested"),
        (b"a: *SENTINEL\n", "line 1: it is not valid YAML"),
        (b"#" * (17 << 20), "too large"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Kubeconfig(data)
    assert "SENTINEL" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"# nothing\n", b"kind: Config\n", b"users: null\n", b"---\n"]
)
def test_a_file_without_users(data: bytes) -> None:
    assert Kubeconfig(data).users == {}


def test_aliases_upon_aliases_take_no_time() -> None:
    lines = ["a0: &a0 [x, x]\n"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)]
    config = AZ + "".join(lines) + "loop: &l [*l]\n"
    assert converted(config).decode().endswith("".join(lines) + "loop: &l [*l]\n")


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
ONE = f"users:\n- name: {USER}\n  "
INNER = BOMB.replace("\n", ", ")[:-2]


@pytest.mark.parametrize(
    "text",
    [
        f"{BOMB}{ONE}user: {{x: *a59, exec: {{command: kubelogin}}}}\n",
        f"{ONE}user: &u {{x: *u, exec: {{command: kubelogin}}}}\n",
        f"{BOMB}{ONE}user:\n    auth-provider: {{name: azure, config: *a59}}\n",
        f"{ONE}user:\n    auth-provider: {{name: azure, {INNER}}}\n",
        f"{ONE}user:\n    auth-provider: &p {{name: azure, config: [*p]}}\n",
    ],
)
def test_aliases_of_a_user_take_no_time_either(text: str) -> None:
    assert masked(text.encode())
    config = Kubeconfig(text.encode())
    if "&u" in text:
        with pytest.raises(ValueError, match="anchors"):
            config.with_plugins({USER: PLUGIN})
        return
    after, left = config.with_plugins({USER: PLUGIN})
    assert b"msauth-token" in after or "alias" in left[USER]


# --- Whole files, put together at random ---------------------------------------------------------

AZURE = [
    sample.partition("users:\n")[2].replace("clusterUser_rg_hello", "NAME")
    for sample in (AZ, *(kubelogin(*args) for args in MODES.values()))
] + [f"- name: NAME\n{style}\n" for style in PLUGIN_STYLES.values() if "tags" not in style]
OTHER = re.findall(r"^-.*\n(?:[ #].*\n)*", OTHERS, re.MULTILINE)
assert len(OTHER) == 8
FILLERS = ["", "\n", "# a\tcomment\n", "   \n", "  # élan 😀\n"]


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Return the parts of a file and the names of its Azure users; odd parts are not to change."""
    parts, names = [HEAD + "users:\n"], []
    for number in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            name = f"azure{number}"
            names.append(name)
            parts.append(draw(st.sampled_from(AZURE)).replace("NAME", name))
            parts.append("")
        else:
            entry = draw(st.sampled_from(OTHER))
            entry = re.sub(r"(name: +\"?)(\w+)", rf"\g<1>\g<2>{number}", entry, count=1)
            parts[-1] += entry
        parts[-1] += draw(st.sampled_from(FILLERS))
    return parts, names


@settings(max_examples=200, deadline=None)
@given(files(), st.sampled_from(["\n", "\r\n"]), st.data())
def test_only_the_users_that_are_meant_change(
    made: tuple[list[str], list[str]], newline: str, data: st.DataObject
) -> None:
    parts, names = made
    before = "".join(parts).replace("\n", newline).encode()
    chosen = set(data.draw(st.lists(st.sampled_from(names)))) if names else set()
    args = data.draw(st.sampled_from([None, ["get-token", "--login", "msi"]]))
    after = (
        converted(before, {name: Plugin("msauth-token", args) for name in chosen})
        if chosen
        else before
    )
    # Every part that is no chosen user stands there still, in order, byte for byte.
    place = 0
    for part in parts:
        user = re.match(r"- name: (azure\d)", part)
        if user is None or user.group(1) not in chosen:
            found = after.find(part.replace("\n", newline).encode(), place)
            assert found >= 0
            place = found + len(part.replace("\n", newline).encode())
    old, new = parsed(before), parsed(after)
    for user in old["users"] or []:
        if user["name"] in chosen:
            plugin = user["user"]["exec"]
            plugin.update(command="msauth-token", apiVersion=V1)
            plugin.setdefault("interactiveMode", "IfAvailable")
            plugin["args"] = args or plugin["args"]
            if "kubelogin" in plugin.get("installHint", ""):
                plugin["installHint"] = "msauth-token is not installed, or not on PATH"
    assert new == old
    again = converted(after, {n: Plugin("msauth-token", args) for n in chosen}) if chosen else after
    assert again == after


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5), st.sampled_from([AZ, PROVIDER]))
def test_any_argument_comes_back_as_it_was(args: list[str], sample: str) -> None:
    config = Kubeconfig(sample.encode())
    try:
        after, left = config.with_plugins({USER: Plugin("msauth-token", args)})
    except ValueError:  # characters that no YAML can hold as they are
        assert not all(word.isprintable() for word in args)
        return
    assert left == {}
    assert parsed(after)["users"][0]["user"]["exec"]["args"] == args


DAMAGED = given(
    st.sampled_from([AZ + OTHERS, PROVIDER, kubelogin(*MODES["spn"])]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from([b"&a ", b"*a", b"<<: ", b"\t", b"? ", b"- ", b"{", b"]", b"|\n", b"\r"]),
    ),
)


@settings(max_examples=50, deadline=None)
@DAMAGED
def test_a_damaged_file_is_an_error_or_stays_what_it_was_elsewhere(
    sample: str, where: float, removed: int, added: bytes
) -> None:
    damage(sample, where, removed, added)


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@DAMAGED
def test_many_damaged_files(sample: str, where: float, removed: int, added: bytes) -> None:
    damage(sample, where, removed, added)


def damage(sample: str, where: float, removed: int, added: bytes) -> None:
    """Replace a few bytes of a kubeconfig, and convert what is left of it."""
    data = sample.encode()
    place = int(where * len(data))
    data = data[:place] + added + data[place + removed :]
    masked(data)
    try:
        config = Kubeconfig(data)
        after, left = config.with_plugins(
            {n: PLUGIN for n, u in config.users.items() if "exec" in u}
        )
    except ValueError:
        return
    assert [name for name, user in Kubeconfig(after).users.items() if "exec" in user] == [
        name for name, user in config.users.items() if "exec" in user
    ]
    plugins = [user for user in config.users.values() if "exec" in user]
    assert after != data or left or b"kubelogin" not in data or not plugins


# --- What may be shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_nothing_secret_is_shown(newline: str) -> None:
    for sample in (PROVIDER_USED, kubelogin(*MODES["spn with a secret"]), AZ):
        data = (sample + OTHERS).replace("\n", newline).encode()
        for shown in (masked(data), masked(converted(data, {USER: Plugin("m", ["get-token"])}))):
            assert shown is not None
            assert b"SENTINEL" not in shown
            assert b"U0VOVElORUw=" not in shown
            assert b"root" not in shown
            assert b"command: aws" in shown


def test_of_a_broken_file_only_the_keys_are_shown() -> None:
    shown = masked(b"users:\n  token: SENTINEL\n- SENTINEL\n SENTINEL SENTINEL\n\t[[{ SENTINEL\n")
    assert shown is not None
    assert shown.count(b"SENTINEL") == 0
    assert b"  token: ***" in shown


@pytest.mark.parametrize(
    "line",
    [
        "clusters: [{cluster: {proxy-url: 'https://me:SENTINEL@proxy:8080'}}]",
        "# token: SENTINEL",
        "kind: Config # my password = SENTINEL and more",
        "users: [{user: {exec: {args: [x, '--my-secret=SENTINEL'], env: [{value: SENTINEL}]}}}]",
        "users: [{user: {exec: {args: [get-token, --client-secret, SENTINEL]}}}]",
        "users: [{user: {exec: {args: [get-token, --client-secret=SENTINEL]}}}]",
        "users: [{user: {exec: {args: [get-token, --password, SENTINEL]}}}]",
        "users: [{user: {exec: {args: [login, SENTINEL]}}}]",
        "users: [{name: a, user: {extensions: [{extension: {a: SENTINEL}}]}}]",
        "users: [{user: {tokenFile: SENTINEL, token: !!str SENTINEL}}]",
    ],
)
def test_secrets_in_odd_places_are_not_shown(line: str) -> None:
    shown = masked(line.encode())
    assert shown is not None
    assert b"SENTINEL" not in shown
    assert b"***" in shown
