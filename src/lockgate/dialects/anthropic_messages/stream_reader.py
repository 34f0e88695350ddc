"""Reads a provider's stream of Messages events into chunks.

The closing chunks wait for ``message_stop``, because usage may be corrected until then. Unknown events are passed
over, as are pings' contents and the ``[DONE]`` of imitators.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from lockgate.core.assemble import merge_usage
from lockgate.core.chat import Block, OpaqueBlock, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock, Usage
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Chunk,
    CitationDelta,
    Done,
    Finish,
    InputDelta,
    OpaqueDelta,
    Ping,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT, NULL, given, list_items, object_keys
from lockgate.core.sse import Event, SseDecoder
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages.errors import read_stream_error
from lockgate.dialects.anthropic_messages.faults import decode_upstream
from lockgate.dialects.anthropic_messages.read_reply import read_envelope, read_reply_block
from lockgate.dialects.anthropic_messages.undo import StreamUndo
from lockgate.dialects.anthropic_messages.usage import read_usage
from lockgate.dialects.anthropic_messages.wire import DeltaIn, EventIn, event_decoder, raw_delta_decoder
from lockgate.errors import Malformed

_NO_RULES = ReplyRules()
_WRONG = "Invalid response received from the provider: "
_EVENT_KEYS = frozenset({"type", "delta", "usage"})
_DELTA_KEYS = frozenset({"type", "stop_reason", "stop_sequence"})
_OPENING_KEYS = frozenset({"type", "text", "thinking", "signature", "data", "id", "name", "input", "citations"})


class StreamReader:
    """Reads one stream."""

    def __init__(self, rules: ReplyRules) -> None:
        self.is_complete = False
        self.dropped: Sequence[str] = ()
        self._sse = SseDecoder()
        self._undo = StreamUndo(rules) if rules != _NO_RULES else None
        self._has_started = self._has_failed = False
        self._open: Block | None = None
        self._index = -1
        self._usage = Usage()
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._extra: dict[str, Raw] = {}

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Return the chunks that these bytes complete. Raises Malformed on garbage, nothing else."""
        return self._read_all(self._sse.feed(data))

    def close(self) -> Sequence[Chunk]:
        """Return the chunks that only the end of input completes. Raises Malformed if the stream was cut short."""
        chunks = self._read_all(self._sse.close())
        if not self.is_complete and not self._has_failed:
            raise Malformed("The stream ended before completion")
        return chunks

    def _read_all(self, events: list[Event]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in events:
            if self.is_complete or self._has_failed:
                break
            self._read(event, chunks)
        return chunks if self._undo is None else self._undo.pass_on(chunks)

    def _read(self, event: Event, chunks: list[Chunk]) -> None:
        data = event.data
        try:
            wire = event_decoder.decode(data)
        except (ValueError, RecursionError):
            if data.strip() == b"[DONE]":
                return
            wire = decode_upstream(event_decoder, data, "an event")
        kind = wire.type or event.kind
        if kind == "content_block_delta":
            self._read_delta(wire, data, chunks)
            return
        match kind:
            case "content_block_start":
                self._start_block(wire, chunks)
            case "content_block_stop":
                self._stop_block(chunks)
            case "message_start":
                self._start(wire, chunks)
            case "message_delta":
                self._read_message_delta(wire, data)
            case "message_stop":
                self._stop_block(chunks)
                self.is_complete = True
                chunks.append(Finish(self._stop_reason, self._stop_sequence, self._usage, self._extra))
                chunks.append(Done())
            case "ping":
                chunks.append(Ping())
            case "error":
                self._has_failed = True
                chunks.append(read_stream_error(wire.error))
            case _:
                pass

    def _start(self, wire: EventIn, chunks: list[Chunk]) -> None:
        if self._has_started:
            return
        found = given(wire.message)
        if found is None:
            raise Malformed(_WRONG + "message_start without a message")
        message, self._extra = read_envelope(found)
        self._has_started = True
        self._usage = read_usage(message.usage)
        self._stop_reason, self._stop_sequence = message.stop_reason, message.stop_sequence
        chunks.append(Start(message.id, message.model, self._usage))

    def _read_message_delta(self, wire: EventIn, data: bytes) -> None:
        delta = wire.delta
        if delta is not None:
            self._stop_reason = delta.stop_reason or self._stop_reason
            self._stop_sequence = delta.stop_sequence or self._stop_sequence
        self._usage = merge_usage(self._usage, read_usage(wire.usage))
        event = object_keys(data)
        further = {
            **{name: value for name, value in object_keys(event.get("delta", NULL)).items() if name not in _DELTA_KEYS},
            **{name: value for name, value in event.items() if name not in _EVENT_KEYS},
        }
        if further:
            self._extra = {**self._extra, **{name: value for name, value in further.items() if value != NULL}}

    def _start_block(self, wire: EventIn, chunks: list[Chunk]) -> None:
        """Open a block; what it holds already is sent as deltas, so that no reader has to look for it in two places."""
        raw = given(wire.content_block)
        if not self._has_started or raw is None:
            raise Malformed(_WRONG + "a block that starts without a message, or without content")
        self._stop_block(chunks)
        block = read_reply_block(raw)
        self._index += 1
        self._open = block
        chunks.extend(_opening(self._index, block, raw))

    def _stop_block(self, chunks: list[Chunk]) -> None:
        if self._open is not None:
            self._open = None
            chunks.append(BlockStop(self._index))

    def _read_delta(self, wire: EventIn, data: bytes, chunks: list[Chunk]) -> None:
        delta = wire.delta
        if delta is None or self._open is None:
            raise Malformed(_WRONG + "a delta outside of a block")
        index = self._index
        if delta.type == "text_delta" and delta.text is not None:
            if delta.text:
                chunks.append(TextDelta(index, delta.text))
        elif delta.type == "input_json_delta" and isinstance(self._open, ToolUseBlock):
            if delta.partial_json:
                chunks.append(InputDelta(index, delta.partial_json))
        elif (typed := _typed_delta(index, delta)) is not None:
            chunks.append(typed)
        else:
            raw = decode_upstream(raw_delta_decoder, data, "a delta").delta
            chunks.append(OpaqueDelta(index, delta.type or "", raw))


def _typed_delta(index: int, delta: DeltaIn) -> Chunk | None:
    """Return the chunk of the rarer deltas, None for one that is carried whole."""
    if delta.type == "thinking_delta" and delta.thinking is not None:
        return ThinkingDelta(index, delta.thinking)
    if delta.type == "signature_delta" and delta.signature is not None:
        return SignatureDelta(index, delta.signature)
    if delta.type == "citations_delta" and given(delta.citation) is not None:
        return CitationDelta(index, delta.citation)
    return None


def _opening(index: int, block: Block, raw: Raw) -> list[Chunk]:
    match block:
        case TextBlock():
            chunks: list[Chunk] = [BlockStart(index, TextBlock(text=""))]
            if block.text:
                chunks.append(TextDelta(index, block.text))
            if block.citations is not None:
                chunks.extend(CitationDelta(index, citation) for citation in list_items(block.citations))
            return chunks
        case ThinkingBlock():
            chunks = [BlockStart(index, ThinkingBlock(text=""))]
            if block.text:
                chunks.append(ThinkingDelta(index, block.text))
            if block.signature:
                chunks.append(SignatureDelta(index, block.signature))
            return chunks
        case ToolUseBlock():
            kept = raw if object_keys(raw).keys() - _OPENING_KEYS else None
            chunks = [BlockStart(index, ToolUseBlock(id=block.id, name=block.name, input=EMPTY_OBJECT, raw=kept))]
            given_input = bytes(block.input)
            if object_keys(given_input):
                chunks.append(InputDelta(index, given_input.decode("utf-8", "replace")))
            return chunks
        case RedactedThinkingBlock() | OpaqueBlock():
            return [BlockStart(index, block)]
        case _:
            return [BlockStart(index, block)]
