from __future__ import annotations

import contextlib
import itertools
import json
import re
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.core.capture import Capture
from lockgate.records.bodies.assembly import Timeline
from lockgate.records.bodies.blocks import COMPRESSED, compress
from lockgate.records.bodies.kept import Kept, keep
from lockgate.records.bodies.store import BodyReader, BodyStore
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import day_of
from lockgate.records.redaction import Rules
from lockgate.records.store import Restored
from tests.unit.records.rows import DAY, HOUR_US, START

LEAF = 0x0A
"""What a page of SQLite's begins with that holds the ends of an index."""
numbers = itertools.count(1000)


@pytest.fixture
def layout(tmp_path):
    found = Layout(tmp_path)
    found.create()
    return found


@pytest.fixture
def store(layout):
    found = BodyStore(layout)
    yield found
    found.close()


def kept(number, request=b"{}", *, workspace="ws", at=0, **views):
    capture = Capture(
        record_id=f"rec_{number}", started_at=(START + at) / 1e6, workspace_id=workspace, request=request, **views
    )
    return keep(capture, Rules(), limit_bytes=10 << 20)


def conversation(turns):
    return json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": f"turn {n} " * 60} for n in range(turns)]}
    ).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=400), st.binary(max_size=400)), min_size=1, max_size=5))
def test_any_bodies_come_back_byte_for_byte(store, pairs):
    items = [kept(next(numbers), request, response=response) for request, response in pairs]
    store.put(items)
    for item in items:
        found = store.get(item.record_id, START)
        assert found.views == {view.name: view for view in item.views}


def test_all_views_headers_and_counts_come_back(store):
    key = b"sk-" + b"ant-api03-" + b"a1B2c3D4" * 6
    item = kept(
        1, b'{"a":1}', upstream_request=b'{"a":2}', response=b'{"k":"%b"}' % key, upstream_response=b"raw",
        request_headers=[(b"x-a", b"1")], response_headers=[(b"x-b", b"2")],
    )  # fmt: skip
    store.put([item])
    found = store.get("rec_1", START)
    assert {name: view.data for name, view in found.views.items()} == {
        "request": b'{"a":1}', "upstream_request": b'{"a":2}', "response": b'{"k":"[SECRET:anthropic:c3D4]"}', "upstream_response": b"raw",
    }  # fmt: skip
    assert (list(found.request_headers), list(found.response_headers)) == ([("x-a", "1")], [("x-b", "2")])
    assert dict(found.redactions) == {"anthropic": 1}


def test_a_long_conversation_is_kept_once(store, layout):
    turns = [kept(n, conversation(n)) for n in range(1, 51)]
    for item in turns:
        store.put([item])
    for item in turns:
        assert store.get(item.record_id, START).views["request"].data == item.views[0].data
    raw = sum(len(item.views[0].data) for item in turns)
    segments = sum(path.stat().st_size for path in layout.bodies.rglob("seg-*"))
    assert segments < raw / 50


def test_skeletons_that_were_compressed_and_those_that_are_too_small_for_it_are_read(store, layout):
    bodies = {number: json.dumps({"n": number, "pad": "p" * pad}).encode() for number, pad in ((1, 0), (2, 5000))}
    store.put([kept(number, body) for number, body in bodies.items()])
    with contextlib.closing(sqlite3.connect(layout.bodies_of(day_of(START)) / "index.db")) as index, index:
        small = index.execute("SELECT skeleton FROM bodies WHERE record_id = 'rec_1'").fetchone()[0]
        index.execute("UPDATE bodies SET skeleton = ? WHERE record_id = 'rec_1'", (compress(small),))
    found = {number: store.get(f"rec_{number}", START).views["request"].data for number in bodies}
    assert found == bodies
    assert not small.startswith(COMPRESSED)


def test_what_is_there_already_changes_nothing(store):
    store.put([kept(1, b"one"), kept(1, b"two")])
    first = store.get("rec_1", START)
    store.put([kept(1, b"three")])
    assert store.get("rec_1", START) == first


def test_workspaces_share_no_part(store, layout):
    store.put([kept(1, conversation(3), workspace="a"), kept(2, conversation(3), workspace="b")])
    store.delete(DAY, ["rec_1"])
    assert store.get("rec_2", START).views["request"].data == conversation(3)
    assert store.get("rec_1", START) is None


def test_deleting_takes_what_nobody_else_has_out_of_every_file(store, layout):
    secret = json.dumps({"messages": [{"role": "user", "content": "only mine " * 50}]}).encode()
    store.put([kept(1, secret), kept(2, conversation(3)), kept(3, conversation(4))])
    assert store.delete(DAY, ["rec_1", "rec_2", "rec_9"]) == 2
    assert store.get("rec_3", START).views["request"].data == conversation(4)
    assert store.delete(DAY, ["rec_1"]) == 0
    assert store.delete(DAY + 1, ["rec_1"]) == 0
    store.close()
    assert len(list(layout.bodies.rglob("seg-*"))) == 1
    for path in layout.bodies.rglob("*"):
        assert path.is_dir() or b"only mine" not in path.read_bytes()
    store.put([kept(1, secret)])
    assert store.get("rec_1", START).views["request"].data == secret


def test_days_go_whole(store, layout):
    store.put([kept(1), kept(2, at=24 * HOUR_US), kept(3, at=48 * HOUR_US)])
    assert store.days() == [DAY, DAY + 1, DAY + 2]
    size = store.size_bytes()
    freed = store.drop_before(START + 48 * HOUR_US)
    assert store.days() == [DAY + 2]
    assert 0 < freed < size
    assert store.get("rec_1", START) is None
    assert store.get("rec_3", START + 48 * HOUR_US) is not None


def test_others_read_while_one_writes(store, layout):
    store.put([kept(1, b"hello")])
    reader = BodyReader(layout)
    assert reader.get("rec_1", START).views["request"].data == b"hello"
    assert reader.get("rec_2", START) is None
    assert reader.get("rec_1", START + 24 * HOUR_US) is None


def test_more_days_than_files_are_kept_open(store):
    for day in range(6):
        store.put([kept(day, at=day * 24 * HOUR_US)])
    assert store.get("rec_0", START) is not None
    store.put([kept(100)])
    assert store.get("rec_100", START) is not None


def test_the_rhythm_of_a_stream_comes_back(store):
    timeline = Timeline(("data",), (0, 0), (10, 20), (5, 6))
    store.put([Kept(record_id="rec_1", started_us=1, timeline=timeline)])
    found = store.get("rec_1", 1)
    assert (found.timeline, dict(found.views)) == (timeline, {})


def test_a_day_that_is_being_made_has_nothing_yet(layout, store):
    folder = layout.bodies_of(day_of(1))
    folder.mkdir(parents=True)
    (folder / "index.db").touch()
    assert store.get("rec_1", 1) is None


def fill(layout, count):
    store = BodyStore(layout)
    for number in range(count):
        body = json.dumps({"n": number, "messages": [{"content": f"{number} " * 400}]}).encode()
        store.put([kept(number, body, request_headers=[(b"x-note", b"n" * 100)])])
    store.close()
    return layout.bodies_of(DAY) / "index.db"


def test_an_index_that_is_damaged_is_made_again_of_what_can_be_read(layout, caplog):
    index = fill(layout, 200)
    data = bytearray(index.read_bytes())
    # a leaf of headers: in one of views the name of a view follows
    pages = [m.start() // 4096 * 4096 for m in re.finditer(rb"rec_1[0-9]{2}(?!re)", data)]
    at = next(page for page in pages if data[page] == LEAF)
    data[at : at + 4096] = b"\xff" * 4096
    index.write_bytes(data)
    store = BodyStore(layout)
    with pytest.raises(Restored):
        for number in range(200):
            store.put([kept(number)])
    assert store.restored == 1
    assert "damaged" in caplog.text
    left = [number for number in range(200) if store.get(f"rec_{number}", START) is not None]
    assert len(left) > 20
    for number in left:
        body = store.get(f"rec_{number}", START).views["request"].data
        assert json.loads(body)["n"] == number
    store.put([kept(number, b'{"again":1}') for number in range(200)])
    again = [number for number in range(200) if b"again" in store.get(f"rec_{number}", START).views["request"].data]
    assert len(again) == 200 - len(left)
    (aside,) = layout.quarantine.glob("bodies-*.db")
    assert aside.name.startswith("bodies-2026-02-16-")
    store.close()


def test_an_index_that_is_no_database_begins_anew(layout):
    index = fill(layout, 3)
    index.write_bytes(b"nothing" * 5000)
    store = BodyStore(layout)
    with pytest.raises(OSError, match="cannot be read"):
        store.get("rec_1", START)
    with pytest.raises(Restored):
        store.delete(DAY, ["rec_1"])
    assert store.get("rec_1", START) is None
    store.put([kept(1, b'{"again":1}')])
    assert store.get("rec_1", START).views["request"].data == b'{"again":1}'
    store.close()
