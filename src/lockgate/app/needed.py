"""Which segments of the journal the counters would read if every process ended now, told by the files they would read.

Segments that are shipped may be unlinked before the counters are done with them only at the price of budgets that
begin too low after a crash. What cannot be read counts as needed.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.app.processes import is_locked
from lockgate.core.journal import Position
from lockgate.store.checkpoint import CHECKPOINT
from lockgate.store.settled_marks import SettledMarks

_ALL = 0


class _Place(Struct):
    """What matters of a checkpoint here."""

    position: Position | None = None


_decode = msgspec.json.Decoder(_Place).decode


def needed_by_memory(journal: Path) -> int | None:
    """Return the number of the first segment that counters in memory need: the one at which their checkpoint stands."""
    try:
        place = _decode((journal.parent / CHECKPOINT).read_bytes()).position
    except (OSError, msgspec.MsgspecError):
        return _ALL
    return place.segment if place is not None else _ALL


def needed_by_shared(journal: Path) -> int | None:
    """Return the number of the first segment that is not settled on the counter server, or still written to.

    None: there is none. Who asks may be told late: what is written to now, and settled, may be neither by then.
    """
    try:
        unsettled = {position.segment for position in SettledMarks(journal).unsettled()}
        for path in sorted(journal.glob("*.log")):
            if path.stem.isdigit() and (int(path.stem) in unsettled or is_locked(path)):
                return int(path.stem)
    except OSError:
        return _ALL
    return None
