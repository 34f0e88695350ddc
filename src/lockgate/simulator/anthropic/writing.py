"""Writes an answer: as one JSON message, or as the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lockgate.simulator.anthropic.answer import Answer
from lockgate.simulator.dice import Dice
from lockgate.simulator.provider import Event
from lockgate.simulator.splitting import escape_non_ascii, tear

_DELTA_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)
_FIRST_TOKENS = 1


def write_message(answer: Answer, *, no_id: bool = False) -> bytes:
    """Return the whole message as JSON."""
    message = _envelope(answer, no_id=no_id)
    message["content"] = [block.whole() for block in answer.blocks]
    message["stop_reason"] = answer.stop_reason
    message["stop_sequence"] = answer.stop_sequence
    message["stop_details"] = answer.stop_details
    return msgspec.json.encode({**message, "usage": answer.usage, **answer.extras})


def _envelope(answer: Answer, *, no_id: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"model": answer.model, "id": answer.id, "type": "message", "role": "assistant"}
    if no_id:
        del message["id"]
    return message


def write_events(answer: Answer, dice: Dice, *, no_id: bool = False) -> Iterator[Event]:
    """Return the events of the stream, in order."""
    for kind, data in _events(answer, dice, no_id=no_id):
        body = msgspec.json.encode({"type": kind, **data})
        if not body.isascii() and dice.chance(3):
            body = escape_non_ascii(body.decode()).encode()
        frame = f"event: {kind}\ndata: ".encode() + body + b"\n\n"
        yield Event(frame, tear(frame, dice))


def _events(answer: Answer, dice: Dice, *, no_id: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    started = {
        key: value for key, value in answer.usage.items() if key not in ("output_tokens_details", "server_tool_use")
    }
    started["output_tokens"] = min(_FIRST_TOKENS, answer.output_tokens)
    message = {
        **_envelope(answer, no_id=no_id),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": started,
    }
    if "diagnostics" in answer.extras:
        message["diagnostics"] = answer.extras["diagnostics"]
    yield "message_start", {"message": message}
    yield "ping", {}
    for index, block in enumerate(answer.blocks):
        yield "content_block_start", {"index": index, "content_block": block.start()}
        for delta in block.deltas(dice):
            yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    yield "message_delta", _message_delta(answer)
    yield "message_stop", {}


def _message_delta(answer: Answer) -> Mapping[str, Any]:
    delta: dict[str, Any] = {
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "stop_details": answer.stop_details,
    }
    event: dict[str, Any] = {
        "delta": delta,
        "usage": {key: answer.usage[key] for key in _DELTA_USAGE if key in answer.usage},
    }
    if "container" in answer.extras:
        delta["container"] = answer.extras["container"]
    if "context_management" in answer.extras:
        event["context_management"] = answer.extras["context_management"]
    return event
