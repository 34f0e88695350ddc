"""What opaque blocks say in words."""

from __future__ import annotations

import pytest

from lockgate.core.chat import OpaqueBlock
from lockgate.dialects.openai_chat.opaque_text import cites, is_cited, others_than_text, source_line, text_of_block
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


@pytest.mark.parametrize(
    ("value", "does_cite"),
    [
        ({"enabled": True}, True),
        ({"enabled": False}, False),
        ({}, False),
        ([], False),
        ([{"type": "char_location"}], True),
        (7, False),
    ],
)
def test_citations_that_are_asked_for_or_given_count(value, does_cite):
    assert cites(raw(value)) is does_cite


def test_without_citations_nothing_is_cited():
    assert cites(None) is False


@pytest.mark.parametrize(
    ("kinds", "expected"), [(("text",), []), (("text", "image"), ["image"]), ((), []), ((None,), ["unknown"])]
)
def test_what_is_no_text_in_a_block_is_seen(kinds, expected):
    content = [{"type": kind} for kind in kinds]
    document = {"type": "document", "source": {"type": "content", "content": content}}
    assert others_than_text(OpaqueBlock(type="document", raw=raw(document))) == expected
    found = {"type": "search_result", "content": content}
    assert others_than_text(OpaqueBlock(type="search_result", raw=raw(found))) == expected


def test_citations_of_a_block_and_of_its_texts_are_seen():
    cited = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}
    for keys, expected in (({"citations": {"enabled": True}}, True), ({"content": [cited]}, True), ({}, False)):
        assert is_cited(OpaqueBlock(type="search_result", raw=raw({"type": "search_result", **keys}))) is expected
