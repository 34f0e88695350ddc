"""The tool that watches memory during long streams notices what it is there to notice."""

from __future__ import annotations

import msgspec
import pytest

from tools.soak import EVENT_BYTES, ROUTES, Memory, Stream, faults, report

CHAT, MESSAGES = ROUTES[0], ROUTES[1]


def write_line(**data: object) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n"


def written(text: str) -> bytes:
    return write_line(type="content_block_delta", delta={"type": "text_delta", "text": text})


def stream_of(*lines: bytes, route=MESSAGES) -> Stream:
    stream = Stream(route=route, events=2, pause_s=0.05)
    for line in lines:
        stream.read(line)
    return stream


WORDS = [written("x" * EVENT_BYTES)] * 2
END = write_line(type="message_stop")


@pytest.mark.parametrize(
    "lines, is_whole",
    [
        ([*WORDS, END], True),
        (WORDS, False),
        ([WORDS[0], END], False),
        ([*WORDS, written("y"), END], False),
        ([*WORDS, write_line(type="error", error={"type": "api_error"}), END], False),
    ],
    ids=["whole", "no end", "a lost event", "too much", "an error"],
)
def test_a_stream_is_whole_when_all_of_its_text_and_its_end_came(lines, is_whole):
    assert stream_of(*lines).is_whole is is_whole


def test_chat_streams_are_read_too():
    word = write_line(choices=[{"delta": {"content": "é" * (EVENT_BYTES // 2)}}])
    usage = write_line(choices=[], usage={"total_tokens": 1})
    assert stream_of(word, b"\n", word, usage, b"data: [DONE]\n", route=CHAT).is_whole


GOOD = Memory(start_mb=50.0, samples=[(0.0, 50.5), (1.0, 51.0)], end_mb=50.9)


@pytest.mark.parametrize(
    "memory, finding",
    [
        (Memory(start_mb=50.0, samples=[(0.0, 50.0), (1.0, 56.0)], end_mb=50.0), "grew by 6.0 MB"),
        (Memory(start_mb=50.0, samples=[(0.0, 50.0)], end_mb=55.5), "grew by 5.5 MB"),
        (Memory(start_mb=50.0), "no memory was read"),
    ],
    ids=["for a while", "for good", "unread"],
)
def test_growth_beyond_the_limit_is_a_fault(memory, finding):
    whole = stream_of(*WORDS, END)
    assert faults([whole], GOOD, 4) == []
    assert any(finding in fault for fault in faults([whole], memory, 4))


def test_a_stream_that_is_not_whole_is_a_fault():
    assert faults([stream_of(*WORDS)], GOOD, 4) == [f"{MESSAGES.name}: 24 bytes of text, end seen: False"]


def test_the_report_says_where_memory_was_and_what_arrived():
    streams = [Stream(route=route, events=2, pause_s=0.05) for route in ROUTES]
    lines = report(streams, GOOD)
    assert len(lines) == len(ROUTES) + 1
    assert "0 arrived whole" in lines[0]
    assert "50.0 MB at the start, 50.5, 51.0, 51.0 at each quarter, 51.0 at most, 50.9 at the end" in lines[-1]
