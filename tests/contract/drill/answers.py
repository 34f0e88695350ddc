"""What the two providers would say, whole and streamed: texts that tell them apart, a tool call, signs of life."""

from __future__ import annotations

import json

CLAUDE_TEXT = 'Claude says: caf\u00e9, \u2603, a "quote", a \\ and a\nnew line. ' * 3
GPT_TEXT = "GPT says: na\u00efve, \u2622, a 'quote', a / and a\ttab. " * 3
TEXTS = {"anthropic": CLAUDE_TEXT, "openai": GPT_TEXT}
TOOL_INPUT = {"city": "Z\u00fcrich", "days": 3, "tags": ['a"b', "c"]}
USAGE = {"input_tokens": 11, "output_tokens": 22}


def pieces(text: str, count: int) -> list[str]:
    size = -(-len(text) // count)
    return [text[start : start + size] for start in range(0, len(text), size)]


def message() -> bytes:
    """A whole answer of Anthropic's."""
    content = [
        {"type": "text", "text": CLAUDE_TEXT},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": TOOL_INPUT},
    ]
    return json.dumps({**_message(), "content": content, "stop_reason": "tool_use", "usage": USAGE}).encode()


def completion() -> bytes:
    """A whole answer of OpenAI's."""
    function = {"name": "get_weather", "arguments": json.dumps(TOOL_INPUT)}
    said = {
        "role": "assistant",
        "content": GPT_TEXT,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
    choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
    return json.dumps({**_completion("chat.completion"), "choices": [choice], "usage": usage}).encode()


def messages_stream() -> list[bytes]:
    """The same as events of Anthropic's."""
    said = [
        (
            "message_start",
            {"message": {**_message(), "content": [], "usage": {"input_tokens": 11, "output_tokens": 1}}},
        ),
        ("ping", {}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *(_delta(0, {"type": "text_delta", "text": text}) for text in pieces(CLAUDE_TEXT, 6)),
        ("content_block_stop", {"index": 0}),
        (
            "content_block_start",
            {"index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}},
        ),
        *(_delta(1, {"type": "input_json_delta", "partial_json": part}) for part in pieces(json.dumps(TOOL_INPUT), 4)),
        ("content_block_stop", {"index": 1}),
        (
            "message_delta",
            {"delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 22}},
        ),
        ("message_stop", {}),
    ]
    return [f"event: {kind}\ndata: {json.dumps({'type': kind, **rest})}\n\n".encode() for kind, rest in said]


def chat_stream() -> list[bytes]:
    """The same as chunks of OpenAI's."""
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text} for text in pieces(GPT_TEXT, 6)]
    opening = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    deltas.append({"tool_calls": [opening]})
    for part in pieces(json.dumps(TOOL_INPUT), 4):
        deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
    chunks = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    lines = [{**_completion("chat.completion.chunk"), "choices": [chunk]} for chunk in chunks]
    return [*(f"data: {json.dumps(line)}\n\n".encode() for line in lines), b"data: [DONE]\n\n"]


def overloaded(provider: str) -> bytes:
    """An error inside a stream whose status was 200."""
    if provider == "anthropic":
        error: dict[str, object] = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return f"event: error\ndata: {json.dumps(error)}\n\n".encode()
    error = {"error": {"message": "Overloaded", "type": "server_error", "param": None, "code": "overloaded"}}
    return f"data: {json.dumps(error)}\n\n".encode()


def _message() -> dict[str, object]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x"}
    return {**head, "stop_reason": None, "stop_sequence": None}


def _completion(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "gpt-x"}


def _delta(index: int, delta: dict[str, object]) -> tuple[str, dict[str, object]]:
    return "content_block_delta", {"index": index, "delta": delta}


STREAMS = {"anthropic": messages_stream(), "openai": chat_stream()}
WHOLE = {"anthropic": message(), "openai": completion()}
