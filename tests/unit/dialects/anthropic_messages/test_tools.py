"""Tools, and the choice among them, as a model takes them."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.core.chat import FunctionTool, NativeTool, ToolChoice
from lockgate.errors import InvalidRequest
from tests.unit.dialects.anthropic_messages.calls import EPHEMERAL, call, raw, result, say, sent, tool, use, write

FORCED = "claude-sonnet-4-5"
FREE = "claude-opus-5-5"
LOOK = {"name": "look", "input_schema": {"type": "object", "properties": {}}}


def test_a_tool_arrives_whole():
    schema = {
        "type": "object",
        "properties": {"q": {"type": "string", "description": "what"}},
        "$defs": {"d": {"enum": ["a"]}},
        "additionalProperties": False,
    }
    said = tool("look", schema, description="Looks", cache=EPHEMERAL, options={"defer_loading": raw(True)})
    assert sent(call(tools=(said,)))["tools"] == [
        {
            "name": "look",
            "description": "Looks",
            "input_schema": schema,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
            "defer_loading": True,
        }
    ]


def test_a_tool_without_parameters_gets_an_empty_schema():
    assert sent(call(tools=(tool(description=""),)))["tools"] == [LOOK]


def test_a_native_tool_keeps_its_bytes():
    data = raw({"type": "web_search_20260318", "name": "web_search", "max_uses": 2})
    body = write(call(tools=(NativeTool(type="web_search_20260318", name="web_search", raw=data),))).body
    assert b'"tools":[%b]' % bytes(data) in body


def test_the_model_of_an_advisor_is_sent_without_a_slug():
    advisor = {"type": "advisor_20260301", "name": "advisor", "model": "@prod/claude-opus-5", "max_uses": 1}
    written = write(call(tools=(NativeTool(type=advisor["type"], name="advisor", raw=raw(advisor)),)))
    assert msgspec.json.decode(written.body)["tools"] == [{**advisor, "model": "claude-opus-5"}]
    assert written.adjusted == ("tools.model: slug left out",)


@pytest.mark.parametrize(
    "choice, dropped",
    [
        (ToolChoice(mode="auto"), ("tool_choice",)),
        (ToolChoice(mode="any", parallel=False), ("tool_choice", "parallel_tool_calls")),
        (ToolChoice(parallel=False), ("parallel_tool_calls",)),
        (ToolChoice(raw=raw({"type": "some"})), ("tool_choice",)),
        (ToolChoice(mode="none"), ()),
        (ToolChoice(), ()),
    ],
)
def test_a_choice_without_tools_is_named(choice, dropped):
    assert write(call(tool_choice=choice)).dropped == dropped


def test_no_tools_means_no_choice():
    body = sent(call(tool_choice=ToolChoice(mode="any")))
    assert "tools" not in body
    assert "tool_choice" not in body
    assert sent(call(tool_choice=ToolChoice(mode="none")))["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    "choice, expected",
    [
        (None, None),
        (ToolChoice(), None),
        (ToolChoice(parallel=True), None),
        (ToolChoice(parallel=False), {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="auto"), {"type": "auto"}),
        (ToolChoice(mode="any", parallel=False), {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="none", parallel=False), {"type": "none"}),
        (ToolChoice(mode="tool", name="look"), {"type": "tool", "name": "look"}),
        (ToolChoice(mode="auto", raw=raw({"type": "auto", "later": 1})), {"type": "auto", "later": 1}),
    ],
)
def test_the_choice_is_written(choice, expected):
    body = sent(call(tools=(tool(),), tool_choice=choice), FORCED)
    assert body.get("tool_choice") == expected
    assert body["tools"] == [LOOK]


@pytest.mark.parametrize(
    "choice, expected, line, names",
    [
        (ToolChoice(mode="any"), {"type": "auto"}, "calling one of the tools", ["look", "find"]),
        (ToolChoice(mode="tool", name="find"), {"type": "auto"}, "calling the tool find", ["find"]),
        (ToolChoice(mode="tool", name="gone"), {"type": "auto"}, "calling the tool gone", ["look", "find"]),
        (
            ToolChoice(mode="any", parallel=False),
            {"type": "auto", "disable_parallel_tool_use": True},
            "calling one of the tools",
            ["look", "find"],
        ),
    ],
)
def test_a_model_that_cannot_be_forced_is_asked(choice, expected, line, names):
    said = call(tools=(tool("look"), tool("find")), tool_choice=choice)
    body = sent(said, FREE)
    assert body["tool_choice"] == expected
    assert line in body["system"][-1]["text"]
    assert [entry["name"] for entry in body["tools"]] == names
    assert write(said, FREE).adjusted == (
        "tool_choice: asked for in the system prompt, the model refuses a forced choice",
    )


@pytest.mark.parametrize(
    "choice, expected",
    [
        (ToolChoice(mode="any"), {"type": "any"}),
        (ToolChoice(mode="tool", name="find"), {"type": "tool", "name": "find"}),
    ],
)
def test_a_config_may_have_a_forced_choice_sent_where_it_is_refused(choice, expected):
    said = call(tools=(tool("look"), tool("find")), tool_choice=choice)
    body = sent(said, FREE, passes_forced_tools=True)
    assert body["tool_choice"] == expected
    assert "system" not in body
    assert [entry["name"] for entry in body["tools"]] == ["look", "find"]
    assert write(said, FREE, passes_forced_tools=True).adjusted == ()


def test_a_clients_own_object_is_passed_even_where_it_is_refused():
    choice = ToolChoice(mode="any", raw=raw({"type": "any"}))
    assert sent(call(tools=(tool(),), tool_choice=choice), FREE)["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize("mode", ["auto", "none"])
def test_an_unforced_choice_needs_no_words(mode):
    assert "system" not in sent(call(tools=(tool(),), tool_choice=ToolChoice(mode=mode)), FREE)


def test_names_are_mapped_everywhere_and_the_way_back_is_kept():
    said = call(
        say("assistant", use("x", "fs.read")),
        say("user", result("x")),
        tools=(tool("fs.read"), tool("plain")),
        tool_choice=ToolChoice(mode="tool", name="fs.read"),
    )
    written = write(said)
    body = msgspec.json.decode(written.body)
    assert [entry["name"] for entry in body["tools"]] == ["fs_read", "plain"]
    assert body["tool_choice"]["name"] == body["messages"][0]["content"][0]["name"] == "fs_read"
    assert written.rules.tool_names == {"fs_read": "fs.read"}


def test_a_mapped_name_reaches_a_clients_own_choice():
    choice = ToolChoice(mode="tool", name="a.b", raw=raw({"type": "tool", "name": "a.b", "later": 1}))
    body = sent(call(tools=(tool("a.b"),), tool_choice=choice))
    assert body["tool_choice"] == {"type": "tool", "name": "a_b", "later": 1}


STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    "model, schema, is_strict",
    [
        (FORCED, STRICT, True),
        (FORCED, {**STRICT, "minProperties": 1}, None),
        (FORCED, None, None),
        ("claude-3-5-haiku-20241022", STRICT, None),
    ],
)
def test_strict_goes_out_only_where_it_can_hold(model, schema, is_strict):
    said = call(tools=(tool("look", schema, strict=True),))
    assert sent(said, model)["tools"][0].get("strict") is is_strict
    notes = () if is_strict else ("tools.strict: left out, the model or the schema does not allow it",)
    assert write(said, model).adjusted == notes


def test_alternatives_at_the_root_are_told_in_the_description():
    schema = {"anyOf": [{"properties": {"a": {}}, "required": ["a"]}]}
    said = call(tools=(tool("look", schema, description="Looks"),))
    assert sent(said)["tools"][0]["description"] == "Looks\n\nFor the input, at least one of these applies: a given."
    assert write(said).adjusted == ("tools.input_schema: alternatives at the root moved into the description",)


def test_a_schema_that_is_no_object_is_refused_with_its_path():
    with pytest.raises(InvalidRequest) as caught:
        sent(call(tools=(tool(), FunctionTool(name="x", schema=raw([])))))
    assert caught.value.path == "tools[1].input_schema"


def test_history_with_tool_blocks_needs_no_tools():
    assert "tools" not in sent(call(say("assistant", use()), say("user", result())))
