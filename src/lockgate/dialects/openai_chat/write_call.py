"""Writes a canonical call as a chat completions body."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from lockgate.core.chat import Call, FunctionTool, NativeTool, OutputFormat, ToolChoice
from lockgate.core.json_text import NULL, decode, object_keys, text_of, write_json
from lockgate.core.notes import Notes
from lockgate.core.tool_names import ToolNames
from lockgate.dialects import ReplyRules, TargetInfo, Written
from lockgate.dialects.openai_chat.block_leftovers import choice_leftovers, format_leftovers
from lockgate.dialects.openai_chat.names import MAX_NAME, send_user
from lockgate.dialects.openai_chat.opaque_text import is_marked
from lockgate.dialects.openai_chat.wire import CallOut, FunctionToolOut, StreamOptionsOut, ToolOut
from lockgate.dialects.openai_chat.write_messages import MessageWriter
from lockgate.errors import Unsupported

MAX_STOP = 4
"""How many stop sequences OpenAI takes."""

_REFUSED = {
    "compaction": "this target cannot compact a conversation",
    "thread": "this target keeps no message threads",
    "billing_policy": "this target cannot bill somebody else",
}
"""Fields of Anthropic's API that change what is answered or who pays: leaving them out would be wrong."""

_REFUSAL_CODES = {"thread": "thread_unsupported_request"}
"""By this code Anthropic's SDKs know that they must send the whole history. Source: addendum, section 2.6."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Every effort there is, lowest first."""

_TIERS = frozenset({"default", "fast", "flex", "priority", "scale"})
_SILENT_TIERS = frozenset({"auto"})
_budget_decoder = msgspec.json.Decoder(int | None)
_SCHEMA_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_DEFAULT_SCHEMA_NAME = "output"
_MAX_SCHEMA_NAME = 64


def write_call(call: Call, target: TargetInfo) -> Written:
    """Write a call for a target. Raises Unsupported, with the path, for what must not be dropped."""
    for field, reason in _REFUSED.items():
        if field in call.native:
            raise Unsupported(f"{field}: {reason}", path=field, wire_code=_REFUSAL_CODES.get(field))
    notes = Notes(call.unknown)
    names = ToolNames((tool.name for tool in call.tools if isinstance(tool, FunctionTool)), MAX_NAME)
    tools = _tools(call, names, notes)
    choice, parallel = _choice(call.tool_choice, call, names, notes) if tools else (None, None)
    writer = MessageWriter(names)
    try:
        messages = writer.write(call)
    except Unsupported as error:
        raise Unsupported(f"{error.path}: {error.message}", path=error.path) from None
    for field in writer.dropped:
        notes.drop(field)
    temperature, top_p = _sampling(call, target, notes)
    wire = CallOut(
        model=target.model,
        messages=messages,
        max_completion_tokens=_max_tokens(call.max_tokens, notes),
        temperature=temperature,
        top_p=top_p,
        stop=_stop(call.stop, notes),
        stream=call.stream,
        stream_options=StreamOptionsOut() if call.stream else None,
        tools=tools or None,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=_format(call.output) if call.output is not None else None,
        reasoning_effort=_reasoning(call, target, notes),
        user=_user(call.user, notes) if call.user is not None else None,
        service_tier=_tier(call.service_tier, notes) if call.service_tier is not None else None,
    )
    _name_the_rest(call, notes, has_tools=bool(tools))
    return Written(
        body=write_json(wire),
        dropped=notes.dropped,
        adjusted=notes.adjusted,
        rules=ReplyRules(tool_names=names.originals),
    )


def _name_the_rest(call: Call, notes: Notes, *, has_tools: bool) -> None:
    """Name what this API has no field for."""
    notes.drop("top_k", when=call.top_k is not None)
    notes.drop("anthropic_beta", when=bool(call.betas))
    for field, value in call.native.items():
        if field == "output_config":
            _name_config(call, object_keys(value), notes)
        else:
            notes.drop(field)
    if call.tool_choice is not None and not has_tools:
        notes.drop("tool_choice")
    elif call.tool_choice is not None and call.tool_choice.raw is not None:
        for path in choice_leftovers(call.tool_choice.raw) if call.tool_choice.mode is not None else ("tool_choice",):
            notes.drop(path)
    blocks = (*call.system, *(block for message in call.messages for block in message.content))
    marked = any(map(is_marked, blocks))
    marked = marked or any(isinstance(tool, FunctionTool) and tool.cache is not None for tool in call.tools)
    notes.drop("cache_control", when=marked)


def _name_config(call: Call, config: dict[str, Raw], notes: Notes) -> None:
    """Name what ``output_config`` says beside effort and format, which have a home of their own."""
    notes.drop("output_config", when=bool(config.keys() - {"effort", "format"}))
    if "format" in config:
        for path in format_leftovers(config["format"], is_read=call.output is not None):
            notes.drop(path)


def _tools(call: Call, names: ToolNames, notes: Notes) -> list[ToolOut]:
    tools: list[ToolOut] = []
    for at, tool in enumerate(call.tools):
        if isinstance(tool, NativeTool):
            notes.drop(f"tools[{at}]")
            continue
        for option in tool.options:
            notes.drop(f"tools.{option}")
        function = FunctionToolOut(names.sent(tool.name), tool.description, tool.schema, tool.strict)
        tools.append(ToolOut("function", function))
    return tools


def _choice(
    choice: ToolChoice | None, call: Call, names: ToolNames, notes: Notes
) -> tuple[str | dict[str, object] | None, bool | None]:
    if choice is None:
        return None, None
    parallel = False if choice.parallel is False else None
    match choice.mode:
        case None:
            return None, parallel
        case "auto" | "none":
            return choice.mode, parallel
        case "any":
            return "required", parallel
        case "tool":
            pass
    if any(isinstance(tool, FunctionTool) and tool.name == choice.name for tool in call.tools):
        return {"type": "function", "function": {"name": names.sent(choice.name or "")}}, parallel
    notes.adjust("tool_choice", "auto, the tool it names is not offered to this target")
    return "auto", parallel


def _max_tokens(count: int | None, notes: Notes) -> int | None:
    if count != 0:
        return count
    notes.adjust("max_tokens", "1, this target refuses 0")
    return 1


def _stop(stop: tuple[str, ...], notes: Notes) -> list[str] | None:
    if len(stop) > MAX_STOP:
        notes.adjust("stop", f"the first {MAX_STOP} of {len(stop)}")
    return list(stop[:MAX_STOP]) or None


def _user(user: str, notes: Notes) -> str:
    sent = send_user(user)
    if sent != user:
        notes.adjust("user", "hashed, it is too long for this target")
    return sent


def _tier(tier: str, notes: Notes) -> str | None:
    if tier in _TIERS:
        return tier
    notes.drop("service_tier", when=tier not in _SILENT_TIERS)
    return None


_LITTLE, _SOME = 4_000, 16_000
"""Budgets of thinking, in tokens, from which on more than a low and a medium effort is meant."""


def _reasoning(call: Call, target: TargetInfo, notes: Notes) -> str | None:
    """Return the effort that was asked for, or the one that stands for thinking where that is wanted."""
    effort = call.effort
    if call.thinking is not None:
        meant = _effort_of(call.thinking) if target.maps_thinking and effort is None else None
        if meant is None:
            notes.drop("thinking")
        else:
            notes.adjust("thinking", "sent as reasoning_effort")
            effort = meant
    return None if effort is None else _effort(effort, target, notes)


def _effort_of(thinking: Raw) -> str | None:
    """Return the effort that a mode of thinking stands for, None for a mode that is not known."""
    keys = object_keys(thinking)
    match text_of(keys.get("type")):
        case "adaptive":
            return "medium"
        case "disabled" | "between_tools":
            return "none"
        case "enabled":
            budget = decode(_budget_decoder, keys.get("budget_tokens", NULL))
            return "low" if (budget or 0) < _LITTLE else "medium" if (budget or 0) < _SOME else "high"
        case _:
            return None


def _effort(effort: str, target: TargetInfo, notes: Notes) -> str | None:
    """Return the effort that the model knows: the one asked for, else the nearest below, else its lowest.

    A word that nobody knows is passed on: the provider's refusal is the right answer.
    """
    known = target.facts.effort
    if effort in known or effort not in EFFORTS:
        return effort
    if not known:
        notes.drop("reasoning_effort", when=effort != "none")
        return None
    asked = EFFORTS.index(effort)
    sent = next((level for level in reversed(EFFORTS[:asked]) if level in known), known[0])
    notes.adjust("reasoning_effort", f"{sent} instead of {effort}")
    return sent


def _sampling(call: Call, target: TargetInfo, notes: Notes) -> tuple[float | None, float | None]:
    """Return temperature and top_p as far as the model takes them."""
    temperature, top_p = call.temperature, call.top_p
    if target.facts.sampling == "none":
        notes.drop("temperature", when=temperature not in (None, 1))
        notes.drop("top_p", when=top_p not in (None, 1))
        return None, None
    if target.facts.sampling == "one" and temperature is not None:
        notes.drop("top_p", when=top_p is not None)
        return temperature, None
    return temperature, top_p


def _format(output: OutputFormat) -> dict[str, object]:
    if output.kind == "json_object":
        return {"type": "json_object"}
    name = _SCHEMA_NAME.sub("_", output.name or "")[:_MAX_SCHEMA_NAME] or _DEFAULT_SCHEMA_NAME
    inner: dict[str, object] = {"name": name}
    if output.description is not None:
        inner["description"] = output.description
    if output.schema is not None:
        inner["schema"] = output.schema
        inner["strict"] = is_strict_schema(output.schema) if output.strict is None else output.strict
    elif output.strict is not None:
        inner["strict"] = output.strict
    return {"type": "json_schema", "json_schema": inner}


def is_strict_schema(schema: Raw) -> bool:
    """Tell whether OpenAI's strict mode takes a schema: objects closed, every property required."""
    try:
        root = msgspec.json.decode(schema)
    except (ValueError, RecursionError):
        return False
    return isinstance(root, dict) and root.get("type") == "object" and _is_closed(root)


def _is_closed(node: object) -> bool:
    if isinstance(node, list):
        return all(_is_closed(item) for item in node)
    if not isinstance(node, dict):
        return True
    if node.get("type") == "object" or "properties" in node:
        properties = node.get("properties", {})
        required = node.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            return False
        if node.get("additionalProperties") is not False or not set(properties) <= set(map(str, required)):
            return False
    nested = [node.get(key) for key in ("items", "anyOf", "allOf", "oneOf", "prefixItems")]
    named = [node.get(key) for key in ("properties", "$defs", "definitions")]
    return _is_closed(nested) and all(_is_closed(list(group.values())) for group in named if isinstance(group, dict))
