"""A row as programs read it: names and values, without what is absent and what only sums need."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from lockgate.records.row import COLUMNS, Row

DERIVED = frozenset({"duration_bucket", "ttft_bucket", "overhead_bucket", "end_user_hash"})
"""Columns that follow from others."""
SHOWN = tuple(name for name in COLUMNS if name not in DERIVED)
"""The columns that are shown and exported, in their order."""
_JSON = frozenset(name for name, kind in COLUMNS.items() if kind == "json")


def plain(row: Row) -> Mapping[str, object]:
    """Return what a row holds; columns of JSON text are given as they are, to be encoded into JSON."""
    found: dict[str, object] = {}
    for name in SHOWN:
        value = getattr(row, name)
        if value is not None:
            found[name] = Raw(value.encode()) if name in _JSON else value
    return found
