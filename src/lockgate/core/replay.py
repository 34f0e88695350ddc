"""A whole reply as the chunks of a stream: what is kept whole is told again to a client that wants a stream."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw, structs

from lockgate.core.chat import Block, Reply, TextBlock, ThinkingBlock, ToolUseBlock
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Chunk,
    CitationDelta,
    Done,
    Finish,
    InputDelta,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import list_items

MAX_CHARS = 500
"""How much text one chunk holds."""
_EMPTY_INPUT = Raw(b"{}")


def replay(reply: Reply) -> list[Chunk]:
    """Return the chunks from which ``assemble.Assembler`` makes the same reply."""
    usage = structs.replace(reply.usage, output=None, reasoning=None, output_audio=None)
    chunks: list[Chunk] = [Start(reply.id, reply.model, usage)]
    for index, block in enumerate(reply.content):
        chunks += _block(index, block)
    chunks.append(Finish(reply.stop_reason, reply.stop_sequence, reply.usage, reply.extra))
    chunks.append(Done())
    return chunks


def _block(index: int, block: Block) -> Iterator[Chunk]:
    match block:
        case TextBlock():
            yield BlockStart(index, TextBlock(text=""))
            yield from (TextDelta(index, part) for part in _parts(block.text))
            if block.citations is not None:
                yield from (CitationDelta(index, citation) for citation in list_items(block.citations))
        case ThinkingBlock():
            yield BlockStart(index, ThinkingBlock(text="", signature=None if block.signature is None else ""))
            yield from (ThinkingDelta(index, part) for part in _parts(block.text))
            if block.signature:
                yield SignatureDelta(index, block.signature)
        case ToolUseBlock():
            yield BlockStart(index, structs.replace(block, input=_EMPTY_INPUT))
            yield from (InputDelta(index, part) for part in _parts(bytes(block.input).decode()))
        case _:
            yield BlockStart(index, block)
    yield BlockStop(index)


def _parts(text: str) -> Iterator[str]:
    for start in range(0, len(text), MAX_CHARS):
        yield text[start : start + MAX_CHARS]
