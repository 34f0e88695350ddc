"""Ids: UUID version 7, which sort by the time they were made. Source: RFC 9562, section 5.7."""

from __future__ import annotations

import os
import uuid
from datetime import datetime


def new_id(now: datetime, count: int = 0) -> str:
    """Return an id that no other process makes; ``count`` orders those of the same millisecond."""
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << 80 | 7 << 76 | (count & 0xFFF) << 64 | int.from_bytes(os.urandom(8))
    number = number & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=number))
