"""A client's Messages request becomes a canonical call; nothing is lost without a name."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.core.chat import Call, FunctionTool, Message, NativeTool, OutputFormat, TextBlock, ToolChoice
from lockgate.dialects.anthropic_messages.read_call import read_call
from lockgate.errors import InvalidRequest


def read(**fields):
    return read_call(msgspec.json.encode({"model": "m", "messages": [], **fields}))


def raw(value):
    return Raw(msgspec.json.encode(value))


def test_the_plain_fields():
    assert read(
        max_tokens=0,
        messages=[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": []}],
        system="Be brief.",
        temperature=1,
        top_p=0.5,
        top_k=3,
        stop_sequences=["a"],
        stream=True,
        metadata={"user_id": "u"},
    ) == Call(
        model="m",
        messages=(
            Message(role="user", content=(TextBlock(text="Hi"),)),
            Message(role="assistant", content=()),
        ),
        system=(TextBlock(text="Be brief."),),
        max_tokens=0,
        temperature=1.0,
        top_p=0.5,
        top_k=3,
        stop=("a",),
        stream=True,
        include_usage=True,
        user="u",
    )


def test_nulls_are_absent():
    names = ("max_tokens", "system", "tools", "tool_choice", "thinking", "metadata", "output_config", "speed", "betas")
    assert read(**dict.fromkeys(names), later=None) == read()


def test_a_system_message_stays_at_its_place():
    call = read(
        system=[{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": "q"}, {"role": "system", "content": "b"}],
    )
    assert call.messages[1] == Message(role="system", content=(TextBlock(text="b"),))
    assert call.system[0].cache == raw({"type": "ephemeral"})


def test_controls_of_a_system_message_are_named():
    message = {"role": "system", "content": [], "output_config": {"effort": "low"}, "clear_at": {"x": 1}}
    assert read(messages=[message]).unknown == ("messages.output_config", "messages.clear_at")


def test_unknown_fields_are_named_and_native_ones_carried():
    call = read(of_tomorrow=1, container="c", service_tier="auto", speed="fast", thread={"type": "create"})
    assert call.unknown == ("of_tomorrow",)
    assert call.native == {
        "container": raw("c"),
        "service_tier": raw("auto"),
        "speed": raw("fast"),
        "thread": raw({"type": "create"}),
    }
    assert call.service_tier is None


@pytest.mark.parametrize(
    "metadata, user, native",
    [
        ({"user_id": "u"}, "u", {}),
        ({"user_id": None}, None, {}),
        ({}, None, {}),
        ({"user_id": "u", "k": 1}, "u", {"metadata": raw({"user_id": "u", "k": 1})}),
    ],
)
def test_metadata_names_the_user(metadata, user, native):
    call = read(metadata=metadata)
    assert (call.user, call.native) == (user, native)


def test_output_config_is_read_and_kept():
    schema = {"type": "object"}
    config = {"effort": "low", "format": {"type": "json_schema", "schema": schema}, "task_budget": {}}
    call = read(output_config=config)
    assert call.effort == "low"
    assert call.output == OutputFormat(kind="json_schema", schema=raw(schema))
    assert call.native == {"output_config": raw(config)}


def test_the_old_output_format_moves_into_output_config():
    old = {"type": "json_schema", "schema": {"type": "object"}}
    call = read(output_format=old, output_config={"effort": "high"})
    assert call.native == {"output_config": raw({"effort": "high", "format": old})}
    assert call.output == OutputFormat(kind="json_schema", schema=raw({"type": "object"}))
    newer = {"type": "json_schema", "schema": {"type": "array"}}
    assert read(output_format=old, output_config={"format": newer}).native == {"output_config": raw({"format": newer})}


def test_tools_are_functions_or_native():
    function = {
        "name": "f",
        "description": "d",
        "input_schema": {"type": "object"},
        "strict": True,
        "cache_control": {"type": "ephemeral"},
        "defer_loading": True,
    }
    search = {"type": "web_search_20250305", "name": "web_search"}
    call = read(tools=[function, {"type": "custom", "name": "g"}, search])
    assert call.tools == (
        FunctionTool(
            name="f",
            description="d",
            schema=raw({"type": "object"}),
            strict=True,
            cache=raw({"type": "ephemeral"}),
            options={"defer_loading": raw(True)},
        ),
        FunctionTool(name="g"),
        NativeTool(type="web_search_20250305", name="web_search", raw=raw(search)),
    )


def test_one_tool_may_stand_without_its_list():
    assert read(tools={"name": "f"}).tools == (FunctionTool(name="f"),)


@pytest.mark.parametrize(
    "choice, mode, name, parallel",
    [
        ({"type": "auto"}, "auto", None, None),
        ({"type": "any", "disable_parallel_tool_use": True}, "any", None, False),
        ({"type": "tool", "name": "f", "disable_parallel_tool_use": False}, "tool", "f", True),
        ({"type": "none"}, "none", None, None),
        ({"type": "of_tomorrow"}, None, None, None),
    ],
)
def test_the_choice_is_read_and_kept(choice, mode, name, parallel):
    assert read(tool_choice=choice).tool_choice == ToolChoice(mode=mode, name=name, parallel=parallel, raw=raw(choice))


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"betas": ["a", "b"], "anthropic_beta": "c, a"}, ("c", "a", "b")),
        ({"betas": "a,b"}, ("a", "b")),
        ({"anthropic_beta": []}, ()),
    ],
)
def test_betas_come_from_both_fields(fields, expected):
    assert read(**fields).betas == expected


def test_the_version_of_the_body_is_kept():
    assert read(anthropic_version="vertex-2023-10-16").api_version == "vertex-2023-10-16"


@pytest.mark.parametrize(
    "fields, path",
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}, {"role": "tool", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": 5}]}]},
            "messages[0].content[1].type",
        ),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages[0].content[0]"),
        ({"system": 5}, "system"),
        ({"system": [{"type": "text"}]}, "system[0].text"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": "5", "of_tomorrow": 1}, "max_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"stream": "yes"}, "stream"),
        ({"tools": 5}, "tools"),
        ({"tools": [{"name": "f"}, {"description": "d"}]}, "tools[1].name"),
        ({"tools": [{"name": "f", "input_schema": []}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "f", "strict": "yes"}]}, "tools[0].strict"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": True}, "thinking"),
        ({"thinking": {"budget_tokens": 5}}, "thinking.type"),
        ({"metadata": "u"}, "metadata"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
        ({"output_config": {"effort": 5}}, "output_config.effort"),
        ({"output_config": {"format": {}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
def test_a_wrong_type_has_its_path(fields, path):
    body = {"model": "m", "messages": [], **fields}
    if fields.get("model", "m") is None:
        del body["model"]
    with pytest.raises(InvalidRequest) as caught:
        read_call(msgspec.json.encode(body))
    assert caught.value.path == path
    assert caught.value.message.startswith(path)


@pytest.mark.parametrize(
    "body, words",
    [
        (b"", "empty"),
        (b"[]", "expected `object`"),
        (b'{"model":"m","messages":[],}', r"\(byte 27\)"),
        (b'{"model":"m"', r"\(byte 12\)"),
        (b'{"model":"\xff","messages":[]}', r"\(byte 10\)"),
    ],
)
def test_broken_json_has_its_byte(body, words):
    with pytest.raises(InvalidRequest, match=words):
        read_call(body)


@given(st.binary(max_size=60), st.integers(0, 200))
def test_garbage_raises_nothing_else(noise, at):
    body = msgspec.json.encode(
        {
            "model": "m",
            "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]}],
        }
    )
    try:
        read_call(body[:at] + noise + body[at:])
    except InvalidRequest:
        pass


def test_unknown_keys_of_messages_are_named_with_their_place():
    messages = [{"role": "user", "content": "q"}, {"role": "user", "content": "r", "id": "m1", "later": None}]
    assert read(messages=messages, of_tomorrow=1).unknown == ("of_tomorrow", "messages[1].id")
