"""Framing of server-sent events: line ends, cuts, comments, limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.sse import Event, EventBoundary, SseDecoder, split_events
from lockgate.errors import Malformed

STREAMS = {
    "usual": b'event: ping\ndata: {"type":"ping"}\n\nevent: x\ndata: {"a":1}\n\n',
    "data only": b"data: 1\n\ndata: 2\n\n",
    "crlf": b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n",
    "cr": b"event: a\rdata: 1\r\rdata: 2\r\r",
    "mixed": b"data: 1\n\r\ndata: 2\r\n\ndata: 3\r\r\ndata: 4\n\n",
    "several data lines": b"data: a\ndata: b\n\ndata:\ndata: c\n\n",
    "comments": b": hello\n\n:\ndata: 1\n: inside\ndata: 2\n\n",
    "no space": b"event:a\ndata:1\n\n",
    "two spaces": b"data:  1\n\n",
    "other fields": b"id: 7\nretry: 3\nevent: a\ndata: 1\n\ndata\n\n",
    "data before event": b"data: 1\nevent: a\n\n",
    "more blank lines": b"\n\n\ndata: 1\n\n\n\ndata: 2\n\n\n",
    "utf-8": "data: grüße 日本語 \U0001f600\n\n".encode(),
    "event without data": b"event: ping\n\ndata: 1\n\n",
    "byte order mark": b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n",
    "no end": b"data: 1\n\ndata: 2\n",
    "cr at the very end": b"data: 1\r\n\r",
}


def decode(pieces):
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


@pytest.mark.parametrize(
    "stream, expected",
    [
        ("usual", [("ping", b'{"type":"ping"}'), ("x", b'{"a":1}')]),
        ("data only", [(None, b"1"), (None, b"2")]),
        ("crlf", [("a", b"1"), (None, b"2")]),
        ("cr", [("a", b"1"), (None, b"2")]),
        ("mixed", [(None, b"1"), (None, b"2"), (None, b"3"), (None, b"4")]),
        ("several data lines", [(None, b"a\nb"), (None, b"\nc")]),
        ("comments", [(None, b"1\n2")]),
        ("no space", [("a", b"1")]),
        ("two spaces", [(None, b" 1")]),
        ("other fields", [("a", b"1"), (None, b"")]),
        ("data before event", [("a", b"1")]),
        ("more blank lines", [(None, b"1"), (None, b"2")]),
        ("utf-8", [(None, "grüße 日本語 \U0001f600".encode())]),
        ("event without data", [(None, b"1")]),
        ("byte order mark", [(None, b"1"), (None, b"2")]),
        ("no end", [(None, b"1"), (None, b"2")]),
        ("cr at the very end", [(None, b"1")]),
    ],
)
def test_events_are_taken_apart(stream, expected):
    assert decode([STREAMS[stream]]) == [Event(kind, data) for kind, data in expected]


@pytest.mark.parametrize("stream", STREAMS)
def test_a_cut_at_any_byte_gives_the_same_events(stream):
    data = STREAMS[stream]
    whole = decode([data])
    for at in range(len(data) + 1):
        assert decode([data[:at], data[at:]]) == whole
    assert decode([data[at : at + 1] for at in range(len(data))]) == whole


LINES = st.sampled_from([b"data: a", b"data:b", b"event: k", b":", b"id: 1", b"data", b"", "data: ü".encode()])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def cut_streams(draw):
    data = b"".join(draw(LINES) + draw(ENDS) for _ in range(draw(st.integers(0, 12))))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    edges = [0, *cuts, len(data)]
    return data, [data[a:b] for a, b in pairwise(edges)]


@given(cut_streams())
def test_any_cuts_of_any_lines_give_the_same_events(case):
    data, pieces = case
    assert decode(pieces) == decode([data])


@given(cut_streams())
def test_a_boundary_neither_loses_nor_changes_a_byte(case):
    data, pieces = case
    boundary = EventBoundary()
    passed = [boundary.feed(piece) for piece in pieces]
    assert b"".join(passed) + boundary.tail == data
    assert [event for piece in passed for event in split_events(piece)] == split_events(b"".join(passed))


def test_the_boundary_passes_whole_events_only():
    boundary = EventBoundary()
    assert boundary.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert boundary.tail == b"data: 2"
    assert boundary.feed(b"\n") == b""
    assert boundary.feed(b"\n") == b"data: 2\n\n"
    assert boundary.tail == b""


def test_an_event_that_never_ends_is_refused_at_the_limit():
    boundary = EventBoundary(max_event_bytes=100)
    boundary.feed(b"data: " + b"x" * 90)
    with pytest.raises(Malformed, match="larger than 100 bytes"):
        boundary.feed(b"x" * 10)


def test_a_large_event_in_small_pieces_arrives_whole():
    payload = b"x" * 200_000
    data = b"data: " + payload + b"\n\n"
    assert decode([data[at : at + 7] for at in range(0, len(data), 7)]) == [Event(None, payload)]


@given(st.binary(max_size=200))
def test_garbage_never_raises(data):
    decode([data[:50], data[50:]])
