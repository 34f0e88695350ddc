"""What opaque blocks say in words."""

from __future__ import annotations

import pytest

from lockgate.core.chat import OpaqueBlock
from lockgate.dialects.openai_chat.opaque_text import source_line, text_of_block
from tests.unit.dialects.openai_chat.samples import raw

TEXTS = {
    "tool reference": ({"type": "tool_reference", "tool_name": "f"}, "Tool available: f"),
    "search result": (
        {"type": "search_result", "title": "T", "source": "https://e.org", "content": [{"type": "text", "text": "x"}]},
        "T\nhttps://e.org\nx",
    ),
    "document": (
        {"type": "document", "title": "T", "context": "C", "source": {"type": "content", "content": "x"}},
        "T\nC\nx",
    ),
    "document of pictures": (
        {"type": "document", "source": {"type": "content", "content": [{"type": "image"}]}},
        None,
    ),
    "compaction": ({"type": "compaction", "content": "what was said"}, "what was said"),
    "sealed compaction": ({"type": "compaction", "content": None, "signature": "s"}, None),
    "upload": ({"type": "container_upload", "file_id": "f"}, None),
    "next year's": ({"type": "hologram"}, None),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_block_is_put_into_words(name):
    block, words = TEXTS[name]
    assert text_of_block(OpaqueBlock(type=block["type"], raw=raw(block))) == words


LINES = {
    "search": (
        {
            "type": "web_search_tool_result",
            "content": [
                {"type": "web_search_result", "title": "A", "url": "https://a.org"},
                {"type": "web_search_result", "url": "https://b.org"},
                {"type": "web_search_result"},
            ],
        },
        "Web pages found: A (https://a.org); https://b.org",
    ),
    "search that failed": (
        {"type": "web_search_tool_result", "content": {"type": "web_search_tool_result_error", "error_code": "x"}},
        None,
    ),
    "search without results": ({"type": "web_search_tool_result", "content": []}, None),
    "fetch": (
        {
            "type": "web_fetch_tool_result",
            "content": {
                "type": "web_fetch_result",
                "url": "https://a.org",
                "content": {"type": "document", "title": "A", "source": {"data": "long"}},
            },
        },
        "Web pages found: A (https://a.org)",
    ),
    "fetch without content": ({"type": "web_fetch_tool_result"}, None),
    "another": ({"type": "code_execution_tool_result", "content": []}, None),
}


@pytest.mark.parametrize("name", LINES)
def test_pages_that_a_server_found_are_one_line(name):
    block, line = LINES[name]
    assert source_line(OpaqueBlock(type=block["type"], raw=raw(block))) == line
