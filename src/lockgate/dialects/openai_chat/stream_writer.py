"""Writes a streamed reply for a chat client: ``data:`` lines, one choice, ``[DONE]`` only for a complete stream.

Source: OpenAI Python SDK 3.54.0, type of chat completion chunks; Portkey's ``content_blocks`` for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec import Raw

from lockgate.core.assemble import merge_usage
from lockgate.core.chat import (
    Block,
    OpaqueBlock,
    RedactedThinkingBlock,
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
from lockgate.core.json_text import EMPTY_OBJECT, ascii_string, object_keys, one_line, write_json
from lockgate.dialects import View
from lockgate.dialects.openai_chat.blocks import write_block
from lockgate.dialects.openai_chat.errors import write_stream_error
from lockgate.dialects.openai_chat.vocabulary import finish_reason, write_tier, write_usage
from lockgate.dialects.openai_chat.write_reply import (
    KNOWN_KEYS,
    STOP_DETAILS,
    beside_call,
    explanation,
    fallback_id,
)
from lockgate.errors import GatewayError

_DONE = b"data: [DONE]\n\n"
_TAIL = b',"logprobs":null,"finish_reason":null}]}\n\n'


class _Call:
    """A tool call that has begun: its number among the calls, and whether arguments were sent."""

    __slots__ = ("has_arguments", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.has_arguments = False


class ChatStreamWriter:
    """A StreamWriter. Text in strict mode, by far the most frequent chunk, is three byte strings joined."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._is_strict = view.strict
        self._has_own_words = view.strict or view.normalizes_finish
        self._usage = Usage()
        self._calls: dict[int, _Call] = {}
        self._is_over = False
        self._is_finished = False
        self._name_reply(fallback_id(view), "")

    def write(self, chunks: Sequence[Chunk]) -> bytes:
        """Return the bytes to send for these chunks."""
        parts: list[bytes] = []
        for chunk in chunks:
            if self._is_over:
                break
            if type(chunk) is TextDelta and self._is_strict:
                if chunk.text:
                    parts += (self._text_head, ascii_string(chunk.text), self._text_tail)
            else:
                parts.append(self._other(chunk))
        return b"".join(parts)

    def _other(self, chunk: Chunk) -> bytes:
        match chunk:
            case TextDelta():
                return self._text(chunk)
            case ThinkingDelta():
                return self._thinking(chunk)
            case InputDelta():
                return self._input(chunk)
            case BlockStart():
                return self._block_start(chunk)
            case BlockStop():
                return self._block_stop(chunk)
            case SignatureDelta():
                return self._blocks(chunk.index, b'{"signature":%b}' % ascii_string(chunk.signature))
            case CitationDelta():
                return self._blocks(chunk.index, one_line(b'{"citation":%b}' % bytes(chunk.citation)))
            case OpaqueDelta():
                return self._opaque(chunk)
            case Start():
                return self._start(chunk)
            case Finish():
                return self._finish(chunk)
            case Done():
                self._is_over = True
                return _DONE
            case Ping():
                return b""
            case StreamError():
                self._is_over = True
                return b"data: " + one_line(write_stream_error(chunk, self._view.provider)) + b"\n\n"
            case _:
                assert_never(chunk)

    def error(self, error: GatewayError) -> bytes:
        """Return an error event. No ``[DONE]`` follows: a terminator would mean that the answer is complete."""
        if self._is_over:
            return b""
        self._is_over = True
        return b"data: " + one_line(write_stream_error(error, self._view.provider)) + b"\n\n"

    def ping(self) -> bytes:
        """Return nothing: comments between events break some clients of this dialect."""
        return b""

    def _name_reply(self, reply_id: str, model: str) -> None:
        """Build what all chunks of this reply begin with."""
        view = self._view
        self._envelope = b"".join(
            (
                b'data: {"id":',
                ascii_string(reply_id),
                b',"object":"chat.completion.chunk","created":',
                str(view.created).encode(),
                b',"model":',
                ascii_string(model),
                b',"provider":',
                ascii_string(view.provider),
                b',"choices":[',
            )
        )
        self._head = self._envelope + b'{"index":0,"delta":'
        self._text_head = self._head + b'{"content":'
        self._text_tail = b"}" + _TAIL

    def _delta(self, delta: bytes) -> bytes:
        return b"".join((self._head, delta, _TAIL))

    def _blocks(self, index: int, delta: bytes) -> bytes:
        """Write a chunk that only clients beyond OpenAI's fields see."""
        if self._is_strict:
            return b""
        return self._delta(b'{"content_blocks":[{"index":%d,"delta":%b}]}' % (index, delta))

    def _start(self, chunk: Start) -> bytes:
        self._usage = merge_usage(self._usage, chunk.usage)
        self._name_reply(chunk.id or fallback_id(self._view), chunk.model)
        return self._delta(b'{"role":"assistant","content":""}')

    def _block_start(self, chunk: BlockStart) -> bytes:
        block, index = chunk.block, chunk.index
        match block:
            case TextBlock():
                return self._blocks(index, b'{"text":""}') + self._cited(index, block) + self._some_text(index, block)
            case ThinkingBlock():
                keys = {"thinking": block.text, "signature": block.signature or ""}
                return self._blocks(index, one_line(write_json(keys)))
            case RedactedThinkingBlock():
                return self._blocks(index, b'{"data":%b}' % ascii_string(block.data))
            case ToolUseBlock():
                return self._call_start(index, block)
            case _:
                return self._blocks(index, one_line(bytes(_whole(block))))

    def _some_text(self, index: int, block: TextBlock) -> bytes:
        return self._text(TextDelta(index, block.text)) if block.text else b""

    def _cited(self, index: int, block: TextBlock) -> bytes:
        if block.citations is None or self._is_strict:
            return b""
        return b"".join(
            self._blocks(index, one_line(b'{"citation":%b}' % bytes(citation)))
            for citation in msgspec.json.decode(block.citations, type=list[Raw])
        )

    def _text(self, chunk: TextDelta) -> bytes:
        if not chunk.text:
            return b""
        text = ascii_string(chunk.text)
        if self._is_strict:
            return self._delta(b'{"content":%b}' % text)
        blocks = b'[{"index":%d,"delta":{"text":%b}}]' % (chunk.index, text)
        return self._delta(b'{"content":%b,"content_blocks":%b}' % (text, blocks))

    def _thinking(self, chunk: ThinkingDelta) -> bytes:
        return self._blocks(chunk.index, b'{"thinking":%b}' % ascii_string(chunk.text)) if chunk.text else b""

    def _opaque(self, chunk: OpaqueDelta) -> bytes:
        if self._is_strict:
            return b""
        keys = {name: value for name, value in object_keys(chunk.raw).items() if name != "type"}
        return self._blocks(chunk.index, one_line(write_json(keys)))

    def _call_start(self, index: int, block: ToolUseBlock) -> bytes:
        call = self._calls[index] = _Call(len(self._calls))
        beside = {} if self._is_strict else beside_call(block)
        further = b"".join(b',"%b":%b' % (name.encode(), one_line(bytes(value))) for name, value in beside.items())
        opening = self._delta(
            b'{"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}%b}]}'
            % (call.number, ascii_string(block.id), ascii_string(block.name), further)
        )
        if block.input == EMPTY_OBJECT:
            return opening
        return opening + self._arguments(call, bytes(block.input).decode())

    def _arguments(self, call: _Call, fragment: str) -> bytes:
        call.has_arguments = True
        return self._delta(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (call.number, ascii_string(fragment))
        )

    def _input(self, chunk: InputDelta) -> bytes:
        if not chunk.fragment:
            return b""
        call = self._calls.get(chunk.index)
        if call is None:
            return self._blocks(chunk.index, b'{"partial_json":%b}' % ascii_string(chunk.fragment))
        return self._arguments(call, chunk.fragment)

    def _block_stop(self, chunk: BlockStop) -> bytes:
        call = self._calls.get(chunk.index)
        return b"" if call is None or call.has_arguments else self._arguments(call, "{}")

    def _finish(self, chunk: Finish) -> bytes:
        if self._is_finished:
            return b""
        self._is_finished = True
        self._usage = merge_usage(self._usage, chunk.usage)
        reason = finish_reason(chunk.reason, has_tool=bool(self._calls), is_strict=self._has_own_words)
        delta, choice, envelope = self._closing_keys(chunk)
        closing = b'%b,"logprobs":null,"finish_reason":%b%b}]%b' % (delta, ascii_string(reason), choice, envelope)
        usage = self._usage_keys()
        if not self._view.include_usage:
            return b"".join((self._head, closing, usage, b"}\n\n"))
        last = b"".join((self._envelope, b"]", usage, b"}\n\n")) if usage else b""
        return b"".join((self._head, closing, b"}\n\n", last))

    def _closing_keys(self, chunk: Finish) -> tuple[bytes, bytes, bytes]:
        """Return the last delta, and what clients beyond OpenAI's fields see beside it and around it."""
        delta: dict[str, object] = {}
        details = chunk.extra.get(STOP_DETAILS)
        refusal = explanation(details) if chunk.reason == "refusal" else None
        if refusal is not None:
            delta["refusal"] = refusal
        if self._is_strict:
            return one_line(write_json(delta)), b"", b""
        if details is not None:
            delta[STOP_DETAILS] = details
        sequence = chunk.stop_sequence
        choice = b"" if sequence is None else b',"stop_sequence":' + ascii_string(sequence)
        further = {name: value for name, value in chunk.extra.items() if name not in KNOWN_KEYS}
        envelope = b"," + one_line(write_json(further))[1:-1] if further else b""
        return one_line(write_json(delta)), choice, envelope

    def _usage_keys(self) -> bytes:
        """Return the keys that exactly one chunk of the stream carries."""
        usage = write_usage(self._usage, is_strict=self._is_strict)
        if usage is None:
            return b""
        tier = write_tier(self._usage)
        further = b"" if tier is None else b',"service_tier":' + ascii_string(tier)
        return b',"usage":' + one_line(write_json(usage)) + further


def _whole(block: Block) -> Raw:
    return block.raw if isinstance(block, OpaqueBlock) else write_block(block)
