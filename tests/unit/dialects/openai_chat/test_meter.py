"""Listening to a stream that is relayed byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import Usage
from lockgate.dialects.openai_chat import DIALECT, meter
from tests.unit.dialects.openai_chat import samples
from tests.unit.dialects.openai_chat.samples import call_delta, chunk, data

USAGE = {"prompt_tokens": 60, "completion_tokens": 30, "total_tokens": 90}


def listen(*pieces):
    found = DIALECT.stream_meter()
    for piece in pieces:
        found.feed(piece)
    return found.summary


STREAM = [
    chunk({"role": "assistant", "content": ""}, usage=None),
    chunk({"content": 'say "usage" and "finish_reason"'}, usage=None),
    chunk({"content": "x"}, usage=None),
    chunk(finish="stop", usage=None),
    chunk(choices=[], usage=USAGE),
    "[DONE]",
]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_stream_is_summed_up(at_once):
    summary = listen(data(*STREAM)) if at_once else listen(*(data(item) for item in STREAM))
    assert (summary.id, summary.model, summary.stop_reason) == ("chatcmpl-1", "gpt-5", "end_turn")
    assert summary.usage == Usage(input=60, output=30)
    assert summary.is_complete
    assert summary.error is None


def test_only_the_terminator_completes_a_stream():
    summary = listen(data(*STREAM[:-1]))
    assert summary.stop_reason == "end_turn"
    assert not summary.is_complete


def test_usage_on_the_last_chunk_is_found():
    assert listen(data(chunk({"content": "x"}), chunk(finish="length", usage=USAGE))).usage.output == 30


@pytest.mark.parametrize("spaced", [True, False])
def test_plain_content_is_not_decoded(monkeypatch, spaced):
    found = DIALECT.stream_meter()
    found.feed(data(STREAM[0]))
    monkeypatch.setattr(meter, "decode", lambda *_: pytest.fail("decoded plain content"))
    line = data(chunk({"content": 'a "word"'}, usage=None))
    found.feed(line if spaced else line.replace(b'": ', b'":'))
    found.feed(b": ping\n\n")
    found.feed(data("[DONE]"))
    assert found.summary.is_complete


def test_an_error_is_found():
    error = listen(data(STREAM[0], {"error": {"message": "m", "code": "rate_limit_exceeded"}})).error
    assert (error.kind, error.message) == ("rate_limit_error", "m")
    assert listen(b'event: error\ndata: {"error":"m"}\n\n').error.message == "m"


def test_a_call_in_the_last_chunk_counts():
    assert listen(data(chunk(call_delta(0, id="a", name="f"), finish="stop"))).stop_reason == "tool_use"


@given(st.binary(max_size=80))
def test_nothing_in_a_stream_makes_it_fail(garbage):
    summary = listen(data(STREAM[0]), garbage + b"\n\n", b'data: {"usage":' + garbage + b"}\n\n", data("[DONE]"))
    assert summary.id == "chatcmpl-1"


def test_it_knows_what_the_reader_knows():
    stream = data(*STREAM)
    reply = samples.assemble(samples.listen(stream))
    summary = listen(stream)
    assert (summary.usage, summary.stop_reason, summary.id) == (reply.usage, reply.stop_reason, reply.id)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_usage_that_only_we_asked_for_is_kept_back(at_once, line_end):
    stream = [data(item).replace(b"\n", line_end) for item in STREAM]
    found = DIALECT.stream_meter(hides_usage=True)
    passed = found.feed(b"".join(stream)) if at_once else b"".join([found.feed(item) for item in stream])
    assert passed == b"".join([*stream[:4], stream[5]])
    assert found.summary.usage == Usage(input=60, output=30)
    assert found.summary.is_complete


@pytest.mark.parametrize(
    "item",
    [
        chunk({"content": "x"}, finish="stop", usage=USAGE),
        chunk(choices=[], usage=None, prompt_filter_results=[]),
        chunk(choices=[], usage=USAGE, error={"message": "m"}),
        {"error": {"message": "m"}},
    ],
)
def test_what_says_more_than_usage_is_for_the_client(item):
    found = DIALECT.stream_meter(hides_usage=True)
    stream = data(STREAM[0], item, "[DONE]")
    assert found.feed(stream) == stream


def test_usage_that_the_client_asked_for_is_passed_on():
    assert DIALECT.stream_meter().feed(data(*STREAM)) == data(*STREAM)


def test_when_nothing_is_left_nothing_is_passed_on():
    found = DIALECT.stream_meter(hides_usage=True)
    assert found.feed(data(STREAM[4])) == b""
