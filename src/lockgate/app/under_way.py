"""Requests under way, as rows: what is known of them before they have a record."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lockgate.core.metadata import NO_METADATA
from lockgate.dataplane.exchange import Exchange
from lockgate.records.redaction import redact_metadata, redact_text
from lockgate.records.row import Row

_MICRO = 1_000_000


def rows_under_way(exchanges: Iterable[Exchange], now: float) -> list[Row]:
    """Return a row for each request whose caller is known, the oldest first, without secrets. ``now``: Unix time."""
    found = [_row(one, now) for one in exchanges if one.caller is not None]
    return sorted(found, key=lambda row: (row.started_us, row.id))


def _row(exchange: Exchange, now: float) -> Row:
    ledger, choice, rules = exchange.ledger, exchange.choice, exchange.recording.rules
    key = exchange.caller.key if exchange.caller is not None else None
    metadata = NO_METADATA if rules.mode == "off" else redact_metadata(exchange.metadata, rules)
    row = Row(
        id=exchange.record_id,
        started_us=round(ledger.started_at * _MICRO),
        trace_id=redact_text(exchange.trace_id.decode("utf-8", "replace"), rules),
        workspace_id=exchange.workspace.id,
        api_key_id=key.id if key is not None else None,
        api_key_name=key.name if key is not None else None,
        user_id=key.user if key is not None else None,
        end_user=metadata.get("_user"),
        endpoint=exchange.route,
        request_model=redact_text(ledger.model_asked, rules) if ledger.model_asked else None,
        is_stream=ledger.is_stream,
        request_bytes=ledger.bytes_in,
        response_bytes=ledger.bytes_out,
        duration_us=max(0, round((now - ledger.started_at) * _MICRO)),
        failed_attempts=ledger.attempt_number,
        metadata=metadata,
    )
    if choice is None:
        return row
    return msgspec.structs.replace(row, provider=choice.target.provider.name, provider_slug=choice.target.slug)
