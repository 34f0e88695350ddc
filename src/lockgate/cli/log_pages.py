"""A record as a page of text: who asked, what came of it, attempts, where the time went, tokens, money, bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lockgate.cli.log_cells import cell, one_line, shown_moment, shown_money, shown_time
from lockgate.core.capture import VIEWS
from lockgate.core.plain_text import printable
from lockgate.records.bodies.kept import View
from lockgate.records.bodies.store import Bodies
from lockgate.records.comparing import events_of
from lockgate.records.query.fields import find_field
from lockgate.records.row import Row
from lockgate.records.store import Entry

_GROUPS: Mapping[str, Sequence[str]] = {
    "": ("id", "time", "outcome", "status", "upstream_status", "error", "error_type",
         "provider_error_code", "origin", "message", "kind", "source", "simulated"),
    "request": ("method", "path", "route", "dialect", "request_model", "stream", "request_bytes", "response_bytes",
                "messages", "tools", "tool_choice", "app", "sdk", "client_sdk_version", "agent", "dropped", "adjusted"),
    "who": ("org", "workspace", "workspace_slug", "key_name", "key", "principal", "member", "user", "session", "env",
            "ip"),
    "routing": ("slug", "integration", "provider", "model", "upstream_model", "response_model", "host", "region",
                "config", "config_version", "config_source", "target", "attempts", "retries", "fallbacks", "rescued",
                "tier", "reused", "dns_us", "connect_us", "tls_us", "node", "version"),
    "cache": ("cache_status", "namespace", "cache_age_us", "cache_saved_nano", "cache_saved_us", "cache_source_log_id",
              "cache_key_hash"),
    "ids": ("trace", "trace_id_w3c", "span", "parent", "span_name", "response", "upstream", "request"),
    "answer": ("finish", "complete", "chunks", "ttft", "duration", "tps", "tool", "guardrail", "gone"),
}  # fmt: skip
_STAGES = ("receive", "earlier", "prepare", "upstream_first", "upstream_rest", "finish")
_TOKENS = ("in_uncached", "in_cache_read", "in_cache_write_5m", "in_cache_write_1h", "in_audio", "out_text",
           "out_reasoning", "out_audio")  # fmt: skip
_BAR = 40
_NAME = 16
_read_attempts = msgspec.json.Decoder(list[dict[str, object]]).decode
_read_parts = msgspec.json.Decoder(dict[str, object]).decode
_decode = msgspec.json.Decoder().decode


def record_page(entry: Entry, bodies: Bodies | None, why_none: str) -> str:
    """Return the page. ``why_none``: what is said where no bodies are kept."""
    lines = [*_fields(entry.row), *_attempts(entry.row), *_waterfall(entry.row), *_usage(entry.row)]
    return "\n".join((*lines, *_bodies(entry, bodies, why_none)))


def _fields(row: Row) -> Iterator[str]:
    for title, names in _GROUPS.items():
        found = []
        for name in names:
            field = find_field(name)
            assert field is not None
            value = getattr(row, field.column)
            if value is None or value is False or value == () or (value == 0 and title != ""):
                continue
            found.append(f"{name.removesuffix('_us').removesuffix('_nano'):<{_NAME}}  {one_line(cell(field, value))}")
        if found:
            yield from (("", title) if title else ())
            yield from found
    if row.metadata:
        yield from ("", "metadata")
        yield from (f"{one_line(key):<{_NAME}}  {one_line(value)}" for key, value in row.metadata.items())
    if row.extra:
        yield from ("", "more")
        parts = _object(row.extra)
        yield from (f"{name:<{_NAME}}  {one_line(_text(value))}" for name, value in parts.items())


def _attempts(row: Row) -> Iterator[str]:
    try:
        attempts = _read_attempts(row.attempts or "[]")
    except msgspec.MsgspecError:
        return
    if attempts:
        yield from ("", "attempts")
    for number, attempt in enumerate(attempts, 1):
        what = [str(attempt.get("kind") or "primary"), f"@{attempt.get('slug') or attempt.get('provider')}"]
        what += [str(attempt["model"])] if attempt.get("model") else []
        what.append(f"status {attempt.get('status') or 'none'}")
        what += [f"error {attempt['error']}"] if attempt.get("error") else []
        what += [str(attempt["error_type"])] if attempt.get("error_type") else []
        what += [f"host {attempt['host']}"] if attempt.get("host") else []
        for name, word in (
            ("retry_after_ms", "retry after"),
            ("waited_ms", "waited"),
            ("started_ms", "at"),
            ("duration_ms", "took"),
        ):
            value = attempt.get(name)
            if isinstance(value, int | float) and value:
                what.append(f"{word} {shown_time(round(value * 1000))}")
        yield one_line(f"{number:>3}  " + "  ".join(what))


def _waterfall(row: Row) -> Iterator[str]:
    parts = [(name, us) for name in _STAGES if (us := getattr(row, f"{name}_us"))]
    whole = row.duration_us or sum(us for _, us in parts)
    if not parts or not whole:
        return
    yield from ("", "stages")
    at = 0
    for name, us in parts:
        start, length = min(_BAR - 1, at * _BAR // whole), max(1, round(us * _BAR / whole))
        bar = (" " * start + "█" * length)[:_BAR]
        yield f"{name:<{_NAME}}  {shown_time(us):>10}  {us / whole:>5.1%}  {bar.rstrip()}"
        at += us
    yield f"{'whole':<{_NAME}}  {shown_time(whole):>10}"
    if row.overhead_us is not None:
        yield f"{'of it ours':<{_NAME}}  {shown_time(row.overhead_us):>10}"


def _usage(row: Row) -> Iterator[str]:
    counts = [(name, count) for name in _TOKENS if (count := getattr(row, name))]
    if row.total_tokens is not None:
        yield from ("", "tokens")
        yield from (f"{name:<{_NAME}}  {count:>10}" for name, count in counts)
        yield f"{'total':<{_NAME}}  {row.total_tokens:>10}"
    units = _object(row.units)
    yield from (f"{one_line(name):<{_NAME}}  {_text(count):>10}" for name, count in units.items())
    if row.cost_status is None:
        return
    yield from ("", f"cost ({row.cost_status}, prices {row.price_version or '-'})")
    for name, nanos in _object(row.cost_parts).items():
        yield f"{one_line(name):<{_NAME}}  {shown_money(nanos) if isinstance(nanos, int) else _text(nanos):>14}"
    if row.cost_nano is not None:
        yield f"{'total':<{_NAME}}  {shown_money(row.cost_nano):>14}"


def _bodies(entry: Entry, bodies: Bodies | None, why_none: str) -> Iterator[str]:
    if bodies is None:
        yield from ("", "bodies", why_none)
        return
    for title, headers in (("request headers", bodies.request_headers), ("response headers", bodies.response_headers)):
        if headers:
            yield from ("", title)
            yield from (one_line(f"{name}: {value}") for name, value in headers)
    if bodies.timeline is not None and bodies.timeline.kinds:
        counts = ", ".join(f"{count} x {kind}" for kind, count in events_of(bodies.timeline).items())
        span = shown_time(sum(bodies.timeline.after_us[1:]))
        yield from ("", one_line(f"events: {counts}; from the first to the last {span}"))
    if bodies.redactions:
        counts = ", ".join(f"{count} x {kind}" for kind, count in bodies.redactions.items())
        yield from ("", f"taken out before it was written: {counts}")
    for name in VIEWS:
        view = bodies.views.get(name)
        if view is not None:
            yield from _body_lines(name.replace("_", " "), view)
    for attempt in bodies.failed:
        for side, view in (("request", attempt.request), ("response", attempt.response)):
            if view is not None:
                yield from _body_lines(f"attempt {attempt.number + 1}, {side}", view)
    if entry.preview is not None and not bodies.views:
        yield from ("", "question", entry.preview.request_preview, "", "answer", entry.preview.response_preview)


def _body_lines(title: str, view: View) -> Iterator[str]:
    cut = f", cut: {len(view.data)} are kept" if view.is_truncated else ""
    yield from ("", f"{title} ({view.size_bytes} bytes{cut})", body_text(view))


def body_text(view: View) -> str:
    """Return a body as it can be read: JSON indented, other text as it is, without what steers a terminal."""
    try:
        text = msgspec.json.format(view.data, indent=2).decode() if _is_json(view.data) else view.data.decode()
    except UnicodeDecodeError:
        return f"(not text; its first bytes are {view.data[:32].hex(' ')})"
    return printable(text, instead="�", keep="\n\t")


def _is_json(data: bytes) -> bool:
    try:
        _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _object(text: str | None) -> Mapping[str, object]:
    try:
        return _read_parts(text or "{}")
    except msgspec.MsgspecError:
        return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def moment_line(row: Row) -> str:
    """Return a record in one line, to choose from."""
    parts = (shown_moment(row.started_us), row.id, str(row.status_code or "-"), row.model or "-", row.outcome or "-")
    return one_line("  ".join(parts))
