"""System prompt and turns of a call, as Anthropic demands them.

Turns alternate; all results of one turn's tool calls stand in the user turn behind it, first and in the order of
the calls; system messages are hoisted, unless they may stay; empty text and unsigned thinking are left out.
Everything is decided from front to back, so the written prefix of a conversation stays the same when it grows.
Source: Anthropic integration specification, sections 1.2 to 1.4; addendum of November 2026, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from lockgate.core.blocks import RedactedThinkingOut, TextOut, ThinkingOut, ToolResultOut, ToolUseOut
from lockgate.core.chat import (
    Block,
    Call,
    DocumentBlock,
    ImageBlock,
    Message,
    OpaqueBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from lockgate.core.json_text import NULL, list_items, object_keys, text_of, write_json
from lockgate.core.notes import Notes
from lockgate.core.tool_names import ToolNames, clean
from lockgate.dialects import TargetInfo
from lockgate.dialects.anthropic_messages.blocks import with_further_keys, write_block, write_document
from lockgate.dialects.anthropic_messages.identifiers import ToolIds
from lockgate.dialects.anthropic_messages.wire import TurnOut
from lockgate.errors import Unsupported

FOREIGN_SIGNATURE = "gw1."
"""How signatures begin that this gateway made for another provider's state."""

_FOREIGN_TYPES = frozenset({"input_audio", "audio", "video_url", "image_url", "file", "refusal"})
"""Parts of other dialects that have no block here."""
_THINKING_TYPES = frozenset({"thinking", "redacted_thinking"})
_TOOLSET = "toolset_name"
_ORPHAN = 1 << 30
_RESULT = "messages.content.tool_result"
_NO_RESULT = "(no result)"


def write_turns(call: Call, names: ToolNames, notes: Notes, target: TargetInfo) -> tuple[list[TextOut], list[TurnOut]]:
    """Return system prompt and turns. Raises Unsupported for content that Claude cannot take."""
    wishes = target.wishes
    keeps_system = wishes.keeps_system_turns and target.facts.has_system_turns
    writer = _TurnWriter(names, notes, repairs=wishes.repairs_tool_history)
    if call.system:
        writer.add_system(call.system, "system")
    for at, message in enumerate(call.messages):
        if message.role == "system":
            path = f"messages[{at}].content"
            if keeps_system and writer.may_take_system:
                writer.add_system_turn(message.content, path)
                continue
            writer.add_system(message.content, path)
            notes.adjust("messages.system", "moved into the system prompt")
        else:
            writer.add(message, at)
    return writer.finish()


def is_signed(block: ThinkingBlock) -> bool:
    """Tell whether Anthropic signed a thinking block; it refuses those that it did not."""
    return bool(block.signature) and not (block.signature or "").startswith(FOREIGN_SIGNATURE)


class _TurnWriter:
    """Appends messages to turns; a turn is opened by the first block that stays in it."""

    def __init__(self, names: ToolNames, notes: Notes, *, repairs: bool = False) -> None:
        self._repairs = repairs
        self._names = names
        self._notes = notes
        self._ids = ToolIds()
        self._system: list[TextOut] = []
        self._turns: list[TurnOut] = []
        self._role = ""
        self._results: dict[int, list[tuple[int, object]]] = {}
        self._documents: list[object] = []
        """Documents of an assistant's turn, on their way to the next user turn."""
        self._toolsets: dict[str, Raw] = {}
        """The toolset of a call by its id: the result must name it as well."""
        self._answered: set[str] = set()
        """The ids of calls that have a result."""

    def add_system(self, blocks: tuple[Block, ...], path: str) -> None:
        """Take a system message, wherever it stands."""
        for block in _texts(blocks, path):
            if block.text and not block.text.isspace():
                self._system.append(TextOut(block.text, None, block.cache))
            elif block.cache is not None:
                _mark(self._system, block.cache)

    @property
    def may_take_system(self) -> bool:
        """Whether a system message may stand here: behind a user's turn, or behind another such message."""
        return self._role in ("user", "system")

    def add_system_turn(self, blocks: tuple[Block, ...], path: str) -> None:
        """Take a system message as a turn of its own; several in a row are one."""
        for block in _texts(blocks, path):
            if block.text and not block.text.isspace():
                self._open("system").append(TextOut(block.text, None, block.cache))
            else:
                self._move_mark("system", block.cache)

    def add(self, message: Message, at: int) -> None:
        """Take a message of a user or of the assistant."""
        role = message.role
        content = self._turns[-1].content if role == self._role else None
        for number, block in enumerate(message.content):
            out: object
            if type(block) is TextBlock:
                text = block.text
                if not text or text.isspace():
                    self._move_mark(role, block.cache)
                    continue
                citations = None if block.citations is None else self._citations(block, role)
                out = TextOut(text, citations, block.cache)
            else:
                written = self._write(block, role, at, number)
                if written is None:
                    continue
                out = written
            if block.raw is not None:
                out = _further(out, block.raw)
            if content is None:
                content = self._open(role)
            content.append(out)

    def finish(self) -> tuple[list[TextOut], list[TurnOut]]:
        """Return what was collected."""
        turns = self._turns
        if self._repairs:
            self._put_missing_results()
        for turn, results in self._results.items():
            turns[turn].content[:0] = [out for _, out in sorted(results, key=lambda result: result[0])]
        if self._documents:
            self._notes.drop("messages.content.document")
        if not turns and self._system:
            # Anthropic demands a message, and the client has only this to say.
            turns.append(TurnOut("user", [self._system.pop()]))
        if turns and turns[-1].role == "assistant":
            _strip_prefill(turns[-1].content)
        return self._system, turns

    def _open(self, role: str) -> list[object]:
        """Return the content of the turn that a block of this role goes to."""
        if role != self._role:
            content: list[object] = []
            if role == "user" and self._documents:
                content, self._documents = self._documents, []
            self._turns.append(TurnOut(role, content))
            self._role = role
        return self._turns[-1].content

    def _citations(self, block: TextBlock, role: str) -> Raw | None:
        if block.citations is None or role == "assistant":
            return block.citations
        self._notes.drop("messages.content.citations")
        return None

    def _write(self, block: Block, role: str, at: int, number: int) -> object | None:
        """Write any block but text; None for one that is left out or goes elsewhere."""
        match block:
            case ThinkingBlock() if not is_signed(block):
                self._notes.adjust("messages.content.thinking", "left out, it has no signature of Anthropic's")
                return None
            case ToolUseBlock():
                self._open(role)
                call_id = self._ids.place(block.id, len(self._turns) - 1)
                if block.raw is not None and (toolset := object_keys(block.raw).get(_TOOLSET)) is not None:
                    self._toolsets[call_id] = toolset
                return ToolUseOut(call_id, self._names.sent(block.name), block.input, block.cache)
            case ToolResultBlock():
                self._place_result(block, f"messages[{at}].content[{number}]")
                return None
            case DocumentBlock() if role == "assistant":
                self._documents.append(_further(write_document(block), block.raw))
                self._notes.adjust("messages.content.document", "moved from the assistant's turn to the next user turn")
                return None
            case OpaqueBlock():
                return _opaque(block, f"messages[{at}].content[{number}]")
            case _:
                return write_block(block)

    def _place_result(self, block: ToolResultBlock, path: str) -> None:
        """Put a result into the user turn behind its call."""
        call = self._ids.answered(block.tool_use_id)
        if call is None and self._repairs:
            self._notes.adjust(_RESULT, f"{clean(block.tool_use_id)} left out, there is no such call")
            return
        if call is None:
            self._open("user")
            turn, order, call_id = len(self._turns) - 1, _ORPHAN, clean(block.tool_use_id)
        else:
            turn, order, call_id = call.turn + 1, call.order, call.id
            if turn == len(self._turns):
                self._open("user")
        content, cache = self._result_content(block, path)
        out = ToolResultOut(call_id, content, block.is_error, cache)
        self._put_result(turn, order, out, block.raw)

    def _put_result(self, turn: int, order: int, out: ToolResultOut, raw: Raw | None) -> None:
        call_id = out.tool_use_id
        if raw is None and call_id in self._toolsets:
            raw = Raw(write_json({_TOOLSET: self._toolsets[call_id]}))
        self._answered.add(call_id)
        self._results.setdefault(turn, []).append((order, _further(out, raw)))

    def _put_missing_results(self) -> None:
        """Put an error behind each call that nobody answered: Anthropic refuses a call without a result."""
        for call in self._ids.placed:
            if call.id in self._answered:
                continue
            if call.turn + 1 == len(self._turns):
                self._open("user")
            self._put_result(call.turn + 1, call.order, ToolResultOut(call.id, _NO_RESULT, True), None)
            self._notes.adjust(_RESULT, f"{call.id} had none, an error put in")

    def _result_content(self, block: ToolResultBlock, path: str) -> tuple[str | list[object] | None, Raw | None]:
        content, cache = block.content, block.cache
        if content is None or isinstance(content, str):
            return (content if content and not content.isspace() else None), cache
        written: list[object] = []
        for at, inner in enumerate(content):
            if isinstance(inner, TextBlock):
                if inner.text and not inner.text.isspace():
                    text = TextOut(inner.text, self._citations(inner, "user"), inner.cache)
                    written.append(_further(text, inner.raw))
                elif inner.cache is not None and not _mark(written, inner.cache):
                    cache = cache or inner.cache
            elif isinstance(inner, OpaqueBlock):
                written.append(_opaque(inner, f"{path}.content[{at}]"))
            elif isinstance(inner, ImageBlock | DocumentBlock):
                written.append(_further(write_block(inner), inner.raw))
            else:
                where = f"{path}.content[{at}]"
                raise Unsupported(f"{where}: this block cannot stand in a tool's result", path=where)
        return written or None, cache

    def _move_mark(self, role: str, cache: Raw | None) -> None:
        """Move the cache mark of a block that is left out to the block before it in the same turn."""
        if cache is None or role != self._role:
            return
        turn = len(self._turns) - 1
        if _mark(self._turns[turn].content, cache):
            return
        results = self._results.get(turn)
        if results:
            order, out = results[-1]
            marked = [out]
            _mark(marked, cache)
            results[-1] = (order, marked[0])


def _texts(blocks: tuple[Block, ...], path: str) -> Iterator[TextBlock]:
    """Yield the blocks of a system message. Raises Unsupported for what is no text."""
    for at, block in enumerate(blocks):
        if not isinstance(block, TextBlock):
            where = f"{path}[{at}]"
            raise Unsupported(f"{where}: a system prompt for this target holds text only", path=where)
        yield block


def _further(out: object, raw: Raw | None) -> object:
    return with_further_keys(out, raw) if raw is not None and isinstance(out, msgspec.Struct) else out


def _mark(blocks: list[TextOut] | list[object], cache: Raw) -> bool:
    """Put a cache mark on the last block that may carry one; tell whether there was one."""
    for at in range(len(blocks) - 1, -1, -1):
        block = blocks[at]
        if isinstance(block, ThinkingOut | RedactedThinkingOut):
            continue
        if isinstance(block, Raw):
            keys = object_keys(block)
            if text_of(keys.get("type")) in _THINKING_TYPES:
                continue
            if keys.get("cache_control", NULL) == NULL:
                blocks[at] = Raw(write_json({**keys, "cache_control": cache}))  # type: ignore[call-overload]
        elif getattr(block, "cache_control", None) is None:
            block.cache_control = cache  # type: ignore[attr-defined]
        return True
    return False


def _opaque(block: OpaqueBlock, path: str) -> Raw:
    if block.type in _FOREIGN_TYPES:
        raise Unsupported(f"{path}.type: {block.type} cannot be expressed for this target", path=f"{path}.type")
    if block.type == "search_result" and b'"citations"' in bytes(block.raw):
        return _without_text_citations(block.raw)
    return block.raw


def _without_text_citations(raw: Raw) -> Raw:
    """Return a search result whose texts carry no list of citations; its own switch object stays."""
    keys = object_keys(raw)
    items = [object_keys(item) for item in list_items(keys.get("content", Raw(b"[]")))]
    plain = [
        {name: value for name, value in item.items() if name != "citations" or bytes(value)[:1] != b"["}
        for item in items
    ]
    return raw if plain == items else Raw(write_json({**keys, "content": plain}))


def _strip_prefill(content: list[object]) -> None:
    last = content[-1]
    if isinstance(last, TextOut):
        last.text = last.text.rstrip()
