"""Tools in every form, and the choice among them."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.samples import read, shape

CACHE = {"type": "ephemeral", "ttl": "1h"}
SCHEMA = {
    "$defs": {"x": {"description": "d"}},
    "type": "object",
    "properties": {"q": {"$ref": "#/$defs/x"}},
    "additionalProperties": False,
}


def tools(found, **fields):
    return shape(read(tools=found, **fields).tools)


def native(**raw):
    name = {"name": raw["name"]} if "name" in raw else {}
    return {"_": "NativeTool", "type": raw["type"], **name, "raw": raw}


def function(name, **fields):
    return {"type": "function", "function": {"name": name, **fields}}


CASES = {
    "function": (
        function("f", description="d", parameters=SCHEMA, strict=True),
        {"_": "FunctionTool", "name": "f", "description": "d", "schema": SCHEMA, "strict": True},
    ),
    "function without parameters": (function("f"), {"_": "FunctionTool", "name": "f"}),
    "function with null parameters": (function("f", parameters=None), {"_": "FunctionTool", "name": "f"}),
    "function with a marker": (
        {**function("f"), "cache_control": CACHE},
        {"_": "FunctionTool", "name": "f", "cache": CACHE},
    ),
    "function with a marker inside": (
        function("f", cache_control=CACHE),
        {"_": "FunctionTool", "name": "f", "cache": CACHE},
    ),
    "function with options": (
        {
            **function("f", defer_loading=True, input_examples=[1]),
            "allowed_callers": ["x"],
            "eager_input_streaming": True,
        },
        {
            "_": "FunctionTool",
            "name": "f",
            "options": {
                "defer_loading": True,
                "input_examples": [1],
                "allowed_callers": ["x"],
                "eager_input_streaming": True,
            },
        },
    ),
    "flat function": (
        {"type": "function", "name": "f", "parameters": SCHEMA},
        {"_": "FunctionTool", "name": "f", "schema": SCHEMA},
    ),
    "Anthropic's function": (
        {"name": "f", "input_schema": SCHEMA, "cache_control": CACHE, "defer_loading": True},
        {"_": "FunctionTool", "name": "f", "schema": SCHEMA, "cache": CACHE, "options": {"defer_loading": True}},
    ),
    "Anthropic's custom tool": (
        {"type": "custom", "name": "f", "input_schema": SCHEMA},
        {"_": "FunctionTool", "name": "f", "schema": SCHEMA},
    ),
    "nested": (
        {"type": "web_search", "web_search": {"name": "web_search_20250305", "max_uses": 2}},
        native(max_uses=2, type="web_search_20250305", name="web_search"),
    ),
    "nested computer": (
        {"type": "computer", "computer": {"name": "computer_20250124", "display_width_px": 9}, "cache_control": CACHE},
        native(display_width_px=9, cache_control=CACHE, type="computer_20250124", name="computer"),
    ),
    "nested without a version": (
        {"type": "web_fetch", "web_fetch": {"max_uses": 1}},
        native(max_uses=1, type="web_fetch_20250910", name="web_fetch"),
    ),
    "nested with the version as type": (
        {"type": "memory_20250818", "memory_20250818": {}},
        native(type="memory_20250818", name="memory"),
    ),
    "nested tool search": (
        {"type": "tool_search_tool_regex", "tool_search_tool_regex": {"name": "tool_search_tool_regex_20251119"}},
        native(type="tool_search_tool_regex_20251119", name="tool_search_tool_regex"),
    ),
    "nested editor, new name": (
        {"type": "str_replace_editor", "str_replace_editor": {"name": "text_editor_20250728"}},
        native(type="text_editor_20250728", name="str_replace_based_edit_tool"),
    ),
    "nested editor, old name": (
        {"type": "str_replace_based_edit_tool", "str_replace_based_edit_tool": {"name": "text_editor_20250124"}},
        native(type="text_editor_20250124", name="str_replace_editor"),
    ),
    "nested editor without a version": (
        {"type": "text_editor", "text_editor": {"max_characters": 5}},
        native(max_characters=5, type="text_editor_20250728", name="str_replace_based_edit_tool"),
    ),
    "nested toolset": (
        {"type": "computer_toolset", "computer_toolset": {"name": "computer_toolset_20260801", "configs": {}}},
        native(configs={}, type="computer_toolset_20260801"),
    ),
    "toolset": ({"type": "browser_toolset_20260801"}, native(type="browser_toolset_20260801")),
    "nested MCP toolset": (
        {"type": "mcp_toolset", "mcp_toolset": {"mcp_server_name": "s", "configs": {}}},
        native(type="mcp_toolset", mcp_server_name="s", configs={}),
    ),
    "MCP toolset": (
        {"type": "mcp_toolset", "mcp_server_name": "s"},
        native(type="mcp_toolset", mcp_server_name="s"),
    ),
    "Anthropic's tool": (
        {"type": "bash_20250124", "name": "bash"},
        native(type="bash_20250124", name="bash"),
    ),
    "Anthropic's tool of next year": (
        {"type": "teleport_20270101", "name": "teleport", "range": 3},
        native(type="teleport_20270101", name="teleport", range=3),
    ),
    "Anthropic's editor under the wrong name": (
        {"type": "text_editor_20250728", "name": "str_replace_editor"},
        native(type="text_editor_20250728", name="str_replace_based_edit_tool"),
    ),
    "OpenAI's web search": ({"type": "web_search"}, native(type="web_search_20250305", name="web_search")),
    "OpenAI's web search preview": (
        {
            "type": "web_search_preview",
            "search_context_size": "low",
            "user_location": {"type": "approximate", "city": "Oslo"},
            "filters": {"allowed_domains": ["e.org"]},
        },
        native(
            user_location={"type": "approximate", "city": "Oslo"},
            allowed_domains=["e.org"],
            type="web_search_20250305",
            name="web_search",
        ),
    ),
    "a known tool without anything": (
        {"type": "code_execution"},
        native(type="code_execution_20250825", name="code_execution"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_tool_is_read(name):
    tool, found = CASES[name]
    assert tools([function("first"), tool])[1] == found


@pytest.mark.parametrize("name", CASES)
def test_a_single_tool_may_stand_without_a_list(name):
    tool, found = CASES[name]
    assert tools(tool) == [found]


def test_a_schema_keeps_its_bytes():
    body = b'{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{ "b":1.0, "a":2 }}}]}'
    from lockgate.dialects.openai_chat import DIALECT

    assert bytes(DIALECT.read_call(body).tools[0].schema) == b'{ "b":1.0, "a":2 }'


def test_legacy_functions_are_tools():
    call = read(functions=[{"name": "f", "parameters": SCHEMA}], function_call={"name": "f"})
    assert shape(call.tools) == [{"_": "FunctionTool", "name": "f", "schema": SCHEMA}]
    assert shape(call.tool_choice) == {"_": "ToolChoice", "mode": "tool", "name": "f"}


def test_web_search_options_are_a_web_search():
    options = {
        "search_context_size": "high",
        "user_location": {"type": "approximate", "approximate": {"city": "Oslo", "country": "NO", "x": 1}},
    }
    found = native(
        user_location={"type": "approximate", "city": "Oslo", "country": "NO"},
        type="web_search_20250305",
        name="web_search",
    )
    assert shape(read(web_search_options=options).tools) == [found]
    assert shape(read(web_search_options={}).tools) == [native(type="web_search_20250305", name="web_search")]
    assert shape(read(web_search_options={}, tools=[{"type": "web_search_20250305", "name": "web_search"}]).tools) == [
        native(type="web_search_20250305", name="web_search")
    ]


REFUSED = {
    "no type": ([{"x": 1}], "tools[0].type"),
    "unknown type": ([function("f"), {"type": "code_interpreter"}], "tools[1].type"),
    "OpenAI's custom tool": ([{"type": "custom", "custom": {"name": "f"}}], "tools[0].type"),
    "function without a name": ([{"type": "function", "function": {}}], "tools[0].function.name"),
    "function without a function": ([{"type": "function"}], "tools[0].type"),
    "parameters that are a list": ([function("f", parameters=[])], "tools[0].function.parameters"),
    "name that is a number": ([function(1)], "tools[0].function.name"),
    "single tool": ({"type": "x"}, "tools.type"),
    "tools that are text": ("x", "tools"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_tool_that_cannot_be_read_is_refused_with_its_path(name):
    found, path = REFUSED[name]
    with pytest.raises(InvalidRequest) as caught:
        read(tools=found)
    assert caught.value.path == path


def test_a_legacy_function_without_a_name_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        read(functions=[{}])
    assert caught.value.path == "functions[0].name"


TOOLS = [function("f"), function("g"), {"type": "web_search_20250305", "name": "web_search"}]

CHOICES = {
    "nothing": ({}, None),
    "auto": ({"tool_choice": "auto"}, {"mode": "auto"}),
    "required": ({"tool_choice": "required"}, {"mode": "any"}),
    "none": ({"tool_choice": "none"}, {"mode": "none"}),
    "null": ({"tool_choice": None}, None),
    "a function": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"mode": "tool", "name": "f"},
    ),
    "a built-in tool": ({"tool_choice": {"type": "web_search"}}, {"mode": "tool", "name": "web_search"}),
    "a built-in tool by version": (
        {"tool_choice": {"type": "web_search_20250305"}},
        {"mode": "tool", "name": "web_search"},
    ),
    "Anthropic's tool": (
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {
            "mode": "tool",
            "name": "f",
            "parallel": False,
            "raw": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        },
    ),
    "Anthropic's any": ({"tool_choice": {"type": "any"}}, {"mode": "any", "raw": {"type": "any"}}),
    "Anthropic's none": ({"tool_choice": {"type": "none"}}, {"mode": "none", "raw": {"type": "none"}}),
    "legacy auto": ({"function_call": "auto"}, {"mode": "auto"}),
    "parallel": ({"parallel_tool_calls": True}, None),
    "not parallel": ({"parallel_tool_calls": False}, {"parallel": False}),
    "required, not parallel": (
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"mode": "any", "parallel": False},
    ),
    "a function, not parallel": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": False},
        {"mode": "tool", "name": "f", "parallel": False},
    ),
    "Anthropic's auto, not parallel": (
        {"tool_choice": {"type": "auto"}, "parallel_tool_calls": False},
        {"mode": "auto", "parallel": False},
    ),
    "none, not parallel": ({"tool_choice": "none", "parallel_tool_calls": False}, {"mode": "none"}),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_read(name):
    fields, found = CHOICES[name]
    choice = read(tools=TOOLS, **fields).tool_choice
    assert (None if choice is None else shape(choice)) == (None if found is None else {"_": "ToolChoice", **found})


@pytest.mark.parametrize(
    ("choice", "kept"), [("auto", None), ("required", None), ("none", {"_": "ToolChoice", "mode": "none"})]
)
def test_without_tools_only_none_is_a_choice(choice, kept):
    for fields in ({}, {"tools": []}):
        found = read(tool_choice=choice, parallel_tool_calls=False, **fields).tool_choice
        assert (None if found is None else shape(found)) == kept


def test_allowed_tools_take_the_others_away():
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}, {"type": "web_search"}]}
    call = read(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool.name for tool in call.tools] == ["g", "web_search"]
    assert call.tool_choice.mode == "any"


REFUSED_CHOICES = {
    "a word": ("sometimes", "tool_choice"),
    "a function without a name": ({"type": "function"}, "tool_choice.function.name"),
    "Anthropic's tool without a name": ({"type": "tool"}, "tool_choice.name"),
    "allowed tools without tools": ({"type": "allowed_tools"}, "tool_choice.allowed_tools"),
    "a bad mode": ({"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": []}}, "tool_choice"),
    "a number": (1, "tool_choice"),
}


@pytest.mark.parametrize("name", REFUSED_CHOICES)
def test_a_choice_that_cannot_be_read_is_refused_with_its_path(name):
    choice, path = REFUSED_CHOICES[name]
    with pytest.raises(InvalidRequest) as caught:
        read(tools=TOOLS, tool_choice=choice)
    assert caught.value.path == path
