"""Repairs to a native conversation that was elsewhere: unsigned thinking, that of other models, ids of tool calls.

Most conversations need none; finding that out decodes nothing but the types, ids and signatures of the
assistant's blocks. Everything is decided from front to back, so the repaired prefix stays the same from turn to turn.
Source: Anthropic integration specification, section 5.1; addendum of November 2026, section 2.7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_edit import Edit, Member, read_items, read_members
from lockgate.core.json_text import ABSENT, decode, text_of, write_json
from lockgate.core.notes import Notes
from lockgate.core.seals import FOREIGN, IsForeign
from lockgate.dialects.anthropic_messages.identifiers import ToolIds
from lockgate.dialects.anthropic_messages.turns import FOREIGN_SIGNATURE

UNSIGNED = "left out, it has no signature of Anthropic's"
RENAMED = "characters replaced that Anthropic refuses"

_ASSISTANT = "assistant"
_THINKING = ("thinking", "redacted_thinking")
_LIST = ord("[")
_FOREIGN = b'"' + FOREIGN_SIGNATURE.encode()
_IS_LEGAL = re.compile(r"[a-zA-Z0-9_-]+").fullmatch
_IS_LEGAL_RAW = re.compile(rb'"[a-zA-Z0-9_-]+"').fullmatch


class _Turn(Struct, gc=False):
    role: str = ""
    content: Raw = ABSENT


class _Block(Struct, gc=False):
    type: str = ""
    signature: Raw = ABSENT
    data: Raw = ABSENT
    id: Raw = ABSENT
    tool_use_id: Raw = ABSENT


_turns_decoder = msgspec.json.Decoder(list[_Turn])
_blocks_decoder = msgspec.json.Decoder(list[_Block])


class _Repair(Struct):
    """What happens to the blocks of one message, by their numbers."""

    gone: set[int]
    """Thinking that has no signature of Anthropic's."""
    foreign: set[int]
    """Thinking of another model."""
    ids: dict[int, tuple[str, str]]
    """The key that holds an id, and the id to write there."""
    is_empty: bool = False


def needs_repair(messages: Raw, is_foreign: IsForeign | None = None) -> bool:
    """Tell whether a thinking block is unsigned or foreign, or a tool call has an id that Anthropic refuses."""
    for turn in _turns(messages):
        if turn.role == _ASSISTANT:
            for block in _blocks(turn):
                if block.type == "thinking":
                    if _is_unsigned(block) or _is_foreign(block, is_foreign):
                        return True
                elif block.type == "redacted_thinking":
                    if _is_foreign(block, is_foreign):
                        return True
                elif block.type == "tool_use" and _has_bad_id(block):
                    return True
    return False


def repair(edit: Edit, body: bytes, messages: Member, notes: Notes, is_foreign: IsForeign | None = None) -> None:
    """Note every repair of the conversation in ``edit``."""
    found = _decide(_turns(Raw(body[messages.value : messages.end])), is_foreign)
    places = read_items(body, messages.value)
    edit.remove(places, {at for at, repair in found.items() if repair.is_empty})
    for at, repair in found.items():
        if repair.gone:
            notes.adjust("messages.content.thinking", UNSIGNED)
        if repair.foreign:
            notes.adjust("messages.content.thinking", FOREIGN)
        if repair.ids:
            notes.adjust("messages.content.id", RENAMED)
        if not repair.is_empty:
            _write(edit, body, places[at].start, repair)


def _turns(messages: Raw) -> Sequence[_Turn]:
    """Return the messages, none when they are not what Messages promises: Anthropic will say so."""
    if messages is ABSENT:
        return ()
    try:
        return decode(_turns_decoder, messages)
    except (msgspec.MsgspecError, RecursionError):
        return ()


def _blocks(turn: _Turn) -> Sequence[_Block]:
    content = turn.content
    if content is ABSENT or memoryview(content)[0] != _LIST:
        return ()
    try:
        return decode(_blocks_decoder, content)
    except (msgspec.MsgspecError, RecursionError):
        return ()


def _is_unsigned(block: _Block) -> bool:
    signature = block.signature
    if signature is ABSENT:
        return True
    start = bytes(memoryview(signature)[: len(_FOREIGN)])
    return start in (b'""', b"null") or start == _FOREIGN


def _is_foreign(block: _Block, is_foreign: IsForeign | None) -> bool:
    """Tell whether a thinking block of either kind belongs to another model."""
    if is_foreign is None:
        return False
    seal = text_of(block.signature if block.type == "thinking" else block.data)
    return bool(seal) and is_foreign(seal or "")


def _has_bad_id(block: _Block) -> bool:
    raw = bytes(block.id)
    return raw[:1] == b'"' and not _IS_LEGAL_RAW(raw) and not _IS_LEGAL(text_of(raw) or "")


def _decide(turns: Sequence[_Turn], is_foreign: IsForeign | None) -> dict[int, _Repair]:
    """Return the repairs by the numbers of the messages."""
    found: dict[int, _Repair] = {}
    ids = _Ids()
    for at, turn in enumerate(turns):
        ids.enter(turn.role)
        blocks = _blocks(turn)
        repair = _Repair(set(), set(), {})
        for number, block in enumerate(blocks):
            if block.type == "thinking" and turn.role == _ASSISTANT and _is_unsigned(block):
                repair.gone.add(number)
            elif block.type in _THINKING and turn.role == _ASSISTANT and _is_foreign(block, is_foreign):
                repair.foreign.add(number)
            elif block.type == "tool_use":
                _rename(repair, number, "id", block.id, ids.call(text_of(block.id)))
            elif block.type == "tool_result":
                _rename(repair, number, "tool_use_id", block.tool_use_id, ids.result(text_of(block.tool_use_id)))
        if repair.gone or repair.foreign or repair.ids:
            repair.is_empty = len(repair.gone) + len(repair.foreign) == len(blocks)
            found[at] = repair
    return found


def _rename(repair: _Repair, number: int, key: str, old: Raw, new: str | None) -> None:
    if new is not None and new != text_of(old):
        repair.ids[number] = (key, new)


class _Ids:
    """Gives the translator's id to each call whose own is refused, and keeps the others apart from those."""

    def __init__(self) -> None:
        self._ids = ToolIds()
        self._turn = 0
        self._role = ""
        self._written: dict[str, str] = {}
        """The id that the translator would write -> the one that is written here."""
        self._made: set[str] = set()

    def enter(self, role: str) -> None:
        """Begin a message; those of one role that follow each other are one turn."""
        self._turn += role != self._role
        self._role = role

    def call(self, original: str | None) -> str | None:
        """Return the id of a call, None where there is no text for one."""
        if original is None:
            return None
        placed = self._ids.place(original, self._turn)
        out = original
        if not _IS_LEGAL(original) or original in self._made:
            out = placed
            self._made.add(out)
        self._written[placed] = out
        return out

    def result(self, original: str | None) -> str | None:
        """Return the id for the result of a call; that of no call stays, Anthropic will say so."""
        call = self._ids.answered(original) if original is not None else None
        return self._written[call.id] if call is not None else None


def _write(edit: Edit, body: bytes, message: int, repair: _Repair) -> None:
    """Note the repairs of one message that stays."""
    content = [member for member in read_members(body, message) if member.key == "content"][-1]
    blocks = read_items(body, content.value)
    edit.remove(blocks, repair.gone | repair.foreign)
    for number, (key, text) in repair.ids.items():
        place = [member for member in read_members(body, blocks[number].start) if member.key == key][-1]
        edit.replace(place.value, place.end, write_json(text))
