"""What OpenAI's SDK sends is read."""

from __future__ import annotations

import pydantic
import pytest

from lockgate.dialects.openai_chat import DIALECT
from tests.unit.dialects.openai_chat.samples import shape
from tests.unit.dialects.openai_chat.sdk import sent

MESSAGES = [
    {"role": "developer", "content": "Be brief."},
    {
        "role": "user",
        "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://e.org/a"}}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "t", "content": "1"},
]


def test_a_conversation_is_read():
    call = DIALECT.read_call(sent(messages=MESSAGES, stream=False, max_completion_tokens=9, temperature=0.2))
    assert shape(call.system) == [{"_": "TextBlock", "text": "Be brief."}]
    assert [message.role for message in call.messages] == ["user", "assistant", "user"]
    assert (call.max_tokens, call.temperature, call.stream, call.unknown) == (9, 0.2, False, ())


FIELDS = {
    "stop": ({"stop": ["a"]}, "stop"),
    "tools": ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, "tools"),
    "tool choice": (
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
        "tool_choice",
    ),
    "format": ({"response_format": {"type": "json_object"}}, "output"),
    "effort": ({"reasoning_effort": "max"}, "effort"),
    "user": ({"user": "u"}, "user"),
    "safety identifier": ({"safety_identifier": "u"}, "user"),
    "tier": ({"service_tier": "fast"}, "service_tier"),
    "breakpoint": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}],
                }
            ]
        },
        "messages",
    ),
    "search": ({"web_search_options": {}}, "tools"),
    "body of its own": ({"extra_body": {"thinking": {"type": "adaptive"}}}, "thinking"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_read(name):
    fields, home = FIELDS[name]
    call = DIALECT.read_call(sent(**fields))
    assert getattr(call, home)
    assert call.unknown == ()


UNKNOWN = {
    "seed": 1,
    "n": 2,
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"1": 2},
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "store": True,
    "metadata": {"a": "b"},
    "verbosity": "low",
    "prompt_cache_key": "k",
    "modalities": ["text", "audio"],
    "prediction": {"type": "content", "content": "x"},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_field_without_a_home_is_named(name):
    assert DIALECT.read_call(sent(**{name: UNKNOWN[name]})).unknown == (name,)


class Person(pydantic.BaseModel):
    name: str
    age: int = 3


def test_a_model_of_the_sdks_parse_is_a_format():
    output = DIALECT.read_call(sent("parse", response_format=Person)).output
    assert (output.kind, output.name, output.strict) == ("json_schema", "Person", True)
    assert shape(output.schema)["properties"].keys() == {"name", "age"}
