"""Reads a client's Messages request.

``native`` keeps what only Anthropic's API has. ``output_config`` stays there whole, beside the effort and the format
that are read out of it for other dialects: a writer of this one must be able to tell that the client asked for an
effort alone, without thinking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from msgspec import Raw

from lockgate.core.blocks import type_decoder
from lockgate.core.chat import (
    Block,
    Call,
    FunctionTool,
    Message,
    NativeTool,
    OutputFormat,
    Role,
    TextBlock,
    Tool,
    ToolChoice,
)
from lockgate.core.json_text import (
    ABSENT,
    EMPTY_OBJECT,
    NULL,
    REQUIRED,
    decode,
    given,
    list_decoder,
    object_keys,
    write_json,
)
from lockgate.core.native import NATIVE_FIELDS, metadata_decoder, output_config_decoder, read_betas
from lockgate.dialects.anthropic_messages.blocks import read_blocks
from lockgate.dialects.anthropic_messages.faults import decode_input, refuse
from lockgate.dialects.anthropic_messages.leftovers import unknown_keys
from lockgate.dialects.anthropic_messages.wire import (
    CallIn,
    MessageIn,
    ToolIn,
    call_decoder,
    choice_decoder,
    exact_call_decoder,
    format_decoder,
    thinking_decoder,
    tool_decoder,
)

_ROLES = frozenset({"user", "assistant", "system"})
_TOOL_FIELDS = frozenset(ToolIn.__struct_fields__)
_CARRIED = tuple(sorted(NATIVE_FIELDS | {"service_tier"}))


def read_call(body: bytes) -> Call:
    """Read a Messages request. Raises InvalidRequest with the path, or the byte, of the fault, nothing else."""
    try:
        wire: CallIn = decode(exact_call_decoder, body)
        unknown: tuple[str, ...] = ()
    except (ValueError, RecursionError):
        wire = decode_input(call_decoder, body)
        unknown = unknown_keys(body)
    unknown += _turn_controls(wire.messages)
    native: dict[str, Raw] = {}
    for name in _CARRIED:
        value = getattr(wire, name)
        if value is not ABSENT and value != NULL:
            native[name] = value
    effort, output = _read_output(wire, native)
    return Call(
        model=wire.model,
        messages=tuple(_read_message(message, f"messages[{at}]") for at, message in enumerate(wire.messages)),
        system=_read_content(wire.system, "system"),
        max_tokens=wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=tuple(wire.stop_sequences or ()),
        stream=wire.stream is True,
        include_usage=wire.stream is True,
        tools=_read_tools(wire.tools),
        tool_choice=_read_choice(wire.tool_choice),
        thinking=_read_thinking(wire.thinking),
        effort=effort,
        output=output,
        user=_read_user(wire, native),
        betas=read_betas(wire.anthropic_beta, wire.betas) if wire.anthropic_beta or wire.betas else (),
        api_version=wire.anthropic_version or None,
        native=native,
        unknown=unknown,
    )


def _turn_controls(messages: Sequence[MessageIn]) -> tuple[str, ...]:
    """Name the controls of messages that the canonical form lacks."""
    found = []
    if any(given(message.output_config) is not None for message in messages):
        found.append("messages.output_config")
    if any(given(message.clear_at) is not None for message in messages):
        found.append("messages.clear_at")
    return tuple(found)


def _read_message(wire: MessageIn, path: str) -> Message:
    if wire.role not in _ROLES:
        raise refuse(f"{path}.role", "expected user, assistant or system")
    return Message(role=cast(Role, wire.role), content=_read_content(wire.content, f"{path}.content"))


def _read_content(content: str | list[Raw] | None, path: str) -> tuple[Block, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (TextBlock(text=content),) if content else ()
    return read_blocks(content, path)


def _read_tools(raw: Raw) -> tuple[Tool, ...]:
    found = given(raw)
    if found is None:
        return ()
    if bytes(found)[:1] == b"{":
        return (_read_tool(found, "tools"),)
    raws = decode_input(list_decoder, found, "tools")
    return tuple(_read_tool(item, f"tools[{at}]") for at, item in enumerate(raws))


def _read_tool(raw: Raw, path: str) -> Tool:
    wire = decode_input(tool_decoder, raw, path)
    if wire.type not in (None, "custom"):
        return NativeTool(type=wire.type or "", name=wire.name, raw=raw)
    if not wire.name:
        raise refuse(f"{path}.name", REQUIRED)
    schema = given(wire.input_schema)
    if schema is not None and bytes(schema)[:1] != b"{":
        raise refuse(f"{path}.input_schema", "expected `object`")
    return FunctionTool(
        name=wire.name,
        description=wire.description,
        schema=schema,
        strict=wire.strict,
        cache=given(wire.cache_control),
        options={key: value for key, value in object_keys(raw).items() if key not in _TOOL_FIELDS and value != NULL},
    )


def _read_choice(raw: Raw) -> ToolChoice | None:
    found = given(raw)
    if found is None:
        return None
    wire = decode_input(choice_decoder, found, "tool_choice")
    disabled = wire.disable_parallel_tool_use
    if wire.type not in ("auto", "any", "tool", "none"):
        return ToolChoice(raw=found)
    if wire.type == "tool" and not wire.name:
        raise refuse("tool_choice.name", REQUIRED)
    return ToolChoice(
        mode=cast(Literal["auto", "any", "tool", "none"], wire.type),
        name=wire.name if wire.type == "tool" else None,
        parallel=None if disabled is None else not disabled,
        raw=found,
    )


def _read_thinking(raw: Raw) -> Raw | None:
    found = given(raw)
    if found is not None:
        decode_input(thinking_decoder, found, "thinking")
    return found


def _read_output(wire: CallIn, native: dict[str, Raw]) -> tuple[str | None, OutputFormat | None]:
    """Return effort and format, and put ``output_config`` among the native fields."""
    config = given(wire.output_config)
    old = given(wire.output_format)
    if config is None and old is None:
        return None, None
    found = decode_input(output_config_decoder, config or EMPTY_OBJECT, "output_config")
    chosen = given(found.format)
    if chosen is None and old is not None:
        # The deprecated spelling: moved to where the API takes it today.
        keys = object_keys(config) if config is not None else {}
        config = Raw(write_json({**keys, "format": old}))
        chosen = old
    if config is not None:
        native["output_config"] = config
    return found.effort, _read_format(chosen) if chosen is not None else None


def _read_format(raw: Raw) -> OutputFormat | None:
    path = "output_config.format"
    if decode_input(type_decoder, raw, path).type != "json_schema":
        return None
    schema = given(decode_input(format_decoder, raw, path).schema)
    if schema is None:
        raise refuse(f"{path}.schema", REQUIRED)
    return OutputFormat(kind="json_schema", schema=schema)


def _read_user(wire: CallIn, native: dict[str, Raw]) -> str | None:
    """Return the user's id; ``metadata`` with anything else is native as well."""
    found = given(wire.metadata)
    if found is None:
        return None
    user = decode_input(metadata_decoder, found, "metadata").user_id
    if object_keys(found).keys() - {"user_id"}:
        native["metadata"] = found
    return user or None
