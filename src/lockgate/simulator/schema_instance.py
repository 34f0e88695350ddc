"""Makes a value that satisfies a JSON Schema, for tool arguments and structured answers.

Understood: ``type`` (also a list), ``enum``, ``const``, ``properties``, ``required``, ``additionalProperties``,
``items``, ``prefixItems``, bounds and formats, ``pattern``, ``anyOf``, ``oneOf``, ``allOf``, local ``$ref``. Ignored:
``not``, ``if``, ``patternProperties``, ``dependent...``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from lockgate.simulator.dice import Dice
from lockgate.simulator.json_schema import resolve
from lockgate.simulator.pattern_instance import make_match

_DEEP = 4
"""From this depth on only what is required is made, so that a schema that refers to itself ends."""
_DEEPEST = 24

_FORMATS: Mapping[str, Callable[[Dice], str]] = {
    "date-time": lambda dice: f"2026-0{1 + dice.below(9)}-1{dice.below(10)}T0{dice.below(10)}:30:00Z",
    "date": lambda dice: f"2026-0{1 + dice.below(9)}-1{dice.below(10)}",
    "time": lambda dice: f"0{dice.below(10)}:30:00Z",
    "duration": lambda dice: f"PT{1 + dice.below(59)}M",
    "email": lambda dice: f"user{dice.below(1000)}@example.com",
    "hostname": lambda dice: f"host{dice.below(1000)}.example.com",
    "uri": lambda dice: f"https://example.com/{dice.below(1000)}",
    "ipv4": lambda dice: f"192.0.2.{1 + dice.below(250)}",
    "ipv6": lambda dice: f"2001:db8::{1 + dice.below(9000):x}",
    "uuid": lambda dice: re.sub(r"(.{8})(.{4}).(.{3}).(.{3})(.{12})", r"\1-\2-4\3-a\4-\5", dice.bytes(16).hex()),
}
_WORDS = ("Zürich", "San Francisco, CA", 'a "quoted" name', "back\\slash", "日本", "👩‍👧 family", "plain", "tab\there")


class SchemaError(Exception):
    """No value can be made for this schema."""


def make_instance(schema: Any, dice: Dice) -> Any:
    """Return a value that satisfies the schema. Raises :class:`SchemaError` when none is found."""
    return _Maker(schema, dice).make(schema, 0)


class _Maker:
    def __init__(self, root: Any, dice: Dice) -> None:
        self.root = root
        self.dice = dice

    def make(self, schema: Any, depth: int) -> Any:
        if schema is False or depth > _DEEPEST:
            raise SchemaError("no value satisfies the schema")
        schema = self._flatten(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.dice.pick(schema["enum"])
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                return self._make_one_of(schema, word, depth)
        return self._make_typed(_pick_type(schema, self.dice, depth), schema, depth)

    def _flatten(self, schema: Any, depth: int) -> dict[str, Any]:
        """Follow references and join ``allOf``, so that what is left has neither."""
        if not isinstance(schema, dict):
            return {}
        flat: dict[str, Any] = schema
        seen = 0
        while "$ref" in flat or "allOf" in flat:
            seen += 1
            if seen + depth > _DEEPEST:
                raise SchemaError("the schema refers to itself without end")
            parts = list(flat.get("allOf", ()))
            if "$ref" in flat:
                parts.append(self._resolve(flat["$ref"]))
            flat = {key: value for key, value in flat.items() if key not in ("$ref", "allOf")}
            if False in parts:
                raise SchemaError("no value satisfies the schema")
            for part in parts:
                flat = _merge(flat, part if isinstance(part, dict) else {})
        return flat

    def _resolve(self, reference: str) -> Any:
        found = resolve(reference, self.root)
        if found is None:
            raise SchemaError(f"the reference {reference} leads nowhere")
        return found

    def _make_one_of(self, schema: dict[str, Any], word: str, depth: int) -> Any:
        rest = {key: value for key, value in schema.items() if key != word}
        options = list(schema[word])
        start = self.dice.below(len(options)) if depth < _DEEP else 0
        if depth >= _DEEP:
            options.sort(key=_weight)
        for index in range(len(options)):
            option = options[(start + index) % len(options)]
            if option is False:
                continue
            try:
                return self.make(_merge(rest, option if isinstance(option, dict) else {}), depth + 1)
            except SchemaError:
                continue
        raise SchemaError(f"no alternative of {word} can be satisfied")

    def _make_typed(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                return self._make_object(schema, depth)
            case "array":
                return self._make_array(schema, depth)
            case "string":
                return _make_string(schema, self.dice)
            case "integer" | "number":
                return _make_number(schema, self.dice, is_whole=kind == "integer")
            case "boolean":
                return self.dice.chance(2)
            case "null":
                return None
            case _:
                raise SchemaError(f"unknown type {kind}")

    def _make_object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties") or {}
        required: list[str] = schema.get("required") or []
        more = schema.get("additionalProperties", True)
        made = {}
        for name, inner in properties.items():
            if name in required:
                made[name] = self.make(inner, depth + 1)
            elif depth < _DEEP and self.dice.chance(2):
                self._try_optional(made, name, inner, depth)
        for name in required:
            if name not in made:
                made[name] = self.make(more, depth + 1)
        for name in properties:
            if len(made) < schema.get("minProperties", 0) and name not in made:
                made[name] = self.make(properties[name], depth + 1)
        while len(made) < schema.get("minProperties", 0) and more is not False:
            made[f"extra_{len(made)}"] = self.make(more, depth + 1)
        return made

    def _try_optional(self, made: dict[str, Any], name: str, inner: Any, depth: int) -> None:
        try:
            made[name] = self.make(inner, depth + 1)
        except SchemaError:
            return

    def _make_array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = list(schema.get("prefixItems") or ())
        items = schema.get("items", True)
        least = max(schema.get("minItems", 0), len(first))
        extra = 0 if depth >= _DEEP or items is False else self.dice.below(3)
        size = min(least + extra, schema.get("maxItems", least + extra))
        made: list[Any] = []
        for _ in range(size * 8):
            if len(made) == size:
                break
            item = self.make(first[len(made)] if len(made) < len(first) else items, depth + 1)
            if not schema.get("uniqueItems") or item not in made:
                made.append(item)
        if len(made) < schema.get("minItems", 0):
            raise SchemaError("not enough different items")
        return made


def _pick_type(schema: dict[str, Any], dice: Dice, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        if depth >= _DEEP and "null" in kind:
            return "null"
        return str(dice.pick(kind))
    if isinstance(kind, str):
        return kind
    for words, guess in (
        (("properties", "required", "additionalProperties"), "object"),
        (("items", "prefixItems", "minItems"), "array"),
        (("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"), "number"),
    ):
        if any(word in schema for word in words):
            return guess
    return "string"


def _merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that demands what both demand, as far as that is simple."""
    merged = dict(one)
    for key, value in other.items():
        if key not in merged:
            merged[key] = value
        elif key == "properties":
            merged[key] = {**merged[key], **value}
        elif key == "required":
            merged[key] = [*merged[key], *(name for name in value if name not in merged[key])]
        elif key in ("minimum", "minLength", "minItems", "exclusiveMinimum"):
            merged[key] = max(merged[key], value)
        elif key in ("maximum", "maxLength", "maxItems", "exclusiveMaximum"):
            merged[key] = min(merged[key], value)
        elif key == "enum":
            merged[key] = [choice for choice in merged[key] if choice in value]
        elif key == "allOf":
            merged[key] = [*merged[key], *value]
        elif key == "type":
            merged[key] = _merge_types(merged[key], value)
    return merged


def _merge_types(one: Any, other: Any) -> Any:
    ones, others = ([kind] if isinstance(kind, str) else list(kind) for kind in (one, other))
    both = [kind for kind in ones if kind in others]
    if not both and {"integer", "number"} <= {*ones, *others}:
        return "integer"
    return both[0] if len(both) == 1 else both or one


def _weight(schema: Any) -> int:
    """How likely an alternative is to go deeper."""
    if not isinstance(schema, dict):
        return 0
    return 2 * ("$ref" in schema) + (schema.get("type") in ("object", "array"))


def _make_number(schema: dict[str, Any], dice: Dice, *, is_whole: bool) -> int | float:
    low = schema.get("minimum", -math.inf)
    high = schema.get("maximum", math.inf)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    step = schema.get("multipleOf") or (1 if is_whole else 0.25)
    if is_whole and step != int(step):
        step = step * 100 if (step * 100) == int(step * 100) else 1
    start = max(low, above if above is not None else -math.inf)
    end = min(high, below if below is not None else math.inf)
    if start == -math.inf:
        start = end - 1000 * step if end != math.inf else 0
    if end == math.inf:
        end = start + 1000 * step
    first = math.ceil(start / step) + (above is not None and math.ceil(start / step) * step <= above)
    last = math.floor(end / step) - (below is not None and math.floor(end / step) * step >= below)
    if first > last:
        if is_whole or schema.get("multipleOf"):
            raise SchemaError("no number is within the bounds")
        return float((start + end) / 2)
    value = (first + dice.below(int(last - first) + 1)) * step
    return int(value) if is_whole else float(value)


def _make_string(schema: dict[str, Any], dice: Dice) -> str:
    made = _FORMATS.get(schema.get("format", ""))
    if made is not None:
        return made(dice)
    if schema.get("pattern"):
        return _from_pattern(schema["pattern"], schema, dice)
    text = dice.pick(_WORDS)
    if len(text) < schema.get("minLength", 0):
        text += dice.letters(schema["minLength"] - len(text))
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def _from_pattern(pattern: str, schema: dict[str, Any], dice: Dice) -> str:
    for _ in range(20):
        text = make_match(pattern, dice)
        if schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", math.inf) and re.search(pattern, text):
            return text
    raise SchemaError("no text was found for the pattern")
