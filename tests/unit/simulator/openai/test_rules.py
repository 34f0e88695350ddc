"""Each rule with one request that passes and one that is refused."""

import pytest

from tests.unit.simulator.driver import PNG, chat, user

FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
DATA = f"data:image/png;base64,{PNG}"


def function(**facts):
    return [{"type": "function", "function": {"name": "f", **facts}}]


def schema(value, **more):
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": value, **more}}


def call(name="call_1"):
    return {"id": name, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}


def assistant(*calls, **more):
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def tool(name="call_1"):
    return {"role": "tool", "tool_call_id": name, "content": "12"}


def image(url):
    return user([{"type": "image_url", "image_url": {"url": url}}])


def file(**facts):
    return user([{"type": "file", "file": facts}])


START = user("x")
CASES = [
    ("both limits", {"max_tokens": 5}, {"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "same time"),
    ("old limit", {"max_tokens": 5}, {"max_tokens": 5, "model": "gpt-5"}, "max_tokens", "Use 'max_completion_tokens'"),
    ("limit", {"max_tokens": 16_384}, {"max_tokens": 16_385}, "max_tokens", "supports at most 16384 completion tokens"),
    ("stream options", {"stream": True, "stream_options": {"include_usage": True}},
     {"stream": False, "stream_options": {}}, "stream_options", "only allowed when 'stream' is enabled"),
    ("logprobs", {"logprobs": True, "top_logprobs": 2}, {"top_logprobs": 2}, "top_logprobs", "'logprobs' is enabled"),
    ("metadata", {"store": True, "metadata": {"a": "b"}}, {"metadata": {"a": "b"}}, "metadata", "'store' is enabled"),
    ("choice alone", {"tools": [FUNCTION], "tool_choice": "auto"}, {"tool_choice": "auto"}, "tool_choice", "'tools' are"),
    ("parallel alone", {"tools": [FUNCTION], "parallel_tool_calls": False}, {"parallel_tool_calls": False},
     "parallel_tool_calls", "'tools' are specified"),
    ("function call alone", {"functions": [{"name": "f"}], "function_call": "auto"}, {"function_call": "auto"},
     "function_call", "'functions' are specified"),
    ("effort", {"model": "o3", "reasoning_effort": "low"}, {"reasoning_effort": "low"}, None, "Unrecognized request arg"),
    ("effort level", {"model": "gpt-5", "reasoning_effort": "minimal"}, {"model": "o3", "reasoning_effort": "minimal"},
     "reasoning_effort", "'reasoning_effort' does not support 'minimal'"),
    ("temperature", {"model": "gpt-5", "temperature": 1}, {"model": "gpt-5", "temperature": 0.5}, "temperature",
     "Only the default (1) value is supported"),
    ("temperature without effort", {"model": "gpt-5.1", "temperature": 0.5},
     {"model": "gpt-5.1", "temperature": 0.5, "reasoning_effort": "low"}, "temperature", "does not support 0.5"),
    ("logprobs when reasoning", {"logprobs": True}, {"logprobs": True, "model": "gpt-5"}, "logprobs", "not supported"),
    ("stop", {"stop": "x"}, {"stop": "x", "model": "gpt-5"}, "stop", "'stop' is not supported with this model"),
    ("parallel switch", {"tools": [FUNCTION], "parallel_tool_calls": True},
     {"tools": [FUNCTION], "parallel_tool_calls": True, "model": "o3"}, "parallel_tool_calls", "not supported"),
    ("verbosity", {"model": "gpt-5", "verbosity": "low"}, {"verbosity": "low"}, "verbosity", "Supported values are: 'm"),
    ("search", {"model": "gpt-4o-search-preview", "web_search_options": {}}, {"web_search_options": {}},
     "web_search_options", "Unknown parameter"),
    ("audio", {"modalities": ["text"]}, {"modalities": ["text", "audio"]}, "modalities", "modalities: audio"),
    ("parameters", {"tools": function(parameters={"type": "object"})}, {"tools": function(parameters={"type": "array"})},
     "tools[0].function.parameters", "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'"),
    ("no parameters", {"tools": function()}, {"tools": function(parameters={"a": 1})}, "tools[0].function.parameters",
     "got 'type: \"None\"'"),
    ("strict", {"tools": function(parameters=CLOSED, strict=True)},
     {"tools": function(parameters={"type": "object"}, strict=True)}, "tools[0].function.parameters",
     "In context=(), 'additionalProperties' is required to be supplied and to be false."),
    ("strict required", {"tools": function(parameters=CLOSED, strict=True)},
     {"tools": function(parameters={**CLOSED, "required": []}, strict=True)}, "tools[0].function.parameters",
     "an array including every key in properties. Missing 'a'."),
    ("strict words", {"tools": function(parameters=CLOSED, strict=True)},
     {"tools": function(parameters={**CLOSED, "properties": {"a": {"allOf": []}}}, strict=True)},
     "tools[0].function.parameters", "In context=('properties', 'a'), 'allOf' is not permitted."),
    ("strict format", {"tools": function(parameters=CLOSED, strict=True)},
     {"tools": function(parameters={**CLOSED, "properties": {"a": {"type": "string", "format": "x"}}}, strict=True)},
     "tools[0].function.parameters", "'x' is not a valid format."),
    ("strict reference", {"tools": function(parameters=CLOSED, strict=True)},
     {"tools": function(parameters={**CLOSED, "properties": {"a": {"$ref": "#/x"}}}, strict=True)},
     "tools[0].function.parameters", "reference '#/x' can't be resolved."),
    ("valid schema", {"tools": function(parameters={"type": "object"})},
     {"tools": function(parameters={"type": "object", "properties": {"a": {"type": "x"}}})},
     "tools[0].function.parameters", "not valid under any of the given schemas"),
    ("function schema", {"functions": [{"name": "f", "parameters": {"type": "object"}}]},
     {"functions": [{"name": "f", "parameters": {"type": "string"}}]}, "functions[0].parameters", "'type: \"object\"'"),
    ("tool name", {"tools": function()}, {"tools": [{"type": "function", "function": {"name": "a b"}}]},
     "tools[0].function.name", "does not match pattern"),
    ("tool name length", {"tools": function()}, {"tools": [{"type": "function", "function": {"name": "a" * 65}}]},
     "tools[0].function.name", "maximum length 64"),
    ("no tools", {"tools": function()}, {"tools": []}, "tools", "empty array"),
    ("choice", {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
     {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice",
     "not found in 'tools'"),
    ("allowed tools", {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "allowed_tools": {
        "mode": "auto", "tools": [{"type": "function", "function": {"name": "get_weather"}}]}}},
     {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "allowed_tools": {
         "mode": "auto", "tools": [{"type": "function", "function": {"name": "other"}}]}}}, "tool_choice", "not found"),
    ("choice word", {"tools": [FUNCTION], "tool_choice": "required"}, {"tools": [FUNCTION], "tool_choice": "any"},
     "tool_choice", "Supported values are: 'none', 'auto', and 'required'."),
    ("json word", {"messages": user("as JSON"), "response_format": {"type": "json_object"}},
     {"response_format": {"type": "json_object"}}, "messages", "must contain the word 'json'"),
    ("json schema", {"response_format": schema(CLOSED)}, {"response_format": schema(CLOSED), "model": "gpt-4"},
     "response_format", "not supported with this model"),
    ("schema given", {"response_format": schema(CLOSED)}, {"response_format": {"type": "json_schema", "json_schema": {"name": "s"}}},
     "response_format.json_schema.schema", "Missing required parameter"),
    ("strict schema", {"response_format": schema({"type": "object"})},
     {"response_format": schema({"type": "object"}, strict=True)}, "response_format",
     "Invalid schema for response_format 's': In context=(), 'additionalProperties' is required"),
    # messages
    ("answered", {"messages": [*START, assistant(call()), tool()]}, {"messages": [*START, assistant(call()), *START]},
     "messages.[2].role", "The following tool_call_ids did not have response messages: call_1"),
    ("answered at all", {"messages": [*START, assistant(call()), tool()]}, {"messages": [*START, assistant(call())]},
     "messages.[1].role", "An assistant message with 'tool_calls' must be followed by tool messages"),
    ("all answered", {"messages": [*START, assistant(call("a"), call("b")), tool("b"), tool("a")]},
     {"messages": [*START, assistant(call("a"), call("b")), tool("b")]}, "messages.[1].role", "messages: a"),
    ("orphan", {"messages": [*START, assistant(call()), tool()]}, {"messages": [*START, tool()]}, "messages.[1].role",
     "must be a response to a preceeding message with 'tool_calls'"),
    ("twice", {"messages": [*START, assistant(call()), tool()]}, {"messages": [*START, assistant(call()), tool(), tool()]},
     "messages.[3].role", "must be a response"),
    ("id length", {"messages": [*START, assistant(call("a" * 40)), tool("a" * 40)]},
     {"messages": [*START, assistant(call("a" * 41)), tool("a" * 41)]}, "messages[1].tool_calls[0].id",
     "Expected a string with maximum length 40"),
    ("same id", {"messages": [*START, assistant(call()), tool()]},
     {"messages": [*START, assistant(call(), call()), tool()]}, "messages[1].tool_calls", "duplicate tool call ids"),
    ("no calls", {"messages": [*START, {"role": "assistant", "content": "x"}]}, {"messages": [*START, assistant()]},
     "messages[1].tool_calls", "empty array"),
    ("silent", {"messages": [*START, {"role": "assistant", "refusal": "no"}]},
     {"messages": [*START, {"role": "assistant", "content": None}]}, "messages.[1].content", "expected a string, got null"),
    ("image", {"messages": image(DATA)}, {"messages": image("data:image/png;base64,AAAA")},
     "messages[0].content[0].image_url.url", "You uploaded an unsupported image."),
    ("image data", {"messages": image(DATA)}, {"messages": image("data:image/png;base64,%%")},
     "messages[0].content[0].image_url.url", "invalid base64 data"),
    ("image address", {"messages": image("https://example.com/a.png")}, {"messages": image("ftp://example.com/a.png")},
     "messages[0].content[0].image_url.url", "or an http(s) URL"),
    ("audio data", {"messages": user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])},
     {"messages": user([{"type": "input_audio", "input_audio": {"data": "!", "format": "wav"}}])},
     "messages[0].content[0].input_audio.data", "invalid base64"),
    ("file", {"messages": file(file_id="file-1")}, {"messages": file(file_id="file-1", file_data="x")},
     "messages[0].content[0].file", "Mutually exclusive"),
    ("file name", {"messages": file(filename="a.pdf", file_data="data:application/pdf;base64,AAAA")},
     {"messages": file(file_data="data:application/pdf;base64,AAAA")}, "messages[0].content[0].file.filename", "Missing"),
    ("file data", {"messages": file(filename="a.pdf", file_data="data:application/pdf;base64,AAAA")},
     {"messages": file(filename="a.pdf", file_data="AAAA")}, "messages[0].content[0].file.file_data", "data URL"),
    ("empty parts", {"messages": user([{"type": "text", "text": "x"}])}, {"messages": user([])}, "messages[0].content",
     "empty array"),
]  # fmt: skip


@pytest.mark.parametrize("good, bad, param, message", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_rule_passes_one_request_and_refuses_another(good, bad, param, message):
    accepted = chat(**good)
    assert accepted.status == 200, accepted.body
    refused = chat(**bad)
    assert refused.status == 400
    assert message in refused.message
    assert refused.json["error"]["param"] == param


def test_names_of_other_messages_are_no_one_elses_business():
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}], "name": "rules"},
        {"role": "user", "content": "x", "name": "anna"},
        {"role": "function", "content": None, "name": "f"},
    ]
    assert chat(messages=messages).status == 200
