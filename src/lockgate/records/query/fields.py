"""What may be filtered and grouped by: the names that people use, and how their values are read.

A name is a column of a row, an alias of one, or ``meta.KEY``. Values carry units: money is typed in dollars, times as
``250ms`` or ``1.5s`` (a bare number is milliseconds), sizes as ``10kb``, points in time as ISO 8601 or ``-24h``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

import re2
from msgspec import Struct

from lockgate.records.query.tree import Compare, Not, Op, Value
from lockgate.records.row import COLUMNS, Kind

Unit: TypeAlias = Literal["none", "money", "time", "size", "moment", "user"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "~", "!~", "*=", "!*=", "^=", "$=", "exists"]

ALIASES: Mapping[str, str] = {
    "status": "status_code", "cost": "cost_nano", "time": "started_us", "created_at": "started_us",
    "duration": "duration_us", "latency": "duration_us", "ttft": "ttft_us", "overhead": "overhead_us",
    "key": "api_key_id", "key_name": "api_key_name", "workspace": "workspace_id", "user": "end_user",
    "member": "user_id", "slug": "provider_slug", "trace": "trace_id", "span": "span_id", "parent": "parent_span_id",
    "session": "session_id", "response": "response_id", "request": "client_request_id",
    "upstream": "upstream_request_id",
    "cache": "cache_status", "error": "error_code", "origin": "error_origin", "message": "error_message",
    "stream": "is_stream", "failed": "is_error", "gone": "is_client_gone", "simulated": "is_simulated",
    "counted": "is_counted", "finish": "finish_reason", "attempts": "attempt_count", "retries": "retry_count",
    "fallbacks": "fallback_count", "rescued": "rescued_by", "tokens": "total_tokens", "input": "input_tokens",
    "output": "output_tokens", "cached": "in_cache_read", "reasoning": "out_reasoning", "tps": "output_tps",
    "env": "environment", "app": "client_app", "agent": "user_agent", "prompt": "prompt_slug", "config": "config_id",
    "target": "target_path", "tool": "tool_names", "route": "endpoint", "guardrail": "guardrail_verdict",
    "request_size": "request_bytes", "response_size": "response_bytes", "tier": "service_tier",
    "saved": "cache_saved_nano", "org": "org_id", "principal": "principal_type", "sdk": "client_sdk", "ip": "client_ip",
    "node": "node_id", "version": "gateway_version", "messages": "message_count", "tools": "tool_count",
    "integration": "integration_id", "host": "upstream_host", "namespace": "cache_namespace",
    "complete": "stream_complete", "chunks": "chunk_count", "reused": "conn_reused",
}  # fmt: skip
"""Short names for columns."""
HIDDEN = frozenset({"end_user_hash", "duration_bucket", "ttft_bucket", "overhead_bucket", "attempts", "cost_parts",
                    "units", "extra", "schema_version"})  # fmt: skip
"""Columns that nobody filters by."""
FEEDBACK_FIELDS: Mapping[str, Kind] = {
    "feedback_value": "float", "feedback_count": "int", "feedback_average": "float",
}  # fmt: skip
"""Of the feedback on a row's trace; the store turns them into trace ids before it asks an engine."""
METADATA_PREFIXES = ("meta.", "metadata.")

_UNITS: Mapping[str, Unit] = {
    **dict.fromkeys((name for name in COLUMNS if name.endswith("_us")), "time"),
    "cost_nano": "money", "cache_saved_nano": "money", "started_us": "moment", "request_bytes": "size",
    "response_bytes": "size",
}  # fmt: skip
_TIME_UNITS = {"us": 1, "ms": 1000, "": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_SIZE_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9}
_QUANTITY = re.compile(r"^(-?\d+(?:\.\d+)?)([a-z]*)$")
_STATUS_CLASS = re.compile(r"^([1-5])xx$", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
_MAX_WHOLE = 2**62
MAX_VALUES = 10_000
_MAX_PATTERN = 1000
_NUMBERS = ("<", "<=", ">", ">=")
_PATTERNS: Mapping[str, Op] = {"~": "matches", "*=": "contains", "^=": "starts", "$=": "ends"}
_ORDERS: Mapping[str, Op] = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class Field(Struct, frozen=True):
    """Something to filter by."""

    column: str
    kind: Kind
    unit: Unit = "none"
    key: str | None = None
    """Of metadata."""


def find_field(name: str) -> Field | None:
    """Return the field of a name as people write it, None when there is none."""
    for prefix in METADATA_PREFIXES:
        if name.startswith(prefix):
            return Field("metadata", "map", key=name[len(prefix) :]) if len(name) > len(prefix) else None
    if name in FEEDBACK_FIELDS:
        return Field(name, FEEDBACK_FIELDS[name])
    column = ALIASES.get(name, name)
    if column not in COLUMNS or column in HIDDEN or column == "metadata":
        return None
    return Field(column, COLUMNS[column], _UNITS.get(column, "none"))


def compare(field: Field, operator: str, texts: tuple[str, ...], *, now_us: int = 0) -> Compare | Not:
    """Return the node of a comparison as it was typed. Raises ValueError, whose text says what is wrong."""
    if operator.startswith("!") and operator != "!":
        positive = {"!=": "=", "!~": "~", "!*=": "*="}[operator]
        inner = compare(field, positive, texts, now_us=now_us)
        return inner.child if isinstance(inner, Not) and isinstance(inner.child, Compare) else Not(inner)
    if operator == "exists":
        return Compare(field.column, "exists", key=field.key)
    if len(texts) > MAX_VALUES:
        raise ValueError(f"at most {MAX_VALUES} values may be listed")
    if operator == "=":
        return _equal(field, texts, now_us)
    if len(texts) != 1:
        raise ValueError(f"{operator} takes one value")
    if operator in _ORDERS:
        if field.kind not in ("int", "float"):
            raise ValueError(f"{operator} compares numbers; this is {field.kind}")
        return Compare(field.column, _ORDERS[operator], (read_value(field, texts[0], now_us),))
    if field.kind not in ("text", "map"):
        raise ValueError(f"{operator} looks into text; this is {field.kind}")
    if operator == "~":
        check_pattern(texts[0])
    return Compare(field.column, _PATTERNS[operator], (texts[0],), field.key)


def between(field: Field, low: Value, high: Value) -> tuple[Compare, Compare]:
    """Return the two comparisons of a closed range."""
    return Compare(field.column, "ge", (low,)), Compare(field.column, "le", (high,))


def check_pattern(pattern: str) -> None:
    """Raises ValueError for a regular expression that the linear-time engine refuses."""
    if len(pattern) > _MAX_PATTERN:
        raise ValueError(f"a regular expression may have at most {_MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"not a regular expression: {_reason(error)}") from None


def read_value(field: Field, text: str, now_us: int) -> Value:
    """Return a value in the column's own unit. Raises ValueError."""
    if field.kind in ("text", "map", "list"):
        return text
    if field.kind == "bool":
        return _flag(text)
    reader = _READERS.get(field.unit)
    if reader is not None:
        return reader(text, now_us)
    return _whole(text) if field.kind == "int" else float(_decimal(text))


def _equal(field: Field, texts: tuple[str, ...], now_us: int) -> Compare:
    if field.kind == "list":
        return Compare(field.column, "has_any", texts)
    if field.column == "status_code" and len(texts) == 1 and (found := _STATUS_CLASS.match(texts[0])):
        low = int(found[1]) * 100
        return Compare(field.column, "in", tuple(range(low, low + 100)))
    return Compare(field.column, "in", tuple(read_value(field, text, now_us) for text in texts), field.key)


def _flag(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{text!r} is neither true nor false")
    return word in _TRUE


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not number.is_finite() or abs(number) > _MAX_WHOLE:
        raise ValueError(f"{text!r} is out of range")
    return number


def _whole(text: str) -> int:
    number = _decimal(text)
    if number != int(number):
        raise ValueError(f"{text!r} is not a whole number")
    return int(number)


def _money(text: str, _now_us: int) -> int:
    return _bounded(_decimal(text.lstrip("$")) * 10**9, text)


def _time(text: str, _now_us: int) -> int:
    return _scaled(text, _TIME_UNITS, "a time such as 250ms, 1.5s or 2m")


def _size(text: str, _now_us: int) -> int:
    return _scaled(text, _SIZE_UNITS, "a size such as 512, 10kb or 1mb")


def _scaled(text: str, units: Mapping[str, int], what: str) -> int:
    found = _QUANTITY.match(text.lower())
    if not found or found[2] not in units:
        raise ValueError(f"{text!r} is not {what}")
    return _bounded(Decimal(found[1]) * units[found[2]], text)


def _bounded(number: Decimal, text: str) -> int:
    if abs(number) > _MAX_WHOLE:
        raise ValueError(f"{text!r} is out of range")
    return round(number)


def read_moment(text: str, now_us: int) -> int:
    """Return a point in time in microseconds: ISO 8601 (UTC when it names no zone), or ``-24h`` before now."""
    if text.startswith("-") and (found := _QUANTITY.match(text[1:])) and found[2]:
        return now_us - _time(text[1:], 0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a point in time such as 2026-11-22T09:30:00Z, or -24h") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 10**6 + since.microseconds


_READERS: Mapping[str, Callable[[str, int], int]] = {
    "money": _money, "time": _time, "size": _size, "moment": read_moment,
}  # fmt: skip


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else "malformed"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
