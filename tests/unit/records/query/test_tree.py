from __future__ import annotations

import msgspec
import pytest

from lockgate.records.query.tree import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    Not,
    Text,
    all_of,
    any_of,
    read_tree,
    walk,
    write_tree,
)

A, B, C = Compare("status_code", "in", (200, 5)), Compare("metadata", "exists", (), "team"), Text("refund")


def test_trees_are_kept_as_flat_as_possible():
    assert all_of(A) == A
    assert all_of() == EVERYTHING
    assert all_of(A, AllOf((B, C))) == AllOf((A, B, C))
    assert all_of(A, EVERYTHING) == A
    assert any_of(A) == A
    assert any_of(A, B) == AnyOf((A, B))


def test_a_tree_comes_back_from_its_json():
    tree = AllOf((A, Not(AnyOf((B, C))), Compare("cost_nano", "gt", (1.5, True, "x"))))
    assert read_tree(write_tree(tree)) == tree


@pytest.mark.parametrize("data", [b"{}", b'{"type":"drop"}', b'{"type":"compare","field":1,"op":"in"}', b"x"])
def test_other_json_is_refused(data):
    with pytest.raises(msgspec.DecodeError):
        read_tree(data)


def test_leaves_are_found_wherever_they_are():
    assert list(walk(AllOf((A, Not(AnyOf((B, C))))))) == [A, B, C]
