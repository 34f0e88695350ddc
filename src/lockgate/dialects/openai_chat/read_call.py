"""Reads a client's chat completions call. The client half of the dialect begins here."""

from __future__ import annotations

import msgspec
from msgspec import Raw, structs

from lockgate.core.body import too_deep
from lockgate.core.chat import Call, NativeTool, OutputFormat, Tool, ToolChoice
from lockgate.core.json_text import (
    ABSENT,
    EMPTY_OBJECT,
    REQUIRED,
    bad_utf8,
    below,
    decode,
    decode_input,
    given,
    object_keys,
    write_json,
)
from lockgate.core.native import NATIVE_FIELDS, metadata_decoder, output_config_decoder, read_betas
from lockgate.dialects.openai_chat.leftovers import leftovers, option_leftovers
from lockgate.dialects.openai_chat.messages import read_messages
from lockgate.dialects.openai_chat.parts import Reading
from lockgate.dialects.openai_chat.tools import read_choice, read_tool_list
from lockgate.dialects.openai_chat.wire import (
    CallIn,
    read_exact_call,
    read_format,
    read_lax_call,
)
from lockgate.errors import InvalidRequest

EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})

_NEUTRAL: dict[str, frozenset[bytes]] = {
    "n": frozenset({b"1"}),
    "frequency_penalty": frozenset({b"0", b"0.0"}),
    "presence_penalty": frozenset({b"0", b"0.0"}),
    "logit_bias": frozenset({b"{}"}),
    "logprobs": frozenset({b"false"}),
    "store": frozenset({b"false"}),
    "modalities": frozenset({b'["text"]'}),
}
"""Values that ask for nothing: leaving them out loses nothing."""


def read_call(body: bytes) -> Call:
    """Read a chat completions call. Raises InvalidRequest with the path of the fault, nothing else."""
    try:
        return _read(body)
    except InvalidRequest as error:
        message = f"{error.path}: {error.message}" if error.path else error.message
        raise InvalidRequest(message, path=error.path) from None
    except UnicodeDecodeError:
        raise bad_utf8(body) from None
    except RecursionError:
        raise too_deep() from None


def _read(body: bytes) -> Call:
    try:
        wire: CallIn = decode(read_exact_call, body)
        native: dict[str, Raw] = {}
        unknown = _homeless(wire)
    except msgspec.DecodeError:
        wire = decode_input(read_lax_call, body)
        native, unknown = _leftovers(wire, body)
        is_exact = False
    else:
        is_exact = True
    reading = Reading()
    call = _build(wire, body, reading, native, unknown)
    if reading.markers.excess:
        call = _build(wire, body, Reading(skip_breakpoints=reading.markers.excess), native, unknown)
    lost = option_leftovers(wire) if is_exact and not reading.has_leftovers else leftovers(body)
    return structs.replace(call, unknown=(*call.unknown, *lost)) if lost else call


def _homeless(wire: CallIn) -> list[str]:
    """Name the fields of the last group that say something."""
    # One chain of ``is``: nearly every call has none of them, and this is the hot path.
    if (
        wire.n
        is wire.seed
        is wire.frequency_penalty
        is wire.presence_penalty
        is wire.logit_bias
        is wire.logprobs
        is wire.top_logprobs
        is wire.store
        is ABSENT
    ):
        return []
    names = ("n", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "store")
    return [name for name in names if _says_something(name, getattr(wire, name))]


def _says_something(name: str, value: Raw) -> bool:
    return given(value) is not None and bytes(value) not in _NEUTRAL.get(name, ())


def _leftovers(wire: CallIn, body: bytes) -> tuple[dict[str, Raw], list[str]]:
    """Return the native fields, and the names of those that nobody knows."""
    native: dict[str, Raw] = {}
    unknown = _homeless(wire)
    for name, value in object_keys(Raw(body)).items():
        if name in CallIn.__struct_fields__:
            continue
        if name in NATIVE_FIELDS:
            if given(value) is not None:
                native[name] = value
        elif _says_something(name, value):
            unknown.append(name)
    return native, unknown


def _build(wire: CallIn, body: bytes, reading: Reading, native: dict[str, Raw], unknown: list[str]) -> Call:
    tools: list[Tool] = []
    choice = None
    if wire.tools is not None or wire.functions is not None or wire.web_search_options is not ABSENT:
        tools, choice = _tools(wire, body, reading)
    elif wire.tool_choice is not ABSENT or wire.function_call is not ABSENT:
        choice, tools = read_choice(wire, tools)
    system, messages = read_messages(wire.messages, reading)
    output, effort, native = _output(wire, native)
    user, unknown = _user(wire, unknown)
    if reading.lost:
        unknown = [*unknown, *reading.lost]
    options = wire.stream_options
    if options is not None and options.include_obfuscation:
        unknown = [*unknown, "stream_options.include_obfuscation"]
    return Call(
        model=wire.model,
        messages=messages,
        system=system,
        max_tokens=wire.max_completion_tokens if wire.max_tokens is None else wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=_stop(wire.stop) if wire.stop else (),
        stream=wire.stream is True,
        include_usage=options is not None and options.include_usage is True,
        tools=tuple(tools),
        tool_choice=choice,
        thinking=_thinking(wire.thinking) if wire.thinking is not ABSENT else None,
        effort=effort,
        output=output,
        user=user,
        service_tier=wire.service_tier,
        betas=read_betas(wire.anthropic_beta, wire.betas) if wire.anthropic_beta or wire.betas else (),
        api_version=wire.anthropic_version,
        native=native,
        unknown=tuple(unknown),
    )


def _tools(wire: CallIn, body: bytes, reading: Reading) -> tuple[list[Tool], ToolChoice | None]:
    tools = read_tool_list(wire, body, reading.markers)
    reading.has_code_execution = any(
        isinstance(tool, NativeTool) and tool.type.startswith("code_execution") for tool in tools
    )
    choice, tools = read_choice(wire, tools)
    return tools, choice


def _stop(stop: str | list[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(text for text in stop if text)


def _thinking(raw: Raw) -> Raw | None:
    thinking = given(raw)
    if thinking is not None and bytes(thinking)[:1] != b"{":
        raise InvalidRequest("expected an object", path="thinking")
    return thinking


def _user(wire: CallIn, unknown: list[str]) -> tuple[str | None, list[str]]:
    """Return who the end user is, and the names of what says something else.

    The id in ``metadata`` wins, because its place is Anthropic's own.
    """
    user = wire.user or wire.safety_identifier
    metadata = given(wire.metadata)
    if metadata is not None:
        try:
            user = decode_input(metadata_decoder, metadata).user_id or user
        except InvalidRequest as error:
            raise below(error, "metadata") from None
    for name in ("user", "safety_identifier"):
        if getattr(wire, name) not in (None, "", user):
            unknown = [*unknown, name]
    if metadata is not None and object_keys(metadata).keys() - {"user_id"}:
        unknown = [*unknown, "metadata"]
    return user, unknown


def _output(wire: CallIn, native: dict[str, Raw]) -> tuple[OutputFormat | None, str | None, dict[str, Raw]]:
    """Return the answer's format and the effort; ``output_config`` has the last word on both.

    It stays whole among the native fields: who asks for an effort there does not ask for thinking.
    """
    config, old = given(wire.output_config), given(wire.output_format)
    output = None if given(wire.response_format) is None else _format(wire.response_format, "response_format")
    if config is None and old is None:
        return output, _effort(wire), native
    try:
        found = decode_input(output_config_decoder, config or EMPTY_OBJECT)
    except InvalidRequest as error:
        raise below(error, "output_config") from None
    keys = {} if config is None else object_keys(config)
    chosen = given(found.format)
    if chosen is not None:
        output = _format(chosen, "output_config.format")
    elif old is not None:
        # The deprecated spelling: moved to where the API takes it today.
        output = _format(old, "output_format")
        config = Raw(write_json({**keys, "format": old}))
    native = native if config is None else {**native, "output_config": config}
    return output, _known(found.effort, "output_config.effort") or _effort(wire), native


def _effort(wire: CallIn) -> str | None:
    if wire.reasoning_effort is not None:
        return _known(wire.reasoning_effort, "reasoning_effort")
    return _known(wire.reasoning.effort, "reasoning.effort") if wire.reasoning is not None else None


def _known(effort: str | None, path: str) -> str | None:
    if effort is not None and effort not in EFFORTS:
        raise InvalidRequest("expected none, minimal, low, medium, high, xhigh or max", path=path)
    return effort


def _format(raw: Raw, path: str) -> OutputFormat | None:
    try:
        wire = decode_input(read_format, raw)
    except InvalidRequest as error:
        raise below(error, path) from None
    match wire.type:
        case "text":
            return None
        case "json_object":
            return OutputFormat(kind="json_object")
        case "json_schema":
            inner = wire.json_schema
            if inner is None:
                if given(wire.schema) is None:
                    raise InvalidRequest(REQUIRED, path=f"{path}.json_schema")
                return OutputFormat(kind="json_schema", schema=wire.schema)
            return OutputFormat(
                kind="json_schema",
                name=inner.name,
                description=inner.description,
                schema=given(inner.schema),
                strict=inner.strict,
            )
        case _:
            raise InvalidRequest("expected text, json_object or json_schema", path=f"{path}.type")
