"""Keys of the cache: whoever could have got another answer, or is somebody else, has another key."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.routing.cache_key import CacheScope, cache_key, canonical_body

SCOPE = CacheScope(
    organisation="o",
    workspace="w",
    operation="chatComplete",
    method="POST",
    path="/v1/chat/completions",
    provider="prov_1",
    host="https://api.openai.com:443/v1",
    credential="c",
    metadata={"team": "x"},
    headers=(("anthropic-beta", "b1"),),
)
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def key(body: bytes = BODY, **change: object) -> str | None:
    return cache_key(msgspec.structs.replace(SCOPE, **change), body)


@pytest.mark.parametrize(
    "change",
    [
        {"organisation": "o2"},
        {"workspace": "w2"},
        {"operation": "messages"},
        {"method": "PUT"},
        {"path": "/v1/messages"},
        {"query": "a=1"},
        {"provider": "prov_2"},
        {"host": "https://other:443/v1"},
        {"credential": "c2"},
        {"metadata": {"team": "y"}},
        {"metadata": {}},
        {"headers": ()},
        {"headers": (("anthropic-beta", "b2"),)},
        {"hooks": "h"},
        {"is_strict": False},
        {"namespace": "n"},
        {"namespace": ""},
        {"organisation": "ow", "workspace": ""},
    ],
    ids=str,
)
def test_everything_that_makes_another_answer_makes_another_key(change):
    assert None not in (key(), key(**change))
    assert key() != key(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"query": "beta=true"},
        {"query": "beta"},
        {"metadata": {"team": "x", "traceId": "1", "span_id": "2", "parentSpanId": "3", "span_name": "4"}},
        {"headers": (("Anthropic-Beta", "b1"),)},
    ],
    ids=str,
)
def test_what_says_nothing_about_the_answer_does_not_count(change):
    assert key() == key(**change)


def test_the_order_of_query_and_headers_does_not_count():
    assert key(query="a=1&b=2") == key(query="b=2&a=1&beta=true")
    assert key(headers=(("a", "1"), ("b", "2"))) == key(headers=(("b", "2"), ("a", "1")))


def test_a_namespace_takes_the_place_of_metadata_and_headers():
    assert key(namespace="n") == key(namespace="n", metadata={}, headers=())
    assert key(namespace="n") != key(namespace="m")
    assert key(namespace="n") != key(namespace="n", workspace="w2")


@pytest.mark.parametrize(
    "body",
    [
        b' { "messages" : [ { "content":"hi" , "role":"user" } ] ,\n "model":"m" } ',
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}',
        b'{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}',
        b'{"model":"\\u006d","messages":[{"role":"user","content":"h\\u0069"}]}',
    ],
)
def test_bodies_that_say_the_same(body):
    assert key() == key(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m2","messages":[{"role":"user","content":"hi"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":null}',
        b'{"model":"m","messages":[{"role":"user","content":"hi","stream":true}]}',
        b'{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"user","content":"hi"}]}',
    ],
)
def test_bodies_that_say_something_else(body):
    assert None not in (key(), key(body))
    assert key() != key(body)


def test_numbers_count_as_they_are_written():
    numbers = ["1", "1.0", "1e0", "0.1", "0.1000000000000000055", "123456789012345678901234567890", "1e400", "2e400"]
    assert len({key(b'{"n":%s}' % number.encode()) for number in numbers}) == len(numbers)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","model":"n"}',
        b'{"messages":[{"content":"evil","content":"good"}]}',
        b'{"a":"\\ud800"}',
        b"[1]",
        b"text",
        b"",
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_body_that_can_be_read_in_two_ways_has_no_key(body):
    assert key(body) is None


def test_colons_in_texts_are_no_members():
    assert canonical_body(b'{"a":"x:\\":\\\\","b":":"}') == b'{"a":"x:\\":\\\\","b":":"}'


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.sampled_from([None, 2]), st.booleans())
def test_the_canonical_form_says_what_the_body_says(body, indent, is_ascii):
    found = canonical_body(json.dumps(body, indent=indent, ensure_ascii=is_ascii).encode())
    assert json.loads(found) == {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
    assert found == canonical_body(found)
