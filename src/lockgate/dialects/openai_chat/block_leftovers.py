"""Names what stands in Anthropic's blocks and options, below the fields of a call, and is lost to OpenAI's format.

Keys that nobody knows keep the path where the client wrote them. Typed blocks are looked into only where they kept
their bytes, which they do when they have more than their canonical form holds.
Source: Anthropic Python SDK 2.12.0, types of content blocks, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw

from lockgate.core.blocks import SOURCE_KEYS
from lockgate.core.chat import DocumentBlock, ImageBlock, OpaqueBlock, ToolResultBlock, ToolUseBlock
from lockgate.core.json_text import NULL, object_keys
from lockgate.core.shapes import Shape, name_lost

_TEXTS = {"text": Shape(frozenset({"type", "text", "citations", "cache_control"}))}
_SOURCE = {kind: Shape(keys | {"type"}) for kind, keys in SOURCE_KEYS.items()}
_TOOL_USE = Shape(frozenset({"type", "id", "name", "input", "cache_control", "caller", "toolset_name"}))
"""The last two say who made the call: they mean nothing where there is but one way to call."""
_TOOL_RESULT = Shape(frozenset({"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"}))
_OPAQUE = {
    "search_result": Shape(
        frozenset({"type", "source", "title", "citations", "cache_control"}),
        {"content": _TEXTS},
    ),
    "document": Shape(
        frozenset({"type", "title", "context", "citations", "cache_control"}),
        {"source": Shape(frozenset({"type", "media_type"}), {"content": _TEXTS})},
    ),
    "tool_reference": Shape(frozenset({"type", "tool_name", "name", "cache_control"})),
    "compaction": Shape(frozenset({"type", "cache_control"}), {"content": _TEXTS}),
    "mid_conv_system": Shape(frozenset({"type", "cache_control"}), {"content": _TEXTS}),
}
_SERVER_RESULT = frozenset({"type", "tool_use_id", "caller", "cache_control"})
_PAGES = {
    "web_search_tool_result": Shape(_SERVER_RESULT, {"content": Shape(frozenset({"type", "title", "url"}))}),
    "web_fetch_tool_result": Shape(
        _SERVER_RESULT,
        {"content": Shape(frozenset({"type", "url"}), {"content": Shape(frozenset({"type", "title"}))})},
    ),
}
"""What is left of the pages that a server found is one line."""
_PLAIN_CHOICE = Shape(frozenset({"type", "disable_parallel_tool_use"}))
_CHOICE = {
    "auto": _PLAIN_CHOICE,
    "any": _PLAIN_CHOICE,
    "none": _PLAIN_CHOICE,
    "tool": Shape(_PLAIN_CHOICE.fields | {"name"}),
}
_FORMAT = Shape(frozenset({"type", "schema"}))


def block_leftovers(
    block: ToolUseBlock | ToolResultBlock | ImageBlock | DocumentBlock | OpaqueBlock, path: str
) -> Iterable[str]:
    """Return the paths of what is lost of a block; the own keys of images and typed documents are not among them."""
    raw = block.raw
    if raw is None:
        return ()
    found: dict[str, None] = {}
    match block:
        case ToolUseBlock():
            name_lost(raw, _TOOL_USE, path, found)
        case ToolResultBlock():
            name_lost(raw, _TOOL_RESULT, path, found)
        case OpaqueBlock(type=kind):
            if kind in _OPAQUE:
                name_lost(raw, _OPAQUE[kind], path, found)
        case _:
            name_lost(object_keys(raw).get("source", NULL), _SOURCE, f"{path}.source", found)
    return found


def page_leftovers(block: OpaqueBlock) -> Iterable[str]:
    """Return the paths of what is lost of a block of pages that became one line, without places in lists."""
    found: dict[str, None] = {}
    name_lost(block.raw, _PAGES, f"messages.{block.type}", found, has_places=False)
    return found


def choice_leftovers(raw: Raw) -> Iterable[str]:
    """Return the paths of what is lost of ``tool_choice``."""
    found: dict[str, None] = {}
    name_lost(raw, _CHOICE, "tool_choice", found)
    return found


def format_leftovers(raw: Raw, *, is_read: bool) -> Iterable[str]:
    """Return the paths of what is lost of ``output_config.format``: all of it when nobody could read it."""
    path = "output_config.format"
    if not is_read:
        return () if raw == NULL else (path,)
    found: dict[str, None] = {}
    name_lost(raw, _FORMAT, path, found)
    return found
