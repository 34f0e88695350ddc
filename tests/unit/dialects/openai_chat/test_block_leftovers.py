"""A Messages call to an OpenAI-format provider: what stands below its fields and is lost there is named with its path."""

from __future__ import annotations

import pytest

from lockgate.dialects.anthropic_messages import DIALECT as MESSAGES
from lockgate.dialects.openai_chat import DIALECT as CHAT
from tests.unit.dialects.openai_chat.samples import encode, target

ODD = {"foo": {"a": 1}, "of_null": None, "of_nothing": []}
PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
USE = {"type": "tool_use", "id": "t1", "name": "look", "input": {"foo": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "seen"}
FOUND = {
    "type": "search_result",
    "source": "https://a.example",
    "title": "T",
    "content": [{"type": "text", "text": "x"}],
}
TOOL = {"name": "look", "input_schema": {"type": "object", "foo": 1}}
SCHEMA = {"type": "json_schema", "schema": {"type": "object", "foo": 1}}
ASK = {"role": "user", "content": "go"}


def said(*content, role="user"):
    return {"role": role, "content": [{"type": "text", "text": "see"}, *content]}


def body(*messages, **fields):
    return {"model": "m", "max_tokens": 9, "messages": list(messages) or [ASK], **fields}


def dropped(call):
    return CHAT.write_call(MESSAGES.read_call(encode(call)), target()).dropped


def in_result(block):
    return body(ASK, said(USE, role="assistant"), {"role": "user", "content": [{**RESULT, "content": [block]}]})


def in_found(keys):
    return {**FOUND, "content": [{"type": "text", "text": "x", **keys}]}


MARK = {"cache_control": {"type": "ephemeral"}}
TEXTS = {**FOUND, "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y", **ODD}]}
PAGES = {"type": "content", "content": [{"type": "text", "text": "x", **ODD}]}
LOST = {
    "message": (body(ASK, {"role": "assistant", "content": "x", **ODD}), "messages[1].foo"),
    "message of the system": (body(ASK, {"role": "system", "content": "x", **ODD}), "messages[1].foo"),
    "image source": (body(said({"type": "image", "source": {**PNG, **ODD}})), "messages[0].content[1].source.foo"),
    "document source": (
        body(said({"type": "document", "source": {**PDF, **ODD}})),
        "messages[0].content[1].source.foo",
    ),
    "text source": (
        body(said({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x", **ODD}})),
        "messages[0].content[1].source.foo",
    ),
    "content source": (
        body(said({"type": "document", "source": {"type": "content", "content": "x", **ODD}})),
        "messages[0].content[1].source.foo",
    ),
    "text of a content source": (
        body(said({"type": "document", "source": PAGES})),
        "messages[0].content[1].source.content[0].foo",
    ),
    "document of blocks": (
        body(said({"type": "document", "source": {"type": "content", "content": "x"}, **ODD})),
        "messages[0].content[1].foo",
    ),
    "tool_use": (body(ASK, said({**USE, **ODD}, role="assistant")), "messages[1].content[1].foo"),
    "tool_result": (
        body(ASK, said(USE, role="assistant"), {"role": "user", "content": [{**RESULT, **ODD}]}),
        "messages[2].content[0].foo",
    ),
    "tool_result without a call": (body(said({**RESULT, **ODD})), "messages[0].content[1].foo"),
    "source in a result": (
        in_result({"type": "image", "source": {**PNG, **ODD}}),
        "messages[2].content[0].content[0].source.foo",
    ),
    "search_result": (body(said({**FOUND, **ODD})), "messages[0].content[1].foo"),
    "text of a search_result": (body(said(TEXTS)), "messages[0].content[1].content[1].foo"),
    "search_result in a result": (in_result({**FOUND, **ODD}), "messages[2].content[0].content[0].foo"),
    "tool_choice": (body(tools=[TOOL], tool_choice={"type": "auto", **ODD}), "tool_choice.foo"),
    "tool_choice of a tool": (
        body(tools=[TOOL], tool_choice={"type": "tool", "name": "look", **ODD}),
        "tool_choice.foo",
    ),
    "tool_choice of tomorrow": (body(tools=[TOOL], tool_choice={"type": "some"}), "tool_choice"),
    "format": (body(output_config={"format": {**SCHEMA, **ODD}}), "output_config.format.foo"),
    "format in its old place": (body(output_format={**SCHEMA, **ODD}), "output_config.format.foo"),
    "format of tomorrow": (body(output_config={"format": {"type": "grammar", "rules": "x"}}), "output_config.format"),
    "tool_reference": (
        in_result({"type": "tool_reference", "tool_name": "f", **ODD}),
        "messages[2].content[0].content[0].foo",
    ),
    "compaction": (
        body(ASK, said({"type": "compaction", "content": "so far", **ODD}, role="assistant")),
        "messages[1].content[1].foo",
    ),
    "signature of a compaction": (
        body(said({"type": "compaction", "content": "so far", "signature": "s"})),
        "messages[0].content[1].signature",
    ),
    "mid_conv_system": (
        body(said({"type": "mid_conv_system", "content": [{"type": "text", "text": "x", **ODD}]})),
        "messages[0].content[1].content[0].foo",
    ),
    "mid_conv_system among the turns of the system": (
        body(ASK, {"role": "system", "content": [{"type": "mid_conv_system", "content": "x", **ODD}]}),
        "messages[1].content[0].foo",
    ),
    "what a web search found": (
        body(
            ASK,
            said(
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "s1",
                    "caller": {"type": "direct"},
                    "content": [
                        {"type": "web_search_result", "title": "A", "url": "https://a.org", "encrypted_content": "e"},
                        {"type": "web_search_result", "title": "B", "url": "https://b.org", "encrypted_content": "e"},
                    ],
                },
                role="assistant",
            ),
        ),
        "messages.web_search_tool_result.content.encrypted_content",
    ),
    "what a web fetch brought": (
        body(
            ASK,
            said(
                {
                    "type": "web_fetch_tool_result",
                    "tool_use_id": "s1",
                    "content": {
                        "type": "web_fetch_result",
                        "url": "https://a.org",
                        "content": {"type": "document", "title": "A", "source": PDF},
                    },
                },
                role="assistant",
            ),
        ),
        "messages.web_fetch_tool_result.content.content.source",
    ),
    "cache mark of a search_result": (body(said({**FOUND, **MARK})), "cache_control"),
    "cache mark of a text of a search_result": (body(said(in_found(MARK))), "cache_control"),
    "cache mark in a result": (in_result({"type": "text", "text": "x", **MARK}), "cache_control"),
    "cache mark of a search_result in a result": (in_result({**FOUND, **MARK}), "cache_control"),
    "citations of a text of a search_result": (
        body(said(in_found({"citations": [{"type": "char_location"}]}))),
        "messages.citations",
    ),
    "context of a file": (body(said({"type": "document", "source": PDF, "context": "C"})), "messages.context"),
    "picture in a search_result": (
        body(said({**FOUND, "content": [*FOUND["content"], {"type": "image", "source": PNG}]})),
        "messages.image",
    ),
    "key of another block on a text": (body(said({"type": "text", "text": "x", "title": "T"})), "messages.title"),
    "key of another block on an image": (
        body(said({"type": "image", "source": PNG, "context": "C"})),
        "messages.context",
    ),
    "key of another block on a call": (
        body(ASK, said({**USE, "text": "x"}, role="assistant")),
        "messages[1].content[1].text",
    ),
    "key of another block on a result": (
        body(ASK, said(USE, role="assistant"), {"role": "user", "content": [{**RESULT, "title": "T"}]}),
        "messages[2].content[0].title",
    ),
    "key of another source": (
        body(said({"type": "image", "source": {**PNG, "url": "https://a.org"}})),
        "messages[0].content[1].source.url",
    ),
    "key of the system on a user's message": (
        body({"role": "user", "content": "x", "output_config": {"effort": "low"}}),
        "messages.output_config",
    ),
    "name of a tool that is not chosen": (
        body(tools=[TOOL], tool_choice={"type": "auto", "name": "look"}),
        "tool_choice.name",
    ),
    "tool_choice without tools": (body(tool_choice={"type": "auto"}), "tool_choice"),
    "line about billing": (
        body(system=[{"type": "text", "text": "x-anthropic-billing-header: a=1"}, {"type": "text", "text": "b"}]),
        "system[0]",
    ),
    "line about billing behind nothing": (
        body(system=[{"type": "text", "text": ""}, {"type": "text", "text": "x-anthropic-billing-header: a=1"}]),
        "system[1]",
    ),
    "line about billing in a message": (
        body(ASK, {"role": "system", "content": [{"type": "text", "text": "x-anthropic-billing-header: a=1"}]}),
        "messages[1].content[0]",
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_named_with_its_path(name):
    call, path = LOST[name]
    assert dropped(call) == (path,)


WHOLE = {
    "message": body(ASK, {"role": "assistant", "content": "x", "foo": None}),
    "sources": body(said({"type": "image", "source": PNG}, {"type": "document", "source": PDF, "title": "T"})),
    "call and result": body(
        ASK,
        said({**USE, "caller": {"type": "direct"}}, role="assistant"),
        {"role": "user", "content": [{**RESULT, "is_error": False, "content": [{"type": "text", "text": "x"}]}]},
    ),
    "found": body(said({**FOUND, "citations": {"enabled": False}})),
    "references and summaries": body(
        said({"type": "compaction", "content": "so far"}, {"type": "tool_reference", "tool_name": "f"}),
    ),
    "pages": body(
        ASK,
        said(
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s1",
                "content": [{"type": "web_search_result", "title": "A", "url": "https://a.org"}],
            },
            role="assistant",
        ),
    ),
    "context of a text": body(
        said({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "context": "C"}),
    ),
    "options": body(
        tools=[TOOL],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"format": SCHEMA},
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_sent_is_not_named(name):
    assert dropped(WHOLE[name]) == ()


def test_each_place_is_named():
    odd = {"type": "image", "source": {**PNG, "foo": 1, "bar": 2}, "baz": 3}
    assert dropped(body({**said(odd), "id": "m1"})) == (
        "messages[0].id",
        "messages.baz",
        "messages[0].content[1].source.foo",
        "messages[0].content[1].source.bar",
    )
