"""Appending, feedback, retention and deletion."""

from __future__ import annotations

import duckdb
import msgspec
import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.query.language import parse
from lockgate.records.query.tree import EVERYTHING
from lockgate.records.row import Preview
from lockgate.records.store import ALL, AggregateSpec, Feedback, PageQuery, Scope
from tests.contract.records.world import DAY, END, START, record_id


def everything(world):
    return [entry.row.id for entry in world.pages(PageQuery(scope=ALL, limit=500))]


def test_an_empty_store_answers_everything(empty_world):
    store = empty_world.store
    assert store.page(PageQuery(scope=ALL)).entries == ()
    assert store.get("x", ALL) is None
    assert store.aggregate(AggregateSpec(scope=ALL, from_us=0, to_us=END, step_us=DAY)).groups == {}
    assert list(store.scan(PageQuery(scope=ALL))) == []
    assert store.tail(ALL, EVERYTHING, None).rows == ()
    assert store.feedback(ALL) == []
    assert store.receipts() == []
    assert store.append([]).new == 0


def test_rows_that_are_there_already_change_nothing(own_world):
    before = everything(own_world)
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=END)
    sums = own_world.store.aggregate(spec).groups
    done = own_world.store.append(own_world.rows)
    own_world.store.append_previews(list(own_world.previews.values()))
    assert (done.new, done.known) == (0, len(own_world.rows))
    assert everything(own_world) == before
    assert own_world.store.aggregate(spec).groups == sums


def test_a_batch_that_repeats_a_row_keeps_it_once(own_world):
    row = msgspec.structs.replace(own_world.rows[0], id="twice")
    assert own_world.store.append([row, row]).new == 1
    assert everything(own_world).count("twice") == 1


def test_a_row_that_comes_late_is_seen_at_once_and_for_ever(own_world):
    row = msgspec.structs.replace(
        own_world.rows[5], id="late", started_us=START + 77, trace_id="late-trace", is_counted=True
    )
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=START + DAY)
    before = sum(s.values["requests"] for s in own_world.store.aggregate(spec).groups.values())
    assert own_world.store.append([row]).new == 1
    own_world.store.append_previews([Preview(id="late", started_us=START + 77, text="latecomer")])
    for _ in range(2):
        assert own_world.store.get("late", ALL).row == row
        assert own_world.store.trace("late-trace", ALL) == [row]
        assert own_world.store.count(PageQuery(scope=ALL, filter=parse("latecomer"))) == 1
        assert sum(s.values["requests"] for s in own_world.store.aggregate(spec).groups.values()) == before + 1
        own_world.now_us = END + 20 * DAY
        own_world.store.maintain()
    assert own_world.store.append([row]).known == 1
    assert everything(own_world).count("late") == 1


def test_rows_survive_a_new_opening(own_world):
    before = everything(own_world)
    own_world.store.close()
    own_world.open()
    assert everything(own_world) == before


def feedback(number, **changes):
    values = {
        "id": f"fb_{number}", "trace_id": f"trace-{number}", "workspace_id": "ws_a", "value": number % 21 - 10, "weight": 0.5,
        "created_us": START + number, "updated_us": START + number, "metadata": {"_user": "x"},
    }  # fmt: skip
    return Feedback(**(values | changes))


def test_feedback_is_kept_changed_and_scoped(empty_world):
    store = empty_world.store
    items = [feedback(1), feedback(2, workspace_id="ws_b"), feedback(3, trace_id="trace-1")]
    store.add_feedback(items)
    store.add_feedback(items)
    assert store.feedback(ALL) == items
    assert store.feedback(Scope(frozenset({"ws_b"}))) == items[1:2]
    assert store.feedback(ALL, from_us=START + 2, to_us=START + 3) == items[1:2]
    assert store.feedback_of(["trace-1"], ALL) == [items[0], items[2]]
    ours = Scope(frozenset({"ws_a"}))
    changed = store.change_feedback("fb_1", ours, now_us=END, value=4, weight=None, metadata={"a": "b"})
    assert changed == feedback(1, value=4, metadata={"a": "b"}, updated_us=END)
    assert store.feedback_of(["trace-1"], ALL)[0] == changed
    assert store.change_feedback("fb_2", ours, now_us=END, value=4, weight=None, metadata=None) is None
    assert store.change_feedback("none", ALL, now_us=END, value=4, weight=None, metadata=None) is None


@pytest.mark.parametrize(
    "text, traces",
    [
        ("feedback_value>3", {"trace-15", "trace-20"}),
        ("feedback_value:-9", {"trace-1"}),
        ("feedback_count>=2", {"trace-5"}),
        ("feedback_average<0", {"trace-1", "trace-5"}),
        ("feedback_count:*", {"trace-1", "trace-5", "trace-10", "trace-15", "trace-20"}),
    ],
)
def test_rows_are_selected_by_the_feedback_on_their_trace(own_world, text, traces):
    items = [feedback(n) for n in (1, 5, 10, 15, 20)]
    own_world.store.add_feedback([*items, feedback(99, trace_id="trace-5", value=-1)])
    found = own_world.pages(PageQuery(scope=ALL, filter=parse(text)))
    assert {entry.row.trace_id for entry in found} == traces
    rest = own_world.store.count(PageQuery(scope=ALL, filter=parse(f"-{text}")))
    assert rest + len(found) == len(own_world.rows)


def test_retention_drops_whole_days_and_keeps_their_sums(own_world):
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=END, step_us=DAY)
    sums = own_world.store.aggregate(spec).groups
    done = own_world.store.drop_before(START + 2 * DAY + 5)
    assert done.days == 2
    assert done.freed_bytes > 0
    assert everything(own_world) == [row.id for row in own_world.select(EVERYTHING, low=START + 2 * DAY)]
    assert own_world.store.aggregate(spec).groups == sums
    assert own_world.store.get(min(own_world.rows, key=lambda r: r.started_us).id, ALL) is None
    assert own_world.store.drop_before(START + 2 * DAY + 5).days == 0


def test_a_deleted_user_is_gone_at_once_and_then_from_every_file(own_world):
    own_world.store.add_feedback([feedback(n) for n in range(40)])
    gone = {row.id: row for row in own_world.select(parse("user:user-3"))}
    kept = [row.id for row in own_world.select(parse("-user:user-3"))]
    receipt = own_world.store.delete_where(parse("user:user-3"), ALL, reason="a request", now_us=END)
    assert receipt.rows_hidden == len(gone) > 10
    assert everything(own_world) == kept
    spec = AggregateSpec(scope=ALL, from_us=START, to_us=END, dimensions=("end_user",))
    assert (0, ("user-3",)) not in own_world.store.aggregate(spec).groups
    done = own_world.store.apply_deletions(own_world.now_us + 1)
    assert [r.rows_removed for r in done] == [len(gone)]
    assert own_world.store.receipts() == list(done)
    assert everything(own_world) == kept
    assert not {f.trace_id for f in own_world.store.feedback(ALL)} & {row.trace_id for row in gone.values()}
    own_world.store.maintain()
    assert everything(own_world) == kept
    own_world.store.close()
    files = [path for path in own_world.folder.rglob("*") if path.is_file()]
    for path in files:
        assert b"user-3" not in path.read_bytes(), path.name
        if path.suffix == ".parquet":
            assert "user-3" not in str(duckdb.sql(f"SELECT * FROM '{path}'").fetchall()), path.name
    own_world.open()
    assert everything(own_world) == kept


def test_what_was_deleted_does_not_come_back_with_late_rows(own_world):
    own_world.store.delete_where(parse("user:user-3"), ALL, reason="a request", now_us=END)
    own_world.store.apply_deletions(own_world.now_us)
    gone = [row for row in own_world.rows if row.end_user == "user-3"]
    assert own_world.store.append(gone).deleted == len(gone)
    own_world.store.append_previews([own_world.previews[r.id] for r in gone if r.id in own_world.previews])
    assert own_world.store.count(PageQuery(scope=ALL, filter=parse("user:user-3"))) == 0
    later = msgspec.structs.replace(gone[0], id=record_id(END + 5, 1), started_us=END + 5)
    assert own_world.store.append([later]).new == 1
    assert own_world.store.count(PageQuery(scope=ALL, filter=parse("user:user-3"))) == 1


def test_a_deletion_keeps_to_its_scope(own_world):
    scope = Scope(frozenset({"ws_a"}))
    own_world.store.delete_where(parse("user:*"), scope, reason="a request", now_us=END)
    own_world.store.apply_deletions(own_world.now_us)
    want = [r.id for r in own_world.select(EVERYTHING) if r.workspace_id != "ws_a" or r.end_user is None]
    assert everything(own_world) == want


@pytest.mark.parametrize("text", ["", '"refund policy"', 'user:x "refund"'])
def test_a_deletion_of_everything_or_by_text_is_refused(empty_world, text):
    with pytest.raises(InvalidRequest):
        empty_world.store.delete_where(parse(text), ALL, reason="x", now_us=1)
