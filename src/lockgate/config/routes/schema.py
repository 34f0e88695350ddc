"""The JSON Schema of a config in the form in which it may be saved, made from the Structs.

What a schema cannot say, ``rules`` checks: names of targets, limits of counts, hosts.
Source: gateway protocol specification, appendix E.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from lockgate.config.routes.nodes import (
    CLOUD_KEYS,
    GUARDRAILS,
    BreakerSettings,
    CacheSettings,
    Condition,
    Deployment,
    Node,
    RetrySettings,
    StickySettings,
    Strategy,
)
from lockgate.core.secret import Secret

Schema: TypeAlias = dict[str, object]

_STRUCTS = (Node, Strategy, Condition, StickySettings, BreakerSettings, RetrySettings, CacheSettings, Deployment)
_REF = "#/$defs/{name}"


def config_schema() -> Schema:
    """Return the schema, in draft 2020-12."""
    _, components = msgspec.json.schema_components(_STRUCTS, schema_hook=_hook, ref_template=_REF)
    defs = {name: _own(component) for name, component in sorted(components.items())}
    for name, amend in _AMENDMENTS.items():
        defs[name] = amend(defs[name])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/Node", "$defs": defs}


def _hook(kind: type) -> Schema:
    if kind is Secret:
        return {"type": "string", "writeOnly": True}
    raise NotImplementedError


def _own(schema: object) -> Schema:
    """Return a schema in which no key may be null: a key that says nothing is left out."""
    found = _without_null(schema)
    assert isinstance(found, dict)
    return found


def _without_null(value: object) -> object:
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_null(item) for key, item in value.items() if key not in ("title", "default")}
    choices = kept.get("anyOf")
    if isinstance(choices, list):
        rest = [choice for choice in choices if choice != {"type": "null"}]
        if len(rest) == 1:
            del kept["anyOf"]
            return {**rest[0], **kept}
        kept["anyOf"] = rest
    if "properties" in value and "default" in value["properties"]:
        kept["properties"] = {key: _without_null(item) for key, item in value["properties"].items()}
    return kept


def _node(schema: Schema) -> Schema:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    own = {key: value for key, value in properties.items() if key != "cloud"}
    own |= {key: {"type": "array", "maxItems": 0, "description": "Not supported yet."} for key in GUARDRAILS}
    clouds = {CLOUD_KEYS: {"type": ["string", "object", "boolean"]}}
    return {
        **schema,
        "properties": own,
        "patternProperties": clouds,
        "minProperties": 1,
        "dependentRequired": {"strategy": ["targets"]},
    }


def _strategy(schema: Schema) -> Schema:
    return {
        **schema,
        "if": {"properties": {"mode": {"const": "conditional"}}},
        "then": {"required": ["conditions", "default"]},
    }


def _breaker(schema: Schema) -> Schema:
    return {**schema, "anyOf": [{"required": ["failure_threshold"]}, {"required": ["failure_threshold_percentage"]}]}


def _cache(schema: Schema) -> Schema:
    return {"anyOf": [{"enum": ["semantic", "simple"]}, schema]}


_AMENDMENTS: dict[str, Callable[[Schema], Schema]] = {
    "Node": _node,
    "Strategy": _strategy,
    "BreakerSettings": _breaker,
    "CacheSettings": _cache,
}
