"""Sealed files: the same rows come out, files with other columns are read, and what a failure leaves is nothing."""

from __future__ import annotations

import pytest

from lockgate.records.embedded import sealed
from lockgate.records.embedded.duck import Duck, DuckLimits
from lockgate.records.embedded.sealed import PREVIEW_TYPES, ROW_TYPES, Damaged, Sealer, id_hash, read_values, table
from lockgate.records.query.sql import Sql
from lockgate.records.row import COLUMNS, Row
from tests.unit.records.rows import DAY, START, preview, row

ODD = Row(
    id="x", started_us=START, error_message='a\x00b\n\u202e" \\ 😀 =SUM(A1)', metadata={'k"\x00': "退款"}, tool_names=("a, b", "'"),
    output_tps=0.1, end_user_hash=2**63 - 1, cost_nano=2**62,
)  # fmt: skip


@pytest.fixture
def duck(tmp_path):
    found = Duck(DuckLimits(), tmp_path / "spill")
    yield found
    found.close()


@pytest.fixture
def sealer(duck, tmp_path):
    return Sealer(duck, tmp_path / "cold", tmp_path / "temp")


def rows_in(duck, tmp_path, *files):
    query = f"SELECT {', '.join(COLUMNS)} FROM {table(tmp_path / 'cold', files, ROW_TYPES)} ORDER BY id"
    return [read_values(values) for values in duck.rows(Sql(query))]


def test_rows_come_out_as_they_went_in(sealer, duck, tmp_path):
    rows = [row(1), row(2, at=5, is_stream=True), ODD]
    file = sealer.write_rows(iter(rows), day=DAY, hour=DAY * 24)
    assert (file.kind, file.rows, file.min_us, file.max_us, file.hour) == ("hour", 3, START, START + 5, DAY * 24)
    assert file.checksum == id_hash("rec_1") ^ id_hash("rec_2") ^ id_hash("x")
    assert rows_in(duck, tmp_path, file) == sorted(rows, key=lambda r: r.id)
    assert list((tmp_path / "temp").iterdir()) == []


def test_nothing_is_no_file(sealer, tmp_path):
    assert sealer.write_rows([], day=DAY, hour=None) is None
    assert sealer.write_previews([], day=DAY) is None
    assert not (tmp_path / "cold").exists() or list((tmp_path / "cold").iterdir()) == []


def test_files_are_joined_in_order_and_without_what_is_left_out(sealer, duck, tmp_path):
    one = sealer.write_rows([row(3), row(1)], day=DAY, hour=1)
    two = sealer.write_rows([row(2, end_user="user-g")], day=DAY, hour=2)
    whole = sealer.join([one, two], "rows", day=DAY)
    assert (whole.rows, whole.hour) == (3, None)
    left = sealer.join([whole], "rows", day=DAY, without=Sql("end_user = ?", ("user-g",)))
    assert [r.id for r in rows_in(duck, tmp_path, left)] == ["rec_1", "rec_3"]
    assert b"user-g" not in (tmp_path / "cold" / left.name).read_bytes()
    assert sealer.join([whole], "rows", day=DAY, without=Sql("TRUE")) is None


def test_previews(sealer, duck, tmp_path):
    file = sealer.write_previews([preview(1, text="退款")], day=DAY)
    found = duck.rows(Sql(f"SELECT text FROM {table(tmp_path / 'cold', [file], PREVIEW_TYPES)}"))
    assert found == [("退款",)]


def test_a_file_that_lacks_columns_is_read_beside_others(sealer, duck, tmp_path, monkeypatch):
    new = sealer.write_rows([row(2, prompt_version="7")], day=DAY, hour=None)
    older = {name: kind for name, kind in ROW_TYPES.items() if name != "prompt_version"}
    monkeypatch.setattr(sealed, "LAYOUT", "00000000")
    old = sealer._write(
        [{"id": "rec_1", "started_us": START, "later_column": 1}], "rows", older | {"later_column": "BIGINT"}, DAY, None
    )
    monkeypatch.undo()
    assert [r.prompt_version for r in rows_in(duck, tmp_path, old, new)] == [None, "7"]
    assert [r.prompt_version for r in rows_in(duck, tmp_path, old)] == [None]


def test_a_file_that_is_not_what_it_was_made_of_is_not_taken(sealer, tmp_path, monkeypatch):
    monkeypatch.setattr(sealed, "id_hash", lambda id: 1)
    with pytest.raises(Damaged):
        sealer.write_rows([row(1)], day=DAY, hour=None)
    assert not (tmp_path / "cold").exists() or list((tmp_path / "cold").iterdir()) == []
    assert list((tmp_path / "temp").iterdir()) == []


def test_no_files_are_an_empty_table(duck, tmp_path):
    assert rows_in(duck, tmp_path) == []
