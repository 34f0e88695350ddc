"""Citations of the documents and search results that a request brings along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lockgate.simulator.anthropic.blocks import Out, TextOut
from lockgate.simulator.anthropic.seal import blocks_of

_CITED_LETTERS = 60


def cite(messages: Sequence[Any], text: TextOut) -> list[Out]:
    """Return the text, and behind it a cited sentence when the request asks for citations."""
    citation = next(_citations(messages), None)
    if citation is None:
        return [text]
    cited = TextOut(text=f"The source says: {citation['cited_text']}", citations=(citation,))
    return [text, TextOut(text=" "), cited, TextOut(text=" That is all.")]


def _citations(messages: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    documents = results = 0
    for block in _sources(messages):
        is_cited = bool((block.get("citations") or {}).get("enabled"))
        if block["type"] == "document":
            if is_cited:
                yield _cite_document(block, documents)
            documents += 1
        else:
            if is_cited:
                yield _cite_search_result(block, results)
            results += 1


def _sources(messages: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        for block in blocks_of(message):
            inner = block.get("content") if block["type"] == "tool_result" else None
            for one in [block, *(inner if isinstance(inner, list) else ())]:
                if one["type"] in ("document", "search_result"):
                    yield one


def _cite_document(block: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    source = block["source"]
    common = {"document_index": index, "document_title": block.get("title"), "file_id": source.get("file_id")}
    if source["type"] == "text" or (source["type"] == "content" and isinstance(source["content"], str)):
        cited = (source.get("data") or source["content"])[:_CITED_LETTERS]
        place = {"start_char_index": 0, "end_char_index": len(cited)}
        return {"type": "char_location", "cited_text": cited, **common, **place}
    if source["type"] == "content":
        texts = [inner["text"] for inner in source["content"] if inner["type"] == "text"]
        place = {"start_block_index": 0, "end_block_index": 1}
        return {"type": "content_block_location", "cited_text": (texts or [""])[0], **common, **place}
    place = {"start_page_number": 1, "end_page_number": 2}
    return {"type": "page_location", "cited_text": "Page one of the document.", **common, **place}


def _cite_search_result(block: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    return {
        "type": "search_result_location",
        "cited_text": block["content"][0]["text"],
        "search_result_index": index,
        "source": block["source"],
        "title": block["title"],
        "start_block_index": 0,
        "end_block_index": 1,
    }
