from __future__ import annotations

import json

import pytest

from lockgate.dialects.openai_chat.read_call import read_call

PNG = "data:image/png;base64,iVBORw0KGgo="


def call(**changes):
    """A call that holds every object which is looked into."""
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "q"},
                    {"type": "image_url", "image_url": {"url": PNG}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "ok",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "w", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "r"}]},
            {"role": "assistant", "content": None, "function_call": {"name": "w", "arguments": "{}"}},
        ],
        "tools": [{"type": "function", "function": {"name": "w", "parameters": {"type": "object", "x": {"odd": 1}}}}],
        "functions": [{"name": "old"}],
        "stream_options": {"include_usage": True},
        "reasoning": {"effort": "low"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Oslo"}}},
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "w"}}]},
        },
    }
    return body | changes


def put(body, path, value):
    *steps, last = path
    for step in steps:
        body = body[step]
    body[last] = value


CASES = [
    (("messages", 0), "messages.odd"),
    (("messages", 1), "messages.odd"),
    (("messages", 1, "content", 0), "messages.content.odd"),
    (("messages", 1, "content", 1), "messages.content.odd"),
    (("messages", 1, "content", 1, "image_url"), "messages.content.image_url.odd"),
    (("messages", 1, "content", 2), "messages.content.odd"),
    (("messages", 1, "content", 2, "file"), "messages.content.file.odd"),
    (("messages", 2), "messages.odd"),
    (("messages", 2, "tool_calls", 0), "messages.tool_calls.odd"),
    (("messages", 2, "tool_calls", 0, "function"), "messages.tool_calls.function.odd"),
    (("messages", 3), "messages.odd"),
    (("messages", 3, "content", 0), "messages.content.odd"),
    (("messages", 4, "function_call"), "messages.function_call.odd"),
    (("tools", 0), "tools.odd"),
    (("tools", 0, "function"), "tools.function.odd"),
    (("functions", 0), "functions.odd"),
    (("stream_options",), "stream_options.odd"),
    (("reasoning",), "reasoning.odd"),
    (("response_format",), "response_format.odd"),
    (("response_format", "json_schema"), "response_format.json_schema.odd"),
    (("web_search_options",), "web_search_options.odd"),
    (("web_search_options", "user_location"), "web_search_options.user_location.odd"),
    (("web_search_options", "user_location", "approximate"), "web_search_options.user_location.approximate.odd"),
    (("tool_choice",), "tool_choice.odd"),
    (("tool_choice", "allowed_tools"), "tool_choice.allowed_tools.odd"),
    (("tool_choice", "allowed_tools", "tools", 0), "tool_choice.allowed_tools.tools.odd"),
    (("tool_choice", "allowed_tools", "tools", 0, "function"), "tool_choice.allowed_tools.tools.function.odd"),
]


def test_a_call_of_known_keys_has_none():
    assert read_call(json.dumps(call()).encode()).unknown == ()


@pytest.mark.parametrize("path, name", CASES)
def test_a_key_that_nobody_knows_is_named_wherever_it_stands(path, name):
    body = call()
    put(body, (*path, "odd"), {"some": "thing"})
    read = read_call(json.dumps(body).encode())
    assert read.unknown == (name,)
    assert len(read.messages) == len(read_call(json.dumps(call()).encode()).messages)


@pytest.mark.parametrize("path, name", CASES)
@pytest.mark.parametrize("nothing", [None, [], {}, ""])
def test_a_key_that_says_nothing_is_not_named(path, name, nothing):
    body = call()
    put(body, (*path, "odd"), nothing)
    assert read_call(json.dumps(body).encode()).unknown == ()


def test_each_name_comes_once_and_beside_those_of_the_call_itself():
    messages = [{"role": "user", "content": "a", "odd": 1}] * 3
    body = {"model": "m", "messages": messages, "seed": 1, "strange": 2}
    assert read_call(json.dumps(body).encode()).unknown == ("seed", "strange", "messages.odd")


@pytest.mark.parametrize(
    "changes, name",
    [
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options.search_context_size"),
        ({"tools": [{"type": "web_search", "search_context_size": "low"}]}, "tools.search_context_size"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"tool_choice": {"type": "function", "function": {"name": "w", "odd": 1}}}, "tool_choice.function.odd"),
    ],
)
def test_options_of_openai_that_claude_lacks_are_named(changes, name):
    assert read_call(json.dumps(call(**changes)).encode()).unknown == (name,)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 1, "new_option": 2},
        {"type": "web_search", "web_search": {"name": "web_search_20250305", "new_option": 2}},
        {"name": "w", "input_schema": {"type": "object"}, "new_option": 2},
    ],
)
def test_what_anthropics_own_tools_carry_is_not_looked_into(tool):
    body = call(tools=[tool])
    assert read_call(json.dumps(body).encode()).unknown == ()


def test_what_anthropics_own_blocks_carry_is_not_looked_into():
    content = [{"type": "search_result", "source": "s", "title": "t", "content": [], "new_option": 1}]
    body = call(messages=[{"role": "user", "content": content}])
    assert read_call(json.dumps(body).encode()).unknown == ()
