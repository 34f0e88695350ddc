"""Rows as they arrive, for live tails of any process: each day's file numbers its rows in the order of arrival."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

import msgspec

from lockgate.errors import InvalidRequest
from lockgate.records.embedded.day import columns_in, read_values
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.sqlite import reading
from lockgate.records.query.sql import SqliteSpeech, compile_filter
from lockgate.records.query.tree import Node
from lockgate.records.row import Row
from lockgate.records.store import Tail

_TIMEOUT_S = 5.0
_decode = msgspec.json.Decoder(dict[int, int]).decode
_encode = msgspec.json.Encoder().encode


def write_position(seen: Mapping[int, int]) -> str:
    """Return a position: up to which row each day's file was seen."""
    return base64.urlsafe_b64encode(_encode({str(day): seq for day, seq in seen.items()})).decode().rstrip("=")


def read_position(position: str) -> dict[int, int]:
    """Return what a position says. Raises InvalidRequest."""
    try:
        found = _decode(base64.b64decode(position + "=" * (-len(position) % 4), b"-_", validate=True))
        if all(0 <= seq < 2**63 for seq in found.values()):
            return found
        raise ValueError
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidRequest("The position is not one that a tail gave", path="position") from None


def tail_of(layout: Layout, days: Sequence[int], seen: Mapping[int, int], where: Node, limit: int) -> Tail:
    """Return the newest rows after a position, the oldest of them first, and how many more there were."""
    condition = compile_filter(where, SqliteSpeech())
    found: list[Row] = []
    position: dict[int, int] = {}
    skipped = 0
    for day in sorted(days):
        with reading(layout.day(day), _TIMEOUT_S) as connection:
            connection.execute("BEGIN")
            last = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM rows").fetchone()[0]
            selected = f"{condition.text} AND seq > ? AND seq <= ?"
            parameters = (*condition.parameters, seen.get(day, 0), last)
            count = connection.execute(f"SELECT COUNT(*) FROM rows WHERE {selected}", parameters).fetchone()[0]
            text = f"SELECT {columns_in(connection)} FROM rows WHERE {selected} ORDER BY seq DESC LIMIT {int(limit)}"
            rows = [read_values(values) for values in connection.execute(text, parameters)]
        found += reversed(rows)
        skipped += count - len(rows)
        position[day] = last
    kept = found[-limit:] if limit else []
    return Tail(tuple(kept), write_position(position), skipped + len(found) - len(kept))
