"""Puts what a provider interleaves into blocks that follow one another.

OpenAI's stream mixes fragments of parallel tool calls; the canonical stream knows one open block at a time. The first
call streams; another waits until the open call's arguments are a complete JSON object, or until the end. What waits
keeps its order. Nothing is lost when the kind of content changes: the delta that changes it opens the next block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Raw

from lockgate.core.chat import Block, OpaqueBlock, TextBlock, ThinkingBlock, ToolUseBlock
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Chunk,
    CitationDelta,
    InputDelta,
    OpaqueDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import EMPTY_OBJECT, is_object_text
from lockgate.dialects.openai_chat.names import make_call_id
from lockgate.errors import Malformed

Key: TypeAlias = int | None
"""The provider's own number of a block, None where it has none."""

_Delta: TypeAlias = Callable[[int], Chunk]


class _Content:
    """A block other than a tool call, and its deltas while it waits."""

    __slots__ = ("block", "deltas", "key")

    def __init__(self, block: Block, key: Key) -> None:
        self.block = block
        self.key = key
        self.deltas: list[_Delta] = []


class _Call:
    """A tool call. It cannot open before its name is known."""

    __slots__ = ("fragments", "id", "is_closed", "name", "number", "order")

    def __init__(self, number: int, order: int) -> None:
        self.number = number
        """Its place among the calls, by first appearance."""
        self.order = order
        """Its place among them as the provider counts."""
        self.id = ""
        self.name = ""
        self.fragments: list[str] = []
        self.is_closed = False

    def is_complete(self) -> bool:
        """Tell whether the arguments so far are one JSON object."""
        last = next((fragment.rstrip() for fragment in reversed(self.fragments) if not fragment.isspace()), "")
        return last.endswith("}") and is_object_text("".join(self.fragments))


class Sequencer:
    """Takes the content of one reply as it comes and gives chunks in block order."""

    def __init__(self, tool_names: Mapping[str, str]) -> None:
        self.reply_id = ""
        self.has_calls = False
        """A tool call has appeared."""
        self._tool_names = tool_names
        self._open: _Content | _Call | None = None
        self._waiting: list[_Content | _Call] = []
        self._calls: dict[int | str, _Call] = {}
        self._last_call: _Call | None = None
        self._call_count = 0
        self._index = -1
        self._out: list[Chunk] = []

    def take(self) -> list[Chunk]:
        """Return the chunks since the last time."""
        out, self._out = self._out, []
        return out

    # ---- content

    def text(self, text: str, key: Key = None) -> None:
        """Take visible text."""
        self._emit(self._content(TextBlock, key), lambda index: TextDelta(index, text))

    def thinking(self, text: str, key: Key = None) -> None:
        """Take reasoning text."""
        self._emit(self._content(ThinkingBlock, key), lambda index: ThinkingDelta(index, text))

    def signature(self, signature: str, key: Key = None) -> None:
        """Take the signature of the reasoning before it."""
        self._emit(self._content(ThinkingBlock, key), lambda index: SignatureDelta(index, signature))

    def citation(self, citation: Raw, key: Key = None) -> None:
        """Take a citation of the text before it."""
        self._emit(self._content(TextBlock, key), lambda index: CitationDelta(index, citation))

    def block(self, block: Block, key: Key = None) -> None:
        """Take a block that comes whole, but for what ``further`` adds."""
        self._add(_Content(block, key))

    def further(self, kind: str, raw: Raw, key: Key) -> None:
        """Take a delta of an opaque block; it is passed over when that block is no longer the last."""
        last = self._last()
        if isinstance(last, _Content) and isinstance(last.block, OpaqueBlock) and last.key == key:
            self._emit(last, lambda index: OpaqueDelta(index, kind, raw))

    def call(self, order: int | None, call_id: str | None, name: str | None, fragment: str | None) -> None:
        """Take a part of a tool call, found by its number, else by its id, else the last one."""
        self.has_calls = True
        call = self._find(order, call_id, name)
        call.id = call.id or call_id or ""
        call.name = call.name or name or ""
        if fragment and not call.is_closed:
            call.fragments.append(fragment)
            if call is self._open:
                self._out.append(InputDelta(self._index, fragment))
        if self._waiting:
            self._advance()

    def finish(self) -> None:
        """Close what is open and write what waits, the calls among it by the provider's numbers."""
        self._close()
        calls = iter(sorted((slot for slot in self._waiting if isinstance(slot, _Call)), key=lambda call: call.order))
        waiting, self._waiting = self._waiting, []
        for slot in waiting:
            self._begin(next(calls) if isinstance(slot, _Call) else slot)
            self._close()

    # ---- order

    def _find(self, order: int | None, call_id: str | None, name: str | None) -> _Call:
        """Return the call that a fragment belongs to, a new one at first sight."""
        if order is not None:
            known = self._calls.get(order)
            # Some providers give every call the number 0: another id with a name is another call.
            is_other = known is not None and bool(call_id and name and known.id) and known.id != call_id
            return self._new(order, call_id) if known is None or is_other else known
        if call_id:
            return self._calls.get(call_id) or self._new(order, call_id)
        last = self._last_call
        if last is None or (name and last.name and (not last.fragments or last.is_complete())):
            return self._new(order, call_id)
        return last

    def _new(self, order: int | None, call_id: str | None) -> _Call:
        call = _Call(self._call_count, self._call_count if order is None else order)
        self._call_count += 1
        self._last_call = call
        if order is not None:
            self._calls[order] = call
        if call_id:
            self._calls[call_id] = call
        self._waiting.append(call)
        return call

    def _last(self) -> _Content | _Call | None:
        return self._waiting[-1] if self._waiting else self._open

    def _content(self, kind: type[TextBlock | ThinkingBlock], key: Key) -> _Content:
        """Return the block that text of this kind belongs to, a new one when the kind or the number changes."""
        last = self._last()
        if isinstance(last, _Content) and type(last.block) is kind and (key is None or last.key in (None, key)):
            return last
        block = _Content(kind(text=""), key)
        self._add(block)
        return block

    def _add(self, block: _Content) -> None:
        self._waiting.append(block)
        self._advance()

    def _advance(self) -> None:
        """Open what waits, as far as what is open may close."""
        while self._waiting and self._may_close() and _may_open(self._waiting[0]):
            self._close()
            self._begin(self._waiting.pop(0))

    def _may_close(self) -> bool:
        return not isinstance(self._open, _Call) or self._open.is_complete()

    def _emit(self, block: _Content, delta: _Delta) -> None:
        if block is self._open:
            self._out.append(delta(self._index))
        else:
            block.deltas.append(delta)

    def _begin(self, slot: _Content | _Call) -> None:
        self._index += 1
        self._open = slot
        self._out.extend(self._call_start(slot) if isinstance(slot, _Call) else self._content_start(slot))

    def _content_start(self, slot: _Content) -> Iterator[Chunk]:
        yield BlockStart(self._index, slot.block)
        for delta in slot.deltas:
            yield delta(self._index)

    def _call_start(self, call: _Call) -> Iterator[Chunk]:
        if not call.name:
            raise Malformed("The provider's reply holds a tool call without a name")
        name = self._tool_names.get(call.name, call.name)
        call_id = call.id or make_call_id(self.reply_id, call.number)
        yield BlockStart(self._index, ToolUseBlock(id=call_id, name=name, input=EMPTY_OBJECT))
        if call.fragments:
            yield InputDelta(self._index, "".join(call.fragments))

    def _close(self) -> None:
        if self._open is None:
            return
        if isinstance(self._open, _Call):
            self._open.is_closed = True
        self._out.append(BlockStop(self._index))
        self._open = None


def _may_open(slot: _Content | _Call) -> bool:
    return not isinstance(slot, _Call) or bool(slot.name)
