import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.dice import Dice
from lockgate.simulator.schema_instance import SchemaError, make_instance
from tests.unit.simulator.checker import fits

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "parent": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "parent"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS = [
    True,
    {},
    TREE,
    {"const": {"a": [1]}},
    {"enum": ["a", 2, None]},
    {"type": ["string", "null"]},
    {"type": "object", "required": ["unlisted"], "additionalProperties": {"type": "integer"}},
    {"type": "object", "minProperties": 3, "properties": {"a": {"type": "null"}}},
    {"properties": {"a": False, "b": {"type": "boolean"}}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"type": "array", "items": {"type": "null"}, "maxItems": 1},
    {"type": "integer", "minimum": 3, "maximum": 3},
    {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 7},
    {"type": "integer", "multipleOf": 0.5, "maximum": 10},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1},
    {"type": "number", "maximum": -5},
    {"minimum": 2},
    {"type": "string", "minLength": 30, "maxLength": 31},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$"},
    {"type": "string", "maxLength": 2},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"required": ["a"]}]},
    {"allOf": [{"type": "number", "minimum": 5}, {"type": "integer", "maximum": 7, "minimum": 1}]},
    {"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}, {"type": "integer"}]},
    {"anyOf": [False, {"type": "string"}]},
    {"type": "string", "anyOf": [{"maxLength": 3}, {"minLength": 20}]},
    {"definitions": {"x/y": {"type": "boolean"}}, "$ref": "#/definitions/x~1y"},
]


@pytest.mark.parametrize("schema", [one for one in SCHEMAS if not (isinstance(one, dict) and "definitions" in one)])
@pytest.mark.parametrize("seed", range(8))
def test_the_instance_satisfies_its_schema(schema, seed):
    assert fits(make_instance(schema, Dice(seed)), schema, schema)


def test_an_escaped_reference_is_followed():
    assert make_instance(SCHEMAS[-1], Dice(0)) in (True, False)


LEAVES = st.one_of(
    st.builds(lambda kind: {"type": kind}, st.sampled_from(["string", "integer", "number", "boolean", "null"])),
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-100, 100),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 40),
        st.integers(0, 9),
    ),
    st.builds(lambda choices: {"enum": choices}, st.lists(st.text(max_size=5), min_size=1, max_size=3)),
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(
            lambda properties, required: {
                "type": "object",
                "properties": properties,
                "required": [name for name in properties if name in required],
                "additionalProperties": False,
            },
            st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
            st.sets(st.sampled_from("abcd")),
        )
        | st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 3))
        | st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=8,
)


@given(NESTED, st.integers())
def test_every_generated_instance_satisfies_its_schema(schema, seed):
    assert fits(make_instance(schema, Dice(seed)), schema, schema)


@given(NESTED, st.integers())
def test_the_same_dice_make_the_same_instance(schema, seed):
    assert make_instance(schema, Dice(seed)) == make_instance(schema, Dice(seed))


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"$ref": "https://example.com/schema"},
        {"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True},
        {"type": "strange"},
        {"anyOf": [False, False]},
        {"type": "string", "pattern": "^a$", "minLength": 5},
    ],
)
def test_a_schema_that_nothing_satisfies_is_an_error(schema):
    with pytest.raises(SchemaError):
        make_instance(schema, Dice(0))


@pytest.mark.parametrize("name", ["date-time", "date", "time", "email", "uuid", "ipv4", "ipv6", "uri", "hostname"])
def test_formats_are_known(name):
    text = make_instance({"type": "string", "format": name}, Dice(1))
    sign = {"date-time": "T", "date": "-", "time": ":", "email": "@", "uuid": "-4", "ipv6": "::", "uri": "://"}
    assert sign.get(name, ".") in text


def test_optional_properties_are_there_now_and_then():
    schema = {"type": "object", "properties": {"a": {"type": "null"}}}
    assert {bool(make_instance(schema, Dice(seed))) for seed in range(20)} == {True, False}
