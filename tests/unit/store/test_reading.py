"""What SQL cannot show: that every kind is confined by every scope. The behaviour is in tests/contract/store."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

from lockgate.entities import EVERYTHING, Scope
from lockgate.store.kinds import KINDS
from lockgate.store.reading import Reading

ORGANISATION = Scope(organisation_id="the-org")
WORKSPACE = Scope(organisation_id="the-org", workspace_id="the-ws")


def condition(kind, scope) -> str:
    reading = Reading(None, scope, None)
    return str(reading._is_visible(kind).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource)
def test_every_kind_is_confined_to_its_organisation(kind):
    assert f"{kind.table.name}.organisation_id = 'the-org'" in condition(kind, ORGANISATION)
    assert "the-org" not in condition(kind, EVERYTHING)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.resource)
def test_every_kind_is_confined_to_its_workspace(kind):
    if kind.resource == "organisation":
        return
    shown = condition(kind, WORKSPACE)
    assert "'the-ws'" in shown or shown in ("0 = 1", "false", "0")
