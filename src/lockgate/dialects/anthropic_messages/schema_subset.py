"""The subset of JSON schema that Anthropic enforces for structured answers and strict tools.

What lies beyond it moves into the description of its node, where the model may still honour it.
Source: Anthropic integration specification, section 1.7.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from lockgate.core.json_text import write_json
from lockgate.dialects.anthropic_messages.faults import decode_input

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_KEPT = frozenset({"type", "enum", "const", "description", "title", "default", "$ref"})
_DEFINITIONS = ("$defs", "definitions")
_MAPS = (*_DEFINITIONS, "properties")
_LISTS = ("anyOf", "allOf")
_schema_decoder = msgspec.json.Decoder(dict[str, object])


def read_schema(schema: Raw, path: str) -> dict[str, object]:
    """Return a schema as an object. Raises InvalidRequest when it is not one."""
    return decode_input(_schema_decoder, schema, path)


def is_object_schema(schema: dict[str, object]) -> bool:
    """Tell whether a schema's root describes an object."""
    kind = schema.get("type")
    return kind == "object" or (kind is None and "properties" in schema)


def wrap(schema: dict[str, object]) -> dict[str, object]:
    """Return the schema of an object whose only member ``value`` has this schema."""
    definitions: dict[str, object] = {name: schema[name] for name in _DEFINITIONS if name in schema}
    inner = {name: value for name, value in schema.items() if name not in definitions}
    return {"type": "object", "properties": {"value": inner}, "required": ["value"], **definitions}


def to_subset(schema: dict[str, object], moved: set[str] | None = None) -> dict[str, object]:
    """Return the schema within the subset; ``moved`` fills with the keywords beyond it, at any depth."""
    kept: dict[str, object] = {}
    beyond: dict[str, object] = {}
    is_object = _is_type(schema, "object") or "properties" in schema
    for name, value in schema.items():
        if name in _KEPT:
            kept[name] = value
        elif name in _MAPS and isinstance(value, dict):
            kept[name] = {key: _sub(inner, moved) for key, inner in value.items()}
        elif name in _LISTS and isinstance(value, list):
            kept[name] = [_sub(inner, moved) for inner in value]
        elif name == "oneOf" and isinstance(value, list):
            kept.setdefault("anyOf", [_sub(inner, moved) for inner in value])
        elif name == "items" and isinstance(value, dict):
            kept[name] = _sub(value, moved)
        elif _is_kept(name, value, is_object=is_object):
            kept[name] = value
        elif name != "additionalProperties":
            beyond[name] = value
    if is_object:
        kept.setdefault("properties", {})
        kept["additionalProperties"] = False
    if beyond:
        if moved is not None:
            moved.update(beyond)
        kept["description"] = _described(kept.get("description"), beyond)
    return kept


def is_within_subset(schema: dict[str, object]) -> bool:
    """Tell whether a schema says nothing that the subset lacks."""
    return to_subset(schema) == schema


def _sub(schema: object, moved: set[str] | None) -> object:
    return to_subset(schema, moved) if isinstance(schema, dict) else schema


def _is_type(schema: dict[str, object], kind: str) -> bool:
    found = schema.get("type")
    return found == kind or (isinstance(found, list) and kind in found)


def _is_kept(name: str, value: object, *, is_object: bool) -> bool:
    match name:
        case "format":
            return value in _FORMATS
        case "minItems":
            return value in (0, 1)
        case "required":
            return is_object
        case _:
            return False


def _described(description: object, beyond: dict[str, object]) -> str:
    rules = ", ".join(f"{name}: {_text(value)}" for name, value in beyond.items())
    return f"{description}\n\n{{{rules}}}" if isinstance(description, str) and description else f"{{{rules}}}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else write_json(value).decode()
