import contextlib
import csv
import gzip
import io
import json

import pytest

from lockgate.records.exports.items import columns_of
from lockgate.records.exports.writers import Csv, JsonLines, Parquet, writer_of

COLUMNS = columns_of(["id", "cost", "metadata", "attempts", "is_stream", "error_message", "tool", "tps"])
ITEM = {
    "id": "rec_1", "cost_nano": -5, "metadata": {"a": "b\nc"}, "attempts": '[{"status": 200}]', "is_stream": True,
    "error_message": 'says "no",\r\nthen 🙂 \x00 مرحبا', "tool_names": ("x", "y"), "output_tps": 1.5,
}  # fmt: skip
NOTHING = dict.fromkeys(ITEM) | {"id": "rec_2"}


def written(kind, items):
    file = io.BytesIO()
    writer = kind(file, COLUMNS)
    writer.write(items)
    writer.finish()
    writer.close()
    return file.getvalue()


def test_json_lines_leave_out_what_is_absent():
    first, second = written(JsonLines, [ITEM, NOTHING]).decode().splitlines()
    assert json.loads(first) == ITEM | {"attempts": [{"status": 200}], "tool_names": ["x", "y"]}
    assert json.loads(second) == {"id": "rec_2"}


def test_csv_has_one_kind_of_line_end_and_quotes_the_others():
    data = written(Csv, [ITEM, NOTHING])
    assert data.startswith(b"id,cost_nano,metadata,attempts,is_stream,error_message,tool_names,output_tps\r\n")
    head, first, second = csv.reader(io.StringIO(data.decode(), newline=""))
    assert dict(zip(head, first, strict=True)) == {
        "id": "rec_1", "cost_nano": "-5", "metadata": '{"a":"b\\nc"}', "attempts": '[{"status": 200}]', "is_stream": "true",
        "error_message": ITEM["error_message"], "tool_names": '["x","y"]', "output_tps": "1.5",
    }  # fmt: skip
    assert second == ["rec_2", *[""] * 7]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x", "''"])
def test_no_text_is_a_formula_and_none_is_lost(text):
    data = written(Csv, [NOTHING | {"error_message": text}]).decode()
    cell = next(csv.DictReader(io.StringIO(data, newline="")))["error_message"]
    assert cell == "'" + text
    assert cell.removeprefix("'") == text


def test_parquet_keeps_types_and_leaves_nothing_beside_it(tmp_path):
    import duckdb

    path = tmp_path / "o'clock.parquet"
    with path.open("wb") as file:
        writer = writer_of("parquet", file, COLUMNS)
        assert isinstance(writer, Parquet)
        writer.write([ITEM])
        writer.write([NOTHING])
        writer.finish()
        writer.close()
    with duckdb.connect() as connection:
        first, second = connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert first == (
        "rec_1", -5, {"a": "b\nc"}, '[{"status": 200}]', True, ITEM["error_message"], ["x", "y"], 1.5,
    )  # fmt: skip
    assert second == ("rec_2", *[None] * 7)
    assert list(tmp_path.iterdir()) == [path]


def test_a_body_of_ten_megabytes_comes_back(tmp_path):
    import duckdb

    columns = columns_of(["id", "request"])
    item = {"id": "rec_1", "request": "a\n\x00🙂" * (10 * 2**20 // 7)}
    for kind in ("jsonl", "parquet"):
        with (tmp_path / kind).open("wb") as file:
            writer = writer_of(kind, file, columns)
            writer.write([item])
            writer.finish()
            writer.close()
    assert json.loads((tmp_path / "jsonl").read_bytes()) == item
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(tmp_path / "parquet")]).fetchall()
    assert found == [("rec_1", item["request"])]


@pytest.mark.parametrize("kind", [JsonLines, Csv])
def test_the_size_is_what_is_written_before_compression(kind):
    file, packed = io.BytesIO(), io.BytesIO()
    sizes = []
    for target in (file, gzip.GzipFile("", "wb", 6, packed)):
        with contextlib.closing(kind(target, COLUMNS)) as writer:
            writer.write([ITEM, NOTHING])
            sizes.append(writer.size_bytes())
    assert sizes == [len(file.getvalue())] * 2


def test_the_size_of_parquet_is_that_of_its_rows_as_json(tmp_path):
    with (tmp_path / "x").open("wb") as file, contextlib.closing(Parquet(file, COLUMNS)) as writer:
        assert writer.size_bytes() == 0
        writer.write([ITEM] * 3)
        size = writer.size_bytes()
        writer.write([ITEM] * 3)
        assert writer.size_bytes() == 2 * size > 600
