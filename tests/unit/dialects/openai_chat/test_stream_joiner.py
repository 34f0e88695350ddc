"""Streams of chunks put together: what stands there is there, all choices, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.openai_chat import DIALECT
from tests.unit.dialects.openai_chat.replies import REPLIES, stream_of
from tests.unit.dialects.openai_chat.samples import call_delta, chunk, data, speak, view

USAGE = {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}


def choice(index, delta, **fields):
    return chunk(choices=[{"index": index, "delta": delta, "finish_reason": None, **fields}])


def joined(*pieces):
    joiner = DIALECT.stream_joiner()
    for piece in pieces:
        joiner.feed(piece)
    data = joiner.reply()
    return json.loads(data) if data else None, joiner.is_whole


TWO = data(
    choice(0, {"role": "assistant", "content": "", "refusal": None}),
    choice(1, {"role": "assistant", "content": ""}),
    choice(1, {"content": "ja "}),
    choice(0, {"content": "yes "}),
    choice(0, {"content": "sure"}),
    choice(1, {"content": "doch"}),
    choice(1, {}, finish_reason="length"),
    choice(0, {}, finish_reason="stop"),
    chunk(choices=[], usage=USAGE, system_fingerprint="fp_1", service_tier="default"),
    "[DONE]",
)


@given(st.lists(st.integers(0, len(TWO)), max_size=6))
def test_all_choices_are_there_wherever_the_stream_is_cut_into_pieces(cuts):
    edges = [0, *sorted(cuts), len(TWO)]
    found, is_whole = joined(*(TWO[a:b] for a, b in zip(edges, edges[1:], strict=False)))
    assert is_whole
    assert found == {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5", "usage": USAGE,
        "system_fingerprint": "fp_1", "service_tier": "default",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "yes sure", "refusal": None}, "logprobs": None,
             "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "ja doch"}, "logprobs": None,
             "finish_reason": "length"},
        ],
    }  # fmt: skip


def test_tool_calls_logprobs_and_what_nobody_knows():
    stream = data(
        choice(0, {"role": "assistant", "content": None}),
        choice(0, call_delta(0, id="call_a", name="w", args="")),
        choice(0, call_delta(0, args='{"c":"Rome"}')),
        choice(0, call_delta(1, id="call_b", name="v", args="{}")),
        choice(0, {"reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "so "}]}),
        choice(0, {"reasoning_details": [{"index": 0, "text": "what"}], "annotations": [{"type": "a"}]}),
        choice(0, {"audio": {"id": "au_1", "data": "AA"}, "annotations": [{"type": "b"}, "c"]}),
        choice(0, {"audio": {"data": "BB", "expires_at": 7}}, logprobs={"content": [{"token": "x"}]}),
        choice(0, {}, logprobs={"content": [{"token": "y"}]}, finish_reason="tool_calls"),
    )
    found, is_whole = joined(stream)
    assert is_whole
    (only,) = found["choices"]
    assert only["message"] == {
        "role": "assistant", "content": None,
        "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "w", "arguments": '{"c":"Rome"}'}},
            {"id": "call_b", "type": "function", "function": {"name": "v", "arguments": "{}"}},
        ],
        "reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "so what"}],
        "annotations": [{"type": "a"}, {"type": "b"}, "c"],
        "audio": {"id": "au_1", "data": "AABB", "expires_at": 7},
    }  # fmt: skip
    assert only["logprobs"] == {"content": [{"token": "x"}, {"token": "y"}]}


def test_what_providers_repeat_is_not_told_twice():
    said = {"role": "assistant", "content": "yes"}
    found, _ = joined(
        data(choice(0, {"content": "yes"}, message=said), choice(0, {}, message=said, finish_reason="stop"))
    )
    assert found["choices"][0]["message"]["content"] == "yes"


@pytest.mark.parametrize("whole", REPLIES.values(), ids=REPLIES)
def test_what_we_tell_clients_is_what_a_whole_reply_would_be(whole):
    found, is_whole = joined(speak(stream_of(whole), strict=True, include_usage=True))
    reply = json.loads(DIALECT.write_reply(whole, view(strict=True)))
    assert is_whole
    message, expected = found["choices"][0]["message"], reply["choices"][0]["message"]
    assert (message["content"] or "") == (expected["content"] or "")
    assert message.get("tool_calls") == expected.get("tool_calls")
    assert found["choices"][0]["finish_reason"] == reply["choices"][0]["finish_reason"]
    assert found["usage"] == reply["usage"]
    blocks = joined(speak(stream_of(whole), strict=False))[0]["choices"][0]["message"].get("content_blocks", [])
    texts = [block["text"] for block in blocks if block.get("type") == "text"]
    assert "".join(texts) == (expected["content"] or "")


def test_a_stream_that_broke_off_is_what_came_before():
    found, is_whole = joined(data(choice(0, {"content": "Hel"})))
    assert (found["choices"][0]["message"]["content"], is_whole) == ("Hel", False)


def test_an_error_inside_is_told():
    error = {"message": "busy", "type": "server_error"}
    found, is_whole = joined(data(choice(0, {"content": "Hel"}), {"error": error}))
    assert (found["choices"][0]["message"]["content"], found["error"], is_whole) == ("Hel", error, True)
    assert joined(data({"error": error})) == ({"error": error}, True)
    assert joined(b'event: error\ndata: {"message": "busy"}\n\n')[0] == {"error": {"message": "busy"}}


@pytest.mark.parametrize("garbage", [b"data: {oops\n\n", b"data: \xff\n\n", b'data: [{"a":1}]\n\n'])
def test_garbage_is_left_out_and_told(garbage):
    found, is_whole = joined(data(choice(0, {"content": "Hel"})), garbage, data(choice(0, {"content": "lo"}), "[DONE]"))
    assert (found["choices"][0]["message"]["content"], is_whole) == ("Hello", False)


@pytest.mark.parametrize(
    "odd", [{"choices": 7}, {"choices": [7, {"index": "x", "delta": 1}]}, {"choices": [{}]}, {"n": 1}]
)
def test_odd_shapes_never_raise(odd):
    joined(data(odd, odd))


@pytest.mark.parametrize("pieces", [[], [b": ping\n\n"]])
def test_nothing_is_nothing(pieces):
    assert joined(*pieces) == (None, False)


def test_an_event_that_is_too_large_is_damage():
    found, is_whole = joined(b"data: " + b"x" * (20 << 20), b"x" * (20 << 20))
    assert (found, is_whole) == (None, False)
