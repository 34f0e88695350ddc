"""From a record, as the journal has it, to a row. Tolerant in both directions of time.

A member that is missing reads as None; one that this version does not know is carried in ``extra``. What the record
does not say but implies (outcome, who rescued it, totals) is derived here and nowhere else.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from lockgate.core.trace import w3c_trace_id
from lockgate.records.agents import NOBODY, read_agent
from lockgate.records.row import NO_METADATA, Row
from lockgate.records.sketch import bucket_of

Json: TypeAlias = Mapping[str, object]

_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode

_TEXTS = (
    "id", "kind", "source", "trace_id", "span_id", "parent_span_id", "span_name", "session_id", "client_request_id",
    "org_id", "workspace_id", "workspace_slug", "user_id", "user_agent", "client_ip", "node_id", "gateway_version",
    "environment", "method", "dialect", "provider", "model",
    "config_id", "prompt_id", "prompt_slug", "prompt_version", "upstream_request_id",
    "response_id", "cache_status", "cache_key_hash", "cache_namespace", "integration_id", "config_source",
    "tool_choice", "error_origin", "error_type", "provider_error_code", "error_message", "guardrail_verdict",
    "log_mode", "log_mode_reason",
)  # fmt: skip
_RENAMED = {
    "path": "target_path", "request_path": "path",
    "key_id": "api_key_id", "key_name": "api_key_name", "route": "endpoint", "slug": "provider_slug",
    "model_asked": "request_model", "error": "error_code", "stop_reason": "finish_reason",
    "cache_source_id": "cache_source_log_id",
}  # fmt: skip
_INTS = ("schema_version", "chunk_count", "message_count", "tool_count")
_FLAGS = ("is_stream", "is_client_gone", "is_simulated")
_SIZES = {"bytes_in": "request_bytes", "bytes_out": "response_bytes"}
_STAGES = {
    name: f"{name}_us" for name in ("receive", "earlier", "prepare", "upstream_first", "upstream_rest", "finish")
}
_LISTS = ("dropped", "adjusted", "tool_names")
_OTHERS = ("status", "started_at", "attempts", "tokens", "cost", "stages", "duration_ms", "first_event_ms", "metadata",
           "config_version", "cache_age_s", "cache_saved_nanos",
           "cache_source_ms", "is_counted", "is_metadata_cut", "key_kind")  # fmt: skip
_LEDGER = ("grant", "charges")
"""What budgets need, and readers of rows do not."""
_TEXT_COLUMNS: Mapping[str, str] = {name: name for name in _TEXTS} | _RENAMED
_KNOWN = frozenset((*_TEXT_COLUMNS, *_INTS, *_FLAGS, *_SIZES, *_LISTS, *_OTHERS, *_LEDGER))

_OUTCOMES = {
    "rate_limit_exceeded": "rate_limited", "budget_reserved": "rate_limited", "budget_exceeded": "budget_exceeded",
    "unauthenticated": "unauthorized", "forbidden": "unauthorized", "not_found": "not_found",
    "method_not_allowed": "not_found", "client_gone": "client_disconnected", "upstream_timeout": "timeout",
    "guardrail_denied": "guardrail_denied",
}  # fmt: skip
_BY_ORIGIN = {
    "provider": "provider_error",
    "client": "bad_request",
    "gateway": "gateway_error",
    "limit": "rate_limited",
}
INLINE = "inline-"
"""Begins the id of a config that came with its request."""
_PHASES = {"dns_ms": "dns_us", "tcp_ms": "connect_us", "tls_ms": "tls_us"}
CACHE_HITS = frozenset({"hit", "semantic_hit"})
_PRINCIPALS = {
    "workspace-service": "service_key",
    "workspace-user": "user_key",
    "organisation-service": "admin_key",
}
_HASH_MASK = 2**63 - 1
_MIN_STREAM_S = 0.05


def read_row(data: bytes) -> Row:
    """Return the row of a record in JSON. Raises ValueError when it is none: no object, no id, no time."""
    try:
        record = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a record: {error}") from None
    return row_of(record)


def row_of(record: Json) -> Row:
    """Return the row of a record. Raises ValueError when id or time are missing."""
    started = _number(record.get("started_at"))
    if not isinstance(record.get("id"), str) or started is None or not 0 <= started < 2**33:
        raise ValueError("not a record: id or started_at is missing")
    found: dict[str, object] = {}
    unknown: dict[str, object] = {}
    for name, value in record.items():
        # a record has few of the members that there are: what is absent costs nothing
        column = _TEXT_COLUMNS.get(name)
        if column is not None:
            if type(value) is str and value:
                found[column] = value
        elif name not in _KNOWN:
            unknown[name] = value
    for name in _FLAGS:
        found[name] = record.get(name) is True
    for name in _INTS:
        whole = _whole(record.get(name))
        if whole is not None:
            found[name] = whole
    for name, column in _SIZES.items():
        found[column] = _whole(record.get(name))
    for name in _LISTS:
        if name in record:
            found[name] = _texts(record[name])
    version = record.get("config_version")
    found["config_version"] = str(version) if isinstance(version, int) else _text(version)
    found["started_us"] = round(started * 1_000_000)
    found["kind"] = found.get("kind", "llm")
    found["is_counted"] = record.get("is_counted") is not False
    found["source"] = found.get("source", "gateway")
    metadata = _object(record.get("metadata"))
    found["metadata"] = {str(key): str(value) for key, value in metadata.items()} if metadata else NO_METADATA
    found["metadata_truncated"] = record.get("is_metadata_cut") is True
    _read_who(found, record)
    attempts = _attempts_of(record)
    _read_result(found, record, attempts)
    _read_upstream(found, attempts)
    _read_times(found, record)
    _read_usage(found, record)
    _read_cost(found, record)
    _read_cache(found, record)
    found["extra"] = _encode(unknown).decode() if unknown else None
    return Row(**found)  # type: ignore[arg-type]  # each value was read as its column's kind


def user_hash(user: str | None) -> int | None:
    """Return the 63 bits that stand for an end user in counts of distinct users."""
    if user is None:
        return None
    return int.from_bytes(hashlib.blake2b(user.encode("utf-8", "replace"), digest_size=8).digest()) & _HASH_MASK


def _read_who(found: dict[str, object], record: Json) -> None:
    metadata = found["metadata"]
    assert isinstance(metadata, Mapping)
    user = metadata.get("_user")
    found["end_user"], found["end_user_hash"] = user, user_hash(user)
    found.setdefault("environment", metadata.get("_environment") or metadata.get("environment"))
    found.setdefault("session_id", metadata.get("_session") or metadata.get("session_id"))
    agent = found.get("user_agent")
    said = read_agent(agent) if isinstance(agent, str) else NOBODY
    found["client_app"], found["client_sdk"], found["client_sdk_version"] = said.app, said.sdk, said.sdk_version
    found["principal_type"] = _PRINCIPALS.get(str(record.get("key_kind")))
    trace = found.get("trace_id")
    found["trace_id_w3c"] = (
        w3c_trace_id(trace, str(found.get("workspace_id") or "")) if isinstance(trace, str) else None
    )


def _attempts_of(record: Json) -> list[Json]:
    items = record.get("attempts")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _read_result(found: dict[str, object], record: Json, attempts: list[Json]) -> None:
    status = _whole(record.get("status"))
    found["status_code"] = status
    code, is_gone = found.get("error_code"), found["is_client_gone"]
    is_failure = bool(status and status >= 400)
    is_cut = code is not None and not is_failure and not is_gone
    found["is_error"] = (is_failure and not is_gone) or is_cut
    found["outcome"] = _outcome(found, is_cut=is_cut, is_failure=is_failure)
    found["state"] = "aborted" if is_gone else "done"
    reason = found.get("finish_reason")
    if reason is not None:
        found["finish_reasons"] = (reason,)
    if found["is_stream"] and (record.get("first_event_ms") is not None or not (is_failure or is_gone)):
        found["stream_complete"] = not (is_gone or is_failure or is_cut)
    failed = [a for a in attempts if a.get("error") is not None or (_whole(a.get("status")) or 200) >= 400]
    found["attempts"] = _encode(attempts).decode() if attempts else None
    found["attempt_count"], found["failed_attempts"] = len(attempts), len(failed)
    kinds = [None, *(_kind(before, now) for before, now in itertools.pairwise(attempts))]
    found["retry_count"], found["fallback_count"] = kinds.count("retry"), kinds.count("fallback")
    found["backoff_us"] = sum(_us(a.get("waited_ms")) or 0 for a in attempts) if attempts else None
    if failed and not found["is_error"] and not is_gone and attempts[-1] not in failed:
        found["rescued_by"] = kinds[-1]
    if attempts:
        found.setdefault("upstream_request_id", _text(attempts[-1].get("upstream_request_id")))
    found["response_model"] = found.get("model")
    if found.get("model") is None and found.get("workspace_id") is not None:
        # nobody answered: the model that was asked last, else the one of the request. What a stranger names is none
        asked = str(found.get("request_model") or "")
        found["model"] = _text(attempts[-1].get("model")) if attempts else _bare(asked)


def _read_upstream(found: dict[str, object], attempts: list[Json]) -> None:
    """Read what the last attempt says of the provider's side."""
    if found.get("config_source") == "header" and str(found.get("config_id") or "").startswith(INLINE):
        found["config_source"] = "inline"
    if not attempts:
        return
    if found.get("config_id") is None:
        found.setdefault("config_source", "none")
    last = attempts[-1]
    found["upstream_status"] = _whole(last.get("status"))
    found["upstream_model"] = _text(last.get("model"))
    found["upstream_host"] = _text(last.get("host"))
    opened = last.get("opened")
    if isinstance(opened, dict):
        found["conn_reused"] = False
        for name, column in _PHASES.items():
            found[column] = _us(opened.get(name))
    elif last.get("is_reused") is True:
        found["conn_reused"] = True


def _bare(model: str) -> str | None:
    """Return a model without the slug of a provider: ``@main/claude`` is ``claude``."""
    return (model.partition("/")[2] if model.startswith("@") and "/" in model else model) or None


def _outcome(found: Json, *, is_cut: bool, is_failure: bool) -> str:
    if found["is_client_gone"]:
        return "client_disconnected"
    if is_cut:
        return "stream_error"
    if is_failure:
        code, origin = found.get("error_code"), found.get("error_origin")
        return _OUTCOMES.get(str(code)) or _BY_ORIGIN.get(
            str(origin), "provider_error" if code is None else "gateway_error"
        )
    if found.get("status_code") == 246:
        return "guardrail_flagged"
    return "cache_hit" if found.get("cache_status") in CACHE_HITS else "success"


def _read_times(found: dict[str, object], record: Json) -> None:
    stages = _object(record.get("stages"))
    for name, column in _STAGES.items():
        found[column] = _us(stages.get(name))
    duration, ttft = _us(record.get("duration_ms")), _us(record.get("first_event_ms"))
    found["duration_us"], found["ttft_us"] = duration, ttft
    overhead = None
    if duration is not None and stages:
        upstream = (_us(stages.get("upstream_first")) or 0) + (_us(stages.get("upstream_rest")) or 0)
        found["upstream_us"] = upstream
        before = (_us(stages.get("receive")) or 0) + (_us(stages.get("earlier")) or 0)
        found["overhead_us"] = overhead = max(0, duration - upstream - before)
    attempts = record.get("attempts")
    first = attempts[0] if isinstance(attempts, list) and attempts else None
    begun, received = _us(first.get("started_ms")) if isinstance(first, dict) else None, found["receive_us"]
    if begun and isinstance(received, int):
        found["resolve_us"] = max(0, begun - received)
    for column, us in (("duration_bucket", duration), ("ttft_bucket", ttft), ("overhead_bucket", overhead)):
        found[column] = None if us is None else bucket_of(us)


def _read_usage(found: dict[str, object], record: Json) -> None:
    tokens = _object(record.get("tokens"))
    found["service_tier"], found["region"] = _text(tokens.get("service_tier")), _text(tokens.get("inference_geo"))
    units = _object(tokens.get("units"))
    found["units"] = _encode(units).decode() if units else None
    count = {name: _whole(value) for name, value in tokens.items()}
    given, made = count.get("input"), count.get("output")
    written, hour = count.get("cache_write"), count.get("cache_write_1h")
    audio_in, audio_out, thought = count.get("input_audio"), count.get("output_audio"), count.get("reasoning")
    found |= {
        "in_uncached": _less(given, audio_in),
        "in_cache_read": count.get("cache_read"),
        "in_cache_write_5m": _less(written, hour),
        "in_cache_write_1h": hour,
        "in_audio": audio_in,
        "out_text": _less(made, thought, audio_out),
        "out_reasoning": thought,
        "out_audio": audio_out,
        "input_tokens": _sum(given, count.get("cache_read"), written),
        "output_tokens": made,
    }
    total = found["total_tokens"] = _sum(given, count.get("cache_read"), written, made)
    first, duration = found.get("ttft_us"), found.get("duration_us")
    if total and made and found["is_stream"] and isinstance(first, int) and isinstance(duration, int):
        stream_s = (duration - first) / 1_000_000
        found["output_tps"] = round(made / stream_s, 3) if stream_s >= _MIN_STREAM_S else None


def _read_cost(found: dict[str, object], record: Json) -> None:
    cost = _object(record.get("cost"))
    parts = _object(cost.get("parts"))
    status = _text(cost.get("status")) or ("unpriced" if cost else None)
    found["cost_status"] = status
    found["cost_nano"] = None if status in (None, "unpriced") else _whole(cost.get("nanos")) or 0
    found["price_version"] = _text(cost.get("version")) or None
    found["cost_parts"] = _encode(parts).decode() if parts else None
    found["pricing_multiplier"] = _factor(cost.get("multiplier"))
    if found.get("cache_status") in CACHE_HITS:
        found["usage_source"] = "cache"
    elif status == "estimated":
        found["usage_source"] = "estimated"
    elif found.get("total_tokens") is not None:
        found["usage_source"] = "provider"
    elif cost:
        found["usage_source"] = "none"


def _read_cache(found: dict[str, object], record: Json) -> None:
    age, saved = _number(record.get("cache_age_s")), _whole(record.get("cache_saved_nanos"))
    found["cache_age_us"] = round(age * 1_000_000) if age is not None and 0 <= age < 2**32 else None
    if found.get("cache_status") == "refresh":
        found["cache_status"] = "refreshed"
    is_hit = found.get("cache_status") in CACHE_HITS
    found["cache_saved_nano"] = saved if is_hit else None
    before, now = _us(record.get("cache_source_ms")), found.get("duration_us")
    found["cache_saved_us"] = max(0, before - now) if is_hit and before is not None and isinstance(now, int) else None


def _kind(before: Json, now: Json) -> str:
    """Return what an attempt says that it is, else what its target says beside that of the attempt before."""
    kind = now.get("kind")
    if kind in ("retry", "fallback"):
        return str(kind)
    return "retry" if _target(before) == _target(now) else "fallback"


def _target(attempt: Json) -> tuple[object, object]:
    return attempt.get("slug") or attempt.get("provider"), attempt.get("model")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """Return a number of JSON, which a boolean is not."""
    return value if type(value) is int or type(value) is float else None


def _whole(value: object) -> int | None:
    if type(value) is int or type(value) is float:
        return int(value) if -(2**62) < value < 2**62 else None
    return None


def _factor(value: object) -> float | None:
    """Return a number that stands in a text."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 2**32 else None


def _us(value: object) -> int | None:
    """Return milliseconds as microseconds."""
    if type(value) is int or type(value) is float:
        return round(value * 1000) if 0 <= value < 2**50 else None
    return None


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _less(whole: int | None, *parts: int | None) -> int | None:
    return None if whole is None else max(0, whole - sum(part or 0 for part in parts))
