"""Messages of a call, role by role, read into a system prompt and canonical turns.

System messages before the first turn become the system prompt; later ones stay where they are. Turns are neither
merged nor reordered here: that is for the writer of a dialect that demands it. Tool messages become user turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from lockgate.core.assemble import read_input
from lockgate.core.chat import (
    Block,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from lockgate.core.json_text import ABSENT, REQUIRED, below, given, write_json
from lockgate.dialects.openai_chat.history import merge_history
from lockgate.dialects.openai_chat.markers import mark_last, unmark_last
from lockgate.dialects.openai_chat.parts import Reading, read_parts, read_text_parts
from lockgate.dialects.openai_chat.wire import FunctionCall, MessageIn, ToolCall
from lockgate.errors import InvalidRequest

_NAMED_ROLES = ("tool", "function")
"""Roles whose ``name`` is the function's; it is known from the call."""
_NOTHING = (None, Raw(b'""'))


def read_messages(wires: Sequence[MessageIn], reading: Reading) -> tuple[tuple[Block, ...], tuple[Message, ...]]:
    """Return the system prompt and the turns. Raises InvalidRequest with the path from ``messages`` on."""
    system: list[Block] = []
    messages: list[Message] = []
    calls = _OpenCalls()
    for at, wire in enumerate(wires):
        role = wire.role
        text = _plain_text(wire)
        if text is not None:
            messages.append(Message(role=role, content=(TextBlock(text=text),)))  # type: ignore[arg-type]  # user or assistant
            if role == "assistant":
                calls.open([])
            continue
        if wire.name is not None and role not in _NAMED_ROLES:
            reading.lost["messages.name"] = None
        try:
            if role == "user":
                messages.append(Message(role="user", content=tuple(_content(wire, reading))))
            elif role == "assistant":
                messages.append(Message(role="assistant", content=tuple(_assistant(wire, reading, calls))))
            elif role in ("system", "developer"):
                blocks = _system(wire, reading)
                if messages:
                    messages.append(Message(role="system", content=tuple(blocks)))
                else:
                    system.extend(blocks)
            elif role in ("tool", "function"):
                messages.append(Message(role="user", content=(_tool(wire, reading, calls),)))
            else:
                raise InvalidRequest("expected system, developer, user, assistant, tool or function", path="role")
        except InvalidRequest as error:
            raise below(error, f"messages[{at}]") from None
    return tuple(system), tuple(messages)


def _plain_text(wire: MessageIn) -> str | None:
    """Return the text of a message of a user or an assistant that is nothing but text, as nearly all of them are."""
    # Asked once per message and in this order because long conversations consist of these.
    if (
        type(wire.content) is str
        and (wire.role == "user" or wire.role == "assistant")
        and wire.tool_calls is None
        and wire.content_blocks is None
        and wire.thinking_blocks is None
        and wire.function_call is None
        and wire.name is wire.refusal is None
        and wire.cache_control is wire.reasoning_content is wire.reasoning is ABSENT
    ):
        return wire.content or None
    return None


class _OpenCalls:
    """Which calls wait for a result: some clients leave out the ids, and functions never had one."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._functions: dict[str, str] = {}
        self._made = 0

    def open(self, calls: list[ToolUseBlock]) -> None:
        self._ids = [call.id for call in calls] if calls else []

    def close(self, call_id: str | None) -> str:
        """Return the id that a tool message answers; without one, it answers the first call still open."""
        if call_id:
            if call_id in self._ids:
                self._ids.remove(call_id)
            return call_id
        if not self._ids:
            raise InvalidRequest(REQUIRED, path="tool_call_id")
        return self._ids.pop(0)

    def make_id(self, function: str | None = None) -> str:
        """Return an id for a call that has none, the same for the same conversation."""
        self._made += 1
        made = f"call_fn_{self._made}"
        if function is not None:
            self._functions[function] = made
        return made

    def function_id(self, name: str | None) -> str:
        """Return the id of the latest call of a function."""
        if name is None or name not in self._functions:
            raise InvalidRequest("no call of this function comes before", path="name")
        return self._functions[name]


def _content(wire: MessageIn, reading: Reading) -> list[Block]:
    content = wire.content
    blocks: list[Block]
    if isinstance(content, str):
        blocks = [TextBlock(text=content)] if content else []
    else:
        blocks = read_parts(content, reading) if content else []
    return _marked(blocks, wire, reading)


def _marked(blocks: list[Block], wire: MessageIn, reading: Reading) -> list[Block]:
    if wire.cache_control is ABSENT:
        return blocks
    return mark_last(blocks, reading.markers.take(wire.cache_control))


def _system(wire: MessageIn, reading: Reading) -> list[Block]:
    content = wire.content
    if not content or isinstance(content, str):
        return _content(wire, reading)
    return _marked(read_text_parts(content, reading), wire, reading)


def _tool(wire: MessageIn, reading: Reading, calls: _OpenCalls) -> ToolResultBlock:
    call_id = calls.close(wire.tool_call_id) if wire.role == "tool" else calls.function_id(wire.name)
    cache = reading.markers.take(wire.cache_control)
    content: str | tuple[Block, ...] | None
    if isinstance(wire.content, str):
        content = wire.content or None
    else:
        blocks = read_parts(wire.content or [], reading)
        if cache is None:
            blocks, cache = unmark_last(blocks)
        content = tuple(blocks) or None
    return ToolResultBlock(tool_use_id=call_id, content=content, is_error=wire.is_error is True, cache=cache)


def _assistant(wire: MessageIn, reading: Reading, open_calls: _OpenCalls) -> list[Block]:
    calls = _calls(wire, reading, open_calls)
    blocks: list[Block]
    content = wire.content
    if wire.content_blocks:
        blocks = merge_history(wire.content_blocks, calls, reading, key="content_blocks", thinking=wire.thinking_blocks)
    elif isinstance(content, list):
        blocks = merge_history(content, calls, reading, key="content", thinking=wire.thinking_blocks)
    else:
        text = content or wire.refusal
        blocks = [TextBlock(text=text), *calls] if text else [*calls]
        if wire.thinking_blocks:
            blocks = [*merge_history([], [], reading, key="content", thinking=wire.thinking_blocks), *blocks]
    if wire.refusal and (wire.content or wire.content_blocks):
        reading.lost["messages.refusal"] = None
    if wire.reasoning_content is not ABSENT or wire.reasoning is not ABSENT:
        _name_lost_reasoning(wire, blocks, reading)
    open_calls.open([block for block in blocks if isinstance(block, ToolUseBlock)])
    return _marked(blocks, wire, reading)


def _name_lost_reasoning(wire: MessageIn, blocks: list[Block], reading: Reading) -> None:
    """Name reasoning text: no provider takes it without a signature. Beside signed blocks it is a second copy."""
    if any(isinstance(block, ThinkingBlock | RedactedThinkingBlock) for block in blocks):
        return
    for name in ("reasoning_content", "reasoning"):
        if given(getattr(wire, name)) not in _NOTHING:
            reading.lost[f"messages.{name}"] = None


def _calls(wire: MessageIn, reading: Reading, open_calls: _OpenCalls) -> list[ToolUseBlock]:
    calls: list[ToolUseBlock] = []
    for at, call in enumerate(wire.tool_calls or ()):
        try:
            calls.append(_call(call, reading, open_calls))
        except InvalidRequest as error:
            raise below(error, f"tool_calls[{at}]") from None
    function = wire.function_call
    if function is not None and not calls:
        name = _name(function, "function_call")
        calls.append(ToolUseBlock(id=open_calls.make_id(name), name=name, input=read_input(function.arguments or "")))
    return calls


def _call(call: ToolCall, reading: Reading, open_calls: _OpenCalls) -> ToolUseBlock:
    if call.function is None:
        raise InvalidRequest(REQUIRED, path="function")
    name = _name(call.function, "function")
    call_id = call.id or open_calls.make_id()
    arguments = read_input(call.function.arguments or "")
    cache = reading.markers.take(call.cache_control) if call.cache_control is not ABSENT else None
    further = {"toolset_name": call.toolset_name, "caller": given(call.caller), "cache_control": cache}
    raw = None
    if call.toolset_name is not None or further["caller"] is not None:
        keys = {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
        raw = Raw(write_json(keys | {key: value for key, value in further.items() if value is not None}))
    return ToolUseBlock(id=call_id, name=name, input=arguments, cache=cache, raw=raw)


def _name(function: FunctionCall, path: str) -> str:
    if not function.name:
        raise InvalidRequest(REQUIRED, path=f"{path}.name")
    return function.name
