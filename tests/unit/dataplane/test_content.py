"""What an exchange holds of its bodies: references, within bounds."""

from __future__ import annotations

import itertools

from lockgate.core.capture import FailedAttempt
from lockgate.core.recording import Rules
from lockgate.dataplane.content import HEAD_BYTES, STREAM_BYTES, TAIL_BYTES, Content, StreamLog


def clock():
    return itertools.count(1).__next__


def captured(content):
    return content.capture(record_id="r", started_at=0.0, workspace_id="w", rules=Rules(), headers=[(b"a", b"b")])


def test_views_that_are_equal_are_left_out():
    content = Content(b"one", clock(), 0.0)
    content.asked(0, b"one")
    content.upstream_response = b"two"
    content.answered(b"two", None, [(b"x", b"y")])
    found = captured(content)
    assert (found.request, found.upstream_request, found.response, found.upstream_response) == (
        b"one",
        None,
        b"two",
        None,
    )
    assert (found.request_headers, found.response_headers) == ([(b"a", b"b")], [(b"x", b"y")])


def test_views_that_differ_are_there_with_the_credentials_of_all_targets():
    content = Content(b"one", clock(), 0.0)
    content.asked(0, b"first", ((b"x-api-key", b"secret-1"),), ())
    content.upstream_response = b"an error"
    content.come("d", b"old")
    content.asked(1, b"second", ((b"x-api-key", b"secret-2"),), ((b"x-team", b"blue"),))
    content.answered(b"two", None, [])
    found = captured(content)
    assert (found.upstream_request, found.upstream_response, found.upstream_stream) == (b"second", None, None)
    assert found.failed == (FailedAttempt(number=0, request=b"first", response=b"an error", size_bytes=8),)
    assert found.secrets == ((b"x-api-key", b"secret-1"), (b"x-api-key", b"secret-2"), (b"x-team", b"blue"))


def test_targets_that_failed_are_held_with_the_beginning_of_what_they_said():
    content = Content(b"one", clock(), 0.0)
    content.asked(0, b"one")
    content.upstream_response = b"x" * 10**6
    content.asked(2, b"two")
    content.tell("chat", b"said before it failed")
    content.asked(3, b"three")
    content.asked(4, b"one")
    found = captured(content)
    first, second, third = found.failed
    assert (first.number, first.request, len(first.response), first.size_bytes) == (0, None, 80 * 1024, 10**6)
    assert (second.number, second.request, second.response) == (2, b"two", b"")
    assert list(second.stream.pieces) == [b"said before it failed"]
    assert third == FailedAttempt(number=3, request=b"three")
    assert found.response_stream is None
    assert found.size_bytes > 80 * 1024


def test_streams_are_held_as_they_come():
    content = Content(b"", clock(), 0.5)
    content.tell("chat", b"one")
    content.come("messages", b"uno")
    content.tell("chat", b"two")
    found = captured(content)
    told, came = found.response_stream, found.upstream_stream
    assert (told.dialect, told.pieces, told.at_s, told.started_s, told.size_bytes) == (
        "chat",
        [b"one", b"two"],
        [1, 3],
        0.5,
        6,
    )
    assert (came.dialect, came.pieces) == ("messages", [b"uno"])


def test_a_stream_at_once_is_a_stream():
    content = Content(b"", clock(), 0.0)
    content.answered(b"data: 1\n\n", "chat", [])
    assert (captured(content).response, captured(content).response_stream.pieces) == (b"", [b"data: 1\n\n"])


def test_a_long_stream_keeps_its_ends_and_no_more():
    log, piece = StreamLog("d", clock()), 1000
    for number in range(3 * STREAM_BYTES // piece):
        log.add(b"%07d" % number + b"x" * (piece - 7))
    found = log.captured(0.0)
    assert found.size_bytes == 3 * STREAM_BYTES // piece * piece
    assert HEAD_BYTES <= sum(map(len, found.pieces)) < HEAD_BYTES + piece
    assert TAIL_BYTES <= sum(map(len, found.tail)) < TAIL_BYTES + piece
    assert len(found.pieces) == len(found.at_s)
    assert found.pieces[0].startswith(b"0000000")
    assert found.tail[-1].startswith(b"%07d" % (3 * STREAM_BYTES // piece - 1))


def test_one_giant_piece_is_let_go_of_when_another_follows():
    log = StreamLog("d", clock())
    log.add(b"x" * (STREAM_BYTES + 1))
    log.add(b"end")
    found = log.captured(0.0)
    assert (found.size_bytes, found.tail[-1]) == (STREAM_BYTES + 4, b"end")
