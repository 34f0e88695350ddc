"""Parameter shaping: the rules of section 3.4."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.core.json_path import read_path
from lockgate.routing.shaping import Shaping, shape_body, shape_form


def shaping(defaults=None, overrides=None, drops=()):
    return Shaping(
        defaults={key: Raw(json.dumps(value).encode()) for key, value in (defaults or {}).items()},
        overrides={key: Raw(json.dumps(value).encode()) for key, value in (overrides or {}).items()},
        drops=tuple(map(read_path, drops)),
    )


@pytest.mark.parametrize(
    "defaults, overrides, drops, body, expected",
    [
        ({"a": 1}, {}, [], '{"b":2}', '{"b":2,"a":1}'),
        ({"a": 1}, {}, [], '{"a":2}', '{"a":2}'),
        ({"a": 1}, {}, [], '{"a":null}', '{"a":null}'),
        ({"a": 1}, {}, [], "{}", '{"a":1}'),
        ({"a": 1}, {}, [], " { } ", ' {"a":1 } '),
        ({}, {"a": 1}, [], '{"a":2}', '{"a":1}'),
        ({}, {"a": {"x": 1}}, [], '{"a":{"y":2}}', '{"a":{"x": 1}}'),
        ({}, {"a": None}, [], '{"a":2,"b":3}', '{"a":null,"b":3}'),
        ({}, {"a": 1}, [], '{"b":2}', '{"b":2,"a":1}'),
        ({}, {"a": 1}, [], '{"a":2,"b":0,"a":3}', '{"a":1,"b":0,"a":1}'),
        ({}, {"a": 1}, [], '{"\\u0061":2}', '{"\\u0061":1}'),
        ({}, {"a": 1}, [], '{"b":{"a":2},"\\u0061":3}', '{"b":{"a":2},"\\u0061":1}'),
        ({}, {"a": 1}, [], '{"b":"\\"a\\":5","a":3}', '{"b":"\\"a\\":5","a":1}'),
        ({}, {"a": 1}, [], '{"b":["a"],"a" : {"a":3} }', '{"b":["a"],"a" : 1 }'),
        ({}, {"a": 1}, [], '{"a" :\n "x" , "b":2}', '{"a" :\n 1 , "b":2}'),
        ({}, {"a b": 1}, [], '{"a b":2}', '{"a b":1}'),
        ({}, {"a": 1}, [], '{"b":"\\ud800","a":2}', '{"b":"\\ud800","a":1}'),
        ({"c": 1}, {}, ["b"], '{"b":"\\ud800","a":2}', '{"a":2,"c":1}'),
        ({"a": 1}, {"a": 2}, [], '{"b":0}', '{"b":0,"a":2}'),
        ({"a": 1}, {"a": 2}, [], '{"a":0}', '{"a":2}'),
        ({"a": 1}, {"b": 2}, ["a", "b"], '{"c":0}', '{"c":0}'),
        ({}, {"tools": [{"strict": True}]}, ["tools[*].strict"], '{"tools":[]}', '{"tools":[{}]}'),
        ({}, {}, ["model", "messages"], '{"model":"x","messages":[],"n":1}', '{"n":1}'),
        ({}, {}, ["a[0]", "a[0]"], '{"a":[1,2,3]}', '{"a":[3]}'),
        ({"x": 1}, {"y": 2}, ["a"], "[1]", "[1]"),
        ({"x": 1}, {}, [], '"text"', '"text"'),
    ],
)
def test_defaults_then_overrides_then_drops(defaults, overrides, drops, body, expected):
    assert shape_body(body.encode(), shaping(defaults, overrides, drops)).body.decode() == expected


def test_other_bytes_stay_as_they_are():
    body = b'{ "model" : "a",\n "messages":[ {"content":"\\u00e9 \\/ 1.0e2"} ] ,"n" : 1.00}'
    shaped = shape_body(body, shaping({"max_tokens": 5}, {"model": "b"})).body
    assert shaped == body.replace(b'"a"', b'"b"').replace(b"1.00}", b'1.00,"max_tokens":5}')


def test_nothing_to_do_gives_the_same_bytes():
    body = b'{"a":1}'
    assert shape_body(body, Shaping()).body is body
    assert Shaping().is_empty
    assert not shaping(drops=["a"]).is_empty


def test_the_fields_that_were_set_are_named():
    shaped = shape_body(b'{"model":"x","top_p":1}', shaping({"top_p": 0.5, "temperature": 1}, {"model": "y", "n": 1}))
    assert shaped.fields == ("model", "temperature", "n")


NAMES = st.sampled_from(["a", "b", "c", "d", "é"])
SCALARS = st.none() | st.integers() | st.text(max_size=4) | st.sampled_from(["a", '"a":', {"a": 1}, [{"b": "c"}]])
PARAMS = st.dictionaries(NAMES, SCALARS, max_size=4)


@given(PARAMS, PARAMS, PARAMS, st.lists(NAMES, max_size=3), st.sampled_from([None, 1]))
def test_shaping_bytes_is_shaping_values(body, defaults, overrides, drops, indent):
    text = json.dumps(body, indent=indent).encode()
    shaped = json.loads(shape_body(text, shaping(defaults, overrides, drops)).body)
    expected = {**defaults, **body, **overrides}
    assert shaped == {key: value for key, value in expected.items() if key not in drops}


def test_the_scalar_fields_of_a_form_are_a_flat_object():
    form = (("model", "whisper"), ("language", "de"), ("tag", "1"), ("tag", "2"))
    shaped = shape_form(form, shaping({"language": "en", "n": 2}, {"model": "x", "o": {"a": 1}}, ["tag", "a.b"]))
    assert shaped == (("model", "x"), ("language", "de"), ("n", "2"), ("o", '{"a": 1}'))
    assert shape_form(form, Shaping()) is form
