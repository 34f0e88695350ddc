"""Blocks are read and written without loss; faults have their path."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.blocks import TextOut
from lockgate.core.chat import (
    Base64Source,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from lockgate.dialects.anthropic_messages.blocks import read_block, with_further_keys, write_block
from lockgate.errors import InvalidRequest

MARK = Raw(b'{"type":"ephemeral"}')


@pytest.mark.parametrize(
    "data, block",
    [
        ('{"type":"text","text":"a"}', TextBlock(text="a")),
        (
            '{"type":"text","text":"a","citations":[],"cache_control":{"type":"ephemeral"}}',
            TextBlock(text="a", citations=Raw(b"[]"), cache=MARK),
        ),
        ('{"type":"text","text":"a","citations":null}', TextBlock(text="a")),
        ('{"type":"thinking","thinking":"","signature":"s"}', ThinkingBlock(text="", signature="s")),
        ('{"type":"thinking","thinking":"t","signature":""}', ThinkingBlock(text="t")),
        ('{"type":"redacted_thinking","data":"d"}', RedactedThinkingBlock(data="d")),
        (
            '{"type":"tool_use","id":"i","name":"n","input":{ "a":1.0 }}',
            ToolUseBlock(id="i", name="n", input=Raw(b'{ "a":1.0 }')),
        ),
        ('{"type":"tool_use","id":"i","name":"n"}', ToolUseBlock(id="i", name="n", input=Raw(b"{}"))),
        (
            '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}',
            ImageBlock(source=Base64Source(media_type="image/png", data="AA==")),
        ),
        ('{"type":"image","source":{"type":"url","url":"u"}}', ImageBlock(source=UrlSource(url="u"))),
        (
            '{"type":"document","source":{"type":"file","file_id":"f"},"title":"t","citations":{"enabled":true}}',
            DocumentBlock(source=FileSource(file_id="f"), title="t", citations=Raw(b'{"enabled":true}')),
        ),
        (
            '{"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"},"context":"c"}',
            DocumentBlock(source=TextSource(text="d"), context="c"),
        ),
        ('{"type":"tool_result","tool_use_id":"i"}', ToolResultBlock(tool_use_id="i")),
        ('{"type":"tool_result","tool_use_id":"i","content":""}', ToolResultBlock(tool_use_id="i", content="")),
        (
            '{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"a"}],"is_error":true}',
            ToolResultBlock(tool_use_id="i", content=(TextBlock(text="a"),), is_error=True),
        ),
    ],
)
def test_a_known_block_is_typed(data, block):
    assert read_block(Raw(data.encode()), "p") == block


@pytest.mark.parametrize(
    "data",
    [
        '{"type":"web_search_tool_result","tool_use_id":"s","content":[{"encrypted_content":"E\\u00e9"}]}',
        '{"type":"document","source":{"type":"content","content":[]}}',
        '{"type":"of_tomorrow"}',
    ],
)
def test_an_unknown_block_is_carried_whole(data):
    block = read_block(Raw(data.encode()), "p")
    assert isinstance(block, OpaqueBlock)
    assert bytes(block.raw) == data.encode()
    assert write_block(block) == block.raw


def test_bytes_are_kept_where_there_is_more_than_we_know():
    data = Raw(b'{"type":"tool_use","id":"i","name":"n","input":{},"caller":{"type":"direct"}}')
    assert read_block(data, "p").raw == data
    assert read_block(Raw(b'{"type":"text","text":"a"}'), "p", is_raw_kept=True).raw is not None


def test_further_keys_are_added_and_canonical_ones_never():
    raw = Raw(b'{"type":"text","text":"old","cache_control":{"type":"ephemeral"},"later":[1],"none":null}')
    out = with_further_keys(TextOut("new"), raw)
    assert msgspec.json.decode(msgspec.json.encode(out)) == {"type": "text", "text": "new", "later": [1]}


@pytest.mark.parametrize(
    "data, path",
    [
        ("5", "p"),
        ("{}", "p.type"),
        ('{"type":7}', "p.type"),
        ('{"type":"text"}', "p.text"),
        ('{"type":"text","text":7}', "p.text"),
        ('{"type":"redacted_thinking"}', "p.data"),
        ('{"type":"tool_use","name":"n","input":{}}', "p.id"),
        ('{"type":"tool_use","id":"i","name":"n","input":[]}', "p.input"),
        ('{"type":"tool_result"}', "p.tool_use_id"),
        ('{"type":"tool_result","tool_use_id":"i","content":5}', "p.content"),
        ('{"type":"tool_result","tool_use_id":"i","content":[{"type":"text"}]}', "p.content[0].text"),
        ('{"type":"image"}', "p.source"),
        ('{"type":"image","source":{"type":"base64","data":"d"}}', "p.source.media_type"),
        ('{"type":"image","source":{"type":"url","url":[]}}', "p.source.url"),
        ('{"type":"document","source":{"type":"file"}}', "p.source.file_id"),
    ],
)
def test_a_fault_has_its_path(data, path):
    with pytest.raises(InvalidRequest) as caught:
        read_block(Raw(data.encode()), "p")
    assert caught.value.path == path


@pytest.mark.parametrize(
    "data, words",
    [
        (b'{"type":"image","source":{"type":"url","url":"\xff"}}', "not valid UTF-8"),
        (b'{"type":"tool_result","tool_use_id":"i","content":' + b"[" * 100_000, "nests deeper than"),
    ],
)
def test_broken_text_within_a_block_is_a_fault_of_the_client(data, words):
    with pytest.raises(InvalidRequest, match=words) as caught:
        read_block(Raw(data), "p")
    assert caught.value.path in ("p", None)


@pytest.mark.parametrize("kind", ["image", "document"])
def test_further_keys_of_a_source_are_written(kind):
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA", "url": "odd", "later": {"a": 1.0}}
    block = {"type": kind, "source": source, "foo": 1, "text": "of another type"}
    read = read_block(Raw(msgspec.json.encode(block)), "x")
    written = with_further_keys(write_block(read), read.raw)
    assert msgspec.json.decode(msgspec.json.encode(written)) == block
