"""What Anthropic's blocks say in words, and what no words say, for providers that know no such blocks.

Source: Anthropic Python SDK 2.12.0, types of content blocks, read 2026-11-22.
"""

from __future__ import annotations

from msgspec import Raw

from lockgate.core.chat import Block, OpaqueBlock, ToolResultBlock
from lockgate.core.json_text import ABSENT, given, list_items, object_keys, text_of

_TRUE = Raw(b"true")
_CACHE = b'"cache_control"'


def cites(citations: Raw | None) -> bool:
    """Tell whether ``citations`` asks for some (a document's switch) or holds some (a text's list)."""
    if citations is None:
        return False
    return bool(list_items(citations)) or object_keys(citations).get("enabled") == _TRUE


def text_of_block(block: OpaqueBlock) -> str | None:
    """Return what a user's opaque block says, None when words cannot say it."""
    keys = object_keys(block.raw)
    match block.type:
        case "tool_reference":
            name = text_of(keys.get("tool_name")) or text_of(keys.get("name"))
            return f"Tool available: {name}" if name else None
        case "search_result":
            return _lines(text_of(keys.get("title")), text_of(keys.get("source")), _texts(keys.get("content")))
        case "document":
            inner = object_keys(keys["source"]) if "source" in keys else {}
            body = _texts(inner.get("content"))
            return _lines(text_of(keys.get("title")), text_of(keys.get("context")), body) if body else None
        case "compaction" | "mid_conv_system":
            return _texts(keys.get("content")) or None
        case _:
            return None


def others_than_text(block: OpaqueBlock) -> list[str]:
    """Return the types of the blocks inside a block that are no text."""
    kinds = [text_of(entry.get("type")) or "unknown" for entry in _entries(block)]
    return [kind for kind in kinds if kind != "text"]


def is_cited(block: OpaqueBlock) -> bool:
    """Tell whether a block, or a text inside it, asks for citations or holds some."""
    return cites(object_keys(block.raw).get("citations")) or any(
        cites(entry.get("citations")) for entry in _entries(block)
    )


def is_marked(block: Block) -> bool:
    """Tell whether a block, or one inside it, has a cache mark."""
    if isinstance(block, OpaqueBlock):
        if _CACHE not in bytes(block.raw):
            return False
        marks = (object_keys(block.raw), *_entries(block))
        return any(given(keys.get("cache_control", ABSENT)) is not None for keys in marks)
    if isinstance(block, ToolResultBlock) and isinstance(block.content, tuple):
        return block.cache is not None or any(map(is_marked, block.content))
    return getattr(block, "cache", None) is not None


def _entries(block: OpaqueBlock) -> list[dict[str, Raw]]:
    """Return the keys of each block inside a block."""
    keys = object_keys(block.raw)
    if block.type == "document":
        keys = object_keys(keys["source"]) if "source" in keys else {}
    return [object_keys(entry) for entry in list_items(keys.get("content"))]


def source_line(block: OpaqueBlock) -> str | None:
    """Return one line with the pages that a web search or fetch found, so that later turns can refer to them."""
    content = object_keys(block.raw).get("content")
    if block.type == "web_search_tool_result":
        pages = [_page(object_keys(entry)) for entry in list_items(content)]
    elif block.type == "web_fetch_tool_result" and content is not None:
        keys = object_keys(content)
        document = object_keys(keys["content"]) if "content" in keys else {}
        pages = [_page({**document, **keys})]
    else:
        return None
    named = [page for page in pages if page]
    return f"Web pages found: {'; '.join(named)}" if named else None


def _page(keys: dict[str, Raw]) -> str:
    title, url = text_of(keys.get("title")), text_of(keys.get("url"))
    return f"{title} ({url})" if title and url else url or ""


def _texts(raw: Raw | None) -> str:
    """Return a string, or the texts of a list of text blocks joined by line breaks."""
    plain = text_of(raw)
    if plain is not None:
        return plain
    texts = (text_of(object_keys(entry).get("text")) for entry in list_items(raw))
    return "\n".join(text for text in texts if text)


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
