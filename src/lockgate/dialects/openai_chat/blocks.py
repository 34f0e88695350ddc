"""Anthropic's own content blocks as chat clients write them, read into canonical blocks and written back.

Portkey's chat API lets clients send what OpenAI's cannot express, and returns it in ``content_blocks``. A block that
says more than its canonical form can hold keeps its bytes in ``raw``; what no other dialect understands stays opaque.
Paths in errors are relative to the block.
Source: Anthropic Python SDK 2.12.0, types of content blocks, read 2026-11-22.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from lockgate.core.chat import (
    Base64Source,
    Block,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OpaqueBlock,
    RedactedThinkingBlock,
    Source,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from lockgate.dialects import EMPTY_OBJECT
from lockgate.dialects.openai_chat.json_text import ABSENT, below, decode_input, given, object_keys, write_json
from lockgate.dialects.openai_chat.wire import read_raws, read_text
from lockgate.errors import InvalidRequest

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


class SourceIn(Struct):
    """``source`` of an image or document."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class BlockIn(Struct):
    """The keys of the block types that we type; which of them count depends on the type."""

    text: str | None = None
    citations: Raw = ABSENT
    cache_control: Raw = ABSENT
    source: Raw = ABSENT
    title: str | None = None
    context: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = ABSENT
    tool_use_id: str | None = None
    content: Raw = ABSENT
    is_error: bool | None = None


class TypeIn(Struct):
    """The one key that every block and part has."""

    type: str


_read_source = msgspec.json.Decoder(SourceIn)
_read_block = msgspec.json.Decoder(BlockIn)
read_type = msgspec.json.Decoder(TypeIn)

_CANONICAL_KEYS = {
    "text": frozenset({"type", "text", "citations", "cache_control"}),
    "image": frozenset({"type", "source", "cache_control"}),
    "document": frozenset({"type", "source", "title", "context", "citations", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
}
_SOURCE_KEYS = frozenset({"type", "media_type", "data", "url", "file_id"})

NATIVE_TYPES = frozenset(_CANONICAL_KEYS) - {"text"}
"""Types other than text that have a canonical block of their own."""


def read_block(kind: str, raw: Raw) -> Block:
    """Read one block of Anthropic's; ``kind`` is its type. Raises InvalidRequest."""
    if kind != "text" and kind not in NATIVE_TYPES:
        return OpaqueBlock(type=kind, raw=raw)
    wire = decode_input(_read_block, raw)
    kept = raw if _says_more(kind, object_keys(raw)) else None
    match kind:
        case "text":
            return _text(wire)
        case "thinking":
            return ThinkingBlock(text=wire.thinking or "", signature=wire.signature or None, raw=kept)
        case "redacted_thinking":
            return RedactedThinkingBlock(data=_need(wire.data, "data"), raw=kept)
        case "tool_use":
            return ToolUseBlock(
                id=_need(wire.id, "id"),
                name=_need(wire.name, "name"),
                input=given(wire.input) or EMPTY_OBJECT,
                cache=given(wire.cache_control),
                raw=kept,
            )
        case "tool_result":
            return _tool_result(wire, kept)
        case _:
            return _media(kind, wire, raw, kept)


def _says_more(kind: str, keys: dict[str, Raw]) -> bool:
    """Tell whether a block has keys that its canonical form has no place for."""
    if not keys.keys() <= _CANONICAL_KEYS[kind]:
        return True
    return "source" in keys and not object_keys(keys["source"]).keys() <= _SOURCE_KEYS


def _text(wire: BlockIn) -> TextBlock:
    text = _need(wire.text, "text")
    return TextBlock(text=text, citations=given(wire.citations), cache=given(wire.cache_control))


def _tool_result(wire: BlockIn, kept: Raw | None) -> ToolResultBlock:
    content: str | tuple[Block, ...] | None = None
    body = given(wire.content)
    if body is not None:
        is_text = bytes(body)[:1] == b'"'
        content = decode_input(read_text, body) if is_text else _read_blocks(body)
    return ToolResultBlock(
        tool_use_id=_need(wire.tool_use_id, "tool_use_id"),
        content=content,
        is_error=bool(wire.is_error),
        cache=given(wire.cache_control),
        raw=kept,
    )


def _read_blocks(body: Raw) -> tuple[Block, ...]:
    found: list[Block] = []
    raws: list[Raw] = decode_input(read_raws, body)
    for at, raw in enumerate(raws):
        try:
            found.append(read_block(decode_input(read_type, raw).type, raw))
        except InvalidRequest as error:
            raise below(error, f"content[{at}]") from None
    return tuple(found)


def _media(kind: str, wire: BlockIn, raw: Raw, kept: Raw | None) -> Block:
    source = given(wire.source)
    if source is None:
        raise InvalidRequest("this field is required", path="source")
    try:
        found = _source(decode_input(_read_source, source))
    except InvalidRequest as error:
        raise below(error, "source") from None
    if found is None:
        return OpaqueBlock(type=kind, raw=raw)
    cache = given(wire.cache_control)
    if kind == "image":
        return ImageBlock(source=found, cache=cache, raw=kept)
    return DocumentBlock(
        source=found,
        title=wire.title,
        context=wire.context,
        citations=given(wire.citations),
        cache=cache,
        raw=kept,
    )


def _source(wire: SourceIn) -> Source | None:
    match wire.type:
        case "base64":
            return Base64Source(media_type=_need(wire.media_type, "media_type"), data=_need(wire.data, "data"))
        case "url":
            return UrlSource(url=_need(wire.url, "url"))
        case "file":
            return FileSource(file_id=_need(wire.file_id, "file_id"))
        case "text":
            return TextSource(text=_need(wire.data, "data"))
        case _:
            return None


def _need(value: str | None, name: str) -> str:
    if value is None:
        raise InvalidRequest("this field is required", path=name)
    return value


def write_block(block: Block) -> Raw:
    """Write a block as Anthropic spells it, its own bytes where it has them."""
    if block.raw is not None:
        return block.raw
    return Raw(write_json({key: value for key, value in _keys(block).items() if value is not None}))


def _keys(block: Block) -> dict[str, object]:
    match block:
        case TextBlock():
            return _cached("text", block.cache, text=block.text, citations=block.citations)
        case ThinkingBlock():
            return _cached("thinking", None, thinking=block.text, signature=block.signature or "")
        case RedactedThinkingBlock():
            return _cached("redacted_thinking", None, data=block.data)
        case ToolUseBlock():
            return _cached("tool_use", block.cache, id=block.id, name=block.name, input=block.input)
        case ImageBlock():
            return _cached("image", block.cache, source=_source_keys(block.source))
        case DocumentBlock():
            keys = {"title": block.title, "context": block.context, "citations": block.citations}
            return _cached("document", block.cache, source=_source_keys(block.source), **keys)
        case ToolResultBlock():
            content = block.content
            body = content if isinstance(content, str | None) else [write_block(item) for item in content]
            is_error = True if block.is_error else None
            return _cached("tool_result", block.cache, tool_use_id=block.tool_use_id, content=body, is_error=is_error)
        case OpaqueBlock():
            return {}


def _cached(kind: str, cache: Raw | None, **keys: object) -> dict[str, object]:
    return {"type": kind, **keys, "cache_control": cache}


def _source_keys(source: Source) -> dict[str, str]:
    match source:
        case Base64Source():
            return {"type": "base64", "media_type": source.media_type, "data": source.data}
        case UrlSource():
            return {"type": "url", "url": source.url}
        case FileSource():
            return {"type": "file", "file_id": source.file_id}
        case TextSource():
            return {"type": "text", "media_type": "text/plain", "data": source.text}
