"""Writes chunks as Messages events for a client.

Text, by far the most frequent, goes through byte templates. Everything is ASCII on one line, because some clients'
readers end lines at U+2028. Source: Anthropic integration specification, section 3.6.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.core.blocks import ToolUseOut
from lockgate.core.chat import Block, OpaqueBlock, TextBlock, ThinkingBlock, ToolUseBlock, Usage
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
    StreamError,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT, ascii_string, one_line, write_json
from lockgate.dialects import View
from lockgate.dialects.anthropic_messages.blocks import with_further_keys, write_block
from lockgate.dialects.anthropic_messages.errors import anthropic_kind, error_message
from lockgate.dialects.anthropic_messages.usage import write_usage
from lockgate.dialects.anthropic_messages.write_reply import message_id
from lockgate.errors import GatewayError, Rejected

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
_TEXT = _DELTA + b'{"type":"text_delta","text":%b}}\n\n'
_THINKING = _DELTA + b'{"type":"thinking_delta","thinking":%b}}\n\n'
_SIGNATURE = _DELTA + b'{"type":"signature_delta","signature":%b}}\n\n'
_INPUT = _DELTA + b'{"type":"input_json_delta","partial_json":%b}}\n\n'
_CITATION = _DELTA + b'{"type":"citations_delta","citation":%b}}\n\n'
_OTHER = _DELTA + b"%b}\n\n"
_BLOCK_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_EMPTY_TEXT = b'{"type":"text","text":""}'
_EMPTY_THINKING = b'{"type":"thinking","thinking":"","signature":""}'
_IN_DELTA = frozenset({"container", "stop_details"})
"""Further keys that stand inside ``delta`` of the closing event; the others stand beside it."""


class StreamWriter:
    """Writes one stream."""

    def __init__(self, view: View) -> None:
        self._view = view

    def write(self, chunks: Sequence[Chunk]) -> bytes:
        """Return the bytes to send for these chunks, b"" if there is nothing to say yet."""
        if len(chunks) == 1:
            return self._write(chunks[0])
        return b"".join([self._write(chunk) for chunk in chunks])

    def error(self, error: GatewayError) -> bytes:
        """Return an error event. Nothing may be written after it."""
        provider = self._view.provider if isinstance(error, Rejected) and self._view.provider else None
        return self._error(anthropic_kind(error.kind), error_message(error, provider), error.wire_code)

    def ping(self) -> bytes:
        """Return a ping event."""
        return _PING

    def _write(self, chunk: Chunk) -> bytes:
        # The order is that of frequency.
        if isinstance(chunk, TextDelta):
            return _TEXT % (chunk.index, ascii_string(chunk.text))
        match chunk:
            case InputDelta():
                return _INPUT % (chunk.index, ascii_string(chunk.fragment))
            case ThinkingDelta():
                return _THINKING % (chunk.index, ascii_string(chunk.text))
            case BlockStart():
                return _start_block(chunk.index, chunk.block)
            case BlockStop():
                return _BLOCK_STOP % chunk.index
            case SignatureDelta():
                return _SIGNATURE % (chunk.index, ascii_string(chunk.signature))
            case CitationDelta():
                return _CITATION % (chunk.index, one_line(bytes(chunk.citation)))
            case OpaqueDelta():
                return _OTHER % (chunk.index, one_line(bytes(chunk.raw)))
            case Ping():
                return _PING
            case Start():
                return self._start(chunk)
            case Finish():
                return _finish(chunk)
            case Done():
                return _STOP
            case StreamError():
                return self._error(chunk.kind, chunk.message, chunk.code)

    def _start(self, chunk: Start) -> bytes:
        usage = chunk.usage
        if usage.input is None:
            usage = Usage(input=self._view.input_estimate)
        message: dict[str, object] = {
            "id": message_id(chunk.id, self._view),
            "type": "message",
            "role": "assistant",
            "model": chunk.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(usage),
        }
        return _event("message_start", {"type": "message_start", "message": message}) + _PING

    def _error(self, kind: str, message: str, code: str | None) -> bytes:
        fields: dict[str, object] = {"type": kind, "message": message}
        if code is not None:
            fields["details"] = {"error_code": code}
        return _event("error", {"type": "error", "error": fields, "request_id": self._view.request_id})


_OF_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def _event(kind: str, data: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), one_line(write_json(data)))


def _start_block(index: int, block: Block) -> bytes:
    match block:
        case TextBlock():
            start = _BLOCK_START % (index, _EMPTY_TEXT)
            return start + _TEXT % (index, ascii_string(block.text)) if block.text else start
        case ThinkingBlock():
            start = _BLOCK_START % (index, _EMPTY_THINKING)
            if block.text:
                start += _THINKING % (index, ascii_string(block.text))
            return start + _SIGNATURE % (index, ascii_string(block.signature)) if block.signature else start
        case ToolUseBlock():
            out = ToolUseOut(block.id, block.name, EMPTY_OBJECT)
            start = _BLOCK_START % (index, one_line(write_json(with_further_keys(out, block.raw))))
            if block.input == EMPTY_OBJECT:
                return start
            return start + _INPUT % (index, ascii_string(bytes(block.input).decode("utf-8", "replace")))
        case OpaqueBlock():
            return _BLOCK_START % (index, one_line(bytes(block.raw)))
        case _:
            return _BLOCK_START % (index, one_line(write_json(write_block(block))))


def _finish(chunk: Finish) -> bytes:
    delta: dict[str, object] = {"stop_reason": chunk.reason or "end_turn", "stop_sequence": chunk.stop_sequence}
    usage = write_usage(chunk.usage)
    if chunk.usage.input is None:
        # clients take these for the whole prompt, and would forget what the start of the message told them
        for name in _OF_PROMPT:
            del usage[name]
    event: dict[str, object] = {"type": "message_delta", "delta": delta, "usage": usage}
    for name, value in chunk.extra.items():
        (delta if name in _IN_DELTA else event).setdefault(name, value)
    return _event("message_delta", event)
