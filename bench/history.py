"""A history of about 100,000 tokens as coding agents have it: tools, many calls, long results. In both dialects.

A token is taken as four bytes. Cache marks stand where such clients put them: on the system text and the last turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ROUNDS = 107
TOOLS = 12
_LINES = 40
_MARK = {"cache_control": {"type": "ephemeral"}}
_SYSTEM = (
    "You are a careful programmer. Read before you write, change little, say what you did and run the tests. " * 40
)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One question, one call of a tool, and what the tool said."""

    question: str
    thought: str
    call_id: str
    tool: str
    arguments: dict[str, Any]
    result: str


def rounds() -> Iterator[Round]:
    """Yield the rounds, oldest first."""
    for number in range(ROUNDS):
        lines = (
            f'{line:5d}\tdef step_{number}_{line}(self, path: str) -> "Result":  # reads "{line}"\n\t\treturn é\n'
            for line in range(_LINES)
        )
        yield Round(
            question=f"Now look at part {number} of the module, please, and tell me what its steps do.",
            thought=f'I read the file first; part {number} begins behind the line that says "part".',
            call_id=f"toolu_{number:024d}",
            tool=f"tool_{number % TOOLS}",
            arguments={"path": f"src/part_{number}/module.py", "first_line": 1, "last_line": _LINES, "is_exact": True},
            result="".join(lines),
        )


def _schemas() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for number in range(TOOLS):
        fields = {
            f"field_{field}": {"type": "string", "description": f"What field {field} of the tool means. " * 5}
            for field in range(8)
        }
        properties = {
            "path": {"type": "string", "description": "The file, from the root of the project."},
            "first_line": {"type": "integer", "minimum": 1},
            "last_line": {"type": "integer"},
            "is_exact": {"type": "boolean"},
            **fields,
        }
        schema = {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}
        yield f"tool_{number}", f"Reads a part of a file in way {number}. " * 20, schema


def chat_fields() -> dict[str, Any]:
    """The messages and tools of a chat request."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": [{"type": "text", "text": _SYSTEM, **_MARK}]},
    ]
    for one in rounds():
        function = {"name": one.tool, "arguments": json.dumps(one.arguments)}
        call = {"id": one.call_id, "type": "function", "function": function}
        messages += [
            {"role": "user", "content": one.question},
            {"role": "assistant", "content": one.thought, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": one.call_id, "content": one.result},
        ]
    messages.append({"role": "user", "content": [{"type": "text", "text": "And now?", **_MARK}]})
    tools = [
        {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
        for name, description, schema in _schemas()
    ]
    return {"messages": messages, "tools": tools}


def messages_fields() -> dict[str, Any]:
    """The system text, messages and tools of a Messages request that says the same."""
    messages: list[dict[str, Any]] = []
    open_turn: list[dict[str, Any]] = []
    for one in rounds():
        call = {"type": "tool_use", "id": one.call_id, "name": one.tool, "input": one.arguments}
        result = {"type": "tool_result", "tool_use_id": one.call_id, "content": one.result}
        messages += [
            {"role": "user", "content": [*open_turn, {"type": "text", "text": one.question}]},
            {"role": "assistant", "content": [{"type": "text", "text": one.thought}, call]},
        ]
        open_turn = [result]
    messages.append({"role": "user", "content": [*open_turn, {"type": "text", "text": "And now?", **_MARK}]})
    tools = [
        {"name": name, "description": description, "input_schema": schema} for name, description, schema in _schemas()
    ]
    return {"system": [{"type": "text", "text": _SYSTEM, **_MARK}], "messages": messages, "tools": tools}
