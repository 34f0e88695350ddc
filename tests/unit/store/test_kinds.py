"""The rows of the table of kinds agree with the Structs and the tables."""

from __future__ import annotations

import pytest

from lockgate.entities import Entity
from lockgate.store.kinds import COMMON, KINDS, kind_of


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource)
def test_each_column_is_a_field_or_computed(kind):
    own = set(kind.table.c.keys()) - set(COMMON) - {"document"}
    assert own == set(kind.columns) | set(kind.computed)
    assert set(kind.columns) <= set(kind.type.__struct_fields__)
    assert not set(kind.computed) & set(kind.type.__struct_fields__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource)
def test_what_a_kind_names_exists(kind):
    columns = set(kind.table.c.keys())
    assert {*kind.names, *kind.search, *kind.unique, *kind.also_unique} <= columns
    assert {*kind.fixed, *(link.field for link in kind.links)} <= set(kind.type.__struct_fields__)
    if kind.workspace in ("own", "granted", "shared"):
        assert "workspace_id" in columns


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource)
def test_what_is_unique_is_so_in_the_database_too(kind):
    indexes = {tuple(column.name for column in index.columns) for index in kind.table.indexes if index.unique}
    assert {names for names in (kind.unique, kind.also_unique) if names} == indexes


def test_every_entity_has_a_kind():
    assert {kind.type for kind in KINDS} == set(Entity.__subclasses__())
    assert all(kind_of(kind.type) is kind for kind in KINDS)
