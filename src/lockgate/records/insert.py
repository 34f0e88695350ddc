"""Records that somebody else took and hands in: checked one by one, redacted like our own, kept like our own.

Tokens are read from the answer's usage in OpenAI's and Anthropic's shapes. Money is said by whoever knows prices.
Source: control plane specification, section 6.2; observability specification, section 1.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from lockgate.core.capture import Capture
from lockgate.records.redaction import DEFAULT, Rules, redact_metadata, redact_text, redact_url

Json: TypeAlias = Mapping[str, object]
Price: TypeAlias = Callable[[str, str, Json], Json | None]
"""Given provider, model and tokens, returns the cost as a record has it, None when nobody knows."""

MAX_ITEMS = 1000
MAX_BYTES = 20 << 20
_TRACING = {
    "trace_id": ("traceId", "trace_id", "traceID"), "span_id": ("spanId", "span_id", "spanID"),
    "parent_span_id": ("parentSpanId", "parent_span_id", "parentSpanID"), "span_name": ("spanName", "span_name"),
}  # fmt: skip
_OURS = frozenset({name for names in _TRACING.values() for name in names} | {"startTime", "endTime", "_logType"})
_ENDPOINTS = (
    ("/chat/completions", "chat"), ("/messages", "messages"), ("/responses", "responses"),
    ("/embeddings", "embeddings"), ("/completions", "completions"),
    ("/images/", "images"), ("/audio/", "audio"), ("/rerank", "rerank"),
    ("/moderations", "moderations"),
)  # fmt: skip
_DIALECTS = {"chat": "openai_chat", "messages": "anthropic_messages"}
_MAX_TEXT, _MAX_METADATA = 256, 256
_MAX_MS = 7 * 86_400_000
_encode = msgspec.json.Encoder().encode


class Origin(Struct, frozen=True, kw_only=True):
    """Who hands records in, when."""

    now_s: float
    workspace_id: str | None = None
    key_id: str | None = None
    key_name: str | None = None
    metadata: Mapping[str, str] = {}
    """Of the request's headers; what the record's own metadata says is stronger."""
    fixed_metadata: Mapping[str, str] = {}
    """Of the workspace and the key: stronger than both."""


class Inserted(Struct, frozen=True):
    """A record as the journal takes it, and its bodies."""

    id: str
    data: bytes
    """JSON text."""
    capture: Capture


class Fault(Struct, frozen=True):
    """Why one of several records was not taken."""

    index: int
    message: str


def items_of(value: object) -> list[object]:
    """Return the records of a body: one object, a list, or an object whose keys are "0", "1", ... Raises ValueError."""
    if isinstance(value, list):
        found = list(value)
    elif isinstance(value, dict) and value and all(str(key).isdigit() for key in value):
        found = [value[key] for key in sorted(value, key=lambda key: int(str(key)))]
    else:
        found = [value]
    if not 1 <= len(found) <= MAX_ITEMS:
        raise ValueError(f"between 1 and {MAX_ITEMS} logs may be inserted at once")
    return found


def read_items(
    items: Sequence[object], origin: Origin, new_id: Callable[[float], str], *, price: Price | None = None,
    rules: Rules = DEFAULT,
) -> tuple[list[Inserted], list[Fault]]:  # fmt: skip
    """Return the records that can be taken, and why the others cannot. ``new_id`` makes an id for a moment."""
    taken: list[Inserted] = []
    faults: list[Fault] = []
    for index, item in enumerate(items):
        try:
            taken.append(read_item(item, origin, new_id, price=price, rules=rules))
        except ValueError as error:
            faults.append(Fault(index, str(error)))
    return taken, faults


def read_item(
    item: object, origin: Origin, new_id: Callable[[float], str], *, price: Price | None = None, rules: Rules = DEFAULT
) -> Inserted:
    """Return one record. Raises ValueError, whose text says which member is wrong."""
    if not isinstance(item, dict):
        raise ValueError("a log is an object with request, response and metadata")
    if not any(item.get(name) is not None for name in ("request", "response", "metadata")):
        raise ValueError("a log has request, response or metadata")
    request, response = _object(item, "request"), _object(item, "response")
    given = _object(item, "metadata")
    duration_ms = _number(response, "response_time", _number(response, "time", 0.0, _MAX_MS), _MAX_MS)
    started = origin.now_s - duration_ms / 1000
    id = new_id(started)
    record = {
        **_identity(id, started, given, origin, rules),
        **_call(request, response, rules),
        **_money(request, response, price),
        "duration_ms": duration_ms,
        "source": "insert_api",
    }
    if given.get("_logType") == "opentelemetry":
        record |= {"kind": "span", "is_counted": False}
    capture = Capture(
        record_id=id, started_at=started, workspace_id=origin.workspace_id, rules=rules, request=_body(request),
        response=_body(response),
        request_headers=_headers(request), response_headers=_headers(response),
    )  # fmt: skip
    return Inserted(id, _encode(record), capture)


def _identity(id: str, started: float, given: Json, origin: Origin, rules: Rules) -> dict[str, object]:
    found: dict[str, object] = {"schema_version": 2, "id": id, "started_at": started}
    for name, spellings in _TRACING.items():
        value = next((given[spelling] for spelling in spellings if given.get(spelling)), None)
        if value is not None:
            found[name] = redact_text(str(value)[:_MAX_TEXT], rules)
    found.setdefault("trace_id", id)
    metadata = dict(origin.metadata)
    for key, value in list(given.items())[:_MAX_METADATA]:
        if key not in _OURS and value is not None:
            metadata[key[:64]] = (value if isinstance(value, str) else _encode(value).decode())[:128]
    if "user" in metadata:
        metadata.setdefault("_user", metadata["user"])
    metadata |= origin.fixed_metadata
    found |= {"workspace_id": origin.workspace_id, "key_id": origin.key_id, "key_name": origin.key_name}
    found["metadata"] = {} if rules.mode == "off" else redact_metadata(metadata, rules)
    return found


def _call(request: Json, response: Json, rules: Rules) -> dict[str, object]:
    url = redact_url(str(request.get("url") or "").encode("utf-8", "replace")).decode("utf-8", "replace")
    path = redact_text(urlsplit(url).path[:_MAX_TEXT], rules)
    status = response.get("status", 200)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise ValueError("response.status is a number between 100 and 599")
    streaming = response.get("streamingMode", False)
    if not isinstance(streaming, bool):
        raise ValueError("response.streamingMode is true or false")
    asked, answered = _model(request), _model(response)
    route = next((name for ending, name in _ENDPOINTS if ending in path), "proxy")
    return {
        "method": str(request.get("method") or "post").upper()[:16], "request_path": path,
        "route": route, "dialect": _DIALECTS.get(route, ""), "status": status,
        "is_stream": streaming, "provider": _short(request.get("provider")), "model_asked": asked,
        "model": answered or asked, "error_origin": "provider" if status >= 400 else None,
        "error": "upstream_rejected" if status >= 400 else None,
        "response_id": _short(_of_body(response, "id")), "bytes_in": len(_body(request)),
        "bytes_out": len(_body(response)),
    }  # fmt: skip


def _money(request: Json, response: Json, price: Price | None) -> dict[str, object]:
    tokens = read_usage(_of_body(response, "usage"))
    provider, model = _short(request.get("provider")), _model(response) or _model(request)
    if not tokens:
        return {}
    cost = price(provider, model, tokens) if price is not None and provider and model else None
    return {"tokens": tokens, "cost": cost if cost is not None else {"status": "unpriced"}}


def read_usage(usage: object) -> dict[str, int]:
    """Return the disjoint parts of a usage object, whoever made it; nothing when it is none."""
    if not isinstance(usage, dict):
        return {}

    def count(name: str, of: object = usage) -> int:
        value = of.get(name) if isinstance(of, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0

    if "prompt_tokens" in usage or "input_tokens_details" in usage:
        # OpenAI's totals hold what was cached and what was thought
        prompt = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
        completion = usage.get("completion_tokens_details", usage.get("output_tokens_details"))
        cached = count("cached_tokens", prompt)
        given = count("prompt_tokens") or count("input_tokens")
        made = count("completion_tokens") or count("output_tokens")
        found = {"input": max(0, given - cached), "output": made, "cache_read": cached}
        found["reasoning"] = min(made, count("reasoning_tokens", completion))
    elif "input_tokens" in usage or "output_tokens" in usage:
        # Anthropic's do not
        found = {
            "input": count("input_tokens"), "output": count("output_tokens"),
            "cache_read": count("cache_read_input_tokens"),
            "cache_write": count("cache_creation_input_tokens"),
            "cache_write_1h": count("ephemeral_1h_input_tokens", usage.get("cache_creation")),
        }  # fmt: skip
    else:
        return {}
    return {name: value for name, value in found.items() if value or name in ("input", "output")}


def _object(of: Json, name: str) -> Json:
    value = of.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is an object")
    return value


def _number(of: Json, name: str, default: float, limit: float) -> float:
    value = of.get(name)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= limit:
        raise ValueError(f"response.{name} is a number of milliseconds")
    return float(value)


def _body(of: Json) -> bytes:
    body = of.get("body")
    if body is None:
        return b""
    return body.encode("utf-8", "replace") if isinstance(body, str) else _encode(body)


def _of_body(of: Json, name: str) -> object:
    body = of.get("body")
    return body.get(name) if isinstance(body, dict) else None


def _model(of: Json) -> str | None:
    return _short(_of_body(of, "model"))


def _short(value: object) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def _headers(of: Json) -> list[tuple[bytes, bytes]]:
    headers = of.get("headers")
    if headers is None:
        return []
    if not isinstance(headers, dict):
        raise ValueError("headers is an object of names and values")
    return [(str(k).encode("utf-8", "replace"), str(v).encode("utf-8", "replace")) for k, v in headers.items()]
