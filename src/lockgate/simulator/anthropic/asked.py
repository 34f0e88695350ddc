"""What the caller asks for in its last turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from lockgate.simulator.anthropic.references import find_references
from lockgate.simulator.anthropic.seal import blocks_of
from lockgate.simulator.directives import split_directives


class Asked(Struct, frozen=True, kw_only=True):
    """The last turn, taken apart."""

    source: str
    """All text of the turn as it was sent, tool results included; directives are looked for here."""
    text: str
    """What the user wrote, without directives."""
    results: tuple[str, ...] = ()
    """The tool results of the turn, as text."""
    images: int = 0
    documents: int = 0
    file_ids: tuple[str, ...] = ()
    """The uploaded files that the turn refers to."""
    is_resumed: bool = False
    """The conversation ends with a paused assistant turn."""


def read_asked(messages: Sequence[Any]) -> Asked:
    """Read what stands behind the last answer; before a prefill, what it begins to answer."""
    end = len(messages)
    is_resumed = False
    if messages[-1]["role"] == "assistant":
        blocks = blocks_of(messages[-1])
        is_resumed = bool(blocks) and blocks[-1]["type"] not in ("text", "tool_use", "thinking", "redacted_thinking")
        end -= 1
    start = end
    while start > 0 and messages[start - 1]["role"] != "assistant":
        start -= 1
    users = [message for message in messages[start:end] if message["role"] == "user"]
    return _read(list(_blocks(users)), is_resumed=is_resumed)


def _blocks(messages: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        yield from blocks_of(message)


def _read(blocks: list[Mapping[str, Any]], *, is_resumed: bool) -> Asked:
    written = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    results = [result_text(block) for block in blocks if block["type"] == "tool_result"]
    source = "" if is_resumed else "\n".join([written, *results])
    nested = [inner for block in blocks for inner in _content_list(block)]
    return Asked(
        source=source,
        text=split_directives(written)[0],
        results=tuple(split_directives(result)[0] for result in results),
        images=sum(block["type"] == "image" for block in [*blocks, *nested]),
        documents=sum(block["type"] == "document" for block in [*blocks, *nested]),
        file_ids=tuple(reference.file_id for reference in find_references(blocks)),
        is_resumed=is_resumed,
    )


def _content_list(block: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = block.get("content") if block["type"] == "tool_result" else None
    return content if isinstance(content, list) else []


def result_text(block: Mapping[str, Any]) -> str:
    """Return a tool result as text."""
    content = block.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(inner["text"] if inner["type"] == "text" else f"[{inner['type']}]" for inner in content)
