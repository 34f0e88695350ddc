"""Rules of a Messages request beyond its shape: what the model takes, thinking, tools, structured output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lockgate.simulator.anthropic import betas
from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.models import Model
from lockgate.simulator.json_schema import ANTHROPIC_SUBSET, SchemaFault, check_schema, check_subset
from lockgate.simulator.shapes import Scope

Body = Mapping[str, Any]

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_LONG_OUTPUT_TOKENS = 128_000


def check_request(body: Body, model: Model, scope: Scope) -> None:
    """Refuse what the model or the parameters' combination does not allow. Raises :class:`ApiError`."""
    check_prompt_fields(body, model, scope)
    _check_max_tokens(body, model, scope)
    _check_sampling(body, model)
    _check_stop_sequences(body)
    _check_metadata(body)
    if body.get("compaction") and body.get("context_management"):
        raise ApiError("compaction: may not be used together with `context_management`")


def check_prompt_fields(body: Body, model: Model, scope: Scope) -> None:
    """The part of the rules that counting tokens shares."""
    _check_thinking(body, model, scope)
    _check_output(body, model)
    _check_speed(body, model, scope)
    _check_tools(body)
    _check_tool_choice(body, model)


def find_output_schema(body: Body) -> Any:
    """Return the schema of a structured answer, or None."""
    found = (body.get("output_config") or {}).get("format") or body.get("output_format")
    return found["schema"] if found else None


# --- limits and sampling ------------------------------------------------------------------------------------------


def _check_max_tokens(body: Body, model: Model, scope: Scope) -> None:
    most = model.max_output_tokens
    if model.id.startswith("claude-3-7") and not scope.betas.isdisjoint(betas.LONG_OUTPUT):
        most = _LONG_OUTPUT_TOKENS
    if body["max_tokens"] > most:
        raise ApiError(
            f"max_tokens: {body['max_tokens']} > {most}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    if body["max_tokens"] == 0 and body.get("stream"):
        raise ApiError("stream: must be false when `max_tokens` is 0")


def _check_sampling(body: Body, model: Model) -> None:
    given = [name for name in ("temperature", "top_p", "top_k") if name in body]
    if given and model.sampling == "none":
        raise ApiError(f"`{given[0]}` is deprecated for this model.")
    if model.sampling == "one" and "temperature" in body and "top_p" in body:
        raise ApiError("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_stop_sequences(body: Body) -> None:
    if any(not sequence.strip() for sequence in body.get("stop_sequences", ())):
        raise ApiError("stop_sequences: each stop sequence must contain non-whitespace")


def _check_metadata(body: Body) -> None:
    user = (body.get("metadata") or {}).get("user_id") or ""
    if not user.lstrip().startswith("{") and _EMAIL.search(user):
        raise ApiError("metadata.user_id: user_id appears to contain an email address")


# --- thinking -----------------------------------------------------------------------------------------------------


def _check_thinking(body: Body, model: Model, scope: Scope) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking["type"]
    if kind not in (model.thinking or ("disabled",)):
        raise ApiError(_word_thinking(kind, model))
    if kind in ("disabled", "between_tools"):
        effort = (body.get("output_config") or {}).get("effort")
        if effort in ("xhigh", "max") and model.thinks_by_default:
            raise ApiError(f"output_config.effort: '{effort}' is not supported with thinking turned off for this model")
        return
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise ApiError("Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "enabled":
        _check_budget(body, thinking["budget_tokens"], scope)
    _check_thinking_sampling(body)


def _word_thinking(kind: str, model: Model) -> str:
    if kind == "enabled" and "adaptive" in model.thinking:
        return (
            '"thinking.type.enabled" is not supported for this model. '
            'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        )
    if kind == "disabled":
        return '"thinking.type.disabled" is not supported for this model. Thinking cannot be turned off.'
    return f'"thinking.type.{kind}" is not supported for this model.'


def _check_budget(body: Body, budget: int, scope: Scope) -> None:
    is_interleaved = bool(body.get("tools")) and not scope.betas.isdisjoint(betas.INTERLEAVED)
    if budget >= body.get("max_tokens", budget + 1) and not is_interleaved:
        raise ApiError("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_thinking_sampling(body: Body) -> None:
    if body.get("temperature", 1) != 1:
        raise ApiError("`temperature` may only be set to 1 when thinking is enabled.")
    if body.get("top_p", 1) < 0.95:
        raise ApiError("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
    if "top_k" in body:
        raise ApiError("`top_k` must be unset when thinking is enabled.")


# --- output -------------------------------------------------------------------------------------------------------


def _check_output(body: Body, model: Model) -> None:
    config = body.get("output_config") or {}
    effort = config.get("effort")
    if effort is not None and not model.efforts:
        raise ApiError("This model does not support the effort parameter.")
    if effort is not None and effort not in model.efforts:
        levels = ", ".join(model.efforts)
        raise ApiError(f"This model does not support effort level '{effort}'. Supported levels: {levels}.")
    schema = find_output_schema(body)
    if schema is None:
        return
    where = "output_config.format.schema" if config.get("format") else "output_format.schema"
    if not model.has_output_format:
        raise ApiError(f"{where.rpartition('.')[0]}: This model does not support structured outputs.")
    _check_constrained(schema, where)


def _check_constrained(schema: Any, where: str) -> None:
    try:
        check_schema(schema)
        check_subset(schema, ANTHROPIC_SUBSET)
    except SchemaFault as fault:
        raise ApiError(f"{where}: {_word_schema(fault)}") from fault


def _word_schema(fault: SchemaFault) -> str:
    match fault.kind:
        case "open":
            return "For 'object' type, 'additionalProperties' must be explicitly set to false"
        case "keyword":
            kind = f"For '{fault.facts['on']}' type, property" if fault.facts["on"] else "Property"
            return f"{kind} '{fault.facts['word']}' is not supported"
        case "format":
            return f"For 'string' type, format '{fault.facts['value']}' is not supported"
        case "min_items":
            return f"For 'array' type, 'minItems' values other than 0 or 1 are not supported: {fault.facts['value']}"
        case "recursion":
            return f"Circular reference detected in schema definitions: {fault.facts['value']}"
        case "reference":
            return f"'$ref' {fault.facts['value']} does not resolve within the schema"
        case _:
            return "JSON schema is invalid. It must match JSON Schema draft 2020-12"


def _check_speed(body: Body, model: Model, scope: Scope) -> None:
    if body.get("speed") is None or model.speed == "free":
        return
    if model.speed == "beta" and not scope.betas.isdisjoint(betas.FAST):
        return
    if model.speed == "beta":
        raise ApiError("speed: Extra inputs are not permitted")
    if body["speed"] == "fast":
        raise ApiError("speed: 'fast' is not supported for this model")


# --- tools --------------------------------------------------------------------------------------------------------


def _check_tools(body: Body) -> None:
    names: set[str] = set()
    for index, tool in enumerate(body.get("tools", ())):
        if "input_schema" in tool:
            _check_input_schema(tool, f"tools.{index}.custom.input_schema")
        name = tool.get("name")
        if name in names:
            raise ApiError("tools: Tool names must be unique.")
        if name is not None:
            names.add(name)
        if tool.get("defer_loading") and tool.get("cache_control"):
            raise ApiError(f"tools.{index}: tools with `defer_loading` set cannot use `cache_control`")
        if tool.get("allowed_domains") and tool.get("blocked_domains"):
            raise ApiError(f"tools.{index}: only one of `allowed_domains` and `blocked_domains` may be given")
    servers = {server["name"] for server in body.get("mcp_servers", ())}
    for tool in body.get("tools", ()):
        if tool.get("type") == "mcp_toolset" and tool["mcp_server_name"] not in servers:
            raise ApiError(f"tools: mcp_toolset refers to an unknown MCP server '{tool['mcp_server_name']}'")


def _check_input_schema(tool: Mapping[str, Any], where: str) -> None:
    schema = tool["input_schema"]
    if "type" not in schema:
        raise ApiError(f"{where}.type: Field required")
    if schema["type"] != "object":
        raise ApiError(f"{where}.type: Input should be 'object'")
    if any(word in schema for word in ("oneOf", "allOf", "anyOf")):
        raise ApiError(f"{where}: input_schema does not support oneOf, allOf, or anyOf at the top level")
    try:
        check_schema(schema)
    except SchemaFault as fault:
        raise ApiError(f"{where}: {_word_schema(fault)}") from fault
    if tool.get("strict"):
        _check_constrained(schema, where)


def _check_tool_choice(body: Body, model: Model) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    tools = body.get("tools")
    if not tools:
        raise ApiError("tool_choice: tool_choice may only be specified while providing tools")
    if choice["type"] in ("any", "tool") and not model.has_forced_tools:
        raise ApiError(f"tool_choice: type '{choice['type']}' is not supported for this model. Use 'auto' instead.")
    if choice["type"] == "tool" and not any(tool.get("name") == choice["name"] for tool in tools):
        raise ApiError(f"Tool '{choice['name']}' not found in provided tools")
