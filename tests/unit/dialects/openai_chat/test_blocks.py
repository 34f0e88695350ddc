"""Anthropic's own blocks, read and written back."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from lockgate.core.chat import Base64Source, DocumentBlock, ImageBlock, TextBlock, ThinkingBlock, UrlSource
from lockgate.dialects.openai_chat.blocks import read_block, write_block
from lockgate.errors import InvalidRequest
from tests.unit.dialects.openai_chat.samples import raw, shape

CACHE = {"type": "ephemeral"}

CASES = {
    "text": {"type": "text", "text": "x", "citations": [{"type": "char_location"}], "cache_control": CACHE},
    "thinking": {"type": "thinking", "thinking": "hm", "signature": "s"},
    "thinking without words": {"type": "thinking", "thinking": "", "signature": "s"},
    "redacted thinking": {"type": "redacted_thinking", "data": "x"},
    "tool use": {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}, "cache_control": CACHE},
    "tool use of a toolset": {"type": "tool_use", "id": "t", "name": "n", "input": {}, "toolset_name": "computer"},
    "tool result": {"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True},
    "tool result of blocks": {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]},
    "tool result without content": {"type": "tool_result", "tool_use_id": "t"},
    "image": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    "image in the store": {"type": "image", "source": {"type": "file", "file_id": "f"}, "cache_control": CACHE},
    "document": {
        "type": "document",
        "source": {"type": "url", "url": "https://e.org/a.pdf"},
        "title": "T",
        "context": "C",
        "citations": {"enabled": True},
    },
    "document of words": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
    "document with new keys": {"type": "document", "source": {"type": "url", "url": "https://e.org", "new": 1}},
    "server tool use": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
    "a block of next year": {"type": "hologram", "depth": 3},
}


@pytest.mark.parametrize("name", CASES)
def test_a_block_comes_back_as_it_was(name):
    block = read_block(CASES[name]["type"], raw(CASES[name]))
    assert shape(write_block(block)) == CASES[name]


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [("thinking", False), ("tool use", False), ("tool use of a toolset", True), ("document with new keys", True)],
)
def test_bytes_are_kept_only_where_they_say_more(name, is_kept):
    block = read_block(CASES[name]["type"], raw(CASES[name]))
    assert (block.raw is not None) is is_kept


def test_an_opaque_block_keeps_its_bytes():
    data = b'{ "type":"server_tool_use", "encrypted_content":"\\u00e9\\/" , "n":1.0 }'
    assert bytes(write_block(read_block("server_tool_use", Raw(data)))) == data


def test_a_tools_input_keeps_its_bytes():
    data = b'{"type":"tool_use","id":"t","name":"n","input":{ "n":1.0, "big":123456789012345678901234567890 }}'
    assert bytes(read_block("tool_use", Raw(data)).input) == b'{ "n":1.0, "big":123456789012345678901234567890 }'


REFUSED = {
    "text": ({"type": "text"}, "text"),
    "redacted thinking": ({"type": "redacted_thinking"}, "data"),
    "tool use without id": ({"type": "tool_use", "name": "n"}, "id"),
    "tool use without name": ({"type": "tool_use", "id": "t"}, "name"),
    "tool result": ({"type": "tool_result"}, "tool_use_id"),
    "tool result with a number": ({"type": "tool_result", "tool_use_id": "t", "content": 1}, "content"),
    "image without source": ({"type": "image"}, "source"),
    "image with an empty source": ({"type": "image", "source": {}}, "source.type"),
    "image without a URL": ({"type": "image", "source": {"type": "url"}}, "source.url"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_block_without_what_it_needs_is_refused(name):
    block, path = REFUSED[name]
    with pytest.raises(InvalidRequest) as caught:
        read_block(block["type"], raw(block))
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("block", "written"),
    [
        (TextBlock(text="x"), {"type": "text", "text": "x"}),
        (ThinkingBlock(text="x"), {"type": "thinking", "thinking": "x", "signature": ""}),
        (
            ImageBlock(source=UrlSource(url="https://e.org")),
            {"type": "image", "source": {"type": "url", "url": "https://e.org"}},
        ),
        (
            DocumentBlock(source=Base64Source(media_type="application/pdf", data="AAAA")),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
        ),
    ],
)
def test_a_block_that_never_was_anthropics_is_written_like_one(block, written):
    assert json.loads(bytes(write_block(block))) == written
