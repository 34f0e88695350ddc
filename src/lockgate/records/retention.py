"""How long what is kept: bodies and rows have clocks of their own, and a cap on size takes the oldest bodies first.

Whole days go, by unlinking their files; nothing is deleted row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from lockgate.records.store import Dropped

_DAY_US = 86_400_000_000


class Retention(Struct, frozen=True, kw_only=True):
    """Days that things are kept, and how much disk bodies may take."""

    body_days: int = 30
    row_days: int = 90
    max_body_bytes: int | None = None
    """Beyond it the oldest days' bodies go before their time."""


class Forgotten(Struct, frozen=True):
    """What a run unlinked."""

    rows: Dropped
    body_bytes: int
    days_of_bodies_before_time: int = 0


class Rows(Protocol):
    """Where rows lie."""

    def drop_before(self, us: int) -> Dropped:
        """Forget whole days that ended before."""
        ...

    def drop_previews_before(self, us: int) -> int:
        """Forget the previews and texts of whole days that ended before; returns the bytes that are free now."""
        ...


class BodyDays(Protocol):
    """Where bodies lie."""

    def days(self) -> Sequence[int]:
        """Return the days that bodies are kept of, the oldest first."""
        ...

    def size_bytes(self) -> int:
        """Return how much disk bodies take."""
        ...

    def drop_before(self, us: int) -> int:
        """Forget whole days that ended before."""
        ...

    def drop_day(self, day: int) -> int:
        """Forget a day."""
        ...


def apply_retention(retention: Retention, rows: Rows, bodies: BodyDays, *, now_us: int) -> Forgotten:
    """Forget what is too old, and the oldest bodies while there are too many."""
    bodies_before = now_us - retention.body_days * _DAY_US
    freed = bodies.drop_before(bodies_before)
    freed += rows.drop_previews_before(bodies_before)
    early = 0
    if retention.max_body_bytes is not None:
        size = bodies.size_bytes()
        for day in list(bodies.days())[:-1]:
            if size <= retention.max_body_bytes:
                break
            gone = bodies.drop_day(day)
            size, freed, early = size - gone, freed + gone, early + 1
    return Forgotten(rows.drop_before(now_us - retention.row_days * _DAY_US), freed, early)
