"""Structured answers: natively where the model can, else through a tool that stands for the answer.

Source: Anthropic integration specification, section 1.7.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from lockgate.catalog import ModelFacts
from lockgate.core.chat import Call, OutputFormat
from lockgate.core.json_text import write_json
from lockgate.core.notes import Notes
from lockgate.core.tool_names import clean
from lockgate.dialects import ReplyRules
from lockgate.dialects.anthropic_messages.identifiers import MAX_NAME_CHARS
from lockgate.dialects.anthropic_messages.schema_subset import is_object_schema, read_schema, to_subset, wrap
from lockgate.dialects.anthropic_messages.tool_schema import repair_schema
from lockgate.dialects.anthropic_messages.wire import ToolOut
from lockgate.errors import InvalidRequest

JSON_LINE = "Answer with one JSON object and nothing else: no prose around it, no code fence."
_FIELD = "response_format"
_TOOL_NAME = "json_response"
_TOOL_DESCRIPTION = "Return the answer in this shape."


class Structure(Struct, frozen=True, kw_only=True, gc=False):
    """How an answer gets its form: at most one of the first three, and what the reader must undo."""

    format: dict[str, object] | None = None
    """Goes into ``output_config.format``."""
    tool: ToolOut | None = None
    """Stands for the answer."""
    line: str | None = None
    """Goes to the end of the system prompt."""
    rules: ReplyRules = ReplyRules()


def decide_structure(call: Call, output: OutputFormat, facts: ModelFacts, notes: Notes) -> Structure:
    """Return how to get the answer into the form that was asked for. Raises InvalidRequest for an unusable schema."""
    if output.kind == "json_object":
        notes.adjust(_FIELD, "json_object asked for in the system prompt")
        return Structure(line=JSON_LINE, rules=ReplyRules(strip_fence=True))
    if output.schema is None:
        path = "response_format.json_schema.schema"
        raise InvalidRequest(f"{path}: this field is required", path=path)
    schema = read_schema(output.schema, "response_format.json_schema.schema")
    is_wrapped = not is_object_schema(schema)
    if is_wrapped:
        schema = wrap(schema)
    if facts.has_output_format:
        beyond: set[str] = set()
        fields: dict[str, object] = {"type": "json_schema", "schema": to_subset(schema, beyond)}
        if beyond:
            notes.adjust(_FIELD, f"{', '.join(sorted(beyond))} moved into descriptions, Claude does not enforce them")
        return Structure(format=fields, rules=ReplyRules(unwrap_value=is_wrapped))
    notes.adjust(_FIELD, "the model has no structured output, a tool stands for the answer")
    name = _name(call, output)
    repaired = repair_schema(Raw(write_json(schema)), "response_format.json_schema.schema")
    texts = [text for text in (output.description, _TOOL_DESCRIPTION, repaired.note) if text]
    tool = ToolOut(name, " ".join(texts), repaired.schema)
    return Structure(tool=tool, rules=ReplyRules(json_tool=name, unwrap_value=is_wrapped))


def _name(call: Call, output: OutputFormat) -> str:
    """Return a name for the tool that none of the client's tools has."""
    taken = {tool.name for tool in call.tools}
    base = clean(output.name or "")[: MAX_NAME_CHARS - 4] or _TOOL_NAME
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name
