"""The fake's calendar: objects are made one second after another, because answers do not depend on a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, tzinfo=UTC)


def write_time(seconds: int) -> str:
    """Return the time so many seconds after the start of 2026, as RFC 3339."""
    return (_START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
