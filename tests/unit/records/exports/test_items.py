import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.exports.items import DEFAULT, columns_of, flattened, item_of, needs_bodies
from lockgate.records.store import Entry
from tests.unit.records.rows import preview, row


def body(data):
    return Bodies({"request": View(name="request", data=data, size_bytes=len(data))}, [], [], {})


def test_everything_that_a_row_says_is_there():
    item = item_of(columns_of(), Entry(row(1, dropped=("seed",)), preview(1)), None)
    assert tuple(item) == DEFAULT
    assert (item["id"], item["dropped"], item["request_preview"], item["response_preview"]) == (
        "rec_1",
        ("seed",),
        "p1",
        None,
    )
    assert item["metadata"] is None
    assert item["adjusted"] is None


def test_short_names_stand_for_columns_and_metadata_has_its_own():
    columns = columns_of(["status", "meta.team", "metadata.a b", "id"])
    assert [column.name for column in columns] == ["status_code", "meta.team", "metadata.a b", "id"]
    item = item_of(columns, Entry(row(1, metadata={"team": "x"})), None)
    assert item == {"status_code": 200, "meta.team": "x", "metadata.a b": None, "id": "rec_1"}


@pytest.mark.parametrize("names", [["nothing"], ["status", "status_code"], ["feedback_value"], ["meta."], [""]])
def test_columns_that_are_none(names):
    with pytest.raises(InvalidRequest):
        columns_of(names)


def test_bodies_are_texts_or_base64():
    columns = columns_of(["id", "request", "response"])
    assert needs_bodies(columns)
    assert not needs_bodies(columns_of())
    assert item_of(columns, Entry(row(1)), body(b'{"a": 1}\x00'))["request"] == '{"a": 1}\x00'
    assert item_of(columns, Entry(row(1)), body(b"\xff\x00"))["request"] == "base64:/wA="
    assert item_of(columns, Entry(row(1)), None) == {"id": "rec_1", "request": None, "response": None}


def test_flattened_metadata_stand_where_the_map_stood_and_are_not_named_twice():
    columns = flattened(columns_of(["id", "metadata", "meta.team", "status"]), ["a b", "", "team"])
    assert [column.name for column in columns] == ["id", "meta.a b", "meta.", "meta.team", "status_code"]
    item = item_of(columns, Entry(row(1, metadata={"a b": "x", "": "y"})), None)
    assert item == {"id": "rec_1", "meta.a b": "x", "meta.": "y", "meta.team": None, "status_code": 200}
    assert [column.name for column in flattened(columns_of(["id"]), ["a"])] == ["id", "meta.a"]
