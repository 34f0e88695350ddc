"""A place in the journal. What the journal is, and who writes it, is ``telemetry.journal``."""

from __future__ import annotations

from msgspec import Struct


class Position(Struct, frozen=True, kw_only=True, order=True):
    """Everything before it has been written: earlier segments whole, this one up to the offset."""

    segment: int
    """The number in the file's name."""
    offset: int
    """In bytes."""
