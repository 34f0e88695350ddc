"""Everything that is wrong with a value is found, each thing once."""

from __future__ import annotations

import pytest
from msgspec import Struct

from lockgate.config.converting import convert_all, nearest, structs_in


class Inner(Struct, forbid_unknown_fields=True):
    size: int
    name: str = ""


class Outer(Struct, forbid_unknown_fields=True):
    title: str
    inner: Inner | None = None
    more: list[Inner] = []


def flaws(value, **more):
    return [(".".join(flaw.keys), flaw.what) for flaw in convert_all(value, Outer, **more).flaws]


def test_what_is_right_is_converted_and_left_as_it_was():
    value = {"title": "t", "inner": {"size": 1}}
    assert convert_all(value, Outer).value == Outer("t", Inner(1))
    assert value == {"title": "t", "inner": {"size": 1}}
    assert convert_all({"title": "t", "inner": {"size": "1"}}, Outer, strict=False).value == Outer("t", Inner(1))


def test_all_flaws_are_found():
    assert flaws({"titel": "t", "inner": {"size": "x", "nme": 1}}) == [
        ("titel", "unknown key; did you mean title? known here: inner, more, title"),
        ("inner.size", "expected a whole number, got text"),
        ("inner.nme", "unknown key; did you mean name? known here: name, size"),
        ("title", "is missing; it is required"),
    ]


@pytest.mark.parametrize("value", [5, [], "text", None])
def test_what_is_no_table_at_all_is_one_flaw(value):
    assert len(flaws(value)) == 1


def test_an_unknown_key_in_a_list_knows_what_belongs_there():
    assert flaws({"title": "t", "more": [{"size": 1, "nam": ""}]}) == [
        ("more.0.nam", "unknown key; did you mean name? known here: name, size")
    ]


def test_structs_are_found_in_lists_and_unions():
    assert list(structs_in(list[Inner] | None)) == [Inner]
    assert list(structs_in(int)) == []


def test_what_may_have_been_meant():
    assert nearest("clude", ["claude", "openai"]) == "; did you mean claude?"
    assert nearest("x", ["claude"]) == ""
