"""Streams become whole replies, however they ended."""

from __future__ import annotations

import json

import pytest

from lockgate.app import load_dialects
from lockgate.core.capture import CapturedStream
from lockgate.records.bodies.assembly import MAX_EVENTS, Timeline, assemble, timeline_of

DIALECTS = load_dialects()


def event(kind, **data):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


START = event("message_start", message={"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
    "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 0}})  # fmt: skip
OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})


def text(words):
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": words})


END = [
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 2}),
    event("message_stop"),
]
ERROR = event("error", error={"type": "overloaded_error", "message": "busy"})


def made(*pieces, tail=(), dialect="anthropic_messages"):
    return assemble(CapturedStream(dialect=dialect, pieces=pieces, tail=tail), DIALECTS, created=7)


def test_a_whole_stream_is_the_whole_reply():
    found = made(START, OPEN, text("Hel"), text("lo"), *END)
    reply = json.loads(found.data)
    assert found.is_whole
    assert (reply["id"], reply["content"], reply["stop_reason"]) == (
        "msg_1",
        [{"type": "text", "text": "Hello"}],
        "end_turn",
    )
    assert reply["usage"]["output_tokens"] == 2


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_stream_that_broke_off_is_what_came_before(cut):
    found = made(*[START, OPEN, text("Hel"), text("lo")][:cut])
    assert not found.is_whole
    assert json.loads(found.data)["id"] == "msg_1"
    assert "".join(block["text"] for block in json.loads(found.data)["content"]) == ["", "", "Hel", "Hello"][cut - 1]


def test_an_error_inside_the_stream_is_told():
    found = made(START, OPEN, text("Hel"), ERROR)
    reply = json.loads(found.data)
    assert (found.is_whole, reply["content"][0]["text"]) == (True, "Hel")
    assert reply["error"] == {"type": "overloaded_error", "message": "busy"}
    assert json.loads(made(ERROR).data) == {"error": {"type": "overloaded_error", "message": "busy"}}


def test_garbage_and_the_missing_middle_leave_what_is_known():
    assert not made(START, OPEN, text("Hel"), b"data: {garbage\n\n", text("lo")).is_whole
    assert b'"Hel"' in made(START, OPEN, text("Hel"), b"data: {garbage\n\n").data
    shortened = made(START, OPEN, text("Hel"), tail=[text("lo"), *END])
    assert not shortened.is_whole
    assert json.loads(shortened.data)["content"][0]["text"] == "Hello"


@pytest.mark.parametrize("pieces", [[], [b": ping\n\n"], [b"\xff\xfe"]])
def test_nothing_is_nothing(pieces):
    assert made(*pieces).data == b""
    assert assemble(CapturedStream(dialect="dialect-x", pieces=[START]), DIALECTS).data == b""


def test_the_rhythm_is_kept_event_by_event():
    pieces = [START + OPEN, text("Hel"), b": ping\n\n"]
    stream = CapturedStream(dialect="d", pieces=pieces, at_s=[10.5, 10.75, 11.0], started_s=10.0)
    found = timeline_of(stream)
    assert found.names == ("message_start", "content_block_start", "content_block_delta")
    assert (found.kinds, found.after_us) == ((0, 1, 2), (500_000, 0, 250_000))
    assert found.sizes[2] == len(text("Hel").split(b"data: ")[1]) - 2
    assert timeline_of(CapturedStream(dialect="d", pieces=[])) == Timeline()


def test_a_rhythm_has_an_end():
    stream = CapturedStream(dialect="d", pieces=[b"data: 1\n\n"] * 2 * MAX_EVENTS, at_s=[0.0] * 2 * MAX_EVENTS)
    assert len(timeline_of(stream).kinds) == MAX_EVENTS
