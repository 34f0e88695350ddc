"""An assistant's earlier turn, as clients replay it: text, tool calls, thinking and what servers did.

``content_blocks`` holds the turn in Anthropic's blocks and is preferred over ``content``; ``tool_calls`` has the last
word on a call's input. A client may have glued the blocks together from our stream (``{"index", "thinking", ...}``
without a type): those are put in order, typed by their keys, and freed of the marks of streaming.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from lockgate.core.assemble import read_input
from lockgate.core.chat import (
    Block,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from lockgate.core.json_text import EMPTY_OBJECT, REQUIRED, below, given, object_keys, text_of, write_json
from lockgate.dialects.openai_chat.blocks import read_block
from lockgate.dialects.openai_chat.parts import Reading, read_parts
from lockgate.errors import InvalidRequest

_STREAM_TYPES = frozenset({"text_delta", "thinking_delta", "signature_delta", "citations_delta", "input_json_delta"})
_PART_TYPES = frozenset({"refusal", "image_url", "file", "input_audio", "video_url"})
_TYPE_BY_KEY = (
    ("thinking", "thinking"),
    ("signature", "thinking"),
    ("data", "redacted_thinking"),
    ("text", "text"),
    ("citations", "text"),
    ("tool_use_id", "tool_result"),
    ("name", "tool_use"),
)
_RESULT_BY_PREFIX = (("srvtoolu_", "web_search_tool_result"), ("mcptoolu_", "mcp_tool_result"))
_GLUED = ("text", "thinking", "signature", "partial_json")


def merge_history(
    raws: list[Raw], calls: list[ToolUseBlock], reading: Reading, *, key: str, thinking: list[Raw] | None = None
) -> list[Block]:
    """Return a turn's blocks in their order, each call at its place and none twice. Raises InvalidRequest."""
    placed = _place(raws, reading, key)
    waiting = list(calls)
    for at, (index, block) in enumerate(placed):
        if isinstance(block, ToolUseBlock):
            call = next((call for call in waiting if call.id == block.id), None)
            if call is not None:
                waiting.remove(call)
            placed[at] = (index, _authoritative(block, call))
    blocks = _fill(placed, waiting)
    if thinking and not any(isinstance(block, ThinkingBlock | RedactedThinkingBlock) for block in blocks):
        return [*_thinking(thinking), *blocks]
    return blocks


def _thinking(raws: list[Raw]) -> list[Block]:
    blocks: list[Block] = []
    for at, raw in enumerate(raws):
        try:
            blocks.append(read_block(text_of(object_keys(raw).get("type")) or "thinking", raw))
        except InvalidRequest as error:
            raise below(error, f"thinking_blocks[{at}]") from None
    return blocks


def _authoritative(block: ToolUseBlock, call: ToolUseBlock | None) -> ToolUseBlock:
    """Return a block of the list with what ``tool_calls`` says about the same call."""
    keys = object_keys(block.raw) if block.raw is not None else {}
    source = call or block
    cache = source.cache or block.cache
    raw = call.raw if call is not None else None
    if keys:
        changed: dict[str, object] = {**keys, "name": source.name, "input": source.input}
        if cache is not None:
            changed["cache_control"] = cache
        raw = Raw(write_json(changed))
    return ToolUseBlock(id=block.id, name=source.name, input=source.input, cache=cache, raw=raw)


# A block and its number in the stream it came from; a number without a block is the place of a tool call.
_Placed = tuple[int | None, Block | None]


def _place(raws: list[Raw], reading: Reading, key: str) -> list[_Placed]:
    members = [_members(raw, f"{key}[{at}]") for at, raw in enumerate(raws)]
    if any(_is_artefact(keys) for keys in members):
        return _mend(members, reading, key)
    placed: list[_Placed] = []
    for at, (raw, keys) in enumerate(zip(raws, members, strict=True)):
        placed.extend((None, block) for block in _read(raw, keys, reading, f"{key}[{at}]"))
    return placed


def _members(raw: Raw, path: str) -> dict[str, Raw]:
    if bytes(raw)[:1] != b"{":
        raise InvalidRequest("expected an object", path=path)
    return object_keys(raw)


def _is_artefact(keys: dict[str, Raw]) -> bool:
    kind = text_of(keys.get("type"))
    return kind is None or kind in _STREAM_TYPES or not keys.keys().isdisjoint(("index", "partial_json", "delta"))


def _read(raw: Raw, keys: dict[str, Raw], reading: Reading, path: str) -> list[Block]:
    """Read one block; an empty text without a marker is left out."""
    kind = text_of(keys.get("type"))
    if kind is None:
        raise InvalidRequest(REQUIRED, path=f"{path}.type")
    if kind in _PART_TYPES:
        return _read_part(raw, reading, path)
    try:
        block = read_block(kind, raw)
    except InvalidRequest as error:
        raise below(error, path) from None
    if getattr(block, "cache", None) is not None:
        reading.markers.explicit += 1
    if isinstance(block, TextBlock) and not block.text and block.cache is None:
        return []
    return [block]


def _read_part(raw: Raw, reading: Reading, path: str) -> list[Block]:
    """Read one of OpenAI's parts."""
    try:
        return read_parts([raw], reading, key="")
    except InvalidRequest as error:
        raise below(InvalidRequest(error.message, path=(error.path or "")[len("[0].") :]), path) from None


def _mend(members: list[dict[str, Raw]], reading: Reading, key: str) -> list[_Placed]:
    """Type and order blocks that a client glued together from stream fragments."""
    numbers = [_number(keys.get("index")) for keys in members]
    is_ordered = all(number is not None for number in numbers)
    merged: dict[int, dict[str, Raw]] = {}
    for at, (number, keys) in enumerate(zip(numbers, members, strict=True)):
        place = number if is_ordered and number is not None else at
        merged[place] = _glue(merged.get(place, {}), _flat(keys))
    placed: list[_Placed] = []
    for place in sorted(merged):
        keys = _typed(merged[place])
        number = place if is_ordered else None
        if "type" not in keys:
            placed.append((number, None))
            continue
        raw = Raw(write_json(keys))
        placed.extend((number, block) for block in _read(raw, keys, reading, f"{key}[{place}]"))
    return placed


def _number(raw: Raw | None) -> int | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=int)
    except msgspec.DecodeError:
        return None


def _flat(keys: dict[str, Raw]) -> dict[str, Raw]:
    """Unwrap ``{"index", "delta": {...}}`` and take away the marks of streaming."""
    inner = object_keys(keys["delta"]) if "delta" in keys else {}
    flat = {**keys, **inner}
    if text_of(flat.get("type")) in _STREAM_TYPES:
        if text_of(flat["type"]) == "input_json_delta" and "input" in flat:
            flat["partial_json"] = flat.pop("input")
        del flat["type"]
    if "citation" in flat:
        flat["citations"] = Raw(b"[" + bytes(flat.pop("citation")) + b"]")
    return {name: value for name, value in flat.items() if name not in ("index", "delta")}


def _glue(old: dict[str, Raw], new: dict[str, Raw]) -> dict[str, Raw]:
    """Return two fragments of one block as one."""
    if not old:
        return new
    glued = {**old, **{name: value for name, value in new.items() if name not in old}}
    for name in _GLUED:
        if name in old and name in new:
            glued[name] = Raw(write_json((text_of(old[name]) or "") + (text_of(new[name]) or "")))
    if "citations" in old and "citations" in new:
        glued["citations"] = Raw(bytes(old["citations"])[:-1] + b"," + bytes(new["citations"])[1:])
    return glued


def _typed(keys: dict[str, Raw]) -> dict[str, Raw]:
    """Return the keys with a type and an input; without a type it is but the place of a tool call."""
    keys = dict(keys)
    fragments = keys.pop("partial_json", None)
    if fragments is not None and (given(keys.get("input", EMPTY_OBJECT)) or EMPTY_OBJECT) == EMPTY_OBJECT:
        keys["input"] = read_input(text_of(fragments) or "")
    if given(keys.get("type", Raw(b"null"))) is not None:
        return keys
    keys.pop("type", None)
    kind = next((kind for name, kind in _TYPE_BY_KEY if name in keys), None)
    if kind is None:
        return keys
    if kind == "tool_result":
        owner = text_of(keys["tool_use_id"]) or ""
        kind = next((kind for prefix, kind in _RESULT_BY_PREFIX if owner.startswith(prefix)), kind)
    return {"type": Raw(write_json(kind)), **keys}


def _fill(placed: list[_Placed], calls: list[ToolUseBlock]) -> list[Block]:
    """Put the k-th call into the k-th gap of the numbering, those left over at the end."""
    blocks: list[Block] = []
    following = 0
    for number, block in placed:
        while calls and number is not None and following < number:
            blocks.append(calls.pop(0))
            following += 1
        if block is not None:
            blocks.append(block)
        elif calls:
            blocks.append(calls.pop(0))
        following = number + 1 if number is not None else following
    return [*blocks, *calls]
