"""Streams as providers send them, and as clients put them together; written apart from the code under test."""

from __future__ import annotations

import json

_ENVELOPE = ("content", "stop_reason", "stop_sequence", "usage")
_WITH_INPUT = ("tool_use", "server_tool_use", "mcp_tool_use")


def sse(events) -> bytes:
    """Return events in Anthropic's framing."""
    parts = (f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events)
    return "".join(parts).encode()


def message_events(message: dict) -> list[dict]:
    """Return a message as the events that Anthropic would stream for it."""
    started = {name: value for name, value in message.items() if name not in _ENVELOPE and name not in _LATE}
    started |= {"content": [], "stop_reason": None, "stop_sequence": None}
    started["usage"] = message["usage"] | {"output_tokens": 1}
    events: list[dict] = [{"type": "message_start", "message": started}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        events.extend(block_events(index, block))
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    delta |= {name: message[name] for name in _LATE if name in message and name not in _BESIDE}
    beside = {name: message[name] for name in _BESIDE if name in message}
    events.append({"type": "message_delta", "delta": delta, "usage": message["usage"], **beside})
    return [*events, {"type": "message_stop"}]


_LATE = ("container", "stop_details", "context_management", "input_transformations")
_BESIDE = ("context_management", "input_transformations")


def block_events(index: int, block: dict) -> list[dict]:
    """Return the start of a block, its deltas and its end."""
    kind = block["type"]
    deltas: list[dict] = []
    start = block
    if kind == "text":
        start = {"type": "text", "text": ""}
        half = len(block["text"]) // 2
        deltas = [{"type": "text_delta", "text": part} for part in (block["text"][:half], block["text"][half:])]
        deltas += [{"type": "citations_delta", "citation": cited} for cited in block.get("citations") or ()]
    elif kind == "thinking":
        start = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}] if block["thinking"] else []
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind in _WITH_INPUT:
        start = block | {"input": {}}
        text = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", text[:5], text[5:])]
    elif kind == "compaction":
        start = block | {"content": None}
        deltas = [{"type": "compaction_delta", "content": block["content"]}]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def events_of(body: bytes) -> list[dict]:
    """Return the JSON of each event but the end mark of chat completions."""
    lines = (line for line in body.decode().split("\n") if line.startswith("data: "))
    return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


def fold_messages(body: bytes) -> dict:
    """Put a Messages stream together; what comes after the message, as an error does, stands under its type."""
    message: dict = {"content": []}
    inputs: dict[int, str] = {}
    for event in events_of(body):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
            case "content_block_delta":
                _grow(message["content"][event["index"]], event["delta"], inputs, event["index"])
            case "message_delta":
                message |= event["delta"] | {name: event[name] for name in _BESIDE if name in event}
                message["usage"] = message["usage"] | event["usage"]
            case "content_block_stop" | "message_stop" | "ping":
                pass
            case kind:
                message[kind] = event.get(kind)
    for index, text in inputs.items():
        message["content"][index]["input"] = json.loads(text or "{}")
    return message


def _grow(block: dict, delta: dict, inputs: dict[int, str], index: int) -> None:
    if "partial_json" in delta:
        inputs[index] = inputs.get(index, "") + delta["partial_json"]
    elif "citation" in delta:
        block.setdefault("citations", []).append(delta["citation"])
    else:
        for name, value in delta.items():
            if name in ("text", "thinking", "signature"):
                block[name] = block.get(name, "") + value
            elif name != "type":
                block[name] = value


def chat_chunks(completion: dict) -> bytes:
    """Return a completion as the chunks that an OpenAI-format provider would stream for it."""
    choice = completion["choices"][0]
    message = dict(choice["message"])
    calls = message.pop("tool_calls", None) or []
    deltas: list[dict] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning_content", "reasoning", "content", "refusal"):
        if message.get(name):
            half = len(message[name]) // 2
            deltas += [{name: message[name][:half]}, {name: message[name][half:]}]
    for number, call in enumerate(calls):
        function = call["function"]
        opening = {**call, "index": number, "function": {"name": function["name"], "arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        deltas.append({"tool_calls": [{"index": number, "function": {"arguments": function["arguments"]}}]})
    head = {"id": completion["id"], "object": "chat.completion.chunk", "created": 1, "model": completion["model"]}
    chunks = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    chunks.append(head | {"choices": [], "usage": completion["usage"]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def fold_chat(body: bytes) -> dict:
    """Put a chat stream together as a whole completion; glued ``content_blocks`` get back the types that keys tell."""
    message: dict = {"role": "assistant", "content": ""}
    blocks: dict[int, dict] = {}
    inputs: dict[int, str] = {}
    calls: dict[int, dict] = {}
    answer: dict = {"choices": [{"message": message, "finish_reason": None}]}
    for chunk in events_of(body):
        answer |= {name: value for name, value in chunk.items() if name != "choices"}
        for choice in chunk.get("choices", ()):
            answer["choices"][0] |= {name: value for name, value in choice.items() if name != "delta"}
            _fold_delta(choice["delta"], message, blocks, inputs, calls)
    for index, text in inputs.items():
        blocks[index]["input"] = json.loads(text or "{}")
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    if blocks:
        message["content_blocks"] = [blocks[index] for index in sorted(blocks)]
    return answer


def _fold_delta(delta: dict, message: dict, blocks: dict, inputs: dict, calls: dict) -> None:
    for name, value in delta.items():
        if name == "content":
            message["content"] += value
        elif name == "tool_calls":
            for call in value:
                _fold_call(call, calls)
        elif name == "content_blocks":
            for entry in value:
                if entry["index"] not in blocks:
                    blocks[entry["index"]] = {"type": _kind_of(entry["delta"]), **entry["delta"]}
                else:
                    _grow(blocks[entry["index"]], entry["delta"], inputs, entry["index"])
        elif name != "role":
            message[name] = value


def _fold_call(call: dict, calls: dict) -> None:
    index = call["index"]
    if index not in calls:
        calls[index] = {name: value for name, value in call.items() if name != "index"}
        calls[index]["function"] = dict(call["function"])
    else:
        calls[index]["function"]["arguments"] += call["function"]["arguments"]


def _kind_of(delta: dict) -> str:
    if "type" in delta:
        return delta["type"]
    return "thinking" if "thinking" in delta else "redacted_thinking" if "data" in delta else "text"
