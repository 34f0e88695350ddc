import re
import uuid

import pytest

from lockgate.core.trace import Span, replay_of, span_of, trace_id_of, w3c_trace_id, write_uuid7


@pytest.mark.parametrize("first", "0123456789abcdef")
def test_an_id_is_a_uuid_of_version_7_that_holds_its_time(first):
    made = uuid.UUID(write_uuid7(1_700_000_000.5, first + "f" * 19))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 1_700_000_000_500


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, b"fallback"),
        ({b"x-portkey-trace-id": b"mine"}, b"mine"),
        ({b"x-portkey-trace-id": b"  "}, b"fallback"),
        ({b"x-portkey-trace-id": b"x" * 300}, b"x" * 128),
        ({b"traceparent": TRACE}, b"0af7651916cd43dd8448eb211c80319c"),
        ({b"traceparent": TRACE, b"x-portkey-trace-id": b"mine"}, b"mine"),
        ({b"traceparent": b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"}, b"fallback"),
        ({b"traceparent": b"garbage"}, b"fallback"),
    ],
)
def test_trace_ids(headers, expected):
    assert trace_id_of(headers, "fallback") == expected


@pytest.mark.parametrize(
    "headers, span",
    [
        ({}, Span(id="f")),
        ({b"x-portkey-span-id": b" s1 "}, Span(id="s1")),
        (
            {b"x-portkey-span-id": b"s", b"x-portkey-parent-span-id": b"p", b"x-portkey-span-name": b"answer"},
            Span(id="s", parent="p", name="answer"),
        ),
        (
            {b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            Span(id="f", parent="b7ad6b7169203331", name="POST /v1/messages"),
        ),
        (
            {
                b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                b"x-portkey-parent-span-id": b"mine",
            },
            Span(id="f", parent="mine", name="POST /v1/messages"),
        ),
        ({b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}, Span(id="f")),
        ({b"x-portkey-span-name": b"x" * 400}, Span(id="f", name="x" * 256)),
    ],
)
def test_where_a_request_stands_in_its_trace(headers, span):
    assert span_of(headers, "f", "POST /v1/messages") == span


@pytest.mark.parametrize(
    "value, found",
    [
        (b"rec_" + b"0f" * 16, "rec_" + "0f" * 16),
        (b"rec_" + b"0f" * 16 + b"\n", None),
        (b"rec_1", None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_a_replay_names_the_record_that_is_sent_again(value, found):
    assert replay_of({} if value is None else {b"x-lockgate-replay-of": value}) == found


def test_a_trace_id_that_is_no_hexadecimal_number_stands_for_one_in_its_workspace():
    hexadecimal = "4BF92F3577B34DA6A3CE929D0E0E4736"
    assert w3c_trace_id(hexadecimal, "w") == hexadecimal.lower()
    assert w3c_trace_id("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "w") == hexadecimal.lower()
    for odd in ("0" * 32, "1729", hexadecimal + "\n", "\ud800"):
        made = w3c_trace_id(odd, "w")
        assert re.fullmatch("[0-9a-f]{32}", made)
        assert made == w3c_trace_id(odd, "w") != w3c_trace_id(odd, "v")
