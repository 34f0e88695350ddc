"""Rules of the messages: who may speak when, what a turn holds, which call needs which result, whose seals hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.media import check_media
from lockgate.simulator.anthropic.models import Model
from lockgate.simulator.anthropic.seal import Sealer, blocks_of
from lockgate.simulator.anthropic.shapes import NEW_VERSION
from lockgate.simulator.shapes import Scope

_MESSAGE_LIMIT = 100_000
_THINKING = ("thinking", "redacted_thinking")
_SERVER_RESULTS = frozenset(
    """web_search_tool_result web_fetch_tool_result code_execution_tool_result bash_code_execution_tool_result
    text_editor_code_execution_tool_result tool_search_tool_result advisor_tool_result""".split()
)
_ASSISTANT_ONLY = frozenset((*_THINKING, "tool_use", "server_tool_use", "mcp_tool_use", "mcp_tool_result", "fallback"))


class Placed(NamedTuple):
    """A content block and where it stands."""

    message: int
    position: int
    block: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Return ``messages.0.content.1``."""
        return f"messages.{self.message}.content.{self.position}"


class Turn(NamedTuple):
    """Neighbouring messages of one role, as the model sees them."""

    role: str
    blocks: list[Placed]


def read_turns(messages: Sequence[Any]) -> list[Turn]:
    """Join neighbouring messages of one role."""
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        placed = [Placed(number, index, block) for index, block in enumerate(blocks_of(message))]
        if turns and turns[-1].role == message["role"]:
            turns[-1].blocks.extend(placed)
        else:
            turns.append(Turn(message["role"], placed))
    return turns


def check_messages(body: Mapping[str, Any], model: Model, scope: Scope, sealer: Sealer) -> None:
    """Refuse messages that break a rule. Raises :class:`ApiError`."""
    messages = body["messages"]
    _check_order(messages, model)
    _check_content(messages, scope)
    turns = read_turns(messages)
    _check_last(turns, body, model)
    _check_tool_pairs(turns)
    _check_server_tools(turns)
    _check_seals(messages, body, model, sealer)
    _check_thinking_start(turns, body)


# --- order and content --------------------------------------------------------------------------------------------


def _check_order(messages: Sequence[Any], model: Model) -> None:
    if not messages:
        raise ApiError("messages: at least one message is required")
    for index, message in enumerate(messages):
        if message["role"] == "system" and not model.has_system_messages:
            raise ApiError(
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role, for this model.'
            )
        if message["role"] == "system" and index == 0:
            raise ApiError('messages.0: a message with role "system" must follow another message')
    starts_compacted = any(block["type"] == "compaction" for block in blocks_of(messages[0]))
    if messages[0]["role"] != "user" and not starts_compacted:
        raise ApiError('messages: first message must use the "user" role')


def _check_content(messages: Sequence[Any], scope: Scope) -> None:
    for number, message in enumerate(messages):
        content = message.get("content", [])
        is_last = number == len(messages) - 1
        if not content and not (is_last and message["role"] == "assistant"):
            _refuse_empty(number, message)
        for index, block in enumerate(blocks_of(message)):
            _check_block(Placed(number, index, block), message["role"], scope, is_string=isinstance(content, str))


def _refuse_empty(number: int, message: Mapping[str, Any]) -> None:
    role = message["role"]
    if role == "system":
        if not message.get("output_config"):
            raise ApiError(f"messages.{number}: system messages must have content or `output_config`")
    elif role == "user":
        raise ApiError(f"messages.{number}: user messages must have non-empty content")
    else:
        raise ApiError(
            f"messages.{number}: all messages must have non-empty content except for the optional final "
            "assistant message"
        )


def _check_block(placed: Placed, role: str, scope: Scope, *, is_string: bool) -> None:
    block = placed.block
    kind = block["type"]
    if role == "user" and (kind in _ASSISTANT_ONLY or kind in _SERVER_RESULTS):
        raise ApiError(f"{placed.path}: `{kind}` blocks can only be in `assistant` messages")
    if role == "assistant" and kind == "tool_result":
        raise ApiError(f"{placed.path}: `tool_result` blocks can only be in `user` messages")
    if scope.version >= NEW_VERSION:
        _check_new_version(placed, role)
    if not (is_string and role == "assistant" and not block["text"]):
        _check_texts(block)
    check_media(block, placed.path)


def _check_new_version(placed: Placed, role: str) -> None:
    """What the API version of October 2026 no longer takes."""
    block = placed.block
    if role == "assistant" and block["type"] == "document":
        raise ApiError(f"{placed.path}: `document` blocks are not permitted in `assistant` messages")
    if role == "user" and block["type"] == "text" and block.get("citations"):
        raise ApiError(f"{placed.path}.text.citations: citations are not permitted in `user` messages")
    nested = block.get("content")
    for inner in nested if isinstance(nested, list) else ():
        is_search_text = block["type"] == "search_result" and inner.get("citations")
        deeper = inner.get("content") if inner.get("type") == "search_result" else ()
        is_nested = isinstance(deeper, list) and any(text.get("citations") for text in deeper)
        if is_search_text or is_nested or (block["type"] == "tool_result" and _is_cited_text(inner)):
            raise ApiError(f"{placed.path}.{block['type']}: citations are not permitted in this text")


def _is_cited_text(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and bool(block.get("citations"))


def _check_texts(block: Mapping[str, Any]) -> None:
    for text in _texts(block):
        if not text["text"]:
            if text.get("cache_control"):
                raise ApiError("cache_control cannot be set for empty text blocks")
            raise ApiError("messages: text content blocks must be non-empty")
        if not text["text"].strip():
            raise ApiError("messages: text content blocks must contain non-whitespace text")


def _texts(block: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if block["type"] == "text":
        yield block
    elif block["type"] in ("tool_result", "search_result") and isinstance(block.get("content"), list):
        for inner in block["content"]:
            yield from _texts(inner)


def _check_last(turns: Sequence[Turn], body: Mapping[str, Any], model: Model) -> None:
    """Rules of a conversation that ends with the assistant: a beginning to continue, or a pause to resume."""
    last = turns[-1]
    if last.role != "assistant" or is_paused(last.blocks):
        return
    if not model.has_prefill:
        raise ApiError(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if (body.get("thinking") or {}).get("type") == "enabled":
        raise ApiError("messages: a final `assistant` message may not be prefilled when thinking is enabled.")
    if (body.get("output_config") or {}).get("format"):
        raise ApiError("messages: prefilling the assistant response is not supported with `output_config.format`")
    ending = last.blocks[-1].block if last.blocks else {}
    if ending.get("type") == "text" and ending["text"] != ending["text"].rstrip():
        raise ApiError("messages: final assistant content cannot end with trailing whitespace")


def is_paused(blocks: Sequence[Placed]) -> bool:
    """Whether an assistant turn stopped in the middle of a server tool, so that it may be resumed."""
    kind = blocks[-1].block["type"] if blocks else ""
    return kind in ("server_tool_use", "mcp_tool_use", "mcp_tool_result") or kind in _SERVER_RESULTS


# --- tools --------------------------------------------------------------------------------------------------------


def _check_tool_pairs(turns: Sequence[Turn]) -> None:
    seen: set[str] = set()
    open_ids: list[str] = []
    for turn in turns:
        if turn.role != "assistant":
            _check_results(turn, open_ids)
            open_ids = []
            continue
        open_ids = []
        for placed in turn.blocks:
            if placed.block["type"] == "tool_use":
                if placed.block["id"] in seen:
                    raise ApiError(f"{placed.path}: `tool_use` ids must be unique")
                seen.add(placed.block["id"])
                open_ids.append(placed.block["id"])
    if open_ids:
        _refuse_unanswered(turns[-1].blocks[-1].message, open_ids)


def _check_results(turn: Turn, open_ids: Sequence[str]) -> None:
    answered: list[str] = []
    is_leading = True
    for placed in turn.blocks:
        if placed.block["type"] != "tool_result":
            is_leading = False
            continue
        name = placed.block["tool_use_id"]
        if name not in open_ids:
            raise ApiError(
                f"{placed.path}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. Each `tool_result` "
                "block must have a corresponding `tool_use` block in the previous message."
            )
        if name in answered:
            raise ApiError(
                f"{placed.path}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {name}"
            )
        if is_leading:
            answered.append(name)
    missing = [name for name in open_ids if name not in answered]
    if missing:
        _refuse_unanswered(turn.blocks[0].message - 1 if turn.blocks else 0, missing)


def _refuse_unanswered(message: int, ids: Sequence[str]) -> None:
    raise ApiError(
        f"messages.{message}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _check_server_tools(turns: Sequence[Turn]) -> None:
    for number, turn in enumerate(turns):
        open_tools: dict[str, str] = {}
        for placed in turn.blocks:
            kind = placed.block["type"]
            if kind == "server_tool_use":
                open_tools[placed.block["id"]] = placed.block["name"]
            elif kind in _SERVER_RESULTS and open_tools.pop(placed.block["tool_use_id"], None) is None:
                raise ApiError(
                    f"{placed.path}: unexpected `tool_use_id` found in `{kind}` blocks: "
                    f"{placed.block['tool_use_id']}. Each `{kind}` block must have a corresponding `server_tool_use` "
                    "block before it."
                )
        if open_tools and number < len(turns) - 1:
            tool_id, name = next(iter(open_tools.items()))
            raise ApiError(f"messages: `{name}` tool use with id `{tool_id}` was found without a corresponding result")


# --- thinking and seals -------------------------------------------------------------------------------------------


def _check_thinking_start(turns: Sequence[Turn], body: Mapping[str, Any]) -> None:
    """With manual thinking, the assistant's part of a tool loop that still runs must begin with its thinking."""
    if (body.get("thinking") or {}).get("type") != "enabled" or turns[-1].role != "user":
        return
    start = None
    for turn in reversed(turns):
        if turn.role == "user" and not any(placed.block["type"] == "tool_result" for placed in turn.blocks):
            break
        if turn.role == "assistant":
            start = turn
    if start is None or not start.blocks or start.blocks[0].block["type"] in _THINKING:
        return
    first = start.blocks[0]
    raise ApiError(
        f"{first.path}.type: Expected `thinking` or `redacted_thinking`, but found `{first.block['type']}`. When "
        "`thinking` is enabled, a final `assistant` message must start with a thinking block (preceding the lastmost "
        "set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`."
    )


def _check_seals(messages: Sequence[Any], body: Mapping[str, Any], model: Model, sealer: Sealer) -> None:
    prefix = Prefix(model)
    may_drop = drops_unbound(body)
    for number, message in enumerate(messages):
        for index, block in enumerate(blocks_of(message)):
            binding = _open_seals(Placed(number, index, block), sealer)
            is_bound = binding is not None and any(binding) and model.binds_thinking
            if is_bound and binding != prefix.digest() and not may_drop:
                raise ApiError(
                    f"messages.{number}.content.{index}: this `{block['type']}` block was created in a different "
                    "conversation, or the messages before it have changed since"
                )
            prefix.add(message["role"], block)


def drops_unbound(body: Mapping[str, Any]) -> bool:
    """Whether the request asks to drop thinking blocks that do not belong here, instead of failing."""
    binding = (body.get("thinking") or {}).get("block_binding") or {}
    return binding.get("prefix_mismatch_behavior") == "drop_block"


class Prefix:
    """The fingerprint of all blocks so far, which thinking blocks are bound to.

    A text and a list with one text block are the same, and so are messages of one role before and after joining. Cache
    marks and nulls do not count: the model does not see them.
    """

    def __init__(self, model: Model) -> None:
        self._digest = blake2b(model.id.encode(), digest_size=12)

    def add(self, role: str, block: Mapping[str, Any]) -> None:
        """Go on behind this block."""
        plain = {key: value for key, value in block.items() if key != "cache_control" and value is not None}
        self._digest.update(role.encode() + msgspec.json.encode(plain, order="sorted") + b"\0")

    def digest(self) -> bytes:
        """Return the fingerprint."""
        return self._digest.digest()


def prefix_of(messages: Sequence[Any], model: Model) -> bytes:
    """Return the fingerprint of whole messages."""
    prefix = Prefix(model)
    for message in messages:
        for block in blocks_of(message):
            prefix.add(message["role"], block)
    return prefix.digest()


def _open_seals(placed: Placed, sealer: Sealer) -> bytes | None:
    """Refuse a block with a seal that is not ours; return what a thinking block is bound to."""
    block = placed.block
    match block["type"]:
        case "thinking":
            return _open(sealer, "thinking", block["thinking"], block["signature"], placed, "signature")
        case "redacted_thinking":
            return _open(sealer, "redacted_thinking", "", block["data"], placed, "data")
        case "compaction" if block.get("signature") is not None:
            _open(sealer, "compaction", block.get("content") or "", block["signature"], placed, "signature")
        case "web_search_tool_result" if isinstance(block["content"], list):
            for result in block["content"]:
                _open(sealer, "search_result", result["url"], result["encrypted_content"], placed, "encrypted_content")
        case "text":
            for citation in block.get("citations") or ():
                if "encrypted_index" in citation:
                    _open(sealer, "citation", citation["url"], citation["encrypted_index"], placed, "encrypted_index")
        case _:
            pass
    return None


def _open(sealer: Sealer, purpose: str, text: str, seal: str, placed: Placed, field: str) -> bytes:
    binding = sealer.open(purpose, text, seal)
    if binding is None:
        raise ApiError(f"{placed.path}: Invalid `{field}` in `{purpose}` block")
    return binding
