"""The tool that tries to lose records notices what it is there to notice."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import msgspec
import pytest

from lockgate.core.capture import Capture
from lockgate.core.journal_line import frame
from lockgate.core.record import SCHEMA_VERSION, Record, Stages
from lockgate.records.bodies.kept import keep
from lockgate.records.bodies.store import BodyStore
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import day_of
from lockgate.records.from_record import read_row
from lockgate.records.redaction import Rules
from lockgate.telemetry.journal import Journal
from tools.outage import corrupt, full, stopped
from tools.outage.ledger import (
    Books,
    check_calls,
    check_contents,
    check_journal,
    check_simulator,
    check_store,
    percentile,
)
from tools.outage.load import Call, Pace, plan
from tools.outage.stage import family


def record(number, **more):
    return Record(
        schema_version=SCHEMA_VERSION, id=f"rec_{number}", trace_id=f"outage-{number:07d}", started_at=1e9,
        method="POST", route="chat", dialect="d", status=200, stages=Stages(upstream_first=1.0), duration_ms=2.0, **more,
    )  # fmt: skip


def books(*numbers):
    found = Books()
    for number in numbers:
        row = read_row(msgspec.json.encode(record(number)))
        found.ids[row.id] += 1
        found.by_tag.setdefault(row.trace_id, []).append(row)
    found.summed_requests = len(numbers)
    return found


def call(number, outcome="whole", **more):
    fields = {"path": "/v1/messages", "body": b"", "is_stream": True, "status": 200, "request_id": f"{number}"}
    return Call(**{"number": number, "outcome": outcome, **fields, **more})


def test_a_good_ledger_has_no_problems(tmp_path):
    journal = Journal(tmp_path, fsync="off", segment_bytes=10_000)
    journal.write(record(1))
    journal.close()
    ledger = books(1, 2)
    assert check_store(ledger) == check_calls([call(1), call(2), call(3, "cut")], ledger) == []
    assert check_journal(tmp_path, ledger) == []


def test_a_record_that_is_twice_in_the_store_is_noticed():
    assert any("there twice: rec_2" in text for text in check_store(books(1, 2, 2)))


def test_two_records_of_one_request_are_noticed():
    ledger = books(1)
    ledger.by_tag["outage-0000001"].append(msgspec.structs.replace(ledger.by_tag["outage-0000001"][0], id="rec_other"))
    assert check_store(ledger) == ["1 requests have more than one record: outage-0000001"]


def test_charts_that_differ_from_rows_are_noticed():
    ledger = books(1, 2)
    ledger.summed_requests = 3
    assert "charts say 3 requests" in check_store(ledger)[0]


def test_an_answer_without_a_record_is_noticed():
    assert "have no record: outage-0000002" in check_calls([call(1), call(2)], books(1))[0]
    assert check_calls([call(2, "cut"), call(3, "refused")], books(1)) == []


def test_a_record_under_another_id_is_noticed():
    assert "another id" in check_calls([call(1, request_id="7")], books(1))[0]


def test_what_the_journal_has_and_the_store_has_not_is_noticed(tmp_path):
    journal = Journal(tmp_path, fsync="off", segment_bytes=10_000)
    for number in (1, 3, 3):
        journal.write(record(number))
    journal.close()
    found = check_journal(tmp_path, books(1))
    assert ["rec_3" in text for text in found] == [True, True]


TAG = "outage-000000{}"


@pytest.mark.parametrize(
    "received, calls, words, in_flight",
    [
        ({1: "completed"}, [call(1)], [], 0),
        ({1: "completed", 2: "aborted"}, [call(1), call(2, "cut")], [], 1),
        ({1: "completed", 2: "completed"}, [call(1), call(2)], ["answered and have no record"], 1),
        ({1: "aborted"}, [call(1)], ["did not complete"], 0),
        ({}, [call(1)], ["never reached the simulator", "did not complete"], 0),
    ],
)
def test_the_simulators_count_is_compared_with_the_ledgers(received, calls, words, in_flight):
    found = check_simulator({TAG.format(number): outcome for number, outcome in received.items()}, calls, books(1))
    assert [word in text for word, text in zip(words, found.problems, strict=True)] == [True] * len(words)
    assert found.in_flight == in_flight


def test_failed_requests_are_noticed():
    assert stopped.check_load([call(1)]) == []
    assert stopped.check_load([call(1, status=500)]) != []
    assert stopped.check_load([call(1, "cut")]) != []


@pytest.mark.parametrize("own_ms, memory_mb, count", [(1.4, 109.0, 0), (2.1, 109.0, 1), (1.4, 140.0, 1)])
def test_slower_answers_and_more_memory_without_the_store_are_noticed(own_ms, memory_mb, count):
    up = stopped.Phase(name="up", begin_s=0, own_ms=[1.0] * 100, memory_mb=[100.0])
    away = stopped.Phase(name="stopped", begin_s=0, own_ms=[own_ms] * 100, memory_mb=[90.0, 110.0, 110.0, memory_mb])
    assert len(stopped.check_phases([up, away])) == count


def test_each_request_belongs_to_the_phase_in_which_it_began():
    phases = [stopped.Phase(name="up", begin_s=1e9 - 1, end_s=1e9), stopped.Phase(name="x", begin_s=1e9, end_s=1e9 + 1)]
    calls = [call(1, is_stream=False, began_s=1e9 + 0.5, took_s=3.0), call(2, began_s=1e9 + 0.5, took_s=4.0)]
    stopped.fill(phases, [record(1), record(2)], calls)
    assert [(phase.own_ms, phase.took_s) for phase in phases] == [([], []), ([0.0, 0.0], [3.0])]


def test_parts_of_a_phase_and_the_memory_of_a_family():
    assert stopped.quarters([1, 2, 3, 4, 5]) == [[1, 2], [3, 4], [5]]
    assert stopped.quarters([1]) == [[1]]
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert {os.getpid(), child.pid} <= family(os.getpid())
        assert family(child.pid) == {child.pid}
    finally:
        child.communicate(b"\n")


def test_percentiles():
    assert percentile([], 0.99) == 0
    assert percentile(list(range(100)), 0.99) == 99
    assert percentile([5, 1, 3], 0.5) == 3


def test_damage_hits_the_journal_and_is_the_same_for_the_same_dice(tmp_path):
    def damaged(name):
        folder = tmp_path / name
        folder.mkdir()
        for number in (1, 2, 3):
            lines = [frame(b'{"id":"rec_%d"}' % (number * 100 + line)) for line in range(50)]
            (folder / f"{number:010d}.log").write_bytes(b"".join(lines))
        before = corrupt.read_lines(folder)
        dice = random.Random(3)
        told = [corrupt.damage(folder, dice) for _ in range(12)]
        return told, before, corrupt.read_lines(folder)

    told, before, after = damaged("one")
    assert {text.split()[0] for text in told} == {"flip", "zeros", "tear"}
    assert len(before) == 150
    assert 0 < len(before - after) < 150
    assert damaged("two")[2] == after


GOOD = dict.fromkeys(full._NAMES, 0.0)
DROPPED, SPOOL, BLOCKED, HELD, LOST = full._NAMES
LOG = "bodies are not kept ... records are held in memory"


def steps(**changes):
    found = {
        "empty": {},
        "no bodies": {DROPPED: 5},
        "no rows": {DROPPED: 9, SPOOL: 100, BLOCKED: 1},
        "full": {DROPPED: 9, BLOCKED: 1, HELD: 3},
        "room again": {DROPPED: 9},
    }
    for name, values in changes.items():
        found[name.replace("_", " ")] = values
    return [
        full.Step(name=name, used=0.5, rows=1, sent=1, metrics={**GOOD, **values}) for name, values in found.items()
    ]


@pytest.mark.parametrize(
    "changes, log, words",
    [
        ({}, LOG, None),
        ({"no_bodies": {}}, LOG, "no bodies were dropped"),
        ({"no_rows": {DROPPED: 9}}, LOG, "rows did not wait"),
        ({"full": {BLOCKED: 1}}, LOG, "no records were held"),
        ({"full": {BLOCKED: 1, HELD: 1, LOST: 1}}, LOG, "records were lost"),
        ({"room_again": {HELD: 1}}, LOG, "still waits"),
        ({}, "", "the log does not say"),
    ],
)
def test_each_step_of_a_filling_disk_is_judged(changes, log, words):
    found = full.check_steps(steps(**changes), log)
    assert (found == []) if words is None else any(words in text for text in found)


def test_the_same_seed_plans_the_same_calls_of_every_kind():
    def planned(seed):
        calls = plan(random.Random(seed), Pace())
        return [next(calls) for _ in range(100)]

    calls = planned(1)
    assert calls == planned(1)
    assert calls != planned(2)
    assert {(one.path, one.is_stream) for one in calls} == {
        (path, is_stream) for path in ("/v1/messages", "/v1/chat/completions") for is_stream in (True, False)
    }
    assert all(one.tag.encode() in one.body for one in calls)


def test_bodies_that_are_damaged_or_not_of_their_record_are_noticed(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    store = BodyStore(layout)
    for number, body in ((1, b'{"x":"outage-0000001"}'), (2, b'{"x":"outage-0000009"}')):
        store.put([keep(Capture(record_id=f"rec_{number}", started_at=1e9, request=body), Rules(), limit_bytes=1000)])
    assert check_contents(tmp_path, books(1, 3)) == (1, [])
    ((problem),) = check_contents(tmp_path, books(1, 2))[1]
    assert problem == "1 records have bodies that are not whole or not theirs: outage-0000002"
    store.close()
    (layout.bodies_of(day_of(10**15)) / "index.db").write_bytes(b"nothing" * 1000)
    assert "outage-0000001 (the bodies of 2001-09-09 cannot be read" in check_contents(tmp_path, books(1))[1][0]
