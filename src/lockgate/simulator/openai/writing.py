"""Writes an answer: as one completion, or as the chunks of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lockgate.simulator.dice import Dice
from lockgate.simulator.openai.answer import CREATED, Answer, Choice
from lockgate.simulator.openai.calls import Call
from lockgate.simulator.provider import Event
from lockgate.simulator.splitting import escape_non_ascii, split_json, split_text, tear

DONE = Event(b"data: [DONE]\n\n")
_TOKEN = re.compile(r"\s*\S{1,4}|\s+$")


def write_completion(answer: Answer, *, no_id: bool = False) -> bytes:
    """Return the whole completion as JSON."""
    envelope = _envelope(answer, "chat.completion", no_id=no_id)
    choices = [
        {
            "index": index,
            "message": _message(choice),
            "logprobs": _logprobs(choice.text, answer.top_logprobs),
            "finish_reason": choice.finish_reason,
        }
        for index, choice in enumerate(answer.choices)
    ]
    return msgspec.json.encode({**envelope, "choices": choices, "usage": answer.usage})


def _envelope(answer: Answer, kind: str, *, no_id: bool) -> dict[str, Any]:
    envelope = {
        "id": answer.id,
        "object": kind,
        "created": CREATED,
        "model": answer.model,
        "service_tier": answer.service_tier,
        "system_fingerprint": answer.fingerprint,
    }
    if no_id:
        del envelope["id"]
    return envelope


def _message(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text,
        "refusal": choice.refusal,
        "annotations": list(choice.annotations),
    }
    legacy = [call for call in choice.calls if call.kind == "legacy"]
    if legacy:
        message["function_call"] = {"name": legacy[0].name, "arguments": legacy[0].arguments}
    elif choice.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": call.kind, call.kind: _called(call, call.arguments)} for call in choice.calls
        ]
    return message


def _called(call: Call, arguments: str) -> dict[str, str]:
    return {"name": call.name, "input" if call.kind == "custom" else "arguments": arguments}


def _logprobs(text: str | None, top: int | None) -> dict[str, Any] | None:
    if top is None:
        return None
    return {"content": [_logprob(token, top) for token in split_tokens(text or "")], "refusal": None}


def split_tokens(text: str) -> list[str]:
    """Return the text in pieces that look like tokens; joined they are the text."""
    return _TOKEN.findall(text)


def _logprob(token: str, top: int) -> dict[str, Any]:
    entry = {"token": token, "logprob": -0.125, "bytes": list(token.encode())}
    others = [{"token": token, "logprob": -0.125 - index, "bytes": list(token.encode())} for index in range(top)]
    return {**entry, "top_logprobs": others}


def write_events(
    answer: Answer, dice: Dice, *, no_id: bool = False, has_usage: bool = False, has_obfuscation: bool = True
) -> Iterator[Event]:
    """Return the chunks of the stream, in order, and the end mark."""
    envelope = _envelope(answer, "chat.completion.chunk", no_id=no_id)
    for index, choice in enumerate(answer.choices):
        for delta, logprobs in _deltas(choice, answer.top_logprobs, dice):
            yield _chunk(envelope, [_choice(index, delta, logprobs, None)], dice, has_usage, has_obfuscation)
    for index, choice in enumerate(answer.choices):
        yield _chunk(envelope, [_choice(index, {}, None, choice.finish_reason)], dice, has_usage, has_obfuscation)
    if has_usage:
        yield _frame({**envelope, "choices": [], "usage": answer.usage}, dice)
    yield DONE


def _choice(index: int, delta: Mapping[str, Any], logprobs: Any, reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def _chunk(
    envelope: Mapping[str, Any], choices: list[Any], dice: Dice, has_usage: bool, has_obfuscation: bool
) -> Event:
    chunk = {**envelope, "choices": choices}
    if has_usage:
        chunk["usage"] = None
    if has_obfuscation:
        chunk["obfuscation"] = dice.letters(1 + dice.below(8))
    return _frame(chunk, dice)


def _frame(chunk: Mapping[str, Any], dice: Dice) -> Event:
    body = msgspec.json.encode(chunk)
    if not body.isascii() and dice.chance(3):
        body = escape_non_ascii(body.decode()).encode()
    frame = b"data: " + body + b"\n\n"
    return Event(frame, tear(frame, dice))


def _deltas(choice: Choice, top: int | None, dice: Dice) -> Iterator[tuple[dict[str, Any], Any]]:
    first = "" if choice.text is not None else None
    yield {"role": "assistant", "content": first, "refusal": None}, None
    if choice.text is not None:
        yield from _text_deltas(choice.text, choice.pieces, top, dice)
    for piece in split_text(choice.refusal or "", dice):
        yield {"refusal": piece}, None
    for number, call in enumerate(choice.calls):
        yield from _call_deltas(number, call, dice)
    if choice.annotations:
        yield {"annotations": list(choice.annotations)}, None


def _text_deltas(text: str, pieces: int, top: int | None, dice: Dice) -> Iterator[tuple[dict[str, Any], Any]]:
    if top is None:
        for piece in split_text(text, dice, pieces):
            yield {"content": piece}, None
        return
    for token in split_tokens(text):
        yield {"content": token}, {"content": [_logprob(token, top)], "refusal": None}


def _call_deltas(number: int, call: Call, dice: Dice) -> Iterator[tuple[dict[str, Any], Any]]:
    if call.kind == "legacy":
        yield {"function_call": {"name": call.name, "arguments": ""}}, None
    else:
        opening = {"index": number, "id": call.id, "type": call.kind, call.kind: _called(call, "")}
        yield {"tool_calls": [opening]}, None
    for piece in split_json(call.arguments, dice)[1:]:
        if call.kind == "legacy":
            yield {"function_call": {"arguments": piece}}, None
        else:
            key = "input" if call.kind == "custom" else "arguments"
            yield {"tool_calls": [{"index": number, call.kind: {key: piece}}]}, None
