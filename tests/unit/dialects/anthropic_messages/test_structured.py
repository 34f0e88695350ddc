"""Structured answers, natively or through a tool."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.core.chat import OutputFormat, ToolChoice
from lockgate.dialects import ReplyRules
from lockgate.errors import InvalidRequest
from tests.unit.dialects.anthropic_messages.calls import call, raw, say, sent, tool, write

NATIVE = "claude-sonnet-4-5"
EMULATED = "claude-3-5-haiku-20241022"
BUDGETED = "claude-sonnet-4-0"
FREE = "claude-opus-5-5"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 130}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
AS_PERSON = OutputFormat(kind="json_schema", name="person", schema=raw(PERSON), strict=True)
AS_LIST = OutputFormat(kind="json_schema", schema=raw({"type": "array", "items": {"type": "string"}}))


@pytest.mark.parametrize("tools", [(), (tool(),)])
def test_a_native_schema_goes_into_the_output_config(tools):
    body = sent(call(output=AS_PERSON, tools=tools), NATIVE)
    assert body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                **PERSON,
                "properties": {
                    "name": {"type": "string"},
                    "age": {"type": "integer", "description": "{minimum: 0, maximum: 130}"},
                },
            },
        }
    }
    assert "tool_choice" not in body
    assert len(body.get("tools", ())) == len(tools)


def test_rules_that_claude_does_not_enforce_are_named():
    adjusted = "response_format: maximum, minimum moved into descriptions, Claude does not enforce them"
    assert write(call(output=AS_PERSON), NATIVE).adjusted == (adjusted,)
    assert write(call(output=AS_LIST), NATIVE).adjusted == ()


@pytest.mark.parametrize("model", [NATIVE, EMULATED])
def test_a_root_that_is_no_object_is_wrapped(model):
    written = write(call(output=AS_LIST), model)
    assert written.rules.unwrap_value is True
    body = msgspec.json.decode(written.body)
    schema = body["output_config"]["format"]["schema"] if model == NATIVE else body["tools"][0]["input_schema"]
    assert schema["required"] == ["value"]


def test_a_model_without_structured_output_answers_through_a_tool():
    written = write(call(output=AS_PERSON), EMULATED)
    body = msgspec.json.decode(written.body)
    assert body["tools"] == [
        {"name": "person", "description": "Return the answer in this shape.", "input_schema": PERSON}
    ]
    assert body["tool_choice"] == {"type": "tool", "name": "person"}
    assert written.rules == ReplyRules(json_tool="person")
    assert written.adjusted == ("response_format: the model has no structured output, a tool stands for the answer",)


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, {"type": "tool", "name": "person"}),
        ({"tools": (tool(),)}, {"type": "any"}),
        ({"tools": (tool(),), "tool_choice": ToolChoice(mode="auto")}, {"type": "any"}),
        ({"tools": (tool(),), "tool_choice": ToolChoice(mode="none")}, {"type": "tool", "name": "person"}),
        (
            {"tools": (tool(),), "tool_choice": ToolChoice(mode="auto", parallel=False)},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"tools": (tool(),), "tool_choice": ToolChoice(mode="tool", name="look")}, {"type": "tool", "name": "look"}),
    ],
)
def test_the_tool_for_the_answer_never_shadows_the_clients_tools(fields, expected):
    body = sent(call(output=AS_PERSON, **fields), EMULATED)
    assert body["tool_choice"] == expected
    assert [entry["name"] for entry in body["tools"]] == ["look", "person"][-1 - len(fields.get("tools", ())) :]


def test_a_thinking_model_is_asked_to_finish_through_the_tool():
    body = sent(call(output=AS_PERSON, effort="high"), BUDGETED)
    assert body["thinking"]["type"] == "enabled"
    assert body["tool_choice"] == {"type": "auto"}
    assert body["system"][-1]["text"] == "Give your final answer by calling the tool person."


@pytest.mark.parametrize(
    "name, tools, expected",
    [(None, (), "json_response"), ("my answer", (), "my_answer"), ("look", (tool("look"),), "look_2")],
)
def test_the_tool_gets_a_legal_name_of_its_own(name, tools, expected):
    output = OutputFormat(kind="json_schema", name=name, schema=raw(PERSON))
    assert write(call(output=output, tools=tools), EMULATED).rules.json_tool == expected


def test_no_forced_tool_stands_for_an_answer_where_forcing_is_refused():
    body = sent(call(output=AS_PERSON), FREE)
    assert "tools" not in body
    assert body["output_config"]["format"]["type"] == "json_schema"


def test_any_json_object_is_asked_for_in_the_system_prompt():
    written = write(call(say("user", "q"), output=OutputFormat(kind="json_object")))
    body = msgspec.json.decode(written.body)
    assert "JSON object" in body["system"][-1]["text"]
    assert written.rules == ReplyRules(strip_fence=True)
    assert "tools" not in body


def test_a_clients_own_format_is_left_alone():
    config = raw({"format": {"type": "json_schema", "schema": {"minimum": 1}}})
    written = write(call(output=AS_PERSON, native={"output_config": config}), EMULATED)
    assert msgspec.json.decode(written.body)["output_config"]["format"]["schema"] == {"minimum": 1}
    assert written.rules == ReplyRules()


@pytest.mark.parametrize("schema", [None, raw([]), raw("x")])
def test_a_schema_that_is_none_is_refused_with_its_path(schema):
    with pytest.raises(InvalidRequest) as caught:
        write(call(output=OutputFormat(kind="json_schema", name="x", schema=schema)))
    assert caught.value.path == "response_format.json_schema.schema"
