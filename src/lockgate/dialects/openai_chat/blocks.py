"""Anthropic's own content blocks as chat clients write them, read into canonical blocks and written back.

Portkey's chat API lets clients send what OpenAI's cannot express, and returns it in ``content_blocks``. A block that
says more than its canonical form can hold keeps its bytes in ``raw``; what no other dialect understands stays opaque.
Paths in errors are relative to the block.
Source: Anthropic Python SDK 2.12.0, types of content blocks, read 2026-11-22.
"""

from __future__ import annotations

from msgspec import Raw

from lockgate.core import blocks
from lockgate.core.blocks import KEYS, SOURCE_KEYS, ToolResultOut, block_decoder, read_wire, type_decoder
from lockgate.core.chat import Block, OpaqueBlock, ToolResultBlock
from lockgate.core.json_text import decode_input, object_keys, text_of, write_json

OPAQUE_TYPES = frozenset(
    {
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "compaction",
        "container_upload",
        "fallback",
        "mcp_tool_listing",
        "mcp_tool_result",
        "mcp_tool_use",
        "mid_conv_system",
        "search_result",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "tool_addition",
        "tool_reference",
        "tool_removal",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
"""Types that a user's content may hold and that are carried whole."""

_TYPE = frozenset({"type"})

NATIVE_TYPES = frozenset(KEYS) - {"text"}
"""Types other than text that have a canonical block of their own."""


def read_block(kind: str, raw: Raw) -> Block:
    """Read one block of Anthropic's; ``kind`` is its type. Raises InvalidRequest."""
    if kind != "text" and kind not in NATIVE_TYPES:
        return OpaqueBlock(type=kind, raw=raw)
    wire = decode_input(block_decoder, raw)
    kept = raw if kind != "text" and _says_more(kind, object_keys(raw)) else None
    return read_wire(kind, wire, raw, kept, _read_inner)


def _read_inner(raw: Raw) -> Block:
    return read_block(decode_input(type_decoder, raw).type, raw)


def _says_more(kind: str, keys: dict[str, Raw]) -> bool:
    """Tell whether a block has keys that its canonical form has no place for."""
    if not keys.keys() - _TYPE <= KEYS[kind]:
        return True
    source = object_keys(keys["source"]) if "source" in keys else {}
    return not source.keys() - _TYPE <= SOURCE_KEYS.get(text_of(source.get("type")) or "", _TYPE)


def write_block(block: Block) -> Raw:
    """Write a block as Anthropic spells it, its own bytes where it has them."""
    if block.raw is not None:
        return block.raw
    if not isinstance(block, ToolResultBlock):
        return Raw(write_json(blocks.write_block(block)))
    content = block.content
    inner: str | list[object] | None
    inner = content if isinstance(content, str | None) else [write_block(item) for item in content]
    return Raw(write_json(ToolResultOut(block.tool_use_id, inner, block.is_error, block.cache)))
