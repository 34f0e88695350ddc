"""Keys that no shape knows are found, at any depth and once."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.shapes import Shape, name_lost, shape_of

INNER = Shape(frozenset({"type", "a"}))
SHAPE = Shape(frozenset({"a"}), {"one": INNER, "many": {"x": INNER}})


class Wide(msgspec.Struct):
    """Two keys."""

    a: int
    b: int


CASES = {
    "known": ({"a": 1, "one": {"a": 1}}, []),
    "own": ({"b": 1}, ["p.b"]),
    "nothing": ({"b": None, "c": [], "d": {}, "e": ""}, []),
    "below": ({"one": {"b": 1}}, ["p.one.b"]),
    "typed": ({"many": [{"type": "y", "b": 1}, {"type": "x", "b": 1}]}, ["p.many[1].b"]),
    "no object": (7, []),
    "list": ([{"b": 1}, {"b": 1}], ["p[0].b", "p[1].b"]),
}


@pytest.mark.parametrize("name", CASES)
def test_lost_keys_are_named_by_path(name):
    value, paths = CASES[name]
    found: dict[str, None] = {}
    name_lost(Raw(msgspec.json.encode(value)), SHAPE, "p", found)
    assert list(found) == paths


def test_without_places_each_is_named_once():
    found: dict[str, None] = {}
    name_lost(Raw(b'[{"b":1},{"b":1}]'), SHAPE, "p", found, has_places=False)
    assert list(found) == ["p.b"]


def test_a_shape_can_be_that_of_structs():
    assert shape_of(Wide, below={"c": INNER}) == Shape(frozenset({"a", "b"}), {"c": INNER})
