import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.metadata import MAX_KEYS, clean, merge, read_baggage, read_metadata, tracing_headers, with_user


@pytest.mark.parametrize(
    "text, values, is_cut",
    [
        (None, {}, False),
        ("", {}, False),
        ('{"team": "search"}', {"team": "search"}, False),
        ("{'team': 'search', 'n': 1}", {"team": "search", "n": "1"}, False),
        ('{"n": 1, "f": 0.5, "t": true, "no": null}', {"n": "1", "f": "0.5", "t": "true"}, False),
        ('{"deep": {"a": [1]}}', {"deep": '{"a":[1]}'}, False),
        ('{"_user": "müller"}', {"_user": "müller"}, False),
        ('{"long": "' + "x" * 200 + '"}', {"long": "x" * 128}, True),
        ('{"' + "k" * 65 + '": "v", "a": "b"}', {"a": "b"}, True),
        ("[1]", {}, False),
        ("not json", {}, False),
        ("{'a': __import__('os')}", {}, False),
        ("{" * 5000, {}, False),
    ],
)
def test_what_a_header_says(text, values, is_cut):
    found = read_metadata(text)
    assert (dict(found.values), found.is_cut) == (values, is_cut)


def test_surplus_names_are_left_out():
    found = clean({str(n): "v" for n in range(MAX_KEYS + 5)})
    assert len(found.values) == MAX_KEYS
    assert found.is_cut


@given(st.text(max_size=300))
def test_no_header_raises(text):
    read_metadata(text)
    read_baggage(text)


@pytest.mark.parametrize(
    "text, values",
    [
        (None, {}),
        ("a=1, b = two%20words ;prop=x", {"a": "1", "b": "two words"}),
        ("novalue, =x, c=", {"c": ""}),
    ],
)
def test_baggage(text, values):
    assert read_baggage(text) == values


def test_the_strongest_place_decides():
    workspace, key, header, baggage = {"a": "w"}, {"a": "k", "b": "k"}, {"b": "h", "c": "h"}, {"d": "b", "c": "b"}
    assert merge(workspace, key, header, baggage) == {"a": "w", "b": "k", "c": "h", "d": "b"}
    assert merge({}, {}) == {}


@pytest.mark.parametrize(
    "metadata, candidates, user",
    [
        ({}, (None, None), None), ({}, ("body", "owner"), "body"), ({"a": "b"}, (None, "owner"), "owner"), ({}, ("", "owner"), "owner"),
        ({"_user": "said"}, ("body", "owner"), "said"), ({}, ("x" * 200,), "x" * 128),
    ],
    ids=["nobody", "body", "owner", "empty", "said", "long"],
)  # fmt: skip
def test_who_a_request_is_for(metadata, candidates, user):
    found = with_user(metadata, *candidates)
    assert found.get("_user") == user
    assert {**found, "_user": None} == {**metadata, "_user": None}


@pytest.mark.parametrize(
    "metadata, headers, found",
    [
        ({"a": "b"}, {}, {}), ({"traceId": "t", "span_name": "s"}, {}, {b"x-portkey-trace-id": b"t", b"x-portkey-span-name": b"s"}),
        ({"trace_id": "t", "spanId": "s"}, {b"x-portkey-trace-id": b"mine"}, {b"x-portkey-span-id": b"s"}),
        ({"traceId": "t", "parentSpanId": "p", "spanId": "s"}, {b"traceparent": b"00-..."}, {b"x-portkey-span-id": b"s"}),
        ({"traceId": ""}, {}, {}), ({"traceId": "one", "trace_id": "two"}, {}, {b"x-portkey-trace-id": b"one"}),
    ],
    ids=["none", "both spellings", "header", "traceparent", "empty", "twice"],
)  # fmt: skip
def test_tracing_ids_in_the_metadata_stand_in_for_headers(metadata, headers, found):
    assert tracing_headers(metadata, headers) == found
