import pytest

from lockgate.simulator.json_schema import (
    ANTHROPIC_SUBSET,
    OPENAI_SUBSET,
    SchemaFault,
    check_schema,
    check_subset,
    resolve,
)


def closed(required=("a",), **properties):
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [True, {}, {"type": "object"}, {"type": ["string", "null"]}, {"properties": {"a": {"items": {"type": "null"}}}}],
)
def test_schemas_are_accepted(schema):
    check_schema(schema)


@pytest.mark.parametrize(
    "schema, path",
    [
        ({"type": "text"}, ()),
        ({"type": 3}, ()),
        ([], ()),
        ({"properties": []}, ()),
        ({"required": "a"}, ()),
        ({"required": [1]}, ()),
        ({"$ref": 1}, ()),
        ({"anyOf": {}}, ()),
        ({"properties": {"a": {"type": "float"}}}, ("properties", "a")),
        ({"items": {"anyOf": [{"enum": 1}]}}, ("items", "anyOf", 0)),
    ],
)
def test_what_is_no_schema_is_refused_where_it_is_wrong(schema, path):
    with pytest.raises(SchemaFault) as caught:
        check_schema(schema)
    assert (caught.value.kind, caught.value.path) == ("invalid", path)


RECURSIVE = {"$ref": "#/$defs/n", "$defs": {"n": closed((), next={"$ref": "#/$defs/n"})}}
CASES = [
    ("accepted", closed(a={"type": "string"}), None),
    ("accepted by reference", {"$ref": "#/$defs/x", "$defs": {"x": closed(a={"type": "null"})}}, None),
    ("accepted format", closed(a={"type": "string", "format": "uuid"}), None),
    ("accepted minItems", closed(a={"type": "array", "minItems": 1}), None),
    ("open", {"type": "object", "properties": {}}, "open"),
    ("open inside", closed(a={"type": "object"}), "open"),
    ("opened", {**closed(), "additionalProperties": True}, "open"),
    ("bound", closed(a={"type": "integer", "minimum": 1}), "keyword"),
    ("oneOf", closed(a={"oneOf": [{"type": "null"}]}), "keyword"),
    ("format", closed(a={"type": "string", "format": "phone"}), "format"),
    ("minItems", closed(a={"type": "array", "minItems": 2}), "min_items"),
    ("recursive", RECURSIVE, "recursion"),
    ("reference", closed(a={"$ref": "#/nowhere"}), "reference"),
    ("foreign", closed(a={"$ref": "https://example.com"}), "reference"),
]


@pytest.mark.parametrize("schema, kind", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_anthropic_subset(schema, kind):
    if kind is None:
        return check_subset(schema, ANTHROPIC_SUBSET)
    with pytest.raises(SchemaFault) as caught:
        check_subset(schema, ANTHROPIC_SUBSET)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    "schema, kind",
    [
        (closed(a={"type": "integer", "minimum": 1}), None),
        (closed((), a={"type": "null"}), "optional"),
        (closed(a={"allOf": []}), "keyword"),
        ({**RECURSIVE, "$defs": {"n": closed(("next",), next={"$ref": "#/$defs/n"})}}, None),
    ],
)
def test_the_openai_subset(schema, kind):
    if kind is None:
        return check_subset(schema, OPENAI_SUBSET)
    with pytest.raises(SchemaFault) as caught:
        check_subset(schema, OPENAI_SUBSET)
    assert caught.value.kind == kind


def test_references_are_resolved():
    root = {"anyOf": [{"type": "null"}], "a/b": 1}
    assert resolve("#/anyOf/0", root) == {"type": "null"}
    assert resolve("#/a~1b", root) == 1
    assert resolve("#", root) is root
    assert resolve("#/anyOf/9", root) is None
