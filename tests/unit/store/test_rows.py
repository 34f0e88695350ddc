from __future__ import annotations

import msgspec
import pytest

from lockgate.entities import ProviderRecord, Workspace
from lockgate.errors import ConfigError, InvalidRequest
from lockgate.store.kinds import PROVIDER, WORKSPACE
from lockgate.store.rows import read_row, write_row

ENTITY = ProviderRecord(
    id="id", organisation_id="o", workspace_id="w", integration_id="i", slug="s", name="n", note="only in the document"
)


class FakeRow:
    def __init__(self, values):
        self._mapping = values


def test_what_has_a_column_is_not_in_the_document_too():
    row = write_row(PROVIDER, ENTITY)
    document = msgspec.json.decode(str(row.pop("document")))
    assert not document.keys() & row.keys()
    assert document["note"] == "only in the document"
    assert row["slug"] == "s"


def test_computed_columns_are_no_fields():
    row = write_row(WORKSPACE, Workspace(name="Straße", slug="x"))
    assert row["name_key"] == "strasse"
    assert "name_key" not in msgspec.json.decode(str(row["document"]))


def test_a_column_wins_over_an_older_documents_field():
    row = write_row(PROVIDER, ENTITY)
    row["document"] = row["document"].replace("{", '{"slug":"old","gone":1,', 1)
    assert read_row(PROVIDER, FakeRow(row)) == ENTITY


def test_a_field_that_an_older_document_lacks_has_its_default():
    row = write_row(PROVIDER, ENTITY)
    assert read_row(PROVIDER, FakeRow({**row, "document": "{}"})) == msgspec.structs.replace(ENTITY, note=None)


@pytest.mark.parametrize("document", ["", "[]", '{"note": 5}', "{"])
def test_a_damaged_document_names_the_entity(document):
    with pytest.raises(ConfigError, match="the stored provider id cannot be read"):
        read_row(PROVIDER, FakeRow({**write_row(PROVIDER, ENTITY), "document": document}))


@pytest.mark.parametrize("field, text", [("name", "a\0"), ("slug", "\ud800"), ("note", "\udfff")])
def test_text_that_cannot_be_stored_is_refused(field, text):
    with pytest.raises(InvalidRequest):
        write_row(PROVIDER, msgspec.structs.replace(ENTITY, **{field: text}))
