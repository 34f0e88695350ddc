"""Graphs against numbers worked out by hand."""

from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest, NotFound
from lockgate.records.aggregate import Adder
from lockgate.records.analytics import (
    GRAPHS,
    SPLIT_GRAPHS,
    Question,
    cache_summary,
    cents,
    count_of,
    graph,
    hit_rate,
    in_ms,
    latencies,
    ratio,
    spec_of,
    without_nulls,
)
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.from_record import user_hash
from lockgate.records.query.language import parse
from lockgate.records.store import ALL, Scope, Sums
from tests.unit.records.rows import HOUR_US, START, row


def user(name):
    return {"end_user": name, "end_user_hash": user_hash(name)}


def timed(us, **changes):
    from lockgate.records.sketch import bucket_of

    return {"duration_us": us, "duration_bucket": bucket_of(us)} | changes


ROWS = [
    row(1, at=1, workspace_id="a", cost_nano=10_000_000, total_tokens=100, model="m1", **timed(1_000_000), **user("u1")),
    row(2, at=2, workspace_id="a", cost_nano=20_000_000, total_tokens=300, model="m1", **timed(3_000_000), **user("u1")),
    row(3, at=HOUR_US, workspace_id="a", cost_nano=None, cost_status="unpriced", model="m2", status_code=429, is_error=True, **timed(9), **user("u2")),
    row(4, at=HOUR_US + 1, workspace_id="a", cost_nano=0, model="m2", status_code=500, is_error=True),
    row(5, at=HOUR_US + 2, workspace_id="a", cost_nano=0, model="m2", cache_status="hit", cache_saved_nano=50_000_000, **timed(2000)),
    row(6, at=HOUR_US + 3, workspace_id="b", cost_nano=0, cache_status="semantic_hit", cache_saved_nano=10_000_000, **timed(4000)),
    row(7, at=2 * HOUR_US, workspace_id="b", cost_nano=0, cache_status="miss", rescued_by="retry", retry_count=2, failed_attempts=1, **timed(2_000_000)),
    row(8, at=2 * HOUR_US, workspace_id="b", cost_nano=0, rescued_by="fallback", retry_count=0, is_client_gone=True),
    row(9, at=2 * HOUR_US, is_counted=False, cost_nano=10**12),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = EmbeddedStore(tmp_path_factory.mktemp("records"), now_us=lambda: START + 5 * HOUR_US)
    found.append(ROWS)
    yield found
    found.close()


def ask(store, name, **changes):
    values = {"scope": ALL, "from_us": START, "to_us": START + 3 * HOUR_US} | changes
    return graph(store, name, Question(**values))


def filled(answer, *names):
    """Return the points where something was, by the hour of the day."""
    found = {}
    for point in answer["data_points"]:
        values = tuple(point[name] for name in names)
        if any(value not in (0, None, [], 0.0) for value in values):
            found.setdefault(int(point["timestamp"][11:13]), []).append(values)
    return found


@pytest.mark.parametrize("name", [*GRAPHS, *SPLIT_GRAPHS])
def test_every_graph_has_its_envelope_and_as_many_points_as_slots(store, name):
    answer = ask(store, name)
    assert answer["object"] == "analytics-graph"
    assert answer["data"] == answer["data_points"]
    if name != "errors/status-codes":
        assert 60 <= len(answer["data"]) <= 121
        assert answer["data"][0]["timestamp"] == "2026-02-16T00:00:00Z"


@pytest.mark.parametrize("name", [*GRAPHS, *SPLIT_GRAPHS])
def test_every_graph_of_nothing_has_nulls_and_zeros(store, name):
    answer = ask(store, name, filter=parse("model:nothing"))
    for point in answer["data_points"]:
        assert all(value in (0, None, [], 0.0) for key, value in point.items() if key != "timestamp")
    assert None not in without_nulls(answer)["summary"].values()


def test_requests(store):
    answer = ask(store, "requests")
    assert answer["summary"] == {"total": 8}
    assert filled(answer, "total") == {0: [(2,)], 1: [(4,)], 2: [(2,)]}


def test_cost_is_in_cents(store):
    assert ask(store, "cost")["summary"] == {"total": 3.0, "avg": 3.0 / 8}
    assert ask(store, "cost", scope=Scope(frozenset({"b"})))["summary"] == {"total": 0.0, "avg": 0.0}


def test_latency_is_of_answers_that_were_served(store):
    summary = ask(store, "latency")["summary"]
    assert summary["avg"] == 2000.0
    assert summary["p50"] == pytest.approx(2000, rel=0.01)
    assert summary["p99"] == pytest.approx(3000, rel=0.01)


def test_tokens_and_users(store):
    assert ask(store, "tokens")["summary"] == {"total": 400, "avg": 50.0}
    users = ask(store, "users")
    assert users["summary"] == {"total": 2}
    assert filled(users, "total") == {0: [(1,)], 1: [(1,)]}
    assert ask(store, "users/requests")["summary"] == {"total": 3, "unique": 2, "avg": 1.5}


def test_errors(store):
    assert ask(store, "errors")["summary"] == {"total": 2}
    assert ask(store, "errors/rate")["summary"] == {"rate": 25.0}
    stacks = ask(store, "errors/stacks")
    assert stacks["summary"] == {"total": 2}
    assert filled(stacks, "stats") == {
        1: [([{"response_status_code": 429, "count": 1}, {"response_status_code": 500, "count": 1}],)]
    }
    codes = ask(store, "errors/status-codes")
    assert codes["summary"] == {"total_errors": 2, "unique_error_codes": 2}
    assert codes["data"] == [{"status_code": 429, "count": 1}, {"status_code": 500, "count": 1}]


def test_rescued_requests(store):
    answer = ask(store, "requests/rescued")
    assert answer["summary"] == {"retry": 1, "fallback": 1}
    assert filled(answer, "retry", "fallback") == {2: [([{"retry_success_count": 2, "count": 1}], 1)]}


def test_the_cache(store):
    answer = ask(store, "cache/hit-rate")
    assert answer["summary"]["total"] == 2
    assert answer["summary"]["rate"] == pytest.approx(66.67, abs=0.01)
    savings = [point["cumulative_simple_cache_savings"] for point in answer["data_points"]]
    assert savings == sorted(savings)
    assert (savings[0], savings[-1]) == (0.0, 5.0)
    assert answer["data_points"][-1]["cumulative_semantic_cache_savings"] == 1.0
    assert filled(ask(store, "cache/latency"), "avg") == {1: [(3.0,)]}
    found = cache_summary(store, Question(scope=ALL, from_us=START, to_us=START + 3 * HOUR_US))["summary"]
    assert (found["hits"], found["avg_latency"], found["total_requests"]) == (2, 3.0, 8)
    assert found["cache_speedup"] == pytest.approx(99.85)


def test_graphs_follow_a_time_zone(store):
    answer = ask(store, "requests", from_us=START - 60 * 24 * HOUR_US, zone="Asia/Tokyo")
    assert {point["timestamp"][11:] for point in answer["data_points"]} == {"15:00:00Z"}
    assert sum(point["total"] for point in answer["data_points"]) == 8


def test_what_does_not_exist_is_told(store):
    with pytest.raises(NotFound):
        ask(store, "requests/by-moon")
    with pytest.raises(InvalidRequest):
        ask(store, "requests", to_us=START)


def test_small_pieces():
    assert (ratio(1, 0), ratio(1, 4, 100.0), cents(25_000_000), in_ms(None), in_ms(1500.0)) == (
        None,
        25.0,
        2.5,
        None,
        1.5,
    )
    assert hit_rate(Sums({}, {}, set())) is None
    assert count_of(Sums({"a": 3}, {}, set()), "a") == 3
    assert latencies(Sums({}, {}, set())) == {"avg": None, "p50": None, "p90": None, "p99": None}
    spec = spec_of(Question(scope=ALL, from_us=1, to_us=2), None, ("requests",), dimensions=("model",))
    assert (spec.step_us, spec.dimensions) == (0, ("model",))
    assert Adder(spec).table().groups == {}
