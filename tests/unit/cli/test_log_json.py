import msgspec

from lockgate.cli.log_json import json_of, record_json
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.store import Entry
from tests.unit.records.rows import preview, row


def test_a_record_with_its_bodies():
    bodies = Bodies({"request": View(name="request", data=b'{"a": 1}', size_bytes=8)}, [("x", "y")], [], {"jwt": 1})
    read = msgspec.json.decode(msgspec.json.encode(record_json(Entry(row(1), preview(1)), bodies)))
    assert (read["id"], read["request_preview"]) == ("rec_1", "p1")
    assert read["bodies"]["request"] == {"data": {"a": 1}, "size_bytes": 8, "is_truncated": False}
    assert read["bodies"]["redactions"] == {"jwt": 1}
    assert record_json(Entry(row(1)), None)["bodies"] is None


def test_what_is_no_json_is_text():
    assert json_of(b"data: {}\n\n") == "data: {}\n\n"
    assert json_of(b"\xff") == "�"
