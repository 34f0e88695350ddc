"""What Anthropic enforces stays, what it does not is told in the description."""

from __future__ import annotations

import pytest

from lockgate.dialects.anthropic_messages.schema_subset import is_object_schema, is_within_subset, to_subset, wrap


@pytest.mark.parametrize(
    "schema, expected",
    [
        ({"type": "string", "format": "email"}, {"type": "string", "format": "email"}),
        (
            {"type": "integer", "minimum": 0, "maximum": 130},
            {"type": "integer", "description": "{minimum: 0, maximum: 130}"},
        ),
        (
            {"type": "string", "description": "A name", "pattern": "^a", "format": "phone"},
            {"type": "string", "description": "A name\n\n{pattern: ^a, format: phone}"},
        ),
        ({"type": "array", "items": {}, "minItems": 1}, {"type": "array", "items": {}, "minItems": 1}),
        (
            {"type": "array", "items": {"type": "number", "multipleOf": 2}, "minItems": 2, "maxItems": 3},
            {
                "type": "array",
                "items": {"type": "number", "description": "{multipleOf: 2}"},
                "description": "{minItems: 2, maxItems: 3}",
            },
        ),
        (
            {"type": "object", "properties": {"a": {"oneOf": [{"type": "null"}]}}, "required": ["a"]},
            {
                "type": "object",
                "properties": {"a": {"anyOf": [{"type": "null"}]}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
        (
            {"type": ["object", "null"], "additionalProperties": True},
            {"type": ["object", "null"], "properties": {}, "additionalProperties": False},
        ),
        (
            {"$defs": {"d": {"type": "string", "minLength": 1}}, "$ref": "#/$defs/d"},
            {"$defs": {"d": {"type": "string", "description": "{minLength: 1}"}}, "$ref": "#/$defs/d"},
        ),
        (
            {"enum": ["a"], "const": "a", "title": "t", "default": 1},
            {"enum": ["a"], "const": "a", "title": "t", "default": 1},
        ),
        ({"type": "string", "examples": [{"a": 1.5}]}, {"type": "string", "description": '{examples: [{"a":1.5}]}'}),
    ],
)
def test_a_schema_is_brought_into_the_subset(schema, expected):
    assert to_subset(schema) == expected


def test_the_subset_of_a_subset_is_itself():
    schema = to_subset({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]})
    assert to_subset(schema) == schema
    assert is_within_subset(schema)
    assert not is_within_subset({"type": "object", "properties": {}})


@pytest.mark.parametrize(
    "schema, is_object",
    [({"type": "object"}, True), ({"properties": {}}, True), ({"type": "array"}, False), ({"anyOf": []}, False)],
)
def test_a_root_is_an_object_or_is_wrapped(schema, is_object):
    assert is_object_schema(schema) is is_object


def test_wrapping_leaves_definitions_where_references_find_them():
    assert wrap({"type": "array", "items": {"$ref": "#/$defs/d"}, "$defs": {"d": {}}}) == {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"$ref": "#/$defs/d"}}},
        "required": ["value"],
        "$defs": {"d": {}},
    }
