"""What lists show of a request and searches find: the last thing the user said, the first thing the model did.

Only what is new in a turn is taken: the history before it was indexed with its own turns. Tolerant of any API's shape;
what is not understood gives an empty preview, never an error. Input is redacted already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

PREVIEW_CHARS = 240
TEXT_CHARS = 16_000
_MAX_DEPTH = 6
_decode = msgspec.json.Decoder().decode
_ANSWER_KEYS = ("choices", "content", "output", "message", "candidates", "error", "results")
_SKIPPED_KEYS = frozenset({
    "id", "type", "role", "model", "object", "usage", "signature", "data", "b64_json", "embedding", "finish_reason",
    "stop_reason", "media_type", "mime_type", "url", "status",
})  # fmt: skip

Json: TypeAlias = object


def preview_request(body: bytes) -> tuple[str, str]:
    """Return the preview and the text to search of a request's body."""
    return _cut(_new_text(_read(body)))


def preview_response(body: bytes) -> tuple[str, str]:
    """Return the preview and the text to search of an answer's body."""
    found = _read(body)
    if isinstance(found, dict):
        known = {key: found[key] for key in _ANSWER_KEYS if key in found}
        return _cut(_texts(known, 0))
    return _cut(iter([found]) if isinstance(found, str) else _texts(found, 0))


def _new_text(call: Json) -> Iterator[str]:
    if not isinstance(call, dict):
        return
    messages = call.get("messages", call.get("input", call.get("contents")))
    if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
        yield from _last_turn(messages)
    elif messages is not None:
        yield from _texts(messages, 0)
    for key in ("prompt", "query", "documents"):
        if key in call:
            yield from _texts(call[key], 0)


def _last_turn(messages: list[Mapping[str, Json]]) -> Iterator[str]:
    """Yield what came after the model's last message; the user's own words first."""
    start = next(
        (at + 1 for at in range(len(messages) - 1, -1, -1) if messages[at].get("role") in ("assistant", "model")), 0
    )
    new = messages[start:] or messages[-1:]
    for message in sorted(new, key=lambda message: message.get("role") != "user"):
        yield from _texts(message, 0)


def _texts(value: Json, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth > _MAX_DEPTH:
        return
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _SKIPPED_KEYS:
                yield from _texts(item, depth + 1)


def _cut(texts: Iterator[str]) -> tuple[str, str]:
    found: list[str] = []
    size = 0
    for text in texts:
        if text and not text.isspace():
            # an index of text ends at NUL
            found.append(text[: TEXT_CHARS - size].replace("\x00", " "))
            size += len(text)
        if size >= TEXT_CHARS:
            break
    preview = " ".join(found[0].split())[:PREVIEW_CHARS] if found else ""
    return preview, "\n".join(found)


def _read(body: bytes) -> Json:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace") if body and b"\x00" not in body[:1000] else None
