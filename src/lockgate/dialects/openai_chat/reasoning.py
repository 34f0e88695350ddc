"""Reasoning text in the spellings that providers of chat completions use.

``reasoning_content`` (DeepSeek and most others), ``reasoning`` (OpenRouter, vLLM), ``reasoning_details`` with
signatures (OpenRouter), ``thinking_blocks`` (LiteLLM). Several may say the same; the first that has text counts.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from lockgate.core.json_text import ABSENT, list_items, object_keys, text_of
from lockgate.dialects.openai_chat.wire import Delta


class Reasoning(Struct, frozen=True):
    """What a message or a delta says about thinking."""

    text: str = ""
    signature: str = ""


_NONE = Reasoning()


def read_reasoning(delta: Delta) -> Reasoning:
    """Return the reasoning of a message or a delta."""
    if (
        delta.reasoning_content is delta.reasoning is delta.reasoning_details is ABSENT
        and delta.thinking_blocks is None
    ):
        return _NONE
    text = text_of(delta.reasoning_content) or text_of(delta.reasoning) or ""
    entries = [*_entries(delta.reasoning_details), *(object_keys(raw) for raw in delta.thinking_blocks or ())]
    further = "".join(text_of(keys.get("text")) or text_of(keys.get("thinking")) or "" for keys in entries)
    signature = "".join(text_of(keys.get("signature")) or "" for keys in entries)
    return Reasoning(text or further, signature)


def _entries(raw: Raw) -> list[dict[str, Raw]]:
    return [object_keys(entry) for entry in list_items(raw)]


def read_content(content: str | list[Raw] | None) -> tuple[str, str]:
    """Return the visible text and the reasoning of a content; some providers send a list of parts."""
    if content is None or isinstance(content, str):
        return content or "", ""
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:
        keys = object_keys(part)
        texts.append(text_of(keys.get("text")) or "")
        thoughts.extend(text_of(thought.get("text")) or "" for thought in _entries(keys.get("thinking", ABSENT)))
    return "".join(texts), "".join(thoughts)
