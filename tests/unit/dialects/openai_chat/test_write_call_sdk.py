"""What we write to providers is of the types that OpenAI's SDK sends."""

from __future__ import annotations

import json

import pytest
from openai.types.chat import ChatCompletionMessageParam, completion_create_params
from pydantic import TypeAdapter

from lockgate.core.chat import (
    Base64Source,
    Call,
    DocumentBlock,
    FunctionTool,
    ImageBlock,
    Message,
    OutputFormat,
    TextBlock,
    ThinkingBlock,
    ToolChoice,
    ToolResultBlock,
    ToolUseBlock,
)
from lockgate.dialects.openai_chat import DIALECT
from tests.unit.dialects.openai_chat.samples import raw, target
from tests.unit.dialects.openai_chat.sdk import exhausted

CALL = TypeAdapter(completion_create_params.CompletionCreateParams)
MESSAGE = TypeAdapter(ChatCompletionMessageParam)
IMAGE = ImageBlock(source=Base64Source(media_type="image/png", data="AAAA"))
PDF = DocumentBlock(source=Base64Source(media_type="application/pdf", data="AAAA"))
TURNS = (
    Message(role="user", content=(TextBlock(text="look"), IMAGE, PDF)),
    Message(
        role="assistant",
        content=(
            ThinkingBlock(text="hm"),
            TextBlock(text="I do."),
            ToolUseBlock(id="t" * 50, name="my tool", input=raw({})),
        ),
    ),
    Message(role="system", content=(TextBlock(text="note"),)),
    Message(role="user", content=(ToolResultBlock(tool_use_id="t" * 50, content=(TextBlock(text="x"), IMAGE)),)),
    Message(role="assistant", content=(ToolUseBlock(id="u", name="g", input=raw({"a": 1})),)),
)
SCHEMA = raw({"type": "object", "properties": {}})

FIELDS = {
    "plain": {},
    "stream": {"stream": True},
    "options": {"max_tokens": 5, "temperature": 0.5, "top_p": 0.5, "stop": ("a",), "user": "u", "effort": "max"},
    "tools": {
        "tools": (FunctionTool(name="my tool", description="d", schema=SCHEMA, strict=True), FunctionTool(name="g")),
        "tool_choice": ToolChoice(mode="tool", name="my tool", parallel=False),
    },
    "schema": {"output": OutputFormat(kind="json_schema", schema=SCHEMA, description="d")},
    "object": {"output": OutputFormat(kind="json_object")},
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_call_is_of_the_sdks_type(name):
    call = Call(model="m", messages=TURNS, system=(TextBlock(text="s"),), **FIELDS[name])
    body = json.loads(DIALECT.write_call(call, target()).body)
    found = exhausted(CALL.validate_python(body))
    assert found.keys() == body.keys()
    assert [exhausted(MESSAGE.validate_python(message)) for message in body["messages"]] == body["messages"]
