"""A listener learns what the record needs, changes nothing and never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import Usage
from lockgate.core.chunk import StreamError
from lockgate.dialects import Summary
from lockgate.dialects.anthropic_messages.meter import StreamMeter, read_summary

FIELDS = ("id", "model", "usage", "stop_reason", "error", "is_complete")
WHOLE = (
    b'{"id":"msg_1","type":"message","model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn",'
    b'"usage":{"input_tokens":5,"output_tokens":7}}'
)
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"m",'
    b'"usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}}\n\n'
)
TEXT = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}\n\n'
DELTA = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def listen(*events):
    meter = StreamMeter()
    for event in events:
        meter.feed(event)
    return meter.summary


def fields(summary):
    return {name: getattr(summary, name) for name in FIELDS}


def test_a_whole_reply():
    assert fields(read_summary(WHOLE)) == {
        "id": "msg_1",
        "model": "m",
        "usage": Usage(input=5, output=7),
        "stop_reason": "end_turn",
        "error": None,
        "is_complete": True,
    }


def test_a_stream_event_by_event_and_at_once():
    events = (START, TEXT % b"a", TEXT % b"b", DELTA, STOP)
    expected = {
        "id": "msg_1",
        "model": "m",
        "usage": Usage(input=5, output=7, cache_read=2),
        "stop_reason": "end_turn",
        "error": None,
        "is_complete": True,
    }
    assert fields(listen(*events)) == expected
    assert fields(listen(b"".join(events))) == expected


def test_words_in_the_text_are_not_taken_for_events():
    assert fields(listen(TEXT % b"message_stop error message_delta")) == fields(Summary())


def test_a_stream_is_complete_at_its_end_marker_only():
    assert listen(START, DELTA).is_complete is False


@pytest.mark.parametrize(
    "event",
    [
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        b'event: error\ndata: {"error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
    ],
)
def test_an_error_event_is_heard(event):
    assert listen(START, event).error == StreamError("overloaded_error", "Overloaded")


def test_an_error_instead_of_a_reply_is_heard():
    body = b'{"type":"error","error":{"type":"api_error","message":"m"}}'
    assert read_summary(body).error == StreamError("api_error", "m")


def test_a_count_of_the_wrong_type_loses_only_the_counts():
    summary = read_summary(b'{"id":"msg_1","usage":{"input_tokens":"many"}}')
    assert (summary.id, summary.usage) == ("msg_1", Usage())


@given(st.binary(max_size=80), st.integers(0, 200))
def test_nothing_makes_a_listener_raise(noise, at):
    data = START + DELTA + STOP
    listen(
        data[:at] + noise + data[at:], b"data: message_" + noise + b"\n\n", b"event: error\ndata: " + noise + b"\n\n"
    )
    read_summary(WHOLE[:at] + noise + WHOLE[at:])
