"""A minimal JSON Schema checker, written apart from the generator it checks."""

from __future__ import annotations

import re
from typing import Any

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}


def fits(value: Any, schema: Any, root: Any) -> bool:
    """Tell whether a value satisfies a schema."""
    if isinstance(schema, bool):
        return schema
    checks = (
        "$ref" not in schema or fits(value, follow(schema["$ref"], root), root),
        "const" not in schema or value == schema["const"],
        "enum" not in schema or value in schema["enum"],
        "type" not in schema or any(has_type(value, kind) for kind in aslist(schema["type"])),
        all(fits(value, part, root) for part in schema.get("allOf", ())),
        "anyOf" not in schema or any(fits(value, part, root) for part in schema["anyOf"]),
        "oneOf" not in schema or any(fits(value, part, root) for part in schema["oneOf"]),
    )
    if not all(checks):
        return False
    if isinstance(value, dict):
        return object_fits(value, schema, root)
    if isinstance(value, list):
        return array_fits(value, schema, root)
    if isinstance(value, str):
        length = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return length and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_fits(value, schema)
    return True


def aslist(kind: Any) -> list[str]:
    return kind if isinstance(kind, list) else [kind]


def has_type(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and (kind == "number" or value == int(value))
    return isinstance(value, TYPES[kind])


def follow(reference: str, root: Any) -> Any:
    for step in reference.removeprefix("#").split("/")[1:]:
        root = root[step]
    return root


def object_fits(value: dict[str, Any], schema: dict[str, Any], root: Any) -> bool:
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    members = all(fits(item, known.get(name, rest), root) for name, item in value.items())
    size = schema.get("minProperties", 0) <= len(value)
    return members and size and all(name in value for name in schema.get("required", ()))


def array_fits(value: list[Any], schema: dict[str, Any], root: Any) -> bool:
    first = schema.get("prefixItems", [])
    members = all(fits(item, shape, root) for item, shape in zip(value, first, strict=False))
    rest = all(fits(item, schema.get("items", True), root) for item in value[len(first) :])
    size = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
    return members and rest and size


def number_fits(value: float, schema: dict[str, Any]) -> bool:
    step = schema.get("multipleOf")
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        and (step is None or abs(value / step - round(value / step)) < 1e-9)
    )
