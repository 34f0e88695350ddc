"""Content blocks, read from the wire into canonical blocks and back.

In a call a canonical block's own fields always win over its ``raw``, which only supplies the keys that the canonical
form lacks: a policy that changes a text is not undone by the bytes that the text came in.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Raw

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
from lockgate.dialects.anthropic_messages.json_text import (
    NULL,
    decode,
    decode_input,
    given,
    join,
    object_keys,
    refuse,
    write_json,
)
from lockgate.dialects.anthropic_messages.wire import (
    BlockIn,
    DocumentOut,
    ImageOut,
    RedactedThinkingOut,
    TextOut,
    ThinkingOut,
    ToolUseOut,
    block_decoder,
    exact_block_decoder,
    list_decoder,
    source_decoder,
    text_decoder,
)

BlockOut: TypeAlias = TextOut | ImageOut | DocumentOut | ThinkingOut | RedactedThinkingOut | ToolUseOut | Raw

_PDF = "application/pdf"
_SAME_TYPE = {"image/jpg": "image/jpeg"}


# ---- reading


def read_block(raw: Raw, path: str, *, is_raw_kept: bool = False) -> Block:
    """Read one block. Raises InvalidRequest.

    ``raw`` is kept where the block has keys that the canonical form lacks, or always if that is asked for.
    """
    kept: Raw | None = raw if is_raw_kept else None
    try:
        wire: BlockIn = decode(exact_block_decoder, raw)
    except (ValueError, RecursionError):
        wire = decode_input(block_decoder, raw, path)
        kept = raw
    match wire.type:
        case "text":
            text = _need(wire.text, path, "text")
            return TextBlock(text=text, citations=given(wire.citations), cache=given(wire.cache_control), raw=kept)
        case "thinking":
            return ThinkingBlock(text=wire.thinking or "", signature=wire.signature or None, raw=kept)
        case "redacted_thinking":
            return RedactedThinkingBlock(data=_need(wire.data, path, "data"), raw=kept)
        case "tool_use":
            return _tool_use(wire, kept, path)
        case "tool_result":
            return _tool_result(wire, kept, path)
        case "image" | "document":
            return _media(wire, raw, kept, path)
        case _:
            return OpaqueBlock(type=wire.type, raw=raw)


def read_blocks(raws: list[Raw], path: str) -> tuple[Block, ...]:
    """Read a list of blocks. Raises InvalidRequest."""
    return tuple(read_block(raw, f"{path}[{at}]") for at, raw in enumerate(raws))


def _tool_use(wire: BlockIn, kept: Raw | None, path: str) -> ToolUseBlock:
    found = given(wire.input) or EMPTY_OBJECT
    if bytes(found)[:1] != b"{":
        raise refuse(join(path, "input"), "expected `object`")
    return ToolUseBlock(
        id=_need(wire.id, path, "id"),
        name=_need(wire.name, path, "name"),
        input=found,
        cache=given(wire.cache_control),
        raw=kept,
    )


def _tool_result(wire: BlockIn, kept: Raw | None, path: str) -> ToolResultBlock:
    content: str | tuple[Block, ...] | None = None
    body = given(wire.content)
    if body is not None:
        below = join(path, "content")
        if bytes(body)[:1] == b'"':
            content = decode_input(text_decoder, body, below)
        else:
            content = read_blocks(decode_input(list_decoder, body, below), below)
    return ToolResultBlock(
        tool_use_id=_need(wire.tool_use_id, path, "tool_use_id"),
        content=content,
        is_error=wire.is_error is True,
        cache=given(wire.cache_control),
        raw=kept,
    )


def _media(wire: BlockIn, raw: Raw, kept: Raw | None, path: str) -> Block:
    found = given(wire.source)
    below = join(path, "source")
    if found is None:
        raise refuse(below, "this field is required")
    source = _source(found, below)
    if source is None:
        return OpaqueBlock(type=wire.type, raw=raw)
    cache = given(wire.cache_control)
    if wire.type == "image":
        return ImageBlock(source=source, cache=cache, raw=kept)
    return DocumentBlock(
        source=source,
        title=wire.title,
        context=wire.context,
        citations=given(wire.citations),
        cache=cache,
        raw=kept,
    )


def _source(raw: Raw, path: str) -> Source | None:
    """Read a source, None when its type has no canonical form."""
    wire = decode_input(source_decoder, raw, path)
    match wire.type:
        case "base64":
            return Base64Source(
                media_type=_need(wire.media_type, path, "media_type"), data=_need(wire.data, path, "data")
            )
        case "url":
            return UrlSource(url=_need(wire.url, path, "url"))
        case "file":
            return FileSource(file_id=_need(wire.file_id, path, "file_id"))
        case "text":
            return TextSource(text=_need(wire.data, path, "data"))
        case _:
            return None


def _need(value: str | None, path: str, name: str) -> str:
    if value is None:
        raise refuse(join(path, name), "this field is required")
    return value


# ---- writing


def write_block(block: Block) -> BlockOut:
    """Write a block of a reply or of an assistant's turn; a tool result is not one."""
    match block:
        case TextBlock():
            return TextOut(block.text, block.citations, block.cache)
        case ThinkingBlock():
            return ThinkingOut(block.text, block.signature or "")
        case RedactedThinkingBlock():
            return RedactedThinkingOut(block.data)
        case ToolUseBlock():
            return ToolUseOut(block.id, block.name, block.input, block.cache)
        case ImageBlock():
            return write_image(block)
        case DocumentBlock():
            return write_document(block)
        case OpaqueBlock():
            return block.raw
        case ToolResultBlock():
            raise TypeError("a tool result belongs to a user's turn")


def write_image(block: ImageBlock) -> ImageOut | DocumentOut:
    """Write an image; what is a document by its media type is written as one."""
    source = block.source
    if isinstance(source, TextSource) or (isinstance(source, Base64Source) and source.media_type == _PDF):
        return DocumentOut(_source_keys(source), cache_control=block.cache)
    return ImageOut(_source_keys(source), block.cache)


def write_document(block: DocumentBlock) -> DocumentOut:
    """Write a document."""
    return DocumentOut(_source_keys(block.source), block.title, block.context, block.citations, block.cache)


def _source_keys(source: Source) -> dict[str, str]:
    match source:
        case Base64Source():
            media_type = _SAME_TYPE.get(source.media_type, source.media_type)
            return {"type": "base64", "media_type": media_type, "data": source.data}
        case UrlSource():
            return {"type": "url", "url": source.url}
        case FileSource():
            return {"type": "file", "file_id": source.file_id}
        case TextSource():
            return {"type": "text", "media_type": "text/plain", "data": source.text}


_CANONICAL_KEYS = frozenset(BlockIn.__struct_fields__)


def with_further_keys(out: msgspec.Struct, raw: Raw | None) -> msgspec.Struct | Raw:
    """Return a block with the keys of its ``raw`` that the canonical form lacks."""
    if raw is None:
        return out
    further = {name: value for name, value in object_keys(raw).items() if name not in _CANONICAL_KEYS and value != NULL}
    if not further:
        return out
    encoded = write_json(out)
    return Raw(encoded[:-1] + b"," + write_json(further)[1:])
