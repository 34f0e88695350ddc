"""Which JSON Schemas a provider accepts: is it a schema at all, and is it within the subset for constrained output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

_TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_NAMED = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")


class Subset(Struct, frozen=True, kw_only=True):
    """What constrained output allows."""

    refused_words: frozenset[str]
    """Keywords that may not appear in any subschema."""
    formats: frozenset[str] | None = None
    """The values ``format`` may have; None: any."""
    min_items: tuple[int, ...] | None = None
    """The values ``minItems`` may have; None: any."""
    is_all_required: bool = False
    """Whether each property must be listed in ``required``."""
    has_recursion: bool = False
    """Whether a schema may refer to itself."""


ANTHROPIC_SUBSET = Subset(
    refused_words=frozenset(
        """minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength maxItems uniqueItems
        contains minContains maxContains minProperties maxProperties patternProperties propertyNames oneOf not if then
        else dependentRequired dependentSchemas prefixItems unevaluatedProperties unevaluatedItems""".split()
    ),
    formats=frozenset("date-time time date duration email hostname uri ipv4 ipv6 uuid".split()),
    min_items=(0, 1),
)
"""Source: Anthropic documentation, "Structured outputs", JSON Schema limitations; what the SDK's transform removes."""

OPENAI_SUBSET = Subset(
    refused_words=frozenset(
        """allOf oneOf not if then else dependentRequired dependentSchemas patternProperties propertyNames uniqueItems
        minProperties maxProperties contains minContains maxContains unevaluatedProperties unevaluatedItems
        prefixItems""".split()
    ),
    formats=frozenset("date-time time date duration email hostname ipv4 ipv6 uuid uri".split()),
    is_all_required=True,
    has_recursion=True,
)
"""Source: OpenAI documentation, "Structured Outputs", supported schemas."""


class SchemaFault(Exception):
    """The schema is not accepted; ``path`` leads to the subschema from the root."""

    def __init__(self, kind: str, path: tuple[str | int, ...], **facts: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.path = path
        self.facts = facts


def check_schema(schema: Any, path: tuple[str | int, ...] = ()) -> None:
    """Refuse what is no JSON Schema. Raises :class:`SchemaFault` of kind ``invalid``."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict) or not _has_valid_words(schema):
        raise SchemaFault("invalid", path)
    _each_subschema(schema, path, check_schema)


def _has_valid_words(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type", "object")
    kinds = kind if isinstance(kind, list) else [kind]
    lists = all(isinstance(schema.get(word, []), list) for word in (*_MANY, "enum", "required"))
    names = all(isinstance(name, str) for name in schema.get("required", []) if lists)
    maps = all(isinstance(schema.get(word, {}), dict) for word in _NAMED)
    reference = isinstance(schema.get("$ref", ""), str)
    return all(isinstance(one, str) and one in _TYPES for one in kinds) and lists and names and maps and reference


def check_subset(schema: Any, subset: Subset) -> None:
    """Refuse what constrained output cannot do. Raises :class:`SchemaFault`."""
    _check_words(schema, subset, ())
    _check_references(schema, schema, subset, ())


def _check_references(schema: Any, root: Any, subset: Subset, followed: tuple[str, ...]) -> None:
    """Refuse references that leave the schema, lead nowhere, or come back to themselves."""
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if reference is not None and not (reference in followed and subset.has_recursion):
        if reference in followed:
            raise SchemaFault("recursion", (), value=reference)
        target = resolve(reference, root)
        if target is None:
            raise SchemaFault("reference", (), value=reference)
        _check_references(target, root, subset, (*followed, reference))
    _each_subschema(
        schema,
        (),
        lambda inner, where: _check_references(inner, root, subset, followed),
        is_with_definitions=False,
    )


def resolve(reference: str, root: Any) -> Any:
    """Return what a local reference leads to; None: nowhere."""
    if not reference.startswith("#"):
        return None
    found = root
    for step in reference.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return found


def _check_words(schema: Any, subset: Subset, path: tuple[str | int, ...]) -> None:
    if not isinstance(schema, dict):
        return
    for word in schema:
        if word in subset.refused_words:
            raise SchemaFault("keyword", path, word=word, on=schema.get("type", ""))
    if subset.formats is not None and schema.get("format", "date") not in subset.formats:
        raise SchemaFault("format", path, value=schema["format"])
    if subset.min_items is not None and schema.get("minItems", 0) not in subset.min_items:
        raise SchemaFault("min_items", path, value=schema["minItems"])
    if schema.get("type") == "object" or "properties" in schema:
        _check_closed(schema, subset, path)
    _each_subschema(schema, path, lambda inner, where: _check_words(inner, subset, where))


def _check_closed(schema: Mapping[str, Any], subset: Subset, path: tuple[str | int, ...]) -> None:
    if schema.get("additionalProperties", True) is not False:
        raise SchemaFault("open", path)
    if subset.is_all_required:
        missing = [name for name in schema.get("properties", {}) if name not in schema.get("required", [])]
        if missing:
            raise SchemaFault("optional", path, name=missing[0])


def _each_subschema(
    schema: Mapping[str, Any],
    path: tuple[str | int, ...],
    check: Callable[[Any, tuple[str | int, ...]], None],
    *,
    is_with_definitions: bool = True,
) -> None:
    for word in _MANY:
        for index, inner in enumerate(schema.get(word, ())):
            check(inner, (*path, word, index))
    for word in _ONE:
        if word in schema:
            check(schema[word], (*path, word))
    for word in _NAMED:
        if not is_with_definitions and word in ("$defs", "definitions"):
            continue
        for name, inner in schema.get(word, {}).items():
            check(inner, (*path, word, name))
