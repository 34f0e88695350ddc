"""Content blocks, read from the wire into canonical blocks and back, as calls and replies need them.

In a call a canonical block's own fields always win over its ``raw``, which only supplies the keys that the canonical
form lacks: a policy that changes a text is not undone by the bytes that the text came in.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from lockgate.core import blocks
from lockgate.core.blocks import (
    BlockOut,
    DocumentOut,
    ImageOut,
    TypedBlockIn,
    exact_block_decoder,
    further_keys,
    further_source_keys,
    read_wire,
    source_keys,
    typed_block_decoder,
)
from lockgate.core.body import too_deep
from lockgate.core.chat import Base64Source, Block, DocumentBlock, ImageBlock, Source, TextSource
from lockgate.core.json_text import bad_utf8, decode, decode_input, given, write_json
from lockgate.dialects.anthropic_messages.faults import place
from lockgate.errors import InvalidRequest

_PDF = "application/pdf"
_SAME_TYPE = {"image/jpg": "image/jpeg"}


# ---- reading


def read_block(raw: Raw, path: str, *, is_raw_kept: bool = False) -> Block:
    """Read one block. Raises InvalidRequest.

    ``raw`` is kept where the block has keys that the canonical form lacks, or always if that is asked for.
    """
    try:
        return _read(raw, raw if is_raw_kept else None)
    except InvalidRequest as fault:
        raise place(fault, path) from None
    except UnicodeDecodeError:
        raise bad_utf8(bytes(raw), path) from None
    except RecursionError:
        raise too_deep() from None


def read_blocks(raws: list[Raw], path: str) -> tuple[Block, ...]:
    """Read a list of blocks. Raises InvalidRequest."""
    return tuple(read_block(raw, f"{path}[{at}]") for at, raw in enumerate(raws))


def _read(raw: Raw, kept: Raw | None = None) -> Block:
    try:
        wire: TypedBlockIn = decode(exact_block_decoder, raw)
    except (ValueError, RecursionError):
        wire = decode_input(typed_block_decoder, raw)
        kept = raw
    kind = wire.type
    if kind == "tool_use" and bytes(given(wire.input) or b"{}")[:1] != b"{":
        raise InvalidRequest("expected `object`", path="input")
    return read_wire(kind, wire, raw, kept, _read)


# ---- writing


def write_block(block: Block) -> BlockOut:
    """Write a block of a reply or of an assistant's turn; a tool result is not one."""
    match block:
        case ImageBlock():
            return write_image(block)
        case DocumentBlock():
            return write_document(block)
        case _:
            return blocks.write_block(block)


def write_image(block: ImageBlock) -> ImageOut | DocumentOut:
    """Write an image; what is a document by its media type is written as one."""
    source = block.source
    if isinstance(source, TextSource) or (isinstance(source, Base64Source) and source.media_type == _PDF):
        return DocumentOut(_source_keys(source), cache_control=block.cache)
    return ImageOut(_source_keys(source), block.cache)


def write_document(block: DocumentBlock) -> DocumentOut:
    """Write a document."""
    return DocumentOut(_source_keys(block.source), block.title, block.context, block.citations, block.cache)


def _source_keys(source: Source) -> dict[str, str | Raw]:
    keys = source_keys(source)
    if isinstance(source, Base64Source) and source.media_type in _SAME_TYPE:
        keys["media_type"] = _SAME_TYPE[source.media_type]
    return keys


def with_further_keys(out: msgspec.Struct, raw: Raw | None) -> msgspec.Struct | Raw:
    """Return a block with the keys of its ``raw`` that the canonical form lacks."""
    if raw is None:
        return out
    if isinstance(out, ImageOut | DocumentOut):
        out.source |= further_source_keys(raw)
    further = further_keys(str(out.__struct_config__.tag), raw)
    if not further:
        return out
    encoded = write_json(out)
    return Raw(encoded[:-1] + b"," + write_json(further)[1:])
