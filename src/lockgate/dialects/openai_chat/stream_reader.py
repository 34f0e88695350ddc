"""Reads a provider's stream of chat completion chunks into canonical chunks.

The stream is complete at ``[DONE]``, or at its end if a finish reason came. Usage may come before, with or after the
finish reason, and so may late fragments of tool calls: so the last chunks are held back until the stream is complete.
Source: OpenAI Python SDK 3.54.0, type of chat completion chunks; ``content_blocks`` as Portkey's gateways send them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from lockgate.core.chat import OpaqueBlock, RedactedThinkingBlock, Usage
from lockgate.core.chunk import Chunk, Done, Finish, Start
from lockgate.core.json_text import decode_upstream, object_keys, text_of, write_json
from lockgate.core.sse import Event, SseDecoder
from lockgate.dialects import ReplyRules
from lockgate.dialects.openai_chat.errors import read_stream_error
from lockgate.dialects.openai_chat.read_reply import error_of, lost_parts
from lockgate.dialects.openai_chat.reasoning import read_content, read_reasoning
from lockgate.dialects.openai_chat.sequencer import Key, Sequencer
from lockgate.dialects.openai_chat.vocabulary import read_usage, stop_reason
from lockgate.dialects.openai_chat.wire import Body, Delta, read_body
from lockgate.errors import Malformed

_DONE = b"[DONE]"
_MAX_DIGITS = 9


class ChatStreamReader:
    """A StreamReader."""

    def __init__(self, rules: ReplyRules) -> None:
        self.is_complete = False
        self.dropped: Sequence[str] = ()
        self._sse = SseDecoder()
        self._sequencer = Sequencer(rules.tool_names)
        self._has_started = False
        self._has_failed = False
        self._is_refused = False
        self._finish_reason: str | None = None
        self._usage = Usage()
        self._tier: str | None = None

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Return the chunks that these bytes complete. Raises Malformed."""
        return self._read(self._sse.feed(data))

    def close(self) -> Sequence[Chunk]:
        """Return the last chunks of a stream that ended without ``[DONE]``. Raises Malformed if it was cut short."""
        out = self._read(self._sse.close())
        if self.is_complete or self._has_failed:
            return out
        if self._finish_reason is None:
            raise Malformed("The provider's stream ended before it was complete")
        return [*out, *self._end()]

    def _read(self, events: list[Event]) -> list[Chunk]:
        out: list[Chunk] = []
        for event in events:
            if self.is_complete or self._has_failed:
                break
            if event.data.strip() == _DONE:
                out.extend(self._end())
            elif event.data.strip():
                out.extend(self._chunk(event))
        return out

    def _chunk(self, event: Event) -> list[Chunk]:
        body = decode_upstream(read_body, event.data, "The provider's stream holds a chunk that cannot be read")
        error = error_of(body, event.data)
        if error is None and event.kind == "error" and not body.choices:
            error = read_stream_error(Raw(event.data))
        if error is not None:
            self._has_failed = True
            return [error]
        out = self._start(body)
        self._tier = body.service_tier or self._tier
        self._usage = read_usage(body.usage, self._tier) or self._usage
        for choice in body.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                self._delta(choice.delta)
            self._finish_reason = choice.finish_reason or self._finish_reason
        return [*out, *self._sequencer.take()]

    def _start(self, body: Body) -> list[Chunk]:
        """Return the start at the first chunk that says something: some providers send filter results before it."""
        if self._has_started or not (body.id or body.choices):
            return []
        self._has_started = True
        self._sequencer.reply_id = body.id or ""
        return [Start(body.id or "", body.model or "")]

    def _delta(self, delta: Delta) -> None:
        sequencer = self._sequencer
        lost = lost_parts(delta)
        if lost:
            self.dropped = tuple(dict.fromkeys((*self.dropped, *lost)))
        text, thoughts = read_content(delta.content)
        reasoning = read_reasoning(delta)
        for raw in delta.content_blocks or ():
            text = self._native(object_keys(raw), text)
        if reasoning.text or thoughts:
            sequencer.thinking(reasoning.text or thoughts)
        if reasoning.signature:
            sequencer.signature(reasoning.signature)
        if text:
            sequencer.text(text)
        if delta.refusal:
            self._is_refused = True
            sequencer.text(delta.refusal)
        for call in delta.tool_calls or ():
            function = call.function
            sequencer.call(
                call.index, call.id, function.name if function else None, function.arguments if function else None
            )
        if delta.function_call is not None and not delta.tool_calls:
            sequencer.call(0, None, delta.function_call.name, delta.function_call.arguments)

    def _native(self, keys: dict[str, Raw], text: str) -> str:
        """Read one entry of ``content_blocks`` and return the text of the chunk that is still to be read."""
        number = _number(keys.get("index"))
        delta = object_keys(keys["delta"]) if "delta" in keys else keys
        native = text_of(delta.get("text"))
        if native is not None:
            if native:
                self._sequencer.text(native, number)
            return text[len(native) :] if text.startswith(native) else text
        self._native_delta(delta, number)
        return text

    def _native_delta(self, delta: dict[str, Raw], number: Key) -> None:
        sequencer = self._sequencer
        kind = text_of(delta.get("type"))
        thinking, signature = text_of(delta.get("thinking")), text_of(delta.get("signature"))
        if thinking is not None or signature is not None:
            if thinking:
                sequencer.thinking(thinking, number)
            if signature:
                sequencer.signature(signature, number)
        elif "data" in delta and kind in (None, "redacted_thinking"):
            sequencer.block(RedactedThinkingBlock(data=text_of(delta["data"]) or ""), number)
        elif kind is not None and not kind.endswith("_delta"):
            sequencer.block(OpaqueBlock(type=kind, raw=Raw(write_json(delta))), number)
        elif "citation" in delta:
            sequencer.citation(delta["citation"], number)
        elif "partial_json" in delta:
            raw = Raw(write_json({"type": "input_json_delta", "partial_json": delta["partial_json"]}))
            sequencer.further("input_json_delta", raw, number)
        elif delta:
            sequencer.further("delta", Raw(write_json(delta)), number)

    def _end(self) -> list[Chunk]:
        """Return what was held back until the stream was complete."""
        if not self._has_started:
            raise Malformed("The provider's stream is empty")
        self.is_complete = True
        self._sequencer.finish()
        stop = stop_reason(self._finish_reason, has_tool=self._sequencer.has_calls)
        if self._is_refused and stop in ("end_turn", "stop_sequence"):
            stop = "refusal"
        return [*self._sequencer.take(), Finish(stop, usage=self._usage), Done()]


def _number(raw: Raw | None) -> Key:
    """Return a block's number, None when it has none."""
    plain = bytes(raw) if raw is not None else b""
    return int(plain) if plain.isdigit() and len(plain) <= _MAX_DIGITS else None
