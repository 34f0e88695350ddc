"""Paths into JSON: the grammar of drop_params, and that nothing else changes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.json_path import EACH, read_path, remove_path


@pytest.mark.parametrize(
    "text, path",
    [
        ("user", ("user",)),
        ("response_format.json_schema", ("response_format", "json_schema")),
        ("tools[*].function.strict", ("tools", EACH, "function", "strict")),
        ("messages[*].content[*].cache_control.scope", ("messages", EACH, "content", EACH, "cache_control", "scope")),
        ("messages[0]", ("messages", 0)),
        ("a[1][*][22]", ("a", 1, EACH, 22)),
        ("x-y z", ("x-y z",)),
    ],
)
def test_paths(text, path):
    assert read_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "[0]",
        "a[",
        "a[]",
        "a[-1]",
        "a[x]",
        "a[0]b",
        "a]",
        "a[1.b",
        "a" * 501,
        "a[0]" + "[0]" * 50,
    ],
)
def test_paths_that_cannot_be_read(text):
    with pytest.raises(ValueError):
        read_path(text)


@pytest.mark.parametrize(
    "path, body, expected",
    [
        ("a", '{"a":1,"b":2}', '{"b":2}'),
        ("b", '{"a":1, "b":2}', '{"a":1}'),
        ("a", '{"a":1}', "{}"),
        ("a", ' { "a" : 1 , "b" : 2 } ', ' { "b" : 2 } '),
        ("c", '{"a":1}', '{"a":1}'),
        ("a.b", '{"a":{"b":1,"c":2}}', '{"a":{"c":2}}'),
        ("a.b", '{"a":[1]}', '{"a":[1]}'),
        ("a.b", '{"a":null}', '{"a":null}'),
        ("a[0]", '{"a":[1,2,3]}', '{"a":[2,3]}'),
        ("a[2]", '{"a":[1,2,3]}', '{"a":[1,2]}'),
        ("a[3]", '{"a":[1,2,3]}', '{"a":[1,2,3]}'),
        ("a[*]", '{"a":[1,[2],{"b":3}]}', '{"a":[]}'),
        ("a[0]", '{"a":{"0":1}}', '{"a":{"0":1}}'),
        ("t[*].s", '{"t":[{"s":1,"k":2},{"k":3},4,{"s":5}]}', '{"t":[{"k":2},{"k":3},4,{}]}'),
        (
            "m[*].c[*].x.y",
            '{"m":[{"c":"text"},{"c":[{"x":{"y":1,"z":2}},{"x":3}]}]}',
            '{"m":[{"c":"text"},{"c":[{"x":{"z":2}},{"x":3}]}]}',
        ),
        ("a[0][*]", '{"a":[[1,2],[3]]}', '{"a":[[],[3]]}'),
        ("a", '{"a":1,"b":2,"a":3}', '{"b":2}'),
        ("a", '{"\\u0061":1,"b":2}', '{"b":2}'),
        ("a", '{"b":"\\"a\\":1,","c":{"a":1}}', '{"b":"\\"a\\":1,","c":{"a":1}}'),
        ("a", "[1]", "[1]"),
        ("a", '"a"', '"a"'),
    ],
)
def test_what_a_path_leads_to_is_cut_out(path, body, expected):
    assert remove_path(body.encode(), read_path(path)).decode() == expected


def test_a_path_that_leads_nowhere_gives_the_same_bytes():
    body = b'{"a":[{"b":1}]}'
    assert remove_path(body, read_path("a[*].c")) is body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=20,
)
STEPS = st.lists(st.sampled_from(["a", "b", 0, 1, EACH]), min_size=1, max_size=4)


def removed(value: object, path: list[str | int]) -> object:
    """The same on Python's values."""
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        if not isinstance(value, dict) or step not in value:
            return value
        return {k: removed(v, rest) if k == step else v for k, v in value.items() if rest or k != step}
    if not isinstance(value, list):
        return value
    hit = range(len(value)) if step == EACH else [step]
    return [removed(v, rest) if at in hit else v for at, v in enumerate(value) if rest or at not in hit]


@given(VALUES, STEPS, st.sampled_from([None, 2]))
def test_cutting_text_is_cutting_values(value, path, indent):
    body = json.dumps(value, indent=indent).encode()
    assert json.loads(remove_path(body, tuple(path))) == removed(value, path)
