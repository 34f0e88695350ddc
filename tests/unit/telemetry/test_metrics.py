import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from lockgate.core.limits import Budget, Drift
from lockgate.core.record import SCHEMA_VERSION, Attempt, CostLine, Opened, Record, Stages, TokenCounts
from lockgate.telemetry import metrics as module
from lockgate.telemetry.metrics import LogNumbers, MeteredSink, Metrics

GOOD = Record(
    schema_version=SCHEMA_VERSION, id="rec_1", trace_id="t", started_at=0.0, method="POST", route="chat", dialect="d",
    status=200, workspace_id="w", provider="anthropic", model="claude-x", is_stream=True, first_event_ms=120.0,
    duration_ms=700.0, bytes_in=2000, bytes_out=500, stages=Stages(prepare=0.3, upstream_first=600, finish=0.1),
    tokens=TokenCounts(input=10, output=7, cache_read=3, cache_write=5, cache_write_1h=2, reasoning=4),
    cost=CostLine(nanos=3_000_000_000, status="priced", parts={"in_uncached": 1_000_000_000, "out_text": 2_000_000_000}),
    attempts=(Attempt(provider="anthropic", model="claude-x", status=200, duration_ms=650.0),),
)  # fmt: skip


def samples(metrics):
    """Return every sample's value by name and labels."""
    content, text = metrics.expose()
    assert content.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read_text(text.decode())
        for sample in family.samples
    }


def value(found, name, **labels):
    matching = [v for (n, own), v in found.items() if n == "aigw_" + name and labels.items() <= dict(own).items()]
    return sum(matching) if matching else None


def test_answers_without_a_price_are_told():
    told = []
    metrics = Metrics(on_unpriced=told.append)
    unpriced = msgspec.structs.replace(GOOD, cost=CostLine())
    for record in (GOOD, unpriced, msgspec.structs.replace(unpriced, error="upstream_error")):
        metrics.observe(record)
    metrics.settle()
    assert told == [unpriced]


def test_a_good_stream_is_counted_once_everywhere():
    metrics = Metrics(workspace_name=lambda id: "research")
    metrics.observe(GOOD)
    found = samples(metrics)
    common = {
        "workspace": "research",
        "endpoint": "chat",
        "provider": "anthropic",
        "model": "claude-x",
        "stream": "true",
    }
    assert value(found, "requests_total", **common, status="200", outcome="success", cache="disabled") == 1
    assert value(found, "request_duration_seconds_sum", **common) == pytest.approx(0.7)
    assert value(found, "request_duration_seconds_bucket", **common, le="0.5") == 0
    assert value(found, "request_duration_seconds_bucket", **common, le="1.0") == 1
    assert value(found, "request_duration_seconds_bucket", **common, le="+Inf") == 1
    assert value(found, "time_to_first_token_seconds_count", **common) == 1
    assert value(found, "gateway_overhead_seconds_sum") == pytest.approx(0.0004)
    assert value(found, "cost_usd_total", **common, part="out_text") == 2
    parts = {"uncached": 10, "cache_read": 3, "cache_write_5m": 3, "cache_write_1h": 2, "text": 3, "reasoning": 4}
    assert {part: value(found, "tokens_total", **common, part=part) for part in parts} == parts
    assert value(found, "upstream_requests_total", attempt_kind="primary", status="200") == 1


def test_retries_fallbacks_and_rescues():
    failed = Attempt(provider="anthropic", model="claude-x", status=529, error="upstream_rejected")
    again = msgspec.structs.replace(failed, kind="retry")
    other = Attempt(provider="openai", model="gpt-x", status=200, kind="fallback")
    metrics = Metrics()
    metrics.observe(msgspec.structs.replace(GOOD, attempts=(failed, again, other), config_id="inline-123"))
    found = samples(metrics)
    assert value(found, "retries_total", provider="anthropic", reason="upstream_rejected") == 1
    assert value(found, "fallbacks_total", config="inline", from_provider="anthropic", to_provider="openai") == 1
    assert value(found, "rescued_requests_total", provider="openai", by="fallback") == 1


@pytest.mark.parametrize(
    "changes, name, labels",
    [
        ({"status": 412, "error": "budget_exceeded", "error_origin": "gateway"}, "budget_blocks_total", {}),
        ({"status": 429, "error": "rate_limit_exceeded", "error_origin": "gateway"}, "ratelimit_blocks_total", {}),
        (
            {"status": 499, "error": "client_gone", "is_client_gone": True},
            "client_disconnects_total",
            {"phase": "streaming"},
        ),
        ({"error": "upstream_stream_cut"}, "stream_errors_total", {"reason": "upstream_stream_cut"}),
        ({"cost": CostLine()}, "unpriced_requests_total", {"provider": "anthropic"}),
        ({"cache_status": "hit", "cost": None, "cache_saved_nanos": 10**9}, "cache_lookups_total", {"result": "hit"}),
    ],
)
def test_what_goes_wrong_has_a_counter(changes, name, labels):
    metrics = Metrics()
    metrics.observe(msgspec.structs.replace(GOOD, **changes))
    assert value(samples(metrics), name, **labels) == 1


def test_clients_cannot_make_any_number_of_series(monkeypatch):
    monkeypatch.setattr(module, "MAX_SERIES", 3)
    metrics = Metrics()
    for n in range(10):
        attempts = (Attempt(provider="anthropic", model=f"m{n}", status=200),)
        metrics.observe(msgspec.structs.replace(GOOD, attempts=attempts))
    found = samples(metrics)
    assert len({labels for name, labels in found if name == "aigw_requests_total"}) == 4
    assert value(found, "requests_total") == 10
    assert value(found, "requests_total", model="_other") == 7
    assert value(found, "metrics_series_dropped_total", metric="requests") == 7


def test_a_model_without_a_price_is_no_label():
    metrics = Metrics()
    metrics.observe(msgspec.structs.replace(GOOD, model="made-up-by-a-client", cost=CostLine()))
    assert {dict(labels).get("model") for name, labels in samples(metrics) if name == "aigw_requests_total"} == {
        "_other"
    }


def test_processes_beside_each_other_are_added_up(tmp_path):
    one, other = (
        Metrics(folder=tmp_path, running=lambda: {"chat": 2}),
        Metrics(folder=tmp_path, running=lambda: {"chat": 2, "messages": 1}),
    )
    other.observe(GOOD)
    other.publish()
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "1.bin")
    (tmp_path / "2.bin").write_bytes(b"damaged")
    one.observe(GOOD)
    found = samples(one)
    assert value(found, "requests_total") == 2
    assert (value(found, "requests_in_flight"), value(found, "workers")) == (5, 2)
    assert value(found, "request_duration_seconds_bucket", le="1.0") == 2


def test_openmetrics_is_written_when_it_is_asked_for():
    metrics = Metrics()
    metrics.observe(GOOD)
    content, text = metrics.expose("application/openmetrics-text; version=1.0.0")
    assert content.startswith("application/openmetrics-text")
    assert any(family.name == "aigw_requests" for family in read_open(text.decode()))


def test_a_record_is_kept_before_it_is_counted():
    kept = []

    class Sink:
        def write(self, record):
            kept.append(record)

    metrics = Metrics()
    sink = MeteredSink(Sink(), metrics)
    sink.write(GOOD)
    assert kept == [GOOD]
    assert value(samples(metrics), "requests_total") == 1


def test_a_record_that_cannot_be_counted_costs_nothing(caplog):
    metrics = Metrics(workspace_name=lambda id: 1 / 0)
    metrics.observe(GOOD)
    assert value(samples(metrics), "requests_total") is None
    assert "not counted" in caplog.text


def test_the_way_into_the_store_is_shown_and_what_a_dead_process_held_is_gone(tmp_path):
    mine = Metrics(folder=tmp_path, log=lambda: LogNumbers(held=2, waiting_bytes=10, damaged=1, failures=3, restored=2))
    names = (
        "log_records_held",
        "log_spool_bytes",
        "log_store_blocked",
        "log_damaged_total",
        "log_store_failures_total",
        "log_store_files_restored_total",
    )
    found = samples(mine)
    assert [value(found, name) for name in names] == [2, 10, 0, 1, 3, 2]
    dead = Metrics(
        folder=tmp_path, log=lambda: LogNumbers(held=7, waiting_bytes=70, damaged=5, failures=6, restored=1, blocked=1)
    )
    (tmp_path / "999999999.bin").write_bytes(msgspec.msgpack.encode(dead.numbers()))
    found = samples(mine)
    assert [value(found, name) for name in names] == [2, 10, 0, 6, 9, 3]


def test_counters_that_differ_from_the_ledger_are_counted():
    metrics = Metrics()
    limit = Budget(id="b", scope="key", name="bot", unit="nanos", cap=10)
    for counted in (3, 4, 9):
        metrics.drifted(Drift(limit=limit, group="", start=0, resets_at=None, counted=counted, booked=5))
    found = samples(metrics)
    assert value(found, "budget_drifts_total", scope="key", direction="short") == 2
    assert value(found, "budget_drifts_total", scope="key", direction="over") == 1


def test_streams_say_how_fast_they_came_and_requests_how_large_they_are():
    metrics = Metrics()
    metrics.observe(GOOD)
    metrics.observe(msgspec.structs.replace(GOOD, first_event_ms=690.0))
    found = samples(metrics)
    assert value(found, "output_tokens_per_second_count") == 1
    assert value(found, "output_tokens_per_second_sum") == pytest.approx(7 / 0.58)
    assert value(found, "tokens_per_request_sum", type="input") == 36
    assert value(found, "tokens_per_request_sum", type="output") == 14
    assert value(found, "provider_cache_tokens_total", provider="anthropic", model="claude-x", op="read") == 6
    assert value(found, "provider_cache_tokens_total", op="write") == 10


def test_stages_and_new_connections_have_histograms():
    metrics = Metrics()
    opened = Opened(dns_ms=1.0, tcp_ms=20.0)
    attempts = (msgspec.structs.replace(GOOD.attempts[0], opened=opened),)
    metrics.observe(msgspec.structs.replace(GOOD, attempts=attempts))
    found = samples(metrics)
    assert value(found, "upstream_connect_seconds_sum", provider="anthropic", phase="tcp") == pytest.approx(0.02)
    assert value(found, "upstream_connect_seconds_count", phase="tls") is None
    sums = {
        stage: value(found, "stage_duration_seconds_sum", stage=stage) for stage in ("receive", "prepare", "finish")
    }
    assert sums == pytest.approx({"receive": 0.0, "prepare": 0.0003, "finish": 0.0001})


def test_targets_are_told_apart_unless_the_request_brought_them():
    metrics = Metrics()
    for config in ("pc_1", "inline-0a", "inline-0b"):
        metrics.observe(msgspec.structs.replace(GOOD, config_id=config, path="config.targets[1]"))
    metrics.observe(msgspec.structs.replace(GOOD, config_id="pc_1", path="config", attempts=()))
    found = samples(metrics)
    assert value(found, "target_selected_total") == 3
    assert value(found, "target_selected_total", config="pc_1", target="config.targets[1]") == 1
    assert value(found, "target_selected_total", config="inline", target="") == 2


def test_time_that_the_cache_saved_is_counted():
    metrics = Metrics()
    hit = msgspec.structs.replace(GOOD, cache_status="hit", cost=None, cache_source_ms=2700.0, duration_ms=200.0)
    metrics.observe(hit)
    metrics.observe(msgspec.structs.replace(hit, cache_source_ms=100.0))
    assert value(samples(metrics), "cache_saved_seconds_total", mode="simple") == 2.5


def test_feedback_reloads_and_lags_are_counted():
    metrics = Metrics(workspace_name=lambda id: "research")
    metrics.told("w", "api", 5)
    metrics.told(None, "api", -1)
    metrics.reloaded(is_taken=True)
    metrics.reloaded(is_taken=False)
    metrics.lagged(0.004)
    found = samples(metrics)
    assert value(found, "feedback_total", workspace="research") == 1
    assert value(found, "feedback_value_bucket", le="+Inf") == 2
    assert value(found, "feedback_value_bucket", workspace="", le="-1.0") == 1
    assert [value(found, "config_reloads_total", result=result) for result in ("taken", "refused")] == [1, 1]
    assert value(found, "event_loop_lag_seconds_bucket", le="0.005") == 1


def test_what_is_now_is_added_up_and_ends_with_its_process(tmp_path):
    gauges = [("cache_entries", ("memory",), 3.0), ("upstream_connections", ("anthropic", "idle"), 2.0)]
    mine = Metrics(folder=tmp_path, gauges=lambda: gauges, price_book_age_s=lambda: 7.0, lost=lambda: 1)
    mine.observe(GOOD)
    mine.observe(GOOD)
    other = Metrics(folder=tmp_path, gauges=lambda: gauges)
    (tmp_path / "1.bin").write_bytes(msgspec.msgpack.encode(other.numbers()))
    (tmp_path / "999999999.bin").write_bytes(msgspec.msgpack.encode(other.numbers()))
    found = samples(mine)
    assert value(found, "cache_entries", backend="memory") == 6
    assert value(found, "upstream_connections", provider="anthropic", state="idle") == 4
    assert value(found, "price_book_age_seconds") == 7
    assert [value(found, "log_records_total", result=result) for result in ("written", "dropped")] == [1, 1]


SPECIFIED = """
requests_total requests_in_flight request_duration_seconds time_to_first_token_seconds output_tokens_per_second
upstream_requests_total upstream_duration_seconds upstream_connect_seconds upstream_connections gateway_overhead_seconds
stage_duration_seconds retries_total fallbacks_total rescued_requests_total target_selected_total tokens_total
tokens_per_request cost_usd_total unpriced_requests_total cache_lookups_total cache_saved_usd_total
cache_saved_seconds_total cache_entries cache_bytes provider_cache_tokens_total budget_blocks_total
client_disconnects_total stream_errors_total request_body_bytes response_body_bytes feedback_total feedback_value
log_records_total log_spool_bytes config_reloads_total price_book_age_seconds build_info metrics_series_dropped_total
event_loop_lag_seconds workers
""".split()
"""Of the observability specification, section 3.1, what there is."""


@pytest.mark.parametrize("name", SPECIFIED)
def test_each_metric_of_the_specification_is_exposed(name):
    _, text = Metrics(price_book_age_s=lambda: 1.0).expose()
    assert f"# TYPE aigw_{name} " in text.decode()
