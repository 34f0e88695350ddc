"""Which tools an answer calls, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lockgate.simulator.anthropic.asked import Asked
from lockgate.simulator.anthropic.blocks import ToolOut
from lockgate.simulator.anthropic.shapes import BROWSER_ACTIONS, COMPUTER_ACTIONS
from lockgate.simulator.dice import Dice
from lockgate.simulator.directives import AnswerPlan, DirectiveError
from lockgate.simulator.mention import find_mentioned
from lockgate.simulator.schema_instance import SchemaError, make_instance
from lockgate.simulator.splitting import write_arguments

_TOOLSETS = {"computer_toolset_20260801": COMPUTER_ACTIONS, "browser_toolset_20260801": BROWSER_ACTIONS}
_FIXED_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "bash": {"command": "ls -la"},
    "str_replace_editor": {"command": "view", "path": "/notes.txt"},
    "str_replace_based_edit_tool": {"command": "view", "path": "/notes.txt"},
    "memory": {"command": "view", "path": "/memories"},
    "computer": {"action": "screenshot"},
    "left_click": {"coordinate": [512, 384]},
    "type": {"text": "hello"},
    "key": {"text": "Return"},
    "scroll": {"scroll_amount": 3, "scroll_direction": "down"},
    "navigate": {"url": "https://example.com"},
    "find": {"query": "the search box"},
}
"""Arguments for tools whose schema Anthropic defines and no request carries."""


def choose_calls(body: Mapping[str, Any], asked: Asked, plan: AnswerPlan, dice: Dice) -> list[ToolOut]:
    """Return the calls of client tools that the answer makes; none is the usual case."""
    tools = [tool for tool in body.get("tools", ()) if _is_client_tool(tool)]
    choice = body.get("tool_choice") or {"type": "auto"}
    if not tools or choice["type"] == "none" or asked.is_resumed:
        return []
    names = _choose_names(tools, choice, asked, plan, dice)
    if choice.get("disable_parallel_tool_use"):
        names = names[:1]
    return [_make_call(name, tools, plan, dice) for name in names]


def find_search_tool(body: Mapping[str, Any]) -> bool:
    """Whether the web search server tool is offered and may be used."""
    if (body.get("tool_choice") or {}).get("type") in ("none", "any", "tool"):
        return False
    return any(str(tool.get("type", "")).startswith("web_search_") for tool in body.get("tools", ()))


def _is_client_tool(tool: Mapping[str, Any]) -> bool:
    return "input_schema" in tool or tool.get("name") in _FIXED_INPUTS or tool.get("type") in _TOOLSETS


def _choose_names(
    tools: list[Mapping[str, Any]], choice: Mapping[str, Any], asked: Asked, plan: AnswerPlan, dice: Dice
) -> list[str]:
    offered = [name for tool in tools for name in _names(tool)]
    count = max(plan.parallel, 1)
    if plan.tool not in ("", "1"):
        if plan.tool not in offered:
            raise DirectiveError(f"tool={plan.tool}: no such tool is offered")
        return [plan.tool] * count
    if choice["type"] == "tool":
        return [choice["name"]] * count
    is_wanted = bool(plan.tool) or plan.parallel > 0 or plan.stop_reason == "tool_use" or choice["type"] == "any"
    start = find_mentioned([(name, tool.get("description", "")) for tool in tools for name in _names(tool)], asked.text)
    if start is None and not is_wanted:
        return []
    if start is None or asked.results:
        start = dice.below(len(offered)) if is_wanted else None
    return [] if start is None else [offered[(start + index) % len(offered)] for index in range(count)]


def _names(tool: Mapping[str, Any]) -> tuple[str, ...]:
    return _TOOLSETS.get(tool.get("type") or "", ()) or (tool["name"],)


def _make_call(name: str, tools: list[Mapping[str, Any]], plan: AnswerPlan, dice: Dice) -> ToolOut:
    tool = next(tool for tool in tools if name in _names(tool))
    is_member = tool.get("type") in _TOOLSETS
    return ToolOut(
        id=f"toolu_01{dice.letters(22)}",
        name=name,
        arguments=plan.args or _write_input(name, tool, dice),
        toolset_name=tool["type"] if is_member else None,
    )


def _write_input(name: str, tool: Mapping[str, Any], dice: Dice) -> str:
    if "input_schema" not in tool:
        return msgspec.json.encode(_FIXED_INPUTS.get(name, {})).decode()
    try:
        return write_arguments(make_instance(tool["input_schema"], dice), dice)
    except SchemaError:
        return "{}"
