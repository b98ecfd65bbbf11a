"""A JSON text is changed in one place; every other character stays, and so does its layout."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.setup import json_splice

TABS = '{\n\t"auths": {\n\t\t"a": {},\n\t\t"b": {}\n\t},\n\t"z": 1\n}'


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("{}", ("k", "r"), '{\n\t"k": {\n\t\t"r": "v"\n\t}\n}'),
        ("{ }\n", ("r",), '{\n\t"r": "v"\n}\n'),
        ('{"a":1}', ("k", "r"), '{"a":1,"k":{"r":"v"}}'),
        ('{"a": 1}', ("k", "r"), '{"a": 1, "k": {"r": "v"}}'),
        ('{ "a": 1, "b": 2 }', ("r",), '{ "a": 1, "b": 2, "r": "v" }'),
        ('{"a":1,"k":{}}', ("k", "r"), '{"a":1,"k":{"r":"v"}}'),
        (
            '{\n    "a": 1\n}\n',
            ("k", "r"),
            '{\n    "a": 1,\n    "k": {\n        "r": "v"\n    }\n}\n',
        ),
        (
            '{\r\n  "a" : 1\r\n}',
            ("k", "r"),
            '{\r\n  "a" : 1,\r\n  "k" : {\r\n    "r" : "v"\r\n  }\r\n}',
        ),
        (
            '{\n\t"k": {\n\t\t"a": "x"\n\t}\n}',
            ("k", "r"),
            '{\n\t"k": {\n\t\t"a": "x",\n\t\t"r": "v"\n\t}\n}',
        ),
        (' {"r": [1, {"r": "}"}]} ', ("r",), ' {"r": "v"} '),
        ('{"\\u0072": "old"}', ("r",), '{"\\u0072": "v"}'),
    ],
)
def test_put(text: str, path: tuple[str, ...], expected: str) -> None:
    assert json_splice.put(text, path, '"v"') == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (TABS, ("auths", "a"), TABS.replace('"a": {},\n\t\t', "")),
        (TABS, ("auths", "b"), TABS.replace(',\n\t\t"b": {}', "")),
        (TABS, ("auths",), '{\n\t"z": 1\n}'),
        (TABS, ("none", "b"), TABS),
        (TABS, ("auths", "none"), TABS),
        ('{"a": {"b": 1}}', ("a", "b"), '{"a": {}}'),
        ('{"a":"é\\"}","b":2}', ("a",), '{"b":2}'),
    ],
)
def test_remove(text: str, path: tuple[str, ...], expected: str) -> None:
    assert json_splice.remove(text, path) == expected


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1,}', "{} {}", "[" * 100_000, '{"a": 1, "a": 2}', '{"a": []}']
)
def test_what_is_no_place_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_splice.put(text, ("a", "b"), "1")


KEYS = st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    KEYS,
    KEYS,
    st.sampled_from([None, 2, "\t"]),
)
def test_only_the_value_changes(
    document: dict[str, object], one: str, two: str, indent: int | str | None
) -> None:
    text = json.dumps(document, indent=indent)
    inner = document.get(one, {})
    if not isinstance(inner, dict):
        with pytest.raises(ValueError, match="object"):
            json_splice.put(text, (one, two), "5")
        return
    after = json_splice.put(text, (one, two), "5")
    assert json.loads(after) == {**document, one: {**inner, two: 5}}
    without = json_splice.remove(after, (one, two))
    assert json.loads(without) == {**document, one: {k: v for k, v in inner.items() if k != two}}
    if two not in inner:
        assert json_splice.raw(without, (one, two)) is None
    assert json_splice.raw(after, (one, two)) == "5"
