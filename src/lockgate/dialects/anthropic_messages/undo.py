"""Undoes in a reply what writing the call did: mapped tool names, a tool that stood for the answer, wrapped values.

Whole replies and streams go through the same steps, so that a stream assembles to what the whole reply says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, structs

from lockgate.core.chat import Block, Reply, StopReason, TextBlock, ToolUseBlock
from lockgate.core.chunk import (
    BlockStart,
    BlockStop,
    Chunk,
    CitationDelta,
    Finish,
    InputDelta,
    OpaqueDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from lockgate.core.json_text import object_keys, write_json
from lockgate.dialects import ReplyRules

_NUMBERED = (
    BlockStart,
    TextDelta,
    ThinkingDelta,
    SignatureDelta,
    InputDelta,
    CitationDelta,
    OpaqueDelta,
    BlockStop,
)
_OPENING = re.compile(r'\s*\{\s*"value"\s*:')
_OPENING_TEXT = '{"value":'
_CLOSING = re.compile(r"[\s}]*\Z")
_SPACE = re.compile(r"\s+")
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\r?\n(?P<inside>.*?)\r?\n?```\s*", re.DOTALL)


class Unwrapper:
    """Takes the value out of ``{"value": ...}`` while the text arrives; any other text stays as it is."""

    def __init__(self) -> None:
        self._state = "opening"
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what is certain of the value so far."""
        if self._state == "other":
            return text
        self._held += text
        if self._state == "opening":
            found = _OPENING.match(self._held)
            if found is None:
                if _OPENING_TEXT.startswith(_SPACE.sub("", self._held)):
                    return ""
                self._state = "other"
                return self._flush("")
            self._state = "value"
            self._held = self._held[found.end() :].lstrip()
            self._is_empty = True
        if self._is_empty:
            self._held = self._held.lstrip()
            self._is_empty = not self._held
        # What may be the closing brace waits until something else follows it, or nothing does.
        closing = _CLOSING.search(self._held)
        return self._flush(self._held[closing.start() :] if closing else "")

    def close(self) -> str:
        """Return the rest of the value."""
        if self._state != "value":
            return self._flush("")
        self._held = self._held.rstrip()
        self._held = self._held.removesuffix("}").rstrip()
        return self._flush("")

    def _flush(self, kept: str) -> str:
        ready = self._held[: len(self._held) - len(kept)]
        self._held = kept
        return ready


def unwrap(text: str) -> str:
    """Return the value inside ``{"value": ...}``, any other text as it is."""
    unwrapper = Unwrapper()
    return unwrapper.feed(text) + unwrapper.close()


def undo_reply(reply: Reply, rules: ReplyRules) -> Reply:
    """Return a whole reply as if the call had been sent as the client wrote it."""
    blocks: Sequence[Block] = [_renamed(block, rules) for block in reply.content]
    stop_reason = reply.stop_reason
    if rules.json_tool is not None:
        blocks, is_found = _answer_of_tool(blocks, rules.json_tool)
        if is_found:
            stop_reason = _stop_without_tool(stop_reason, has_tool=any(isinstance(b, ToolUseBlock) for b in blocks))
    blocks = [_rewritten(block, rules) if isinstance(block, TextBlock) else block for block in blocks]
    return structs.replace(reply, content=tuple(blocks), stop_reason=stop_reason)


def _renamed(block: Block, rules: ReplyRules) -> Block:
    if not isinstance(block, ToolUseBlock) or block.name not in rules.tool_names:
        return block
    name = rules.tool_names[block.name]
    raw = Raw(write_json({**object_keys(block.raw), "name": name})) if block.raw is not None else None
    return structs.replace(block, name=name, raw=raw)


def _answer_of_tool(blocks: Sequence[Block], tool: str) -> tuple[Sequence[Block], bool]:
    """Return the blocks with the tool's first call as the only text, if it was called."""
    call = next((block for block in blocks if isinstance(block, ToolUseBlock) and block.name == tool), None)
    if call is None:
        return blocks, False
    answer = TextBlock(text=msgspec.json.format(bytes(call.input), indent=-1).decode())
    kept: list[Block] = []
    for block in blocks:
        if block is call:
            kept.append(answer)
        elif not isinstance(block, TextBlock) and not (isinstance(block, ToolUseBlock) and block.name == tool):
            kept.append(block)
    return kept, True


def _stop_without_tool(reason: StopReason | None, *, has_tool: bool) -> StopReason | None:
    return "end_turn" if reason == "tool_use" and not has_tool else reason


def _rewritten(block: TextBlock, rules: ReplyRules) -> TextBlock:
    text = block.text
    if rules.strip_fence and (found := _FENCE.fullmatch(text)) is not None:
        text = found["inside"]
    if rules.unwrap_value:
        text = unwrap(text)
    return block if text == block.text else structs.replace(block, text=text, raw=None)


class StreamUndo:
    """Does the same to a stream, chunk by chunk. Blocks are numbered anew, since some of them vanish."""

    def __init__(self, rules: ReplyRules) -> None:
        self._rules = rules
        self._out: list[Chunk] = []
        self._waiting: list[tuple[bool, Chunk]] = []
        """Text, and what follows it, while it is open whether the tool for the answer comes."""
        self._next_index = 0
        self._kind = "block"
        """What the open block is: block, text, answer, or gone."""
        self._has_answer = self._has_tool = False
        self._unwrapper: Unwrapper | None = None

    def pass_on(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Return the chunks to hand on for these."""
        for chunk in chunks:
            self._take(chunk)
        out, self._out = self._out, []
        return out

    def _take(self, chunk: Chunk) -> None:
        match chunk:
            case BlockStart():
                self._start(chunk.block)
            case TextDelta():
                self._text(chunk.text)
            case InputDelta() if self._kind == "answer":
                self._text(chunk.fragment)
            case ThinkingDelta() | SignatureDelta() | InputDelta() | CitationDelta() | OpaqueDelta():
                self._put(chunk)
            case BlockStop():
                if self._unwrapper is not None and (rest := self._unwrapper.close()):
                    self._put(TextDelta(0, rest))
                self._unwrapper = None
                self._put(chunk)
            case Finish():
                self._release(with_text=True)
                reason = chunk.reason
                if self._has_answer:
                    reason = _stop_without_tool(reason, has_tool=self._has_tool)
                self._out.append(structs.replace(chunk, reason=reason))
            case _:
                self._out.append(chunk)

    def _start(self, block: Block) -> None:
        self._kind = "block"
        if isinstance(block, ToolUseBlock):
            if block.name == self._rules.json_tool:
                self._kind = "gone" if self._has_answer else "answer"
                self._has_answer = True
                self._release(with_text=False)
                block = TextBlock(text="")
            else:
                self._has_tool = True
                self._release(with_text=True)
                block = _renamed(block, self._rules)
        elif isinstance(block, TextBlock):
            self._kind = "gone" if self._has_answer else "text"
        if self._rules.unwrap_value and self._kind in ("text", "answer"):
            self._unwrapper = Unwrapper()
        self._put(BlockStart(0, block))

    def _text(self, text: str) -> None:
        if self._unwrapper is not None:
            text = self._unwrapper.feed(text)
        if text:
            self._put(TextDelta(0, text))

    def _put(self, chunk: Chunk) -> None:
        if self._kind == "gone":
            return
        is_open = self._rules.json_tool is not None and not self._has_answer and not self._has_tool
        if is_open and (self._waiting or self._kind == "text"):
            self._waiting.append((self._kind == "text", chunk))
        else:
            self._send(chunk)

    def _release(self, *, with_text: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for is_text, chunk in waiting:
            if with_text or not is_text:
                self._send(chunk)

    def _send(self, chunk: Chunk) -> None:
        if isinstance(chunk, _NUMBERED):
            self._out.append(structs.replace(chunk, index=self._next_index))
            self._next_index += isinstance(chunk, BlockStop)
