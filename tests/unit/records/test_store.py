from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidRequest
from lockgate.records.query.tree import Compare, all_of
from lockgate.records.row import Row
from lockgate.records.store import ALL, Position, Scope, read_cursor, record_id_of, write_cursor


@given(st.integers(-1, 2**62), st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_cursor_comes_back(value, id):
    cursor = write_cursor(Position(value, id))
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?# ")
    assert read_cursor(cursor) == Position(value, id)


@pytest.mark.parametrize("cursor", ["", "é", "====", "eDox", "Og"])
def test_no_other_text_is_a_cursor(cursor):
    with pytest.raises(InvalidRequest):
        read_cursor(cursor)


def test_no_cursor_is_no_position():
    assert read_cursor(None) is None


def test_a_scope_narrows_and_admits_the_same():
    inside = Row(id="r", started_us=1, workspace_id="a", api_key_id="k")
    node = Compare("model", "in", ("m",))
    assert ALL.narrow(node) == node
    assert ALL.admits(inside)
    scope = Scope(frozenset({"a"}), frozenset({"k"}))
    assert scope.narrow(node) == all_of(
        Compare("workspace_id", "in", ("a",)), Compare("api_key_id", "in", ("k",)), node
    )
    assert scope.admits(inside)
    assert not Scope(frozenset({"b"})).admits(inside)
    assert not Scope(frozenset()).admits(inside)
    assert not Scope(None, frozenset({"other"})).admits(inside)


@pytest.mark.parametrize(
    "id, record",
    [
        ("0199f0c2-A7b3-7e0d-8f1c-6c1f6a3b2d4e", "rec_0199f0c2a7b37e0d8f1c6c1f6a3b2d4e"),
        ("0199f0c2-a7b3-4e0d-8f1c-6c1f6a3b2d4e", None),
        ("0199f0c2a7b37e0d8f1c6c1f6a3b2d4e", None),
        ("0199f0c2-a7b3-7e0d-8f1c-6c1f6a3b2d4e\n", None),
        ("rec_0199f0c2a7b37e0d8f1c6c1f6a3b2d4e", None),
        ("", None),
    ],
)
def test_the_record_of_a_request(id, record):
    assert record_id_of(id) == record
