"""The top level of a call to a provider: what is sent, what is dropped, what is changed."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import structs

from lockgate.catalog import ModelFacts
from lockgate.core.chat import (
    Call,
    FunctionTool,
    Message,
    NativeTool,
    OutputFormat,
    TextBlock,
    ToolChoice,
)
from lockgate.dialects.openai_chat import DIALECT
from lockgate.dialects.openai_chat.write_call import is_strict_schema, write_call
from lockgate.errors import Unsupported
from tests.unit.dialects.openai_chat.samples import raw, read, target, write

SCHEMA = {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"], "additionalProperties": False}
F = FunctionTool(name="f", description="d", schema=raw(SCHEMA))
G = FunctionTool(name="g")
SEARCH = NativeTool(type="web_search_20250305", name="web_search", raw=raw({}))
BASE = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}


def call(**fields):
    message = Message(role="user", content=(TextBlock(text="hi"),))
    return Call(**{"model": "x", "messages": (message,), **fields})


def rest(**fields):
    """Return what is written beside model and messages."""
    body = write(call(**fields))
    return {key: value for key, value in body.items() if key not in BASE}


def notes(**fields):
    written = DIALECT.write_call(call(**fields), target())
    return written.dropped, written.adjusted


def test_the_example_of_the_specification():
    written = DIALECT.write_call(
        call(max_tokens=300, stream=True, system=(TextBlock(text="Be brief."),), tools=(F,)), target(model="gpt-4.1")
    )
    assert json.loads(written.body) == {
        "model": "gpt-4.1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 300,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}],
    }
    assert (written.dropped, written.adjusted, written.headers) == ((), (), ())


FIELDS = {
    "nothing": ({}, {}),
    "max_tokens": ({"max_tokens": 5}, {"max_completion_tokens": 5}),
    "sampling": ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
    "stop": ({"stop": ("a", "b")}, {"stop": ["a", "b"]}),
    "user": ({"user": "u"}, {"user": "u"}),
    "json object": ({"output": OutputFormat(kind="json_object")}, {"response_format": {"type": "json_object"}}),
    "schema": (
        {"output": OutputFormat(kind="json_schema", schema=raw(SCHEMA))},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "output", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "schema with a name": (
        {"output": OutputFormat(kind="json_schema", name="a b", description="d", schema=raw({}), strict=True)},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a_b", "description": "d", "schema": {}, "strict": True},
            }
        },
    ),
    "strict, but no schema": (
        {"output": OutputFormat(kind="json_schema", name="n", strict=True)},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True}}},
    ),
    "open schema": (
        {"output": OutputFormat(kind="json_schema", schema=raw({"type": "object"}))},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "output", "schema": {"type": "object"}, "strict": False},
            }
        },
    ),
    "effort": ({"effort": "low"}, {"reasoning_effort": "low"}),
    "effort that is Anthropic's": (
        {"effort": "low", "native": {"output_config": raw({"effort": "low"})}},
        {"reasoning_effort": "low"},
    ),
    "no effort": ({"effort": "none"}, {"reasoning_effort": "none"}),
    "tier": ({"service_tier": "flex"}, {"service_tier": "flex"}),
    "the usual tier": ({"service_tier": "auto"}, {}),
    "strict tool": (
        {"tools": (FunctionTool(name="f", strict=True),)},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_written(name):
    fields, written = FIELDS[name]
    assert rest(**fields) == written
    assert notes(**fields) == ((), ())


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, "low"),
        ({"type": "enabled", "budget_tokens": 4000}, "medium"),
        ({"type": "enabled", "budget_tokens": 16000}, "high"),
        ({"type": "adaptive"}, "medium"),
        ({"type": "disabled"}, "none"),
        ({"type": "between_tools"}, "none"),
    ],
)
def test_thinking_becomes_an_effort_where_that_is_wanted(thinking, effort):
    facts = structs.replace(target().facts, effort=("none", "low", "medium", "high"))
    call = Call(model="m", messages=(), thinking=raw(thinking))
    written = write_call(call, target(maps_thinking=True, facts=facts))
    assert msgspec.json.decode(written.body)["reasoning_effort"] == effort
    assert (written.dropped, written.adjusted) == ((), ("thinking: sent as reasoning_effort",))
    asked = write_call(structs.replace(call, effort="high"), target(maps_thinking=True, facts=facts))
    assert msgspec.json.decode(asked.body)["reasoning_effort"] == "high"
    assert asked.dropped == ("thinking",)
    assert write_call(call, target(facts=facts)).dropped == ("thinking",)


def test_a_mode_of_thinking_that_nobody_knows_is_left_out():
    call = Call(model="m", messages=(), thinking=raw({"type": "dreaming"}))
    assert write_call(call, target(maps_thinking=True)).dropped == ("thinking",)


def test_usage_is_always_asked_for_in_a_stream():
    for include_usage in (True, False):
        assert rest(stream=True, include_usage=include_usage)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in rest(stream=False, include_usage=True)


DROPPED = {
    "top_k": ({"top_k": 4}, ("top_k",)),
    "thinking": ({"thinking": raw({"type": "adaptive"})}, ("thinking",)),
    "betas": ({"betas": ("a",)}, ("anthropic_beta",)),
    "unknown": ({"unknown": ("seed", "n")}, ("seed", "n")),
    "native": ({"native": {"speed": raw("fast"), "container": raw("c")}}, ("speed", "container")),
    "the rest of output_config": (
        {"native": {"output_config": raw({"effort": "low", "task_budget": {}})}},
        ("output_config",),
    ),
    "tier": ({"service_tier": "standard_only"}, ("service_tier",)),
    "tool": ({"tools": (F, SEARCH)}, ("tools[1]",)),
    "tool option": (
        {"tools": (FunctionTool(name="f", options={"defer_loading": raw(True)}), G)},
        ("tools.defer_loading",),
    ),
    "marker in system": ({"system": (TextBlock(text="s", cache=raw({})),)}, ("cache_control",)),
    "marker on a tool": ({"tools": (FunctionTool(name="f", cache=raw({})),)}, ("cache_control",)),
    "marker at the top": ({"native": {"cache_control": raw({})}}, ("cache_control",)),
}


@pytest.mark.parametrize("name", DROPPED)
def test_what_is_dropped_is_named(name):
    fields, names = DROPPED[name]
    assert notes(**fields) == (names, ())


ADJUSTED = {
    "max_tokens": ({"max_tokens": 0}, {"max_completion_tokens": 1}),
    "stop": ({"stop": tuple("abcdef")}, {"stop": list("abcd")}),
    "effort above": ({"effort": "xhigh"}, {"reasoning_effort": "high"}),
    "highest effort": ({"effort": "max"}, {"reasoning_effort": "high"}),
}


@pytest.mark.parametrize("name", ADJUSTED)
def test_what_is_changed_is_named(name):
    fields, written = ADJUSTED[name]
    assert rest(**fields) == written
    dropped, [note] = notes(**fields)
    assert dropped == ()
    assert note.split(":")[0] in ("max_tokens", "stop", "reasoning_effort")


def test_a_long_user_is_hashed_and_always_alike():
    first, second = rest(user="u" * 200)["user"], rest(user="u" * 200)["user"]
    assert first == second
    assert len(first) == 64
    assert notes(user="u" * 200)[1] == ("user: hashed, it is too long for this target",)


ALL = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
EFFORTS = [
    ("max", ALL, "max"),
    ("max", ("low", "high", "xhigh"), "xhigh"),
    ("xhigh", ("low", "high", "max"), "high"),
    ("minimal", ("low", "medium"), "low"),
    ("minimal", ("none", "low"), "none"),
    ("none", ("minimal", "low"), "minimal"),
    ("high", ("low",), "low"),
    ("high", (), None),
    ("none", (), None),
    ("heroic", ("low",), "heroic"),
]


@pytest.mark.parametrize(("asked", "known", "sent"), EFFORTS)
def test_an_effort_is_one_that_the_model_knows(asked, known, sent):
    facts = ModelFacts(family="gpt", max_output=1, effort=known)
    assert write(call(effort=asked), facts=facts).get("reasoning_effort") == sent
    written = DIALECT.write_call(call(effort=asked), target(facts=facts))
    assert bool(written.adjusted) is (sent not in (None, asked))
    assert written.dropped == (("reasoning_effort",) if sent is None and asked != "none" else ())


SAMPLING = [
    ("none", {"temperature": 0.5, "top_p": 0.9}, {}, ("temperature", "top_p")),
    ("none", {"temperature": 1.0, "top_p": 1.0}, {}, ()),
    ("one", {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
    ("one", {"top_p": 0.9}, {"top_p": 0.9}, ()),
]


@pytest.mark.parametrize(("sampling", "fields", "sent", "dropped"), SAMPLING)
def test_sampling_is_left_out_where_the_model_refuses_it(sampling, fields, sent, dropped):
    written = DIALECT.write_call(
        call(**fields), target(facts=ModelFacts(family="gpt", max_output=1, sampling=sampling))
    )
    body = json.loads(written.body)
    assert {key: value for key, value in body.items() if key not in BASE} == sent
    assert written.dropped == dropped


REFUSED = ("compaction", "thread", "billing_policy")


@pytest.mark.parametrize("name", REFUSED)
def test_what_changes_the_answer_or_who_pays_is_refused(name):
    with pytest.raises(Unsupported) as caught:
        write(call(native={name: raw({})}))
    assert caught.value.path == name
    assert caught.value.wire_code == ("thread_unsupported_request" if name == "thread" else None)


CHOICES = {
    "auto": (ToolChoice(mode="auto"), {"tool_choice": "auto"}),
    "any": (ToolChoice(mode="any"), {"tool_choice": "required"}),
    "none": (ToolChoice(mode="none"), {"tool_choice": "none"}),
    "tool": (
        ToolChoice(mode="tool", name="f"),
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
    ),
    "not parallel": (ToolChoice(parallel=False), {"parallel_tool_calls": False}),
    "any, not parallel": (
        ToolChoice(mode="any", parallel=False),
        {"tool_choice": "required", "parallel_tool_calls": False},
    ),
    "parallel": (ToolChoice(mode="auto", parallel=True), {"tool_choice": "auto"}),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_is_written(name):
    choice, written = CHOICES[name]
    found = rest(tools=(F, SEARCH), tool_choice=choice)
    del found["tools"]
    assert found == written


@pytest.mark.parametrize("tools", [(), (SEARCH,)])
@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_goes_when_no_tool_is_left(name, tools):
    assert rest(tools=tools, tool_choice=CHOICES[name][0]) == {}


def test_a_choice_of_a_dropped_tool_becomes_auto():
    choice = ToolChoice(mode="tool", name="web_search")
    assert rest(tools=(F, SEARCH), tool_choice=choice)["tool_choice"] == "auto"
    assert notes(tools=(F, SEARCH), tool_choice=choice)[1][0].startswith("tool_choice: ")


def test_names_that_openai_refuses_are_mapped_and_restored():
    long = "x" * 80
    written = DIALECT.write_call(
        call(
            tools=(FunctionTool(name="my tool"), FunctionTool(name=long)),
            tool_choice=ToolChoice(mode="tool", name=long),
        ),
        target(),
    )
    body = json.loads(written.body)
    sent = [tool["function"]["name"] for tool in body["tools"]]
    assert sent[0] == "my_tool"
    assert len(sent[1]) == 64
    assert body["tool_choice"]["function"]["name"] == sent[1]
    assert written.rules.tool_names == {sent[0]: "my tool", sent[1]: long}


STRICT = {
    "closed": (SCHEMA, True),
    "nested": ({**SCHEMA, "properties": {"c": {"type": "array", "items": SCHEMA}}}, True),
    "nested and open": ({**SCHEMA, "properties": {"c": {"type": "array", "items": {"type": "object"}}}}, False),
    "definitions": ({**SCHEMA, "$defs": {"x": {"type": "object", "properties": {"y": {}}}}}, False),
    "alternatives": ({**SCHEMA, "properties": {"c": {"anyOf": [{"type": "null"}, SCHEMA]}}}, True),
    "not all required": ({**SCHEMA, "required": []}, False),
    "open": ({**SCHEMA, "additionalProperties": True}, False),
    "a list": ({"type": "array", "items": SCHEMA}, False),
    "no schema": (True, False),
    "odd": ({"type": "object", "properties": [], "required": {}}, False),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_mode_needs_a_closed_schema(name):
    schema, is_strict = STRICT[name]
    assert is_strict_schema(raw(schema)) is is_strict


def test_a_schema_keeps_its_key_order():
    schema = raw({}).__class__(b'{ "type":"object", "$defs":{"b":{},"a":{}}, "description":"d" }')
    body = DIALECT.write_call(call(tools=(FunctionTool(name="f", schema=schema),)), target()).body
    assert bytes(schema) in body


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 5, "temperature": 0.5, "stop": ["a"], "user": "u", "reasoning_effort": "low"},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}], "tool_choice": "required"},
        {"parallel_tool_calls": False, "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"service_tier": "flex"},
    ],
)
def test_a_call_that_is_written_reads_as_it_was(fields):
    messages = [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://e.org"}}],
        },
        {
            "role": "assistant",
            "content": "x",
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "tool_call_id": "t", "content": "1"},
        {"role": "user", "content": "go on"},
    ]
    first = read(*messages, **fields)
    second = DIALECT.read_call(DIALECT.write_call(first, target(model="m")).body)
    assert second == first
