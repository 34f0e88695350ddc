"""From a record to a row: every member in its place, what it implies, and records of other versions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.record import Attempt, Opened, Record, Stages, TokenCounts
from lockgate.records.from_record import read_row, row_of, user_hash
from lockgate.records.row import COLUMNS
from lockgate.records.sketch import bucket_of

FULL = Record(
    schema_version=1, id="rec_1", trace_id="t", started_at=1795000000.123456, method="POST", route="messages",
    dialect="anthropic_messages", status=200, key_id="key_1", provider="anthropic", slug="main",
    model_asked="@main/claude", model="claude-opus-4-7", is_stream=True, stop_reason="end_turn",
    attempts=(
        Attempt(provider="openai", slug="spare", model="gpt-5", status=503, error="upstream_rejected"),
        Attempt(provider="anthropic", slug="main", model="claude", status=200, upstream_request_id="req_9"),
    ),
    tokens=TokenCounts(
        input=100, output=50, cache_read=7, cache_write=20, cache_write_1h=5, reasoning=30, input_audio=10, output_audio=1,
        units={"web_search": 2}, service_tier="priority",
    ),
    config_id="pc_1", config_version=4, path="config.targets[1]", span_id="s", parent_span_id="p", span_name="answer",
    client_request_id="cr", response_id="msg_1", cache_status="hit", cache_age_s=7, cache_saved_nanos=99,
    stages=Stages(receive=1.0, earlier=50.0, prepare=2.0, upstream_first=300.0, upstream_rest=700.0, finish=0.5),
    duration_ms=1053.5, first_event_ms=353.5, bytes_in=11, bytes_out=22, dropped=("seed",), adjusted=("thinking",),
    user_agent="Anthropic/Python 2.12.0",
)  # fmt: skip

A, B = {"provider": "a", "slug": "x", "model": "m"}, {"provider": "b", "slug": "y", "model": "m"}
BAD = {"status": 503, "error": "upstream_rejected"}


def row(**changes):
    return read_row(msgspec.json.encode(msgspec.to_builtins(FULL) | changes))


def test_every_member_has_its_column():
    found = row(
        key_name="prod", workspace_id="ws_1", user_id="user_1",
        metadata={"_user": "maria", "_environment": "staging", "team": "search"},
        cost={"nanos": 1234, "status": "priced", "parts": {"input": 1000}, "version": "2026-11-01"},
    )  # fmt: skip
    assert {name: getattr(found, name) for name in (
        "id", "started_us", "trace_id", "endpoint", "status_code", "api_key_id", "api_key_name", "workspace_id", "user_id",
        "provider", "provider_slug", "request_model", "model", "is_stream", "finish_reason", "request_bytes",
        "response_bytes", "dropped", "adjusted", "client_app", "end_user", "environment", "upstream_request_id",
        "service_tier", "config_id", "config_version", "target_path", "span_id", "parent_span_id", "span_name",
        "client_request_id", "response_id", "cache_status", "cache_age_us", "cache_saved_nano", "cost_nano", "cost_status", "price_version", "cost_parts", "units",
    )} == {
        "id": "rec_1", "started_us": 1795000000123456, "trace_id": "t", "endpoint": "messages", "status_code": 200,
        "api_key_id": "key_1", "api_key_name": "prod", "workspace_id": "ws_1", "user_id": "user_1",
        "provider": "anthropic", "provider_slug": "main", "request_model": "@main/claude", "model": "claude-opus-4-7",
        "is_stream": True, "finish_reason": "end_turn", "request_bytes": 11, "response_bytes": 22, "dropped": ("seed",),
        "adjusted": ("thinking",), "client_app": "Anthropic/Python", "end_user": "maria", "environment": "staging",
        "upstream_request_id": "req_9", "service_tier": "priority", "config_id": "pc_1", "config_version": "4", "target_path": "config.targets[1]", "span_id": "s",
        "parent_span_id": "p", "span_name": "answer", "client_request_id": "cr", "response_id": "msg_1", "cache_status": "hit",
        "cache_age_us": 7_000_000, "cache_saved_nano": 99, "cost_nano": 1234, "cost_status": "priced",
        "price_version": "2026-11-01", "cost_parts": '{"input":1000}', "units": '{"web_search":2}',
    }  # fmt: skip
    assert found.metadata == {"_user": "maria", "_environment": "staging", "team": "search"}
    assert found.extra is None


def test_who_called_and_what_served_have_columns():
    found = row(
        key_kind="workspace-user", org_id="org_1", workspace_id="ws_1", workspace_slug="research", client_ip="10.0.0.0/24",
        node_id="host-7", gateway_version="0.1.0", integration_id="shared", error_type="api_error",
        provider_error_code="overloaded", message_count=3, tool_count=1, tool_choice="auto", tool_names=["search"],
        chunk_count=12, is_metadata_cut=True,
    )  # fmt: skip
    assert {name: getattr(found, name) for name in (
        "principal_type", "org_id", "workspace_slug", "client_ip", "node_id", "gateway_version", "integration_id",
        "error_type", "provider_error_code", "message_count", "tool_count", "tool_choice", "tool_names", "chunk_count",
        "metadata_truncated", "client_sdk", "client_sdk_version", "upstream_model", "response_model", "upstream_status",
        "finish_reasons", "state", "extra",
    )} == {
        "principal_type": "user_key", "org_id": "org_1", "workspace_slug": "research", "client_ip": "10.0.0.0/24",
        "node_id": "host-7", "gateway_version": "0.1.0", "integration_id": "shared", "error_type": "api_error",
        "provider_error_code": "overloaded", "message_count": 3, "tool_count": 1, "tool_choice": "auto",
        "tool_names": ("search",), "chunk_count": 12, "metadata_truncated": True, "client_sdk": "anthropic-python",
        "client_sdk_version": "2.12.0", "upstream_model": "claude", "response_model": "claude-opus-4-7",
        "upstream_status": 200, "finish_reasons": ("end_turn",), "state": "done", "extra": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind, principal",
    [("workspace-service", "service_key"), ("organisation-service", "admin_key"), (None, None), (["x"], None)],
    ids=str,
)
def test_what_kind_of_key_called(kind, principal):
    assert row(key_kind=kind).principal_type == principal


@pytest.mark.parametrize(
    "changes, source",
    [
        ({"config_source": "header"}, "header"),
        ({"config_source": "header", "config_id": "inline-0a"}, "inline"),
        ({"config_source": "key_default"}, "key_default"),
        ({"config_id": None}, "none"),
        ({"config_id": None, "attempts": []}, None),
        ({}, None),
    ],
    ids=str,
)
def test_who_named_the_config(changes, source):
    assert row(**changes).config_source == source


def test_what_the_last_attempt_says_of_the_way_to_the_provider():
    opened = {
        "provider": "a",
        "status": 200,
        "host": "api.anthropic.com",
        "opened": {"dns_ms": 1.5, "tcp_ms": 2, "tls_ms": 3},
    }
    found = row(attempts=[A | BAD, opened], tokens={"inference_geo": "eu"})
    assert (found.upstream_host, found.region, found.conn_reused) == ("api.anthropic.com", "eu", False)
    assert (found.dns_us, found.connect_us, found.tls_us) == (1500, 2000, 3000)
    again = row(attempts=[A | {"is_reused": True}])
    assert (again.conn_reused, again.dns_us, again.upstream_host, again.upstream_status) == (True, None, None, None)
    assert row(attempts=[A]).conn_reused is None
    known = msgspec.to_builtins(Attempt(provider="a", opened=Opened(dns_ms=1.0)))
    assert row(attempts=[known]).conn_reused is False


@pytest.mark.parametrize(
    "changes, complete, state",
    [
        ({}, True, "done"),
        ({"is_stream": False}, None, "done"),
        ({"error": "upstream_stream_cut"}, False, "done"),
        ({"status": 503, "error": "upstream_unreachable", "first_event_ms": None}, None, "done"),
        ({"status": 499, "error": "client_gone", "is_client_gone": True}, False, "aborted"),
        ({"status": 499, "error": "client_gone", "is_client_gone": True, "first_event_ms": None}, None, "aborted"),
        ({"first_event_ms": None, "cache_status": "hit"}, True, "done"),
    ],
    ids=str,
)
def test_whether_a_stream_came_to_its_end(changes, complete, state):
    found = row(**changes)
    assert (found.stream_complete, found.state) == (complete, state)


@pytest.mark.parametrize(
    "changes, source",
    [
        ({"cache_status": "miss"}, "provider"),
        ({"cache_status": "hit"}, "cache"),
        ({"cache_status": None, "cost": {"status": "estimated"}}, "estimated"),
        ({"cache_status": None, "tokens": {}, "cost": {"status": "unpriced"}}, "none"),
        ({"cache_status": None, "tokens": {}, "cost": None}, None),
    ],
    ids=str,
)
def test_who_counted_the_tokens(changes, source):
    assert row(**changes).usage_source == source


@pytest.mark.parametrize(
    "text, factor", [("0.5", 0.5), ("1.1", 1.1), (None, None), ("x", None), ("nan", None), ("inf", None), (2, None)]
)
def test_the_share_of_the_price_that_was_charged(text, factor):
    assert row(cost={"nanos": 1, "status": "priced", "multiplier": text}).pricing_multiplier == factor


def test_what_the_cache_saved_names_its_source():
    found = row(cache_key_hash="ab", cache_namespace="n", cache_source_id="rec_0", cache_source_ms=2053.5)
    assert (found.cache_key_hash, found.cache_namespace, found.cache_source_log_id) == ("ab", "n", "rec_0")
    assert found.cache_saved_us == 1_000_000
    assert row(cache_source_ms=5).cache_saved_us == 0
    assert row(cache_source_ms=2053.5, cache_status="miss").cache_saved_us is None


def test_choosing_whom_to_ask_is_the_first_part_of_preparing():
    assert row(attempts=[A | {"started_ms": 1.75}]).resolve_us == 750
    assert row(attempts=[A]).resolve_us is None


@pytest.mark.parametrize(
    "trace, w3c",
    [
        ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("0192aa11-bb22-7c33-8d44-ee55ff660011", "0192aa11bb227c338d44ee55ff660011"),
        ("1729", "5b139f6572ae2543307ef963642dae7d"),
    ],
)
def test_every_trace_has_an_id_for_w3c(trace, w3c):
    found = row(trace_id=trace, workspace_id="ws_1")
    assert (found.trace_id, found.trace_id_w3c) == (trace, w3c)


def test_parts_of_tokens_are_disjoint_and_add_up():
    found = row()
    parts = (found.in_uncached, found.in_cache_read, found.in_cache_write_5m, found.in_cache_write_1h, found.in_audio)
    assert parts == (90, 7, 15, 5, 10)
    assert sum(parts) == found.input_tokens == 127
    outputs = (found.out_text, found.out_reasoning, found.out_audio)
    assert outputs == (19, 30, 1)
    assert sum(outputs) == found.output_tokens == 50
    assert found.total_tokens == 177


def test_absent_tokens_are_none_not_zero():
    found = row(tokens={})
    assert (found.input_tokens, found.output_tokens, found.total_tokens, found.in_uncached) == (None,) * 4


def test_times_are_in_microseconds_and_the_overhead_is_what_is_ours():
    found = row()
    stages = (
        found.receive_us,
        found.earlier_us,
        found.prepare_us,
        found.upstream_first_us,
        found.upstream_rest_us,
        found.finish_us,
    )
    assert stages == (1000, 50_000, 2000, 300_000, 700_000, 500)
    assert sum(stages) == found.duration_us == 1_053_500
    assert (found.ttft_us, found.upstream_us, found.overhead_us) == (353_500, 1_000_000, 2500)
    assert found.duration_bucket == bucket_of(1_053_500)
    assert found.output_tps == pytest.approx(50 / 0.7, abs=0.01)


def test_waits_add_up_and_a_miss_saves_nothing():
    assert row(attempts=[A, A | {"waited_ms": 1.5}, A | {"waited_ms": 2}]).backoff_us == 3500
    assert row(cache_status="miss").cache_saved_nano is None


def test_speed_is_not_guessed_from_an_answer_in_one_piece():
    assert row(first_event_ms=1053.0).output_tps is None
    assert row(is_stream=False).output_tps is None


@pytest.mark.parametrize(
    "changes, outcome, is_error",
    [
        ({"cache_status": None}, "success", False),
        ({"status": 500, "error": "upstream_rejected", "error_origin": "provider"}, "provider_error", True),
        ({"status": 429, "error": "rate_limit_exceeded", "error_origin": "gateway"}, "rate_limited", True),
        ({"status": 429, "error": "upstream_rejected", "error_origin": "provider"}, "provider_error", True),
        ({"status": 412, "error": "budget_exceeded", "error_origin": "gateway"}, "budget_exceeded", True),
        ({"status": 401, "error": "unauthenticated", "error_origin": "client"}, "unauthorized", True),
        ({"status": 400, "error": "invalid_request", "error_origin": "client"}, "bad_request", True),
        ({"status": 404, "error": "not_found", "error_origin": "client"}, "not_found", True),
        ({"status": 408, "error": "upstream_timeout", "error_origin": "gateway"}, "timeout", True),
        ({"status": 500, "error": "internal", "error_origin": "gateway"}, "gateway_error", True),
        ({"status": 200, "error": "upstream_stream_cut", "error_origin": "provider"}, "stream_error", True),
        ({"status": 499, "error": "client_gone", "is_client_gone": True}, "client_disconnected", False),
        ({"status": 200, "cache_status": "hit"}, "cache_hit", False),
        ({"status": 246}, "guardrail_flagged", False),
        ({"status": 418}, "provider_error", True),
    ],
    ids=str,
)
def test_outcomes(changes, outcome, is_error):
    found = row(**changes)
    assert (found.outcome, found.is_error) == (outcome, is_error)


@pytest.mark.parametrize(
    "attempts, status, expected",
    [
        ([], 200, (0, 0, 0, 0, None)),
        ([A], 200, (1, 0, 0, 0, None)),
        ([A | BAD, A], 200, (2, 1, 1, 0, "retry")),
        ([A | BAD, B], 200, (2, 1, 0, 1, "fallback")),
        ([A | BAD, A | BAD, B], 200, (3, 2, 1, 1, "fallback")),
        ([A | BAD, B | BAD], 503, (2, 2, 0, 1, None)),
        ([A | BAD, A | {"kind": "fallback"}], 200, (2, 1, 0, 1, "fallback")),
        ([A | {"kind": "primary"}, B | {"kind": "retry"}], 200, (2, 0, 1, 0, None)),
    ],
    ids=str,
)
def test_who_rescued_a_request(attempts, status, expected):
    found = row(attempts=attempts, status=status, error=None)
    assert (
        found.attempt_count, found.failed_attempts, found.retry_count, found.fallback_count, found.rescued_by
    ) == expected  # fmt: skip


@pytest.mark.parametrize(
    "cost, nano, status",
    [
        (None, None, None),
        ({"nanos": 0, "status": "free"}, 0, "free"),
        ({"nanos": 0, "status": "unpriced"}, None, "unpriced"),
        ({"status": "priced"}, 0, "priced"),
        ({}, None, None),
    ],
    ids=str,
)
def test_an_unknown_price_is_never_zero(cost, nano, status):
    found = row(cost=cost)
    assert (found.cost_nano, found.cost_status) == (nano, status)


def test_members_of_a_later_version_are_carried():
    found = row(guardrails=[{"id": "g"}], new_flag=True)
    assert msgspec.json.decode(found.extra) == {"guardrails": [{"id": "g"}], "new_flag": True}


def test_the_smallest_record_is_a_row():
    found = read_row(b'{"id":"x","started_at":5}')
    assert (found.id, found.started_us, found.kind, found.source) == ("x", 5_000_000, "llm", "gateway")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"id":1,"started_at":5}', b'{"id":"x"}', b'{"id":"x","started_at":"y"}',
             b'{"id":"x","started_at":-1}', b'{"id":"x","started_at":1e300}', b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_record_is_refused(data):
    with pytest.raises(ValueError):
        read_row(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    [*(f.name for f in msgspec.structs.fields(Record)), "metadata", "cost", "span_id", "log_mode"]
)


@given(st.dictionaries(members, json_values))
def test_no_value_of_any_member_breaks_a_row(changes):
    record = {"id": "x", "started_at": 1.0} | {k: v for k, v in changes.items() if k not in ("id", "started_at")}
    found = row_of(record)
    kinds = {"text": str, "int": int, "float": float, "bool": bool, "list": tuple, "map": dict, "json": str}
    for name, kind in COLUMNS.items():
        value = getattr(found, name)
        assert value is None or isinstance(value, kinds[kind])
        assert not isinstance(value, int) or abs(value) < 2**63


def test_users_are_told_apart_by_63_bits():
    assert user_hash(None) is None
    assert user_hash("a") != user_hash("b")
    assert 0 <= user_hash("\ud800") < 2**63


@pytest.mark.parametrize(
    "given, model",
    [
        ({"model_asked": "@main/claude-a"}, "claude-a"),
        ({"model_asked": "claude-a"}, "claude-a"),
        ({"model_asked": "@main"}, "@main"),
        ({"model_asked": "@main/claude-a", "attempts": [{"model": "claude-a"}, {"model": "gpt-5"}]}, "gpt-5"),
        ({"model_asked": "@main/claude-a", "model": "claude-b", "attempts": [{"model": "claude-a"}]}, "claude-b"),
        ({"model_asked": "claude-a", "workspace_id": None}, None),
        ({}, None),
    ],
    ids=["with slug", "bare", "slug alone", "attempts", "answered", "a stranger's", "none"],
)
def test_who_got_no_answer_asked_a_model_all_the_same(given, model):
    found = row_of({"id": "rec_1", "started_at": 5.0, "status": 503, "workspace_id": "ws", **given})
    assert found.model == model
