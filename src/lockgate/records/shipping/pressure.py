"""What is left out when the disk fills: bodies first, then copies of rows; the journal, which is the money, never."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

Level: TypeAlias = Literal["none", "bodies", "rows"]
"""What is left out: nothing; bodies; bodies, and rows stay in the journal until there is room."""

_LOOK_S = 1.0
_log = logging.getLogger("lockgate.records")


class DiskLimits(Struct, frozen=True, kw_only=True):
    """Shares of the disk from which on something is left out."""

    bodies: float = 0.90
    rows: float = 0.97


def disk_share(folder: Path) -> Callable[[], float]:
    """Return a function that tells which share of a folder's disk is used."""

    def share() -> float:
        use = shutil.disk_usage(folder)
        return 1 - use.free / use.total if use.total else 0.0

    return share


def level_of(share: float, limits: DiskLimits) -> Level:
    """Return what is left out at that share."""
    return "rows" if share >= limits.rows else "bodies" if share >= limits.bodies else "none"


def room_for_bodies(
    folder: Path, limits: DiskLimits, now_s: Callable[[], float] = time.monotonic
) -> Callable[[], bool]:
    """Return a function that tells whether the disk has room for bodies; it looks once a second, and logs a change."""
    share = disk_share(folder)
    looked_s, has_room = float("-inf"), True

    def may_write() -> bool:
        nonlocal looked_s, has_room
        if now_s() - looked_s >= _LOOK_S:
            looked_s, had_room = now_s(), has_room
            used = share()
            has_room = level_of(used, limits) == "none"
            if had_room and not has_room:
                _log.warning("the disk is %.1f %% full: bodies are not kept (records are)", 100 * used)
            elif has_room and not had_room:
                _log.warning("the disk has room again: bodies are kept")
        return has_room

    return may_write
