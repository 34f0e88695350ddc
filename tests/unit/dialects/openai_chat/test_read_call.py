"""The top level of a call: every field has a home or is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import Call
from lockgate.dialects.openai_chat import DIALECT
from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.samples import USER, encode, read, shape

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "$defs": {"x": {}}}


def fields(**given):
    found = shape(read(**given))
    return {name: value for name, value in found.items() if name not in ("_", "model", "messages")}


def output(**given):
    return {"_": "OutputFormat", **given}


CASES = {
    "nothing": ({}, {}),
    "max_tokens": ({"max_tokens": 5}, {"max_tokens": 5}),
    "max_completion_tokens": ({"max_completion_tokens": 6}, {"max_tokens": 6}),
    "max_tokens wins": ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 5}),
    "max_tokens null": ({"max_tokens": None, "max_completion_tokens": 6}, {"max_tokens": 6}),
    "max_tokens zero": ({"max_tokens": 0, "max_completion_tokens": 6}, {"max_tokens": 0}),
    "sampling": ({"temperature": 1.5, "top_p": 1, "top_k": 4}, {"temperature": 1.5, "top_p": 1.0, "top_k": 4}),
    "stop text": ({"stop": "END"}, {"stop": ["END"]}),
    "stop list": ({"stop": ["a", "", "b"]}, {"stop": ["a", "b"]}),
    "stop nothing": ({"stop": None}, {}),
    "stop empty": ({"stop": []}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "no stream": ({"stream": False}, {}),
    "usage in the stream": (
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"stream": True, "include_usage": True},
    ),
    "null stream options": ({"stream_options": None}, {}),
    "user": ({"user": "u"}, {"user": "u"}),
    "safety identifier": ({"safety_identifier": "s"}, {"user": "s"}),
    "the same twice": ({"user": "u", "safety_identifier": "u"}, {"user": "u"}),
    "user and another identifier": (
        {"user": "u", "safety_identifier": "s"},
        {"user": "u", "unknown": ["safety_identifier"]},
    ),
    "the user of metadata before all others": (
        {"user": "u", "safety_identifier": "s", "metadata": {"user_id": "m"}},
        {"user": "m", "unknown": ["user", "safety_identifier"]},
    ),
    "metadata without a user": ({"user": "u", "metadata": {"user_id": None}}, {"user": "u"}),
    "user in metadata": ({"metadata": {"user_id": "m"}}, {"user": "m"}),
    "further metadata": ({"metadata": {"user_id": "m", "run": "1"}}, {"user": "m", "unknown": ["metadata"]}),
    "service tier": ({"service_tier": "auto"}, {"service_tier": "auto"}),
    "reasoning effort": ({"reasoning_effort": "high"}, {"effort": "high"}),
    "reasoning": (
        {"reasoning": {"effort": "low", "summary": "auto"}},
        {"effort": "low", "unknown": ["reasoning.summary"]},
    ),
    "effort of output_config": (
        {"reasoning_effort": "high", "output_config": {"effort": "max"}},
        {"effort": "max", "native": {"output_config": {"effort": "max"}}},
    ),
    "thinking": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "null thinking": ({"thinking": None}, {}),
    "format text": ({"response_format": {"type": "text"}}, {}),
    "format object": ({"response_format": {"type": "json_object"}}, {"output": output(kind="json_object")}),
    "format schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
            }
        },
        {"output": output(kind="json_schema", name="n", description="d", schema=SCHEMA, strict=True)},
    ),
    "format of output_config": (
        {
            "response_format": {"type": "json_object"},
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        },
        {
            "output": output(kind="json_schema", schema=SCHEMA),
            "native": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        },
    ),
    "the old output_format": (
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {
            "output": output(kind="json_schema", schema=SCHEMA),
            "native": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        },
    ),
    "the old output_format beside an effort": (
        {"output_format": {"type": "json_schema", "schema": SCHEMA}, "output_config": {"effort": "low"}},
        {
            "output": output(kind="json_schema", schema=SCHEMA),
            "effort": "low",
            "native": {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}},
        },
    ),
    "a format beside output_config": (
        {"response_format": {"type": "json_object"}, "output_config": {"effort": "low"}},
        {
            "output": output(kind="json_object"),
            "effort": "low",
            "native": {"output_config": {"effort": "low"}},
        },
    ),
    "the rest of output_config": (
        {"output_config": {"task_budget": {"total": 1}}, "reasoning_effort": "low"},
        {"effort": "low", "native": {"output_config": {"task_budget": {"total": 1}}}},
    ),
    "null output_config": ({"output_config": None, "output_format": None}, {}),
    "betas": (
        {"anthropic_beta": "a, b", "betas": ["b", "c"]},
        {"betas": ["a", "b", "c"]},
    ),
    "betas as lists": ({"anthropic_beta": ["a,b", " "], "betas": "c"}, {"betas": ["a", "b", "c"]}),
    "version": ({"anthropic_version": "2023-06-01"}, {"api_version": "2023-06-01"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_field_has_its_home(name):
    given_fields, found = CASES[name]
    assert fields(**given_fields) == found


NATIVE = {
    "cache_control": {"type": "ephemeral"},
    "container": {"id": "c", "skills": []},
    "mcp_servers": [{"type": "url", "url": "https://e.org", "name": "s"}],
    "context_management": {"edits": []},
    "inference_geo": "eu",
    "diagnostics": {"previous_message_id": "msg_1"},
    "fallbacks": "default",
    "fallback_credit_token": "t",
    "speed": "fast",
    "thread": {"type": "create"},
    "compaction": {"type": "summarize"},
    "billing_policy": {"a": 1},
    "user_profile_id": "p",
}


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_field_is_carried_whole(name):
    assert fields(**{name: NATIVE[name]}) == {"native": {name: NATIVE[name]}}
    assert fields(**{name: None}) == {}


HOMELESS = {
    "n": 2,
    "seed": 7,
    "frequency_penalty": 0.5,
    "presence_penalty": -1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "store": True,
    "prediction": {"type": "content", "content": "x"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "x"},
    "verbosity": "low",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "x"},
    "moderation": {"model": "x"},
    "something_new": 0,
}


@pytest.mark.parametrize("name", HOMELESS)
def test_a_field_without_a_home_is_named(name):
    assert fields(**{name: HOMELESS[name]}) == {"unknown": [name]}


@pytest.mark.parametrize("name", HOMELESS)
def test_null_says_nothing(name):
    assert fields(**{name: None}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("frequency_penalty", 0),
        ("presence_penalty", 0.0),
        ("logit_bias", {}),
        ("logprobs", False),
        ("store", False),
    ],
)
def test_what_asks_for_nothing_is_not_named(name, value):
    assert fields(**{name: value}) == {}
    assert fields(**{name: value, "something_new": 1}) == {"unknown": ["something_new"]}


def test_known_and_unknown_fields_together():
    found = read(seed=1, something_new=2, speed="fast", user="u", n=1)
    assert found.unknown == ("seed", "something_new")
    assert found.user == "u"
    assert shape(found.native) == {"speed": "fast"}


REFUSED = {
    "no model": ({"messages": []}, "model"),
    "no messages": ({"model": "m"}, "messages"),
    "model that is a number": ({"model": 1, "messages": []}, "model"),
    "max_tokens that is text": ({"max_tokens": "5"}, "max_tokens"),
    "max_tokens that is a truth": ({"max_tokens": True}, "max_tokens"),
    "temperature that is text": ({"temperature": "1"}, "temperature"),
    "stop that is a number": ({"stop": [1]}, "stop[0]"),
    "stream that is text": ({"stream": "yes"}, "stream"),
    "format without a type": ({"response_format": {}}, "response_format.type"),
    "format of an unknown type": ({"response_format": {"type": "yaml"}}, "response_format.type"),
    "schema that is missing": ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    "format in output_config": ({"output_config": {"format": {"type": "x"}}}, "output_config.format.type"),
    "the old output_format": ({"output_format": {"type": "x"}}, "output_format.type"),
    "output_config that is text": ({"output_config": "x"}, "output_config"),
    "unknown effort": ({"reasoning_effort": "heroic"}, "reasoning_effort"),
    "unknown effort in reasoning": ({"reasoning": {"effort": "heroic"}}, "reasoning.effort"),
    "unknown effort in output_config": ({"output_config": {"effort": "heroic"}}, "output_config.effort"),
    "thinking that is text": ({"thinking": "hard"}, "thinking"),
    "user that is a number": ({"user": 1}, "user"),
    "user in metadata that is a number": ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    "betas that are a number": ({"betas": 1}, "betas"),
    "wrong type beside an unknown field": ({"something_new": 1, "top_p": "x"}, "top_p"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_field_is_refused_with_its_path(name):
    given_fields, path = REFUSED[name]
    base = {} if "messages" in given_fields or name == "no messages" else {"model": "m", "messages": [USER]}
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_call(encode({**base, **given_fields}))
    assert caught.value.path == path
    assert caught.value.message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"{", "(byte 1)"),
        (b'{"model":"m" "messages":[]}', "(byte 13)"),
        (b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', "UTF-8 (byte 51)"),
        (b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"\xff"}]}]}', "UTF-8 (byte 74)"),
        (b'{"model":"m","messages":[],"thinking":' + b"[" * 100_000, "nests deeper than"),
        (b"[]", "object"),
    ],
)
def test_a_body_that_is_no_call_is_refused(body, words):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read_call(body)
    assert words in caught.value.message


def test_a_lone_surrogate_does_not_spoil_a_call():
    body = b'{"model":"m","messages":[{"role":"user","content":"a\\ud83d"},{"role":"user","content":[{"type":"text","text":"\\udc00"}]}]}'
    call = DIALECT.read_call(body)
    assert [message.content[0].text for message in call.messages] == ["a\ufffd", "\ufffd"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("model", "messages", "tools", "tool_choice", "stop", "stream", "response_format", "thinking", "metadata"),
        *("output_config", "betas", "functions", "web_search_options", "seed", "speed", "x"),
    ]
)
PART = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "text",
                "refusal",
                "image_url",
                "file",
                "tool_use",
                "tool_result",
                "thinking",
                "image",
                "input_json_delta",
                "x",
            ]
        )
    },
    optional=dict.fromkeys(
        ("text", "refusal", "image_url", "file", "id", "input", "index", "delta", "source", "cache_control"), JSON
    ),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system"])},
    optional={
        "content": JSON | st.lists(PART, max_size=3),
        "content_blocks": JSON | st.lists(PART | JSON, max_size=3),
        "tool_calls": JSON,
        "tool_call_id": JSON,
        "thinking_blocks": JSON,
    },
)


@given(st.dictionaries(NAMES, JSON, max_size=6), st.lists(MESSAGE, max_size=3))
def test_whatever_comes_is_a_call_or_an_invalid_request(extra, messages):
    body = json.dumps({"model": "m", "messages": messages, **extra}).encode()
    try:
        assert isinstance(DIALECT.read_call(body), Call)
    except InvalidRequest as error:
        assert error.message


@given(st.binary(max_size=40))
def test_garbage_is_an_invalid_request(body):
    with pytest.raises(InvalidRequest):
        DIALECT.read_call(body)
