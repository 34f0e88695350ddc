"""Records of others: what each member becomes, and what is refused with its reason."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.from_record import read_row
from lockgate.records.insert import MAX_ITEMS, Fault, Origin, items_of, read_item, read_items, read_usage

KEY = "sk-" + "ant-api03-" + "a1B2c3D4" * 6
ORIGIN = Origin(
    now_s=1000.0, workspace_id="ws", key_id="key_1", key_name="import", metadata={"team": "header", "region": "eu"}
)
LOG = {
    "request": {"url": "https://llm.internal/v1/chat/completions?sig=secret", "provider": "openai", "method": "post", "headers": {"x-a": "1"},
                "body": {"model": "house-7b", "messages": [{"role": "user", "content": "hi"}]}},
    "response": {"status": 200, "headers": {}, "body": {"id": "c1", "model": "house-7b-2", "usage": {"prompt_tokens": 30, "completion_tokens": 5}},
                 "response_time": 412, "streamingMode": False},
    "metadata": {"traceId": "t-81", "spanId": "s-1", "spanName": "answer", "parentSpanId": "root", "organization": "acme", "user": "maria", "team": "own", "n": 5},
}  # fmt: skip


numbers = itertools.count()


def new_id(_started):
    return f"rec_{next(numbers)}"


def take(log, **options):
    taken = read_item(log, ORIGIN, new_id, **options)
    return taken, read_row(taken.data)


def test_the_example_of_the_documentation():
    taken, found = take(LOG, price=lambda provider, model, tokens: {"nanos": 7, "status": "priced"})
    expected = {
        "trace_id": "t-81", "span_id": "s-1", "span_name": "answer", "parent_span_id": "root", "end_user": "maria", "source": "insert_api",
        "workspace_id": "ws", "api_key_id": "key_1", "api_key_name": "import", "endpoint": "chat", "path": "/v1/chat/completions", "method": "POST",
        "provider": "openai", "request_model": "house-7b", "model": "house-7b-2", "status_code": 200, "duration_us": 412_000, "input_tokens": 30,
        "output_tokens": 5, "cost_nano": 7, "cost_status": "priced", "response_id": "c1", "is_stream": False, "started_us": 999_588_000,
    }  # fmt: skip
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.metadata == {
        "team": "own",
        "region": "eu",
        "organization": "acme",
        "user": "maria",
        "_user": "maria",
        "n": "5",
    }
    assert (taken.id, taken.capture.record_id, taken.capture.workspace_id) == (found.id, found.id, "ws")
    assert msgspec.json.decode(taken.capture.request) == LOG["request"]["body"]
    assert taken.capture.request_headers == [(b"x-a", b"1")]


def test_the_smallest_log():
    _, found = take({"request": {}})
    assert (found.status_code, found.method, found.endpoint, found.trace_id) == (200, "POST", "proxy", found.id)
    assert (found.cost_status, found.total_tokens, found.is_counted) == (None, None, True)


def test_an_unknown_price_is_unpriced():
    assert take(LOG)[1].cost_status == "unpriced"
    assert take(LOG, price=lambda *_: None)[1].cost_nano is None


@pytest.mark.parametrize("spelling", ["traceId", "trace_id", "traceID"])
def test_ids_in_any_spelling(spelling):
    assert take({"metadata": {spelling: "x"}})[1].trace_id == "x"


def test_an_error_is_one():
    found = take({"response": {"status": 503, "body": "busy"}})[1]
    assert (found.is_error, found.outcome, found.error_origin) == (True, "provider_error", "provider")


def test_spans_of_instrumentation_are_no_requests():
    found = take({"metadata": {"traceId": "t", "_logType": "opentelemetry"}, "request": {"body": {"name": "span"}}})[1]
    assert (found.kind, found.is_counted) == ("span", False)
    assert "_logType" not in found.metadata


def test_secrets_do_not_pass():
    log = {"request": {"url": f"https://h/{KEY}"}, "metadata": {"note": KEY, "traceId": KEY}}
    assert KEY.encode() not in take(log)[0].data


@pytest.mark.parametrize(
    "log, says",
    [
        ("x", "an object"), ({"request": []}, "request is an object"), ({"response": {"status": "200"}}, "status"), ({"response": {"status": 99}}, "status"),
        ({"response": {"response_time": -1}}, "response_time"), ({"response": {"response_time": "5"}}, "response_time"), ({"response": {"time": True}}, "time"),
        ({"response": {"streamingMode": "no"}}, "streamingMode"), ({"metadata": 5}, "metadata is an object"), ({"request": {"headers": []}}, "headers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(log, says):
    with pytest.raises(ValueError, match=says):
        read_item(log, ORIGIN, new_id)


def test_the_good_ones_of_a_bulk_are_taken():
    taken, faults = read_items([{"request": {}}, 5, LOG, {"response": {"status": 0}}], ORIGIN, new_id)
    assert len(taken) == 2
    assert [fault.index for fault in faults] == [1, 3]
    assert all(isinstance(fault, Fault) and fault.message for fault in faults)


@pytest.mark.parametrize(
    "value, count", [({}, 1), ({"request": {}}, 1), ([{}, {}], 2), ({"0": {}, "1": {}, "10": {}}, 3)]
)
def test_one_or_many(value, count):
    assert len(items_of(value)) == count


def test_an_object_by_numbers_keeps_their_order():
    assert items_of({"10": "c", "2": "b", "0": "a"}) == ["a", "b", "c"]


@pytest.mark.parametrize("value", [[], [{}] * (MAX_ITEMS + 1)])
def test_too_few_or_too_many_are_refused(value):
    with pytest.raises(ValueError):
        items_of(value)


@pytest.mark.parametrize(
    "usage, tokens",
    [
        ({"prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 20}},
         {"input": 70, "output": 50, "cache_read": 30, "reasoning": 20}),
        ({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 4}},
         {"input": 10, "output": 5, "cache_read": 7, "cache_write": 9, "cache_write_1h": 4}),
        ({"input_tokens": 40, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 15}, "output_tokens_details": {"reasoning_tokens": 2}},
         {"input": 25, "output": 5, "cache_read": 15, "reasoning": 2}),
        ({"prompt_tokens": -5, "completion_tokens": "x"}, {"input": 0, "output": 0}),
        ({"other": 1}, {}), (None, {}), ([], {}),
    ],
    ids=str,
)  # fmt: skip
def test_usage_is_read_in_disjoint_parts(usage, tokens):
    assert read_usage(usage) == tokens


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["url", "body", "status", "headers", "usage", "model", "traceId", "id"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["request", "response", "metadata"]), json_values))
def test_any_log_is_a_row_or_a_reason(log):
    try:
        taken = read_item(log, ORIGIN, new_id)
    except ValueError as error:
        assert str(error)
    else:
        assert read_row(taken.data).id == taken.id
