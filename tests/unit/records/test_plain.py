import msgspec

from lockgate.records.plain import DERIVED, SHOWN, plain
from lockgate.records.row import COLUMNS
from tests.unit.records.rows import row


def test_what_is_absent_or_derived_is_left_out():
    found = plain(row(1, end_user="maria", end_user_hash=5, cost_nano=0))
    assert found["end_user"] == "maria"
    assert found["cost_nano"] == 0
    assert "provider" not in found
    assert not DERIVED & found.keys()


def test_columns_of_json_become_json():
    read = msgspec.json.decode(msgspec.json.encode(plain(row(1, attempts='[{"status":200}]', metadata={"a": "b"}))))
    assert read["attempts"] == [{"status": 200}]
    assert read["metadata"] == {"a": "b"}


def test_every_other_column_is_shown():
    assert set(SHOWN) | DERIVED == set(COLUMNS)
