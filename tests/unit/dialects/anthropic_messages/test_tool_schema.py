"""Schemas of tools keep their bytes when they can, and are repaired at the root when they must."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.dialects.anthropic_messages.tool_schema import repair_schema
from lockgate.errors import InvalidRequest


def repair(schema):
    found = repair_schema(Raw(msgspec.json.encode(schema)), "tools[0].input_schema")
    return msgspec.json.decode(found.schema), found.note


def test_a_good_schema_keeps_its_bytes():
    data = Raw(b'{ "type":"object", "properties": {"a": {"anyOf":[{"type":"string"}]}}, "x": 1.0 }')
    assert bytes(repair_schema(data, "").schema) == bytes(data)


def test_no_schema_means_no_arguments():
    assert msgspec.json.decode(repair_schema(None, "").schema) == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "schema, expected",
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": None}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "additionalProperties": False, "$defs": {"d": {}}},
            {"type": "object", "additionalProperties": False, "$defs": {"d": {}}, "properties": {}},
        ),
        (
            {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "object", "properties": {"q": {}}}}},
            {"type": "object", "properties": {"q": {}}, "$defs": {"a/b": {"type": "object", "properties": {"q": {}}}}},
        ),
        ({"$ref": "#/nowhere", "type": "object"}, {"type": "object", "properties": {}}),
        ({"$ref": "#", "type": "object"}, {"type": "object", "properties": {}}),
    ],
)
def test_a_root_gets_what_it_lacks(schema, expected):
    assert repair(schema) == (expected, None)


def test_a_reference_in_a_circle_ends():
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    assert repair(schema)[0]["type"] == "object"


def test_alternatives_at_the_root_become_properties_and_words():
    schema = {
        "anyOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"$ref": "#/$defs/b"},
        ],
        "properties": {"a": {"type": "integer"}},
        "$defs": {"b": {"properties": {"b": {"oneOf": []}}}},
    }
    found, note = repair(schema)
    assert found == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"oneOf": []}},
        "$defs": {"b": {"properties": {"b": {"oneOf": []}}}},
    }
    assert note == "For the input, at least one of these applies: a given; with b."


def test_alternatives_that_are_no_objects_are_told_in_words():
    found, note = repair({"oneOf": [{"type": "string"}, True]})
    assert found == {"type": "object", "properties": {}}
    assert note == 'For the input, one of these applies: {"type":"string"}; anything.'


@pytest.mark.parametrize("schema", [[], "x", 5])
def test_what_is_no_object_is_refused_with_its_path(schema):
    with pytest.raises(InvalidRequest) as caught:
        repair(schema)
    assert caught.value.path == "tools[0].input_schema"
