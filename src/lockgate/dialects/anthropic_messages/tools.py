"""Tools of a call and the choice among them, written for a model that may refuse to be forced.

Source: Anthropic integration specification, sections 1.5 and 1.6; addendum of November 2026, section 2.7.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw, Struct

from lockgate.catalog import ModelFacts
from lockgate.core.chat import Call, FunctionTool, NativeTool, Tool, ToolChoice
from lockgate.core.json_text import object_keys, text_of, write_json
from lockgate.core.notes import Notes
from lockgate.core.tool_names import ToolNames
from lockgate.dialects import TargetInfo
from lockgate.dialects.anthropic_messages.identifiers import MAX_NAME_CHARS
from lockgate.dialects.anthropic_messages.native_body import ADVISOR, NO_SLUG, without_slug
from lockgate.dialects.anthropic_messages.schema_subset import is_within_subset, read_schema
from lockgate.dialects.anthropic_messages.tool_schema import repair_schema
from lockgate.dialects.anthropic_messages.wire import ChoiceOut, ToolOut


class WrittenTools(Struct, frozen=True, kw_only=True):
    """What goes into a call. ``line`` belongs at the end of the system prompt."""

    tools: list[object] | None = None
    choice: ChoiceOut | Raw | None = None
    line: str | None = None


NO_TOOLS = WrittenTools()


def tool_names(call: Call) -> ToolNames:
    """Return the mapping of names for a call."""
    return ToolNames((tool.name for tool in call.tools if tool.name), MAX_NAME_CHARS)


def has_forced_choice(call: Call, target: TargetInfo) -> bool:
    """Tell whether the model will be made to call a tool; models cannot think up front then."""
    choice = call.tool_choice
    if choice is None or choice.mode not in ("any", "tool") or not call.tools:
        return False
    return target.facts.has_forced_tools or target.wishes.passes_forced_tools or choice.raw is not None


def write_tools(
    call: Call, target: TargetInfo, names: ToolNames, notes: Notes, *, json_tool: ToolOut | None, is_thinking: bool
) -> WrittenTools:
    """Return tools and choice. ``json_tool`` stands for a structured answer. Raises InvalidRequest for bad schemas."""
    choice, facts = call.tool_choice, target.facts
    if not call.tools and json_tool is None:
        return _without_tools(choice, notes)
    allowed: Sequence[Tool] = call.tools
    line = None
    is_emulated = (
        choice is not None
        and choice.mode in ("any", "tool")
        and not has_forced_choice(call, target)
        and json_tool is None
    )
    if choice is not None and is_emulated:
        allowed = _restricted(call.tools, choice)
        line = _line_for(choice, names)
        choice = ToolChoice(mode="auto", parallel=choice.parallel)
        notes.adjust("tool_choice", "asked for in the system prompt, the model refuses a forced choice")
    tools = [_write_tool(tool, f"tools[{at}]", facts, names, notes) for at, tool in enumerate(allowed)]
    if json_tool is not None:
        tools.append(json_tool)
        return _with_json_tool(call, facts, tools, json_tool, names, is_thinking=is_thinking)
    return WrittenTools(tools=tools, choice=_write_choice(choice, names), line=line)


def _without_tools(choice: ToolChoice | None, notes: Notes) -> WrittenTools:
    if choice is not None and choice.mode == "none":
        return WrittenTools(choice=ChoiceOut("none"))
    if choice is not None:
        notes.drop("tool_choice", when=choice.mode is not None or choice.raw is not None)
        notes.drop("parallel_tool_calls", when=choice.parallel is not None and choice.raw is None)
    return NO_TOOLS


def _restricted(tools: Sequence[Tool], choice: ToolChoice) -> Sequence[Tool]:
    if choice.mode != "tool":
        return tools
    return [tool for tool in tools if tool.name == choice.name] or tools


def _line_for(choice: ToolChoice, names: ToolNames) -> str:
    if choice.mode == "tool" and choice.name:
        return f"Answer this turn by calling the tool {names.sent(choice.name)}."
    return "Answer this turn by calling one of the tools."


def _write_tool(tool: Tool, path: str, facts: ModelFacts, names: ToolNames, notes: Notes) -> object:
    if isinstance(tool, NativeTool):
        return _without_slug(tool, notes) if tool.type.startswith(ADVISOR) else tool.raw
    path = f"{path}.input_schema"
    repaired = repair_schema(tool.schema, path)
    description = tool.description
    if repaired.note is not None:
        description = f"{description}\n\n{repaired.note}" if description else repaired.note
        notes.adjust("tools.input_schema", "alternatives at the root moved into the description")
    out = ToolOut(
        names.sent(tool.name),
        description or None,
        repaired.schema,
        _strict(tool, repaired.schema, path, facts, notes),
        tool.cache,
    )
    if not tool.options:
        return out
    encoded = write_json(out)
    return Raw(encoded[:-1] + b"," + write_json(tool.options)[1:])


def _without_slug(advisor: NativeTool, notes: Notes) -> Raw:
    """Return an advisor with its model's bare name: it runs where the request runs."""
    keys = object_keys(advisor.raw)
    bare = without_slug(text_of(keys.get("model")))
    if bare is None:
        return advisor.raw
    notes.adjust("tools.model", NO_SLUG)
    return Raw(write_json({**keys, "model": bare}))


def _strict(tool: FunctionTool, schema: Raw, path: str, facts: ModelFacts, notes: Notes) -> bool | None:
    if not tool.strict:
        return None
    if facts.has_output_format and is_within_subset(read_schema(schema, path)):
        return True
    notes.adjust("tools.strict", "left out, the model or the schema does not allow it")
    return None


def _write_choice(choice: ToolChoice | None, names: ToolNames) -> ChoiceOut | Raw | None:
    if choice is None:
        return None
    if choice.raw is not None:
        sent = names.sent(choice.name) if choice.name else choice.name
        if sent == choice.name:
            return choice.raw
        return Raw(write_json({**object_keys(choice.raw), "name": sent}))
    is_single = choice.parallel is False
    if choice.mode is None:
        return ChoiceOut("auto", disable_parallel_tool_use=True) if is_single else None
    if choice.mode == "none":
        return ChoiceOut("none")
    name = names.sent(choice.name) if choice.mode == "tool" and choice.name else None
    return ChoiceOut(choice.mode, name, is_single)


def _with_json_tool(
    call: Call, facts: ModelFacts, tools: list[object], json_tool: ToolOut, names: ToolNames, *, is_thinking: bool
) -> WrittenTools:
    """Choose so that the answer comes through the tool that stands for it, as far as the model lets us."""
    choice = call.tool_choice
    line = f"Give your final answer by calling the tool {json_tool.name}."
    is_single = choice is not None and choice.parallel is False
    if is_thinking or not facts.has_forced_tools:
        return WrittenTools(tools=tools, choice=ChoiceOut("auto", None, is_single), line=line)
    if choice is not None and choice.mode == "tool":
        return WrittenTools(tools=tools, choice=_write_choice(choice, names))
    if len(tools) == 1 or (choice is not None and choice.mode == "none"):
        return WrittenTools(tools=tools, choice=ChoiceOut("tool", json_tool.name))
    return WrittenTools(tools=tools, choice=ChoiceOut("any", None, is_single))
