"""JSON schemas of tools, made acceptable: Anthropic wants an object at the root and no alternatives there.

A schema that is acceptable keeps its bytes. Source: Anthropic integration specification, section 1.5.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_text import ABSENT, write_json
from lockgate.dialects.anthropic_messages.faults import decode_input

NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
"""The schema of a tool that has none."""

_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_MAX_REFERENCES = 16


class _Root(Struct):
    """The keys of a schema's root that Anthropic looks at."""

    type: Raw = ABSENT
    properties: Raw = ABSENT
    any_of: Raw = msgspec.field(default=ABSENT, name="anyOf")
    one_of: Raw = msgspec.field(default=ABSENT, name="oneOf")
    all_of: Raw = msgspec.field(default=ABSENT, name="allOf")
    ref: Raw = msgspec.field(default=ABSENT, name="$ref")


_root_decoder = msgspec.json.Decoder(_Root)
_schema_decoder = msgspec.json.Decoder(dict[str, object])
_OBJECT = Raw(b'"object"')


class RepairedSchema(Struct, frozen=True):
    """A schema as it is sent. ``note`` is a sentence for the tool's description about what could not stay."""

    schema: Raw
    note: str | None = None


def repair_schema(schema: Raw | None, path: str) -> RepairedSchema:
    """Return a schema that Anthropic takes at the root of a tool. Raises InvalidRequest for what is no object."""
    if schema is None:
        return RepairedSchema(NO_ARGUMENTS)
    root = decode_input(_root_decoder, schema, path)
    is_plain = root.any_of is root.one_of is root.all_of is root.ref is ABSENT
    if is_plain and root.type == _OBJECT and root.properties is not ABSENT:
        return RepairedSchema(schema)
    whole = decode_input(_schema_decoder, schema, path)
    keys = _inlined(whole, whole)
    notes = [_flatten(keys, name) for name in _ALTERNATIVES if name in keys]
    keys = {"type": "object", **keys}
    if keys["type"] != "object":
        keys["type"] = "object"
    keys.setdefault("properties", {})
    return RepairedSchema(Raw(write_json(keys)), " ".join(notes) or None)


def _inlined(schema: dict[str, object], root: dict[str, object]) -> dict[str, object]:
    """Return a schema that is not a reference itself; a reference that leads nowhere is left out."""
    for _ in range(_MAX_REFERENCES):
        if "$ref" not in schema:
            break
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        schema = {**(_target(root, schema["$ref"]) or {}), **rest}
    return {name: value for name, value in schema.items() if name != "$ref"}


def _target(root: dict[str, object], reference: object) -> dict[str, object] | None:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: object = root
    for step in reference[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _flatten(keys: dict[str, object], name: str) -> str:
    """Move a root's alternatives into its properties, and return the sentence that tells of them."""
    branches = keys.pop(name)
    known = keys.get("properties")
    properties: dict[str, object] = dict(known) if isinstance(known, dict) else {}
    shapes: list[str] = []
    for branch in branches if isinstance(branches, list) else []:
        resolved = _inlined(branch, keys) if isinstance(branch, dict) else branch
        own = resolved.get("properties") if isinstance(resolved, dict) else None
        if isinstance(own, dict):
            for key, value in own.items():
                properties.setdefault(key, value)
        shapes.append(_shape(resolved))
    keys["properties"] = properties
    joint = {"allOf": "all of these apply", "anyOf": "at least one of these applies"}.get(name, "one of these applies")
    return f"For the input, {joint}: {'; '.join(shapes)}."


def _shape(branch: object) -> str:
    """Describe one alternative in a few words."""
    if not isinstance(branch, dict):
        return "anything"
    required = branch.get("required")
    properties = branch.get("properties")
    if isinstance(required, list) and required:
        return f"{', '.join(str(key) for key in required)} given"
    if isinstance(properties, dict) and properties:
        return f"with {', '.join(properties)}"
    return write_json(branch).decode()
