import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.admin.diffs import differences, unified
from lockgate.core.body import MAX_DEPTH, check_depth


def told(before, after):
    texts = (msgspec.json.encode(value).decode() for value in (before, after))
    return [msgspec.to_builtins(one) for one in msgspec.json.decode(msgspec.json.encode(differences(*texts)))]


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 2}, [{"path": "a", "kind": "changed", "before": 1, "after": 2}]),
        ({"a": 1}, {"a": 1.0}, [{"path": "a", "kind": "changed", "before": 1, "after": 1.0}]),
        ({"a": 1}, {"a": True}, [{"path": "a", "kind": "changed", "before": 1, "after": True}]),
        ({}, {"a": None}, [{"path": "a", "kind": "added", "after": None}]),
        ({"a": None}, {}, [{"path": "a", "kind": "removed", "before": None}]),
        (
            {"t": [{"w": 1}, {"w": 2}]},
            {"t": [{"w": 1}, {"w": 3}, {"w": 4}]},
            [
                {"path": "t.1.w", "kind": "changed", "before": 2, "after": 3},
                {"path": "t.2", "kind": "added", "after": {"w": 4}},
            ],
        ),
        ({"a": {"b": 1}}, {"a": [1]}, [{"path": "a", "kind": "changed", "before": {"b": 1}, "after": [1]}]),
        ({"a": 1}, [1], [{"path": "", "kind": "changed", "before": {"a": 1}, "after": [1]}]),
    ],
)
def test_each_place_that_differs(before, after, expected):
    assert told(before, after) == expected


def test_lines_of_a_patch():
    lines = unified('{"a":1,"b":[1,2]}', '{ "a": 1, "b": [1, 3] }', ("x@1", "x@2")).splitlines()
    assert lines[:2] == ["--- x@1", "+++ x@2"]
    assert [line for line in lines[3:] if line[0] != " "] == ["-    2", "+    3"]
    assert unified('{"a":1}', '{ "a" : 1 }', ("x", "y")) == ""


def test_text_that_is_no_json_differs_as_a_whole():
    assert [one.kind for one in differences("{", "{}")] == ["changed"]
    assert unified("{", '{"a":1}', ("x", "y")).splitlines()[-2:] == ['+  "a": 1', "+}"]


def test_texts_may_nest_as_deep_as_any_body():
    deep = [b'{"a":' * (MAX_DEPTH - 1) + end + b"}" * (MAX_DEPTH - 1) for end in (b"1", b"2")]
    for text in deep:
        check_depth(text)
    (found,) = differences(deep[0].decode(), deep[1].decode())
    assert found.path == ".".join("a" * (MAX_DEPTH - 1))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_nothing_differs_exactly_when_both_are_the_same(before, after):
    is_same = msgspec.json.encode(before, order="sorted") == msgspec.json.encode(after, order="sorted")
    assert (told(before, after) == []) is is_same
