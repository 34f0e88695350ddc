"""Which metadata keys and workspaces must carry: the part of JSON Schema that speaks of texts by name.

An object schema with ``properties`` (each of type string, with ``enum``, ``const``, ``pattern``, ``minLength``,
``maxLength``, ``default``), ``required`` and ``additionalProperties`` (true or false). Anything else is refused when
the schema is saved, so that nobody relies on a rule that is not looked at. Patterns are found anywhere in a value.
Source: control-plane specification, section 7.6; JSON Schema draft 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec import Struct

from lockgate.core.metadata import MAX_KEY_CHARS, MAX_VALUE_CHARS, Metadata
from lockgate.errors import InvalidRequest
from lockgate.routing.pattern import Pattern

MAX_NAMES = 64
_ABOUT = frozenset({"$schema", "$id", "$comment", "title", "description", "examples"})
"""Keywords that say nothing about what is valid."""
_OF_OBJECT = _ABOUT | {"type", "properties", "required", "additionalProperties"}
_OF_VALUE = _ABOUT | {"type", "enum", "const", "pattern", "minLength", "maxLength", "default"}


class Rule(Struct, frozen=True, kw_only=True):
    """What the value of a name may be."""

    values: tuple[str, ...] | None = None
    pattern: Pattern | None = None
    pattern_text: str = ""
    min_chars: int = 0
    max_chars: int = MAX_VALUE_CHARS
    default: str | None = None

    def fault_of(self, value: str) -> str | None:
        """Return what is wrong with a value, None when nothing is."""
        if self.values is not None and value not in self.values:
            return f"must be {'one of ' if len(self.values) > 1 else ''}{', '.join(self.values)}"
        if not self.min_chars <= len(value) <= self.max_chars:
            return f"must have from {self.min_chars} to {self.max_chars} characters"
        if self.pattern is not None and not self.pattern.found_in(value):
            return f"must match the pattern {self.pattern_text}"
        return None


class MetadataSchema(Struct, frozen=True, kw_only=True):
    """A compiled schema."""

    rules: Mapping[str, Rule] = {}
    required: tuple[str, ...] = ()
    is_open: bool = True
    """Whether other names may be there."""

    def completed(self, metadata: Metadata) -> Metadata:
        """Return metadata with the defaults of names that it lacks."""
        defaults = {name: rule.default for name, rule in self.rules.items() if rule.default is not None}
        return {**defaults, **metadata}

    def faults(self, metadata: Metadata) -> Sequence[str]:
        """Return a sentence for each name that is wrong, in the order of the schema."""
        found = [f"{name} is missing" for name in self.required if name not in metadata]
        for name, rule in self.rules.items():
            fault = rule.fault_of(metadata[name]) if name in metadata else None
            if fault is not None:
                found.append(f"{name} {fault}")
        if not self.is_open:
            found += [f"{name} is not known" for name in metadata if name not in self.rules]
        return found


def read_schema(value: object, path: str) -> MetadataSchema:
    """Compile a schema. Raises InvalidRequest with the path of what is wrong or not supported."""
    schema = _object(value, path)
    _known(schema, _OF_OBJECT, path)
    if schema.get("type", "object") != "object":
        raise InvalidRequest(f"{path}.type: must be object", path=f"{path}.type")
    properties = _object(schema.get("properties", {}), f"{path}.properties")
    if len(properties) > MAX_NAMES:
        raise InvalidRequest(f"{path}.properties: must have at most {MAX_NAMES} names", path=f"{path}.properties")
    required = _texts(schema.get("required", []), f"{path}.required")
    for name in (*properties, *required):
        if not 1 <= len(name) <= MAX_KEY_CHARS:
            raise InvalidRequest(f"{path}: a name has from 1 to {MAX_KEY_CHARS} characters", path=path)
    is_open = schema.get("additionalProperties", True)
    if not isinstance(is_open, bool):
        where = f"{path}.additionalProperties"
        raise InvalidRequest(f"{where}: must be true or false", path=where)
    rules = {name: _rule(each, f"{path}.properties.{name}") for name, each in properties.items()}
    return MetadataSchema(rules=rules, required=required, is_open=is_open)


def _rule(value: object, path: str) -> Rule:
    schema = _object(value, path)
    _known(schema, _OF_VALUE, path)
    if schema.get("type", "string") != "string":
        raise InvalidRequest(f"{path}.type: must be string; values of metadata are texts", path=f"{path}.type")
    values = _texts(schema["enum"], f"{path}.enum") if "enum" in schema else None
    if "const" in schema:
        values = _texts([schema["const"]], f"{path}.const")
    text = schema.get("pattern")
    try:
        pattern = None if text is None else Pattern(_texts([text], f"{path}.pattern")[0])
    except ValueError as error:
        raise InvalidRequest(f"{path}.pattern: {error}", path=f"{path}.pattern") from None
    default = schema.get("default")
    rule = Rule(
        values=values, pattern=pattern, pattern_text=str(text or ""),
        min_chars=_length(schema.get("minLength", 0), f"{path}.minLength"),
        max_chars=min(MAX_VALUE_CHARS, _length(schema.get("maxLength", MAX_VALUE_CHARS), f"{path}.maxLength")),
        default=None if default is None else _texts([default], f"{path}.default")[0],
    )  # fmt: skip
    fault = rule.fault_of(rule.default) if rule.default is not None else None
    if fault is not None:
        raise InvalidRequest(f"{path}.default: {fault}", path=f"{path}.default")
    return rule


def _object(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path}: must be an object", path=path)
    return cast("dict[str, object]", value)


def _known(schema: Mapping[str, object], names: frozenset[str], path: str) -> None:
    for name in schema:
        if name not in names:
            raise InvalidRequest(f"{path}.{name}: this keyword is not supported here", path=f"{path}.{name}")


def _texts(value: object, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or len(value) > 1000:
        raise InvalidRequest(f"{path}: must be text, or a list of texts where a list is meant", path=path)
    return tuple(dict.fromkeys(value))


def _length(value: object, path: str) -> int:
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**31:
        raise InvalidRequest(f"{path}: must be a whole number from 0", path=path)
    return number
