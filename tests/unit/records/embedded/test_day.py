from __future__ import annotations

import sqlite3

from lockgate.records.embedded import day
from lockgate.records.embedded.day import DayWriter, columns_in, read_values, write_values
from lockgate.records.embedded.sqlite import reading
from lockgate.records.row import COLUMNS, Row
from tests.unit.records.rows import HOUR_US, START, preview, row

FULL = row(
    1, tool_names=("a", "b"), metadata={"k": "v\x00"}, is_stream=True, output_tps=1.5, attempts="[1]", dropped=("x",)
)


def test_a_row_comes_back_from_its_values():
    for item in (FULL, Row(id="r", started_us=1)):
        assert read_values(write_values(item)) == item


def test_rows_and_sums_are_written_together_or_not_at_all(tmp_path, monkeypatch):
    writer = DayWriter(tmp_path / "d.db")
    assert writer.append([FULL, row(2)]) == 2

    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(day.rollup, "add_rows", fail)
    try:
        writer.append([row(3)])
    except RuntimeError:
        pass
    assert writer.known(["rec_1", "rec_2", "rec_3"]) == {"rec_1", "rec_2"}
    assert list(writer.rows(START, START + HOUR_US)) == [FULL, row(2)]
    writer.close()


def test_hours_are_counted(tmp_path):
    writer = DayWriter(tmp_path / "d.db")
    writer.append([row(1), row(2, at=HOUR_US), row(3, at=HOUR_US + 5)])
    assert writer.hours() == {START // HOUR_US: 1, START // HOUR_US + 1: 2}
    writer.close()


def test_previews_are_kept_once_and_found(tmp_path):
    writer = DayWriter(tmp_path / "d.db")
    writer.append_previews([preview(1, text="refund policy"), preview(1, text="other")])
    writer.append_previews([preview(1, text="again")])
    assert list(writer.previews()) == [preview(1, text="refund policy")]
    found = writer.connection.execute("SELECT COUNT(*) FROM words WHERE words MATCH '\"fund pol\"'").fetchone()
    assert found == (1,)
    writer.close()


def test_what_is_deleted_is_in_no_page_of_the_file(tmp_path):
    writer = DayWriter(tmp_path / "d.db")
    writer.append([row(1, end_user="somebody-special"), row(2)])
    writer.append_previews([preview(1, text="somebody-special said"), preview(2, text="else")])
    writer.delete(["rec_1"])
    writer.close()
    for path in tmp_path.iterdir():
        assert b"somebody" not in path.read_bytes()
    with reading(tmp_path / "d.db", 1.0) as connection:
        assert connection.execute("SELECT COUNT(*) FROM words WHERE words MATCH '\"somebody\"'").fetchone() == (0,)
        assert connection.execute("SELECT COUNT(*) FROM words WHERE words MATCH '\"else\"'").fetchone() == (1,)


def test_a_file_of_an_older_version_reads_and_takes_rows(tmp_path):
    DayWriter(tmp_path / "d.db").close()
    connection = sqlite3.connect(tmp_path / "d.db")
    connection.execute("INSERT INTO rows (id, started_us, is_counted) VALUES ('old', 5, 1)")
    connection.execute("ALTER TABLE rows DROP COLUMN prompt_version")
    connection.commit()
    assert "NULL AS prompt_version" in columns_in(connection)
    values = connection.execute(f"SELECT {columns_in(connection)} FROM rows").fetchone()
    assert read_values(values).id == "old"
    connection.close()
    writer = DayWriter(tmp_path / "d.db")
    assert writer.append([row(7, prompt_version="3")]) == 1
    assert "NULL AS" not in columns_in(writer.connection)
    writer.close()


def test_every_column_has_a_type():
    assert set(day.NAMES) == set(COLUMNS)
