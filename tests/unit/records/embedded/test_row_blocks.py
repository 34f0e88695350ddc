from __future__ import annotations

import msgspec
import pytest

from lockgate.records.embedded import row_blocks
from lockgate.records.embedded.row_blocks import BLOCK_ROWS, beside, is_whole, read, read_row, salvaged
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import HOUR_US, START, row

ROWS = [
    row(n, at=n, error_message="a\n\x00\u2028b" if n % 3 else None, metadata={"n": str(n)})
    for n in range(BLOCK_ROWS * 3 + 5)
]


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "rows-1-x.parquet"
    assert row_blocks.write(beside(path), (msgspec.json.encode(r).decode() for r in ROWS)) == len(ROWS)
    return path


@pytest.mark.parametrize("numbers", [[0], [len(ROWS) - 1], [5, 3, 190, 64, 63], list(range(len(ROWS))), []])
def test_rows_are_read_by_their_numbers_in_the_order_asked(parquet, numbers):
    assert read(parquet, numbers) == [ROWS[number] for number in numbers]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"x" * 50 + data[50:], lambda data: data[:40]]
)
def test_damage_is_told(parquet, damage):
    path = beside(parquet)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError):
        read(parquet, [0])


def test_a_row_of_another_version_is_read():
    assert read_row(b'{"id":"x","started_us":5,"new":{"a":1}}').id == "x"


def test_what_is_null_is_left_out(tmp_path):
    path = tmp_path / "rows-1-x.parquet"
    row_blocks.write(beside(path), ['{"id":"x","started_us":5,"tool_names":null,"metadata":null,"model":null}'])
    assert read(path, [0])[0].tool_names == ()


def test_without_its_blocks_a_sealed_day_is_read_from_its_columns(store, clock, caplog):
    rows = [row(n, at=n, metadata={"a": "b"}, tool_names=("t",)) for n in range(5)]
    store.append(rows)
    clock.us = START + 10 * 24 * HOUR_US
    store.maintain()
    asked = PageQuery(scope=ALL, is_ascending=True)
    assert [e.row for e in store.page(asked).entries] == rows
    assert caplog.text == ""
    for path in store.layout.cold.glob("*.rows"):
        path.unlink()
    assert [e.row for e in store.page(asked).entries] == rows
    assert "slow" in caplog.text


def test_what_can_be_read_of_a_damaged_file_is_yielded_in_its_order(tmp_path):
    rows, parquet = ROWS[: BLOCK_ROWS * 3], tmp_path / "a.parquet"
    path = beside(parquet)
    row_blocks.write(path, (msgspec.json.encode(each).decode() for each in rows))
    assert list(salvaged(parquet)) == rows
    assert is_whole(parquet, len(rows))
    assert not is_whole(parquet, len(rows) + 1)
    data = path.read_bytes()
    second = data.index(b"\x28\xb5\x2f\xfd", 10)
    path.write_bytes(data[: second + 20] + b"\xff" * 20 + data[second + 40 : -30])
    assert list(salvaged(parquet)) == rows[:BLOCK_ROWS] + rows[BLOCK_ROWS * 2 :]
    assert not is_whole(parquet, len(rows))
    for broken in (b"", data[:100], bytes(len(data)), data[:-40] + b"\xa5" * 40):
        path.write_bytes(broken)
        assert not is_whole(parquet, len(rows))
        assert len(list(salvaged(parquet))) in (0, len(rows))
    path.unlink()
    assert list(salvaged(parquet)) == []
