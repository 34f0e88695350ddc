import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidRequest
from lockgate.plan.metadata_schema import read_schema

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "title": "what keys carry",
    "properties": {
        "team": {"type": "string", "enum": ["search", "ads"], "description": "whose"},
        "cost_center": {"type": "string", "pattern": "^cc-[0-9]{3}$"},
        "tier": {"type": "string", "default": "free", "minLength": 2, "maxLength": 4},
        "stage": {"const": "prod"},
    },
    "required": ["team", "owner"],
    "additionalProperties": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "metadata, faults",
    [
        ({"team": "ads", "owner": "x", "other": "y"}, []),
        ({}, ["team is missing", "owner is missing"]),
        ({"team": "x", "owner": ""}, ["team must be one of search, ads"]),
        ({"team": "ads", "owner": "", "cost_center": "cc-12"}, ["cost_center must match the pattern ^cc-[0-9]{3}$"]),
        ({"team": "ads", "owner": "", "tier": "x", "stage": "dev"}, ["tier must have from 2 to 4 characters", "stage must be prod"]),
    ],
    ids=["good", "empty", "enum", "pattern", "length"],
)  # fmt: skip
def test_every_fault_is_told(metadata, faults):
    assert list(read_schema(SCHEMA, "schema").faults(metadata)) == faults


def test_other_names_may_be_closed_out():
    schema = read_schema({"properties": {"a": {}}, "additionalProperties": False}, "schema")
    assert list(schema.faults({"a": "1", "b": "2"})) == ["b is not known"]


def test_defaults_fill_in_what_is_missing():
    schema = read_schema(SCHEMA, "schema")
    assert schema.completed({"a": "b"}) == {"a": "b", "tier": "free"}
    assert schema.completed({"tier": "gold"}) == {"tier": "gold"}


@pytest.mark.parametrize(
    "schema, path",
    [
        ([], "schema"), ({"type": "string"}, "schema.type"), ({"oneOf": []}, "schema.oneOf"), ({"required": "a"}, "schema.required"),
        ({"properties": []}, "schema.properties"), ({"properties": {"a": []}}, "schema.properties.a"), ({"required": [1]}, "schema.required"),
        ({"properties": {"a": {"type": "number"}}}, "schema.properties.a.type"), ({"properties": {"": {}}}, "schema"),
        ({"properties": {"a": {"format": "date"}}}, "schema.properties.a.format"), ({"additionalProperties": {}}, "schema.additionalProperties"),
        ({"properties": {"a": {"pattern": "("}}}, "schema.properties.a.pattern"), ({"properties": {"a": {"minLength": -1}}}, "schema.properties.a.minLength"),
        ({"properties": {"a": {"enum": ["x"], "default": "y"}}}, "schema.properties.a.default"), ({"required": ["k" * 65]}, "schema"),
        ({"properties": {str(n): {} for n in range(65)}}, "schema.properties"),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_is_not_looked_at_is_refused_when_it_is_saved(schema, path):
    with pytest.raises(InvalidRequest) as caught:
        read_schema(schema, "schema")
    assert caught.value.path == path


@given(st.dictionaries(st.sampled_from(["team", "owner", "cost_center", "tier", "stage", "x"]),
                       st.sampled_from(["ads", "cc-123", "cc-1", "free", "prod", "", "a\n"])))  # fmt: skip
def test_it_agrees_with_a_validator_of_json_schema(metadata):
    is_valid = jsonschema_rs.is_valid(SCHEMA, metadata)
    assert (not read_schema(SCHEMA, "schema").faults(metadata)) is is_valid
