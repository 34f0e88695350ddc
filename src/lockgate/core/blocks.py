"""Anthropic's content blocks as Structs, and what they mean as canonical blocks.

Messages are made of them, and Portkey's chat API lets clients send and receive them as well. Belongs here: what both
read and write alike. Does not belong here: which bytes of a block are kept, and which blocks a dialect takes.
Paths in errors are relative to the block.
Source: Anthropic Python SDK 2.12.0, types of content blocks, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar, Union

import msgspec
from msgspec import Raw, Struct, structs

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
from lockgate.core.json_text import (
    ABSENT,
    EMPTY_OBJECT,
    NULL,
    REQUIRED,
    below,
    decode,
    decode_input,
    given,
    list_decoder,
    object_keys,
    text_decoder,
    text_of,
)
from lockgate.errors import InvalidRequest

_T = TypeVar("_T", bound=Struct)

KEYS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "citations", "cache_control"}),
    "image": frozenset({"source", "cache_control"}),
    "document": frozenset({"source", "title", "context", "citations", "cache_control"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input", "cache_control"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error", "cache_control"}),
}
"""The keys beside ``type`` that the canonical form of each type of block has a place for."""

SOURCE_KEYS: Mapping[str, frozenset[str]] = {
    "base64": frozenset({"media_type", "data"}),
    "url": frozenset({"url"}),
    "file": frozenset({"file_id"}),
    "text": frozenset({"media_type", "data"}),
}
"""The same for each type of source."""

_NO_KEYS: frozenset[str] = frozenset()

# ---- read


class TypeIn(Struct, gc=False):
    """The one key that every block, tool and choice has."""

    type: str


class SourceIn(Struct, gc=False):
    """``source`` of an image or document."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class BlockIn(Struct, gc=False):
    """The keys of the block types that we type, but ``type``; which of them count depends on it."""

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


class TypedBlockIn(BlockIn, kw_only=True, gc=False):
    """A block with its type."""

    type: str


def _exact_decoder(shape: type[_T], keys: Mapping[str, Iterable[str]]) -> msgspec.json.Decoder[_T]:
    """Return a decoder for objects that have the keys of their ``type`` and no others.

    What it decodes has these attributes of the shape only, and fails for types that are not among ``keys``.
    """
    kinds = [
        msgspec.defstruct(
            f"Exact_{kind}",
            [(field.name, field.type, field.default) for field in structs.fields(shape) if field.name in names],
            tag_field="type",
            tag=kind,
            forbid_unknown_fields=True,
            gc=False,
            namespace={"type": kind},
        )
        for kind, names in keys.items()
    ]
    return msgspec.json.Decoder(Union[tuple(kinds)])  # noqa: UP007  # made of a list


type_decoder = msgspec.json.Decoder(TypeIn)
block_decoder = msgspec.json.Decoder(BlockIn)
typed_block_decoder = msgspec.json.Decoder(TypedBlockIn)
exact_block_decoder = _exact_decoder(TypedBlockIn, KEYS)
"""For blocks whose every key is canonical; it fails for all others."""
_source_decoder = msgspec.json.Decoder(SourceIn)
_exact_source_decoder = _exact_decoder(SourceIn, SOURCE_KEYS)


def read_wire(kind: str, wire: BlockIn, raw: Raw, kept: Raw | None, read_inner: Callable[[Raw], Block]) -> Block:
    """Return what a block means. Raises InvalidRequest.

    ``raw`` are its bytes, ``kept`` those of them that the block shall keep; ``read_inner`` reads a block inside it.
    """
    match kind:
        case "text":
            text = _need(wire.text, "text")
            return TextBlock(text=text, citations=given(wire.citations), cache=given(wire.cache_control), raw=kept)
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
            return _tool_result(wire, kept, read_inner)
        case "image" | "document":
            return _media(kind, wire, raw, kept)
        case _:
            return OpaqueBlock(type=kind, raw=raw)


def _tool_result(wire: BlockIn, kept: Raw | None, read_inner: Callable[[Raw], Block]) -> ToolResultBlock:
    body = given(wire.content)
    try:
        content = None if body is None else _result_content(body, read_inner)
    except InvalidRequest as error:
        raise below(error, "content") from None
    return ToolResultBlock(
        tool_use_id=_need(wire.tool_use_id, "tool_use_id"),
        content=content,
        is_error=wire.is_error is True,
        cache=given(wire.cache_control),
        raw=kept,
    )


def _result_content(body: Raw, read_inner: Callable[[Raw], Block]) -> str | tuple[Block, ...]:
    if bytes(body)[:1] == b'"':
        return decode_input(text_decoder, body)
    blocks: list[Block] = []
    raws: list[Raw] = decode_input(list_decoder, body)
    for at, raw in enumerate(raws):
        try:
            blocks.append(read_inner(raw))
        except InvalidRequest as error:
            raise below(error, f"[{at}]") from None
    return tuple(blocks)


def _media(kind: str, wire: BlockIn, raw: Raw, kept: Raw | None) -> Block:
    found = given(wire.source)
    if found is None:
        raise InvalidRequest(REQUIRED, path="source")
    try:
        try:
            wire_source: SourceIn = decode(_exact_source_decoder, found)
        except (ValueError, RecursionError):
            wire_source = decode_input(_source_decoder, found)
            kept = raw
        source = _source(wire_source)
    except InvalidRequest as error:
        raise below(error, "source") from None
    if source is None:
        return OpaqueBlock(type=kind, raw=raw)
    cache = given(wire.cache_control)
    if kind == "image":
        return ImageBlock(source=source, cache=cache, raw=kept)
    return DocumentBlock(
        source=source,
        title=wire.title,
        context=wire.context,
        citations=given(wire.citations),
        cache=cache,
        raw=kept,
    )


def _source(wire: SourceIn) -> Source | None:
    """Return a source, None when its type has no canonical form."""
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


def further_keys(kind: str, raw: Raw) -> dict[str, Raw]:
    """Return what a block of this type says beside what its canonical form has a place for."""
    known = KEYS.get(kind, _NO_KEYS)
    members = object_keys(raw).items()
    return {name: value for name, value in members if name != "type" and name not in known and value != NULL}


def further_source_keys(raw: Raw) -> dict[str, Raw]:
    """Return the same for the source of a block."""
    source = object_keys(object_keys(raw).get("source", NULL))
    known = SOURCE_KEYS.get(text_of(source.get("type")) or "", _NO_KEYS)
    return {name: value for name, value in source.items() if name != "type" and name not in known}


def _need(value: str | None, name: str) -> str:
    if value is None:
        raise InvalidRequest(REQUIRED, path=name)
    return value


# ---- written


class TextOut(Struct, tag_field="type", tag="text", omit_defaults=True, gc=False):
    """Visible text. Not frozen: a cache mark may move here from an empty block behind it."""

    text: str
    citations: Raw | None = None
    cache_control: Raw | None = None


class ImageOut(Struct, tag_field="type", tag="image", omit_defaults=True, gc=False):
    """An image."""

    source: dict[str, str | Raw]
    cache_control: Raw | None = None


class DocumentOut(Struct, tag_field="type", tag="document", omit_defaults=True, gc=False):
    """A document."""

    source: dict[str, str | Raw]
    title: str | None = None
    context: str | None = None
    citations: Raw | None = None
    cache_control: Raw | None = None


class ThinkingOut(Struct, tag_field="type", tag="thinking", gc=False):
    """Signed reasoning."""

    thinking: str
    signature: str


class RedactedThinkingOut(Struct, tag_field="type", tag="redacted_thinking", gc=False):
    """Encrypted reasoning."""

    data: str


class ToolUseOut(Struct, tag_field="type", tag="tool_use", omit_defaults=True, gc=False):
    """A call of a client's tool."""

    id: str
    name: str
    input: Raw
    cache_control: Raw | None = None


class ToolResultOut(Struct, tag_field="type", tag="tool_result", omit_defaults=True, gc=False):
    """What the client's tool answered."""

    tool_use_id: str
    content: str | list[object] | None = None
    is_error: bool = False
    cache_control: Raw | None = None


BlockOut: TypeAlias = TextOut | ImageOut | DocumentOut | ThinkingOut | RedactedThinkingOut | ToolUseOut | Raw


def write_block(block: Block) -> BlockOut:
    """Return a block of a reply or of an assistant's turn as it is written; a tool result is not one."""
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
            return ImageOut(source_keys(block.source), block.cache)
        case DocumentBlock():
            source = source_keys(block.source)
            return DocumentOut(source, block.title, block.context, block.citations, block.cache)
        case OpaqueBlock():
            return block.raw
        case ToolResultBlock():
            raise TypeError("a tool result belongs to a user's turn")


def source_keys(source: Source) -> dict[str, str | Raw]:
    """Return ``source`` as it is written."""
    match source:
        case Base64Source():
            return {"type": "base64", "media_type": source.media_type, "data": source.data}
        case UrlSource():
            return {"type": "url", "url": source.url}
        case FileSource():
            return {"type": "file", "file_id": source.file_id}
        case TextSource():
            return {"type": "text", "media_type": "text/plain", "data": source.text}
