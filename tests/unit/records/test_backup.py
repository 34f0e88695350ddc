"""A copy can be opened and has everything; what is not whole is told."""

from __future__ import annotations

import json

import pytest

from lockgate.core.capture import Capture
from lockgate.errors import Conflict
from lockgate.records.backup import back_up, check, restore
from lockgate.records.bodies.kept import keep
from lockgate.records.bodies.store import BodyStore
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.redaction import Rules
from lockgate.records.store import ALL, AggregateSpec, Feedback, PageQuery
from tests.unit.records.rows import HOUR_US, START, preview, row

DAY_US = 24 * HOUR_US
BODY = json.dumps({"messages": [{"role": "user", "content": "words " * 50}]}).encode()


@pytest.fixture
def folder(tmp_path):
    """Four days, two of them sealed, with texts, bodies and feedback."""
    now = [START]
    store = EmbeddedStore(tmp_path / "records", now_us=lambda: now[0])
    bodies = BodyStore(store.layout)
    for number in range(4):
        at = number * DAY_US
        store.append([row(number, at=at)])
        store.append_previews([preview(number, at=at)])
        bodies.put(
            [
                keep(
                    Capture(record_id=f"rec_{number}", started_at=(START + at) / 1e6, request=BODY),
                    Rules(),
                    limit_bytes=10**6,
                )
            ]
        )
    store.add_feedback([Feedback(id="f", trace_id="t1", workspace_id=None, value=1, created_us=5, updated_us=5)])
    now[0] = START + 4 * DAY_US
    store.maintain()
    assert sorted(store.manifest.contents().days.values()) == ["cold", "cold", "hot", "hot"]
    yield store
    bodies.close()
    store.close()


def everything(store):
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + 5 * DAY_US, step_us=DAY_US)
    return (
        store.page(PageQuery(scope=ALL)).entries, store.feedback(ALL), store.trace("t1", ALL),
        {key: sums.values for key, sums in store.aggregate(spec).groups.items()},
    )  # fmt: skip


def test_a_copy_taken_while_it_is_written_has_everything(folder, tmp_path):
    steps = []
    copied = back_up(tmp_path / "records", tmp_path / "copy", progress=lambda done, of: steps.append((done, of)))
    assert copied.files > 5
    assert steps[-1][0] == steps[-1][1] == len(steps)
    before = everything(folder)
    folder.append([row(50, at=3 * DAY_US + 5)])
    restore(tmp_path / "copy", tmp_path / "again")
    store = EmbeddedStore(tmp_path / "again", now_us=lambda: START + 4 * DAY_US)
    assert everything(store) == before
    bodies = BodyStore(store.layout)
    for number in range(4):
        assert bodies.get(f"rec_{number}", START + number * DAY_US).views["request"].data == BODY
    assert store.append([row(50, at=3 * DAY_US + 5)]).new == 1
    bodies.close()
    store.close()


def test_a_copy_goes_into_an_empty_folder_only(folder, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "file").write_text("")
    with pytest.raises(Conflict):
        back_up(tmp_path / "records", tmp_path / "copy")


def test_nothing_is_restored_over_records_or_from_half_a_copy(folder, tmp_path):
    back_up(tmp_path / "records", tmp_path / "copy")
    with pytest.raises(Conflict, match="Another process"):
        restore(tmp_path / "copy", tmp_path / "records")
    restore(tmp_path / "copy", tmp_path / "again")
    with pytest.raises(Conflict, match="already"):
        restore(tmp_path / "copy", tmp_path / "again")
    (tmp_path / "copy" / "complete").unlink()
    with pytest.raises(Conflict, match="not a complete copy"):
        restore(tmp_path / "copy", tmp_path / "other")


def damage_sealed(copy):
    path = next((copy / "cold").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-10])
    return "another size"


def lose_sealed(copy):
    next((copy / "cold").glob("rows-*.parquet")).unlink()
    return "is missing"


def damage_day(copy):
    path = next((copy / "hot").glob("*.db"))
    path.write_bytes(path.read_bytes()[:5000] + b"x" * 5000)
    return "damaged"


def lose_day(copy):
    next((copy / "hot").glob("*.db")).unlink()
    return "is missing"


def lose_manifest(copy):
    (copy / "manifest.db").unlink()
    return "manifest.db is missing"


def test_what_the_next_gateway_writes_is_not_taken_for_shipped(folder, tmp_path):
    folder.manifest.acknowledge("0000000001.log", 1000)
    back_up(tmp_path / "records", tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "again")
    again = EmbeddedStore(tmp_path / "again")
    assert again.manifest.acks() == {}
    again.close()


@pytest.mark.parametrize("damage", [damage_sealed, lose_sealed, damage_day, lose_day, lose_manifest])
def test_what_is_not_whole_is_told_and_not_restored(folder, tmp_path, damage):
    back_up(tmp_path / "records", tmp_path / "copy")
    assert check(tmp_path / "copy") == []
    says = damage(tmp_path / "copy")
    assert any(says in fault for fault in check(tmp_path / "copy"))
    with pytest.raises(OSError, match="not whole"):
        restore(tmp_path / "copy", tmp_path / "again")
