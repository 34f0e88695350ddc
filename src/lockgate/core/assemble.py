"""Folds a stream of chunks into the reply that it expresses.

The result equals what the provider would have answered without streaming, but for ``raw``: only blocks that carry
keys beyond the canonical ones have it.
"""

from __future__ import annotations

from msgspec import Raw, structs

from lockgate.core.chat import (
    Block,
    OpaqueBlock,
    Reply,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Chunk,
    CitationDelta,
    Finish,
    InputDelta,
    OpaqueDelta,
    SignatureDelta,
    Start,
    StreamError,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT, is_object_text, list_decoder, object_decoder, text_decoder, write_json


def merge_usage(old: Usage, new: Usage) -> Usage:
    """Return ``new`` with what only ``old`` knows: counts of a stream are cumulative, never added."""
    if new == Usage():
        return old
    known = {name: value for name in Usage.__struct_fields__ if (value := getattr(new, name)) is not None}
    known["extra"] = {**old.extra, **new.extra}
    return structs.replace(old, **known)


def read_input(text: str) -> Raw:
    """Return the text of a tool's input as one JSON object; text cut short is kept under ``_raw_arguments``."""
    if not text or text.isspace():
        return EMPTY_OBJECT
    if not is_object_text(text):
        return Raw(write_json({"_raw_arguments": text}))
    return Raw(text.strip().encode())


class Assembler:
    """Collects the chunks of one reply."""

    def __init__(self) -> None:
        self.error: StreamError | None = None
        """What the provider reported inside the stream."""
        self._id = ""
        self._model = ""
        self._usage = Usage()
        self._stop_reason: StopReason | None = None
        self._stop_sequence: str | None = None
        self._extra: dict[str, Raw] = {}
        self._blocks: list[Block] = []
        self._open: _OpenBlock | None = None

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk; one that says nothing about the reply is passed over."""
        match chunk:
            case TextDelta() | ThinkingDelta() | InputDelta() | SignatureDelta() | CitationDelta() | OpaqueDelta():
                if self._open is not None:
                    self._open.add(chunk)
            case BlockStart():
                self._close()
                self._open = _OpenBlock(chunk.block)
            case BlockStop():
                self._close()
            case Start():
                self._id, self._model, self._usage = chunk.id, chunk.model, chunk.usage
            case Finish():
                self._stop_reason, self._stop_sequence = chunk.reason, chunk.stop_sequence
                self._usage = merge_usage(self._usage, chunk.usage)
                self._extra = chunk.extra
            case StreamError():
                self.error = chunk
            case _:
                pass

    def reply(self) -> Reply:
        """Return the reply as far as it is known: of a stream cut short, what came before the cut."""
        last = (self._open.block(),) if self._open is not None else ()
        return Reply(
            id=self._id,
            model=self._model,
            content=(*self._blocks, *last),
            stop_reason=self._stop_reason,
            stop_sequence=self._stop_sequence,
            usage=self._usage,
            extra=self._extra,
        )

    def _close(self) -> None:
        if self._open is not None:
            self._blocks.append(self._open.block())
            self._open = None


class _OpenBlock:
    """A block whose deltas are still coming."""

    def __init__(self, start: Block) -> None:
        self._start = start
        self._texts: list[str] = []
        self._signature: str | None = None
        self._citations: list[Raw] = []
        self._opaque: list[OpaqueDelta] = []

    def add(self, delta: Chunk) -> None:
        match delta:
            case TextDelta() | ThinkingDelta():
                self._texts.append(delta.text)
            case InputDelta():
                self._texts.append(delta.fragment)
            case SignatureDelta():
                self._signature = delta.signature
            case CitationDelta():
                self._citations.append(delta.citation)
            case OpaqueDelta():
                self._opaque.append(delta)
            case _:
                pass

    def block(self) -> Block:
        """Return the block as far as it is known."""
        start, text = self._start, "".join(self._texts)
        match start:
            case TextBlock():
                citations = _joined(start.citations, self._citations)
                return structs.replace(start, text=start.text + text, citations=citations, raw=None)
            case ThinkingBlock():
                signature = self._signature or start.signature
                return structs.replace(start, text=start.text + text, signature=signature, raw=None)
            case ToolUseBlock():
                found = read_input(text) if text else start.input
                return structs.replace(start, input=found, raw=_with_input(start.raw, found))
            case OpaqueBlock() if self._opaque:
                return structs.replace(start, raw=_folded(start.raw, self._opaque))
            case _:
                return start


def _joined(first: Raw | None, more: list[Raw]) -> Raw | None:
    if not more:
        return first
    known = list_decoder.decode(first) if first is not None else []
    return Raw(write_json([*known, *more]))


def _with_input(raw: Raw | None, found: Raw) -> Raw | None:
    return None if raw is None else Raw(write_json({**object_decoder.decode(raw), "input": found}))


def _folded(raw: Raw, deltas: list[OpaqueDelta]) -> Raw:
    """Return an opaque block with its deltas: input grows by fragments, every other key is set anew."""
    keys = object_decoder.decode(raw)
    fragments: list[str] = []
    for delta in deltas:
        members = object_decoder.decode(delta.raw)
        members.pop("type", None)
        if delta.type == "input_json_delta":
            fragments.append(text_decoder.decode(members.get("partial_json", Raw(b'""'))))
        else:
            keys.update(members)
    if fragments:
        keys["input"] = read_input("".join(fragments))
    return Raw(write_json(keys))
