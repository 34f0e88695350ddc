"""What the caller asks for in its last turn, and what the prompt weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from lockgate.simulator.directives import split_directives
from lockgate.simulator.openai.rules import texts_of
from lockgate.simulator.tokens import count_json, count_text

_MESSAGE_TOKENS = 4
_REPLY_TOKENS = 3
_IMAGE_TOKENS = {"low": 85}
_DEFAULT_IMAGE_TOKENS = 765
_FILE_TOKENS = 2000


class Asked(Struct, frozen=True, kw_only=True):
    """The last turn, taken apart."""

    source: str
    """All text of the turn as it was sent, tool results included; directives are looked for here."""
    text: str
    """What the user wrote, without directives."""
    results: tuple[str, ...] = ()
    images: int = 0
    documents: int = 0


def read_asked(messages: Sequence[Any]) -> Asked:
    """Read what stands behind the last answer."""
    start = len(messages)
    while start > 0 and messages[start - 1]["role"] != "assistant":
        start -= 1
    last = messages[start:]
    written = "\n".join(text for message in last if message["role"] == "user" for text in texts_of(message))
    results = ["".join(texts_of(message)) for message in last if message["role"] in ("tool", "function")]
    parts = [part for message in last for part in _parts(message)]
    return Asked(
        source="\n".join([written, *results]),
        text=split_directives(written)[0],
        results=tuple(split_directives(result)[0] for result in results),
        images=sum(part["type"] == "image_url" for part in parts),
        documents=sum(part["type"] == "file" for part in parts),
    )


def _parts(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def count_prompt(body: Mapping[str, Any]) -> int:
    """Return the tokens of the prompt."""
    total = _REPLY_TOKENS + sum(count_message(message) for message in body["messages"])
    for key in ("tools", "functions", "response_format"):
        if body.get(key):
            total += count_json(body[key])
    return total


def count_message(message: Mapping[str, Any]) -> int:
    """Return the tokens of one message."""
    total = _MESSAGE_TOKENS + sum(count_text(text) for text in texts_of(message))
    for part in _parts(message):
        if part["type"] == "image_url":
            total += _IMAGE_TOKENS.get(part["image_url"].get("detail", "auto"), _DEFAULT_IMAGE_TOKENS)
        elif part["type"] in ("file", "input_audio"):
            total += _FILE_TOKENS
    if message.get("tool_calls"):
        total += count_json(message["tool_calls"])
    return total
