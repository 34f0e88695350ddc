"""Columns of an export by the names that Portkey's API has for them; every column of ours may be named too.

Money is in cents, times are in milliseconds. Source: control-plane specification, section 6.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from lockgate.core.capture import VIEWS
from lockgate.errors import InvalidRequest
from lockgate.records.bodies.store import Bodies
from lockgate.records.exports.items import Column, body_of, columns_of
from lockgate.records.query.fields import METADATA_PREFIXES, find_field
from lockgate.records.row import Kind, Row
from lockgate.records.store import Entry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANO_PER_CENT = 10_000_000
_check = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def fields_of(names: Sequence[str], denied: Sequence[str] = ()) -> tuple[Column, ...]:
    """Return the columns of a job, in the order asked. Raises InvalidRequest that names the first that is none, or
    that is among the denied."""
    found: list[Column] = []
    is_denied = denied_by(denied)
    for number, name in enumerate(dict.fromkeys(names)):
        if is_denied(name) or is_denied(_plain(name)):
            raise InvalidRequest(
                f"The organisation does not let {name[:100]} be exported", path=f"requested_data[{number}]"
            )
        try:
            found.append(FIELDS.get(name) or columns_of([name])[0])
        except InvalidRequest:
            known = ", ".join(FIELDS)
            raise InvalidRequest(
                f"There is no field {name[:100]!r}; there are {known}, and the columns of records",
                path=f"requested_data[{number}]",
            ) from None
    return tuple(found)


def _plain(name: str) -> str:
    """Return the column that an alias stands for."""
    field = find_field(name)
    return name if field is None or name in FIELDS else field.column


def _row(name: str, kind: Kind, read: Callable[[Row], object]) -> Column:
    return Column(name, kind, lambda entry, _: read(entry.row))


def _body(name: str) -> Column:
    """Return a body as JSON, as a text in JSON when it is none."""

    def read(_: Entry, bodies: Bodies | None) -> str | None:
        text = body_of(bodies, name)
        if text is None:
            return None
        try:
            _check(text)
        except (msgspec.MsgspecError, RecursionError):
            return _encode(text).decode()
        return text.strip()

    return Column(name, "json", read)


def _created(row: Row) -> str:
    moment = _EPOCH + timedelta(microseconds=row.started_us)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _all() -> Mapping[str, Column]:
    columns = [
        _row("id", "text", lambda row: row.id),
        _row("trace_id", "text", lambda row: row.trace_id),
        _row("created_at", "text", _created),
        *(_body(name) for name in VIEWS),
        _row("is_success", "bool", lambda row: not row.is_error and not row.is_client_gone),
        _row("request_url", "text", lambda row: row.path),
        _row("cost", "float", lambda row: None if row.cost_nano is None else row.cost_nano / _NANO_PER_CENT),
        _row("cost_currency", "text", lambda row: None if row.cost_nano is None else "USD"),
        _row("response_time", "int", lambda row: None if row.duration_us is None else round(row.duration_us / 1000)),
        _row("mode", "text", _mode),
        _row("config", "text", lambda row: row.config_id),
        _row("prompt_slug", "text", lambda row: row.prompt_slug),
        _row("metadata", "map", lambda row: row.metadata or None),
    ]
    for names, kind, read in (
        (("ai_org", "ai_provider"), "text", lambda row: row.provider),
        (("ai_model",), "text", lambda row: row.model),
        (("req_units", "request_tokens"), "int", lambda row: row.input_tokens),
        (("res_units", "response_tokens"), "int", lambda row: row.output_tokens),
        (("total_units", "total_tokens"), "int", lambda row: row.total_tokens),
        (("response_status_code", "status_code"), "int", lambda row: row.status_code),
    ):
        columns += [_row(name, kind, read) for name in names]  # type: ignore[arg-type]  # a kind, each of them
    return {column.name: column for column in columns}


def _mode(row: Row) -> str | None:
    """Return what the config did: as far as the attempts tell."""
    if row.attempt_count is None or row.config_id is None:
        return None
    return "fallback" if row.fallback_count else "single"


FIELDS: Mapping[str, Column] = _all()
"""By name, in the order in which they are listed."""
DEFAULT = (
    "id", "trace_id", "created_at", "is_success", "ai_org", "ai_model", "req_units", "res_units", "total_units",
    "request_url", "cost", "cost_currency", "response_time", "response_status_code", "config", "prompt_slug",
    "metadata",
)  # fmt: skip
"""What a job holds that names nothing."""
_SAME: Mapping[str, tuple[str, ...]] = {
    "request": ("upstream_request", "request_preview"),
    "response": ("upstream_response", "response_preview"),
    "created_at": ("started_us",),
    "ai_org": ("ai_provider", "provider", "provider_slug"),
    "ai_model": ("model", "request_model"),
    "req_units": ("request_tokens", "input_tokens"),
    "res_units": ("response_tokens", "output_tokens"),
    "total_units": ("total_tokens",),
    "response_status_code": ("status_code",),
    "request_url": ("path",),
    "response_time": ("duration_us",),
    "cost": ("cost_nano", "cost_parts"),
    "config": ("config_id",),
    "metadata": ("end_user", "environment", "session_id"),
}
"""What tells the same as a field of Portkey's, wholly or in part."""


def denied_by(names: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a field is among those that are denied, under whichever name."""
    denied = set(names)
    for field, others in _SAME.items():
        if denied & {field, *others}:
            denied |= {field, *others}
    has_metadata = "metadata" in denied
    return lambda name: name in denied or (has_metadata and name.startswith(METADATA_PREFIXES))
