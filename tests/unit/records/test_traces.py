"""Trees of traces: nothing is dropped, whatever ids clients send."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.traces import build_trace
from tests.unit.records.rows import START, row


def spans(*rows):
    return [(span.depth, span.id, span.kind) for span in build_trace("t", list(rows)).spans]


def test_children_stand_below_their_parents_in_the_order_of_time():
    rows = [
        row(1, span_id="a"), row(2, at=20, span_id="b", parent_span_id="a"), row(3, at=10, span_id="c", parent_span_id="a"),
        row(4, at=30, span_id="d", parent_span_id="b"),
    ]  # fmt: skip
    assert spans(*rows) == [(0, "a", "server"), (1, "c", "server"), (1, "b", "server"), (2, "d", "server")]


def test_attempts_are_spans_with_their_own_times():
    attempts = msgspec.json.encode([
        {"provider": "openai", "model": "gpt-5", "status": 429, "error": "upstream_rejected", "started_ms": 2.0, "duration_ms": 30.0, "kind": "primary"},
        {"provider": "anthropic", "slug": "main", "status": 200, "started_ms": 832.0, "duration_ms": 500.0, "kind": "fallback", "waited_ms": 800},
    ]).decode()  # fmt: skip
    trace = build_trace(
        "t", [row(1, span_id="a", attempts=attempts, prepare_us=5, receive_us=7, total_tokens=9, cost_nano=3)]
    )
    server, first, second = trace.spans
    assert (first.id, first.parent_id, first.name, first.is_error, first.status_code) == (
        "a.1",
        "a",
        "gpt-5",
        True,
        429,
    )
    assert (first.started_us, first.duration_us) == (START + 2000, 30_000)
    assert (second.name, second.attempt_kind, second.waited_us, second.cost_nano) == (
        "anthropic",
        "fallback",
        800_000,
        None,
    )
    assert (server.stages_us, server.total_tokens, trace.cost_nano) == ({"receive": 7, "prepare": 5}, 9, 3)


def test_a_parent_that_did_not_come_is_shown():
    rows = [row(1, at=5, span_id="a", parent_span_id="gone"), row(2, at=9, span_id="b", parent_span_id="gone")]
    assert spans(*rows) == [(0, "gone", "missing"), (1, "a", "server"), (1, "b", "server")]


def test_an_id_that_is_used_again_gets_another_and_keeps_what_the_client_said():
    rows = [row(1, span_id="same"), row(2, at=1, span_id="same"), row(3, at=2, span_id="c", parent_span_id="same")]
    assert spans(*rows) == [(0, "same", "server"), (1, "c", "server"), (0, "rec_2", "server")]
    assert build_trace("t", rows).spans[-1].client_span_id == "same"


def test_spans_that_name_each_other_as_parents_are_roots():
    rows = [
        row(1, span_id="a", parent_span_id="b"),
        row(2, at=1, span_id="b", parent_span_id="a"),
        row(3, at=2, span_id="c", parent_span_id="c"),
    ]
    assert [span[1] for span in spans(*rows)] == ["a", "b", "c"]


def test_the_whole_is_summed_up():
    rows = [
        row(1, span_id="a", span_name="plan", duration_us=100, model="m1", total_tokens=5, cost_nano=7),
        row(2, at=50, duration_us=900, model="m2", is_error=True, total_tokens=None, cost_nano=None),
    ]  # fmt: skip
    trace = build_trace("t", rows)
    assert (trace.name, trace.started_us, trace.duration_us, trace.span_count, trace.error_count) == (
        "plan",
        START,
        950,
        2,
        1,
    )
    assert (trace.total_tokens, trace.cost_nano, trace.models) == (5, 7, ("m1", "m2"))


def test_no_rows_are_no_trace():
    assert build_trace("t", []) is None


def test_attempts_that_cannot_be_read_are_left_out():
    assert spans(row(1, span_id="a", attempts="not json")) == [(0, "a", "server")]


ids = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d", "rec_1", "rec_2"]))


@given(st.lists(st.tuples(ids, ids, st.integers(0, 5)), min_size=1, max_size=12))
def test_every_request_is_in_its_tree_once_below_its_parent(links):
    rows = [row(n, at=at, span_id=span, parent_span_id=parent) for n, (span, parent, at) in enumerate(links)]
    found = build_trace("t", rows).spans
    assert sorted(str(span.record_id) for span in found if span.kind == "server") == sorted(r.id for r in rows)
    assert len({span.id for span in found}) == len(found)
    path = []
    for span in found:
        del path[span.depth :]
        if span.depth:
            assert path[-1] == span.parent_id
        path.append(span.id)


def test_a_deep_trace_is_built_without_recursion():
    rows = [row(n, at=n, span_id=f"s{n}", parent_span_id=f"s{n - 1}" if n else None) for n in range(3000)]
    assert build_trace("t", rows).spans[-1].depth == 2999
