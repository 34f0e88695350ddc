"""Trap 114: whatever the Anthropic SDK has a type for goes through, with every member set and in every variant."""

from __future__ import annotations

import json
from typing import Any

import anthropic.types as plain
import anthropic.types.beta as beta
import pytest

from tests.conformance.sdk_samples import samples
from tests.conformance.stage import MESSAGE, exchange, occurs
from tests.conformance.streams import message_events, sse
from tests.unit.dataplane.fakes import SSE, FakeResponse, World

MODES = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


def different(*hints: Any) -> list[Any]:
    """Return the samples of all types, equal ones once."""
    return list({json.dumps(value, sort_keys=True): value for hint in hints for value in samples(hint)}.values())


BLOCKS = different(plain.ContentBlock, beta.BetaContentBlock)
EVENTS = different(plain.RawMessageStreamEvent, beta.BetaRawMessageStreamEvent)
MESSAGES = different(plain.Message, beta.BetaMessage)


def ask(path: str, upstream: bytes, is_stream: bool) -> Any:
    body: dict[str, Any] = {"model": "@anthropic/claude-sonnet-4-6", "max_tokens": 64}
    body |= {"messages": [{"role": "user", "content": "Hello"}], "stream": is_stream}
    headers = {"x_portkey_strict_open_ai_compliance": "false"}
    return exchange(path, json.dumps(body).encode(), upstream, is_stream, headers)


def answer_with(block: dict[str, Any], is_stream: bool) -> bytes:
    message = MESSAGE | {"content": [block]}
    return sse(message_events(message)) if is_stream else json.dumps(message, ensure_ascii=False).encode()


def test_the_types_are_found():
    assert len(BLOCKS) > 100
    assert {"text", "thinking", "tool_use", "web_search_tool_result", "mcp_tool_listing", "compaction"} <= {
        block["type"] for block in BLOCKS
    }
    assert {event["type"] for event in EVENTS} >= {"message_start", "content_block_delta", "message_stop"}


@MODES
def test_trap_114_each_block_passes_native_messages_unchanged(is_stream):
    for block in BLOCKS:
        upstream = answer_with(block, is_stream)
        assert ask("/v1/messages", upstream, is_stream).body == upstream


@MODES
def test_trap_114_each_block_survives_chat(is_stream):
    """A tool call stands in ``tool_calls``; every other block is there as it came."""
    for block in BLOCKS:
        answer = ask("/v1/chat/completions", answer_with(block, is_stream), is_stream).answer
        message = answer["choices"][0]["message"]
        if block["type"] != "tool_use":
            assert occurs(block, message["content_blocks"]), (block, message)
            continue
        (call,) = message["tool_calls"]
        function = call["function"]
        assert (call["id"], function["name"]) == (block["id"], block["name"])
        assert json.loads(function["arguments"]) == block["input"]
        assert {name: call[name] for name in ("caller", "toolset_name")} == {
            name: block[name] for name in ("caller", "toolset_name")
        }


def test_trap_114_each_event_passes_native_messages_unchanged():
    """Whatever comes between the start and the end of a message, even where it makes no sense."""
    start, *_, stop = message_events(MESSAGE)
    between = [event for event in EVENTS if event["type"] not in ("message_start", "message_stop")]
    upstream = sse([start, *between, stop])
    stage = World()
    stage.upstream.will(FakeResponse(200, SSE, upstream))
    body = {"model": "@anthropic/claude-x", "max_tokens": 9, "stream": True, "messages": []}
    assert stage.call("/v1/messages", body).body == upstream


def test_trap_114_each_member_of_a_message_passes_and_survives():
    beside = {"type", "role", "content", "id", "model", "usage", "stop_reason", "stop_sequence", "stop_details"}
    for message in MESSAGES:
        upstream = json.dumps(message, ensure_ascii=False).encode()
        assert ask("/v1/messages", upstream, is_stream=False).body == upstream
        chat = ask("/v1/chat/completions", upstream, is_stream=False).answer
        for name in message.keys() - beside:
            assert chat[name] == message[name], name
        assert chat["choices"][0]["message"]["stop_details"] == message["stop_details"]
