"""Anthropic's blocks mean canonical blocks and are written as they were; faults have their path within the block."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.blocks import (
    block_decoder,
    exact_block_decoder,
    further_keys,
    further_source_keys,
    read_wire,
    source_keys,
    type_decoder,
    typed_block_decoder,
    write_block,
)
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
from lockgate.core.json_text import decode_input
from lockgate.errors import InvalidRequest

MARK = Raw(b'{"type":"ephemeral"}')


def read(data, kept=None):
    raw = Raw(data.encode() if isinstance(data, str) else data)
    kind = decode_input(type_decoder, raw).type
    return read_wire(kind, decode_input(block_decoder, raw), raw, kept, read_inner)


def read_inner(raw):
    return read(bytes(raw))


BOTH_WAYS = [
    ('{"type":"text","text":"a"}', TextBlock(text="a")),
    (
        '{"type":"text","text":"a","citations":[],"cache_control":{"type":"ephemeral"}}',
        TextBlock(text="a", citations=Raw(b"[]"), cache=MARK),
    ),
    ('{"type":"thinking","thinking":"","signature":"s"}', ThinkingBlock(text="", signature="s")),
    ('{"type":"thinking","thinking":"t","signature":""}', ThinkingBlock(text="t")),
    ('{"type":"redacted_thinking","data":"d"}', RedactedThinkingBlock(data="d")),
    (
        '{"type":"tool_use","id":"i","name":"n","input":{ "a":1.0 },"cache_control":{"type":"ephemeral"}}',
        ToolUseBlock(id="i", name="n", input=Raw(b'{ "a":1.0 }'), cache=MARK),
    ),
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
    ('{"type":"of_tomorrow","n":1.0}', OpaqueBlock(type="of_tomorrow", raw=Raw(b'{"type":"of_tomorrow","n":1.0}'))),
]


@pytest.mark.parametrize("data, block", BOTH_WAYS)
def test_a_block_is_read_and_written_as_it_was(data, block):
    assert read(data) == block
    assert msgspec.json.encode(write_block(block)) == data.encode()


@pytest.mark.parametrize(
    "data, block",
    [
        ('{"type":"text","text":"a","citations":null,"cache_control":null}', TextBlock(text="a")),
        ('{"type":"tool_use","id":"i","name":"n"}', ToolUseBlock(id="i", name="n", input=Raw(b"{}"))),
        ('{"type":"tool_result","tool_use_id":"i"}', ToolResultBlock(tool_use_id="i")),
        ('{"type":"tool_result","tool_use_id":"i","content":""}', ToolResultBlock(tool_use_id="i", content="")),
        (
            '{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"a"}],"is_error":true}',
            ToolResultBlock(tool_use_id="i", content=(TextBlock(text="a"),), is_error=True),
        ),
    ],
)
def test_what_is_left_out_means_nothing(data, block):
    assert read(data) == block


def test_a_source_without_a_canonical_form_leaves_its_block_whole():
    data = '{"type":"document","source":{"type":"content","content":[]}}'
    assert read(data) == OpaqueBlock(type="document", raw=Raw(data.encode()))


@pytest.mark.parametrize("data, block", [case for case in BOTH_WAYS if not isinstance(case[1], OpaqueBlock)])
def test_a_block_keeps_the_bytes_that_it_shall(data, block):
    kept = Raw(data.encode())
    assert read(data, kept).raw == kept


def test_a_tool_result_is_not_part_of_an_answer():
    with pytest.raises(TypeError):
        write_block(ToolResultBlock(tool_use_id="i"))


def test_a_source_is_written_with_its_type():
    assert source_keys(UrlSource(url="u")) == {"type": "url", "url": "u"}


@pytest.mark.parametrize(
    "data, path",
    [
        ("5", None),
        ("{}", "type"),
        ('{"type":"text"}', "text"),
        ('{"type":"text","text":7}', "text"),
        ('{"type":"redacted_thinking"}', "data"),
        ('{"type":"tool_use","name":"n","input":{}}', "id"),
        ('{"type":"tool_use","id":"n","input":{}}', "name"),
        ('{"type":"tool_result"}', "tool_use_id"),
        ('{"type":"tool_result","tool_use_id":"i","content":5}', "content"),
        ('{"type":"tool_result","tool_use_id":"i","content":[{"type":"text"}]}', "content[0].text"),
        ('{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":""},7]}', "content[1]"),
        ('{"type":"image"}', "source"),
        ('{"type":"image","source":{}}', "source.type"),
        ('{"type":"image","source":{"type":"base64","data":"d"}}', "source.media_type"),
        ('{"type":"image","source":{"type":"url","url":[]}}', "source.url"),
        ('{"type":"document","source":{"type":"file"}}', "source.file_id"),
    ],
)
def test_a_fault_has_its_path_within_the_block(data, path):
    with pytest.raises(InvalidRequest) as caught:
        read(data)
    assert caught.value.path == path


EXACT = [
    {"type": "text", "text": "x", "citations": [], "cache_control": {"type": "ephemeral"}},
    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    {"type": "document", "source": {"type": "text"}, "title": "T", "context": "C", "citations": {}},
]


@pytest.mark.parametrize("block", EXACT, ids=[block["type"] for block in EXACT])
def test_a_block_of_its_own_keys_alone_is_read_at_once(block):
    wire = exact_block_decoder.decode(msgspec.json.encode(block))
    open_wire = typed_block_decoder.decode(msgspec.json.encode(block))
    for name in block:
        assert getattr(wire, name) == getattr(open_wire, name)


@pytest.mark.parametrize(
    "block",
    [{"type": "text", "text": "x", "title": "T"}, {"type": "text", "text": "x", "later": 1}, {"type": "hologram"}],
    ids=["another type's", "unknown", "type"],
)
def test_further_keys_and_types_need_another_look(block):
    with pytest.raises(msgspec.ValidationError):
        exact_block_decoder.decode(msgspec.json.encode(block))


def test_what_a_block_says_beyond_its_canonical_form_is_found():
    source = {"type": "url", "url": "u", "data": "odd", "later": 1}
    block = Raw(msgspec.json.encode({"type": "image", "source": source, "title": "T", "later": 1, "nothing": None}))
    assert further_keys("image", block) == {"title": Raw(b'"T"'), "later": Raw(b"1")}
    assert further_source_keys(block) == {"data": Raw(b'"odd"'), "later": Raw(b"1")}
