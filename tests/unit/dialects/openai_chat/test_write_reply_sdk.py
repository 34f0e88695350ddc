"""OpenAI's SDK reads the replies that we write."""

from __future__ import annotations

import json

import pytest
from openai.types.chat import ChatCompletion

from lockgate.core.chat import TextBlock, ToolUseBlock
from lockgate.dialects.openai_chat import DIALECT
from tests.unit.dialects.openai_chat.replies import REPLIES
from tests.unit.dialects.openai_chat.samples import view
from tests.unit.dialects.openai_chat.sdk import client

QUESTION = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("name", REPLIES)
def test_a_strict_reply_is_of_the_sdks_type(name):
    found = ChatCompletion.model_validate_json(DIALECT.write_reply(REPLIES[name], view()), strict=True)
    assert found.choices[0].message.content is not None
    assert found.usage.prompt_tokens == 531
    assert found.usage.prompt_tokens_details.cached_tokens == 7


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", REPLIES)
def test_the_sdk_reads_what_the_model_said(name, strict):
    whole = REPLIES[name]
    with client(DIALECT.write_reply(whole, view(strict=strict))) as openai:
        found = openai.chat.completions.create(model="m", messages=QUESTION)
    message = found.choices[0].message
    assert message.content == "".join(block.text for block in whole.content if isinstance(block, TextBlock))
    assert [
        (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
    ] == [
        (block.id, block.name, json.loads(bytes(block.input)))
        for block in whole.content
        if isinstance(block, ToolUseBlock)
    ]
    assert hasattr(message, "content_blocks") is not strict
    assert found.provider == "anthropic"


def test_annotations_are_the_sdks_type():
    found = ChatCompletion.model_validate_json(
        DIALECT.write_reply(REPLIES["search with citations"], view()), strict=True
    )
    assert found.choices[0].message.annotations[0].url_citation.url == "https://e.org/g"
