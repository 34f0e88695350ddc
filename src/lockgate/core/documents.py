"""Documents that a call only names by URL, for targets that take none: where they stand, and what takes their place.

The URLs themselves are fetched elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from lockgate.core.chat import Block, Call, DocumentBlock, Source, ToolResultBlock, UrlSource


def may_have_urls(body: bytes) -> bool:
    """Tell whether a body may name a document by URL; most do not, and need not be looked through."""
    return b'"url"' in body and b'"document"' in body


def documents_at_urls(call: Call) -> dict[str, str]:
    """Return the URLs of documents, in results of tools too, by the path of their block."""
    found: dict[str, str] = {}
    for at, message in enumerate(call.messages):
        found.update(_in_blocks(message.content, f"messages[{at}].content"))
    return found


def with_sources(call: Call, sources: Mapping[str, Source]) -> Call:
    """Return the call with the sources of documents in place of their URLs; a URL without one stays."""
    messages = tuple(
        structs.replace(message, content=tuple(_replaced(block, sources) for block in message.content))
        for message in call.messages
    )
    return structs.replace(call, messages=messages)


def _in_blocks(blocks: tuple[Block, ...], path: str) -> Iterator[tuple[str, str]]:
    for at, block in enumerate(blocks):
        if isinstance(block, DocumentBlock) and isinstance(block.source, UrlSource):
            yield f"{path}[{at}]", block.source.url
        elif isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
            yield from _in_blocks(block.content, f"{path}[{at}].content")


def _replaced(block: Block, sources: Mapping[str, Source]) -> Block:
    if isinstance(block, DocumentBlock) and isinstance(block.source, UrlSource):
        source = sources.get(block.source.url)
        return block if source is None else structs.replace(block, source=source, raw=None)
    if isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
        inner = tuple(_replaced(one, sources) for one in block.content)
        return structs.replace(block, content=inner, raw=None) if inner != block.content else block
    return block
