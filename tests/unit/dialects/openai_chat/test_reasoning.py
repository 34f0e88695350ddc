"""Reasoning text in its many spellings."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.dialects.openai_chat.reasoning import read_content, read_reasoning
from lockgate.dialects.openai_chat.wire import Delta
from tests.unit.dialects.openai_chat.samples import encode

CASES = {
    "nothing": ({}, "", ""),
    "null": ({"reasoning_content": None, "reasoning": None}, "", ""),
    "DeepSeek": ({"reasoning_content": "hm"}, "hm", ""),
    "OpenRouter": ({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "hm", ""),
    "OpenRouter's details alone": (
        {"reasoning_details": [{"text": "h", "signature": None}, {"text": "m", "signature": "s"}]},
        "hm",
        "s",
    ),
    "LiteLLM": (
        {"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]},
        "hm",
        "s",
    ),
    "an object": ({"reasoning": {"effort": "low"}, "reasoning_details": {}}, "", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_reasoning_is_found(name):
    delta, text, signature = CASES[name]
    found = read_reasoning(msgspec.json.decode(encode(delta), type=Delta))
    assert (found.text, found.signature) == (text, signature)


CONTENTS = {
    "nothing": (None, "", ""),
    "text": ("x", "x", ""),
    "parts": ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", ""),
    "Mistral's thinking": (
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}],
        "x",
        "hm",
    ),
    "odd parts": (["x", 1, {"type": "image"}], "", ""),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_is_text_and_thoughts(name):
    content, text, thoughts = CONTENTS[name]
    delta = msgspec.json.decode(encode({"content": content}), type=Delta)
    assert read_content(delta.content) == (text, thoughts)
