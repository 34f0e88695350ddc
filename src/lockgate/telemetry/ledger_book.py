"""The ledger: what the records of a state folder say that budgets were charged, summed up apart from the counters.

It is a file beside the journal: sums by budget, group and period, and up to where each segment of the journal is in
them. Counters are compared with it; nothing is ever admitted or refused by it. Journals of other machines are not in.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from lockgate.core.journal_line import unframe
from lockgate.core.limits import Charge, Charged
from lockgate.telemetry.small_file import replace_file

KEPT_AFTER_S = 2 * 86_400
"""How long the sums of a period are kept when it is over."""
_HEAD_BYTES = 32
_TORN_AFTER_S = 3600.0
"""A line that was begun so long ago is not written any more."""
_SLICE_BYTES = 1 << 20


class _Entry(Struct):
    """What matters of a record here."""

    charges: tuple[Charge, ...] = ()


class _Segment(Struct):
    """Up to where a segment is in the sums."""

    head: bytes
    """How it begins: a file of the same name that begins otherwise is another one."""
    offset: int = 0


class _Sum(Struct):
    """What was charged in one place."""

    limit: str
    group: str
    start: int
    end: int | None
    amount: int


class _State(Struct):
    """What the file holds."""

    opened_at: int
    version: int = 1
    segments: dict[str, _Segment] = {}
    sums: list[_Sum] = []


_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode = msgspec.json.Decoder(_State).decode
_encode = msgspec.json.Encoder().encode


class LedgerBook:
    """Reads the journal's charges, each once. To be used by one thread at a time."""

    def __init__(self, path: Path, journal: Path, now_s: float) -> None:
        """Go on with the file, or begin anew where there is none or it cannot be read."""
        self._path = path
        self._journal = journal
        self.is_new = False
        """Whether it begins now, with what the counters say: what was charged before is not in the journal any more."""
        try:
            state = _decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            self.is_new = True
            state = _State(opened_at=int(now_s))
        self.opened_at = state.opened_at
        self._segments = {int(number): segment for number, segment in state.segments.items()}
        self._sums = {Charged(one.limit, one.group, one.start): one for one in state.sums}
        self._groups: dict[tuple[str, int], set[str]] = {}
        self._grouped = 0
        """How many sums ``_groups`` is made of."""
        self.settled_by: dict[int, int] = {}
        """By segment: where the last charge ends that was read since the start of this process."""

    def booked(self, place: Charged) -> int | None:
        """Return what was charged in a place, None when the ledger knows nothing of it."""
        found = self._sums.get(place)
        return found.amount if found is not None else None

    def groups(self, limit: str, start: int) -> set[str]:
        """Return the groups that a budget was charged for in a period."""
        if len(self._sums) != self._grouped:
            self._groups = {}
            for place in self._sums:
                self._groups.setdefault((place.limit, place.start), set()).add(place.group)
            self._grouped = len(self._sums)
        return self._groups.get((limit, start), set())

    def adopt(self, place: Charged, end: int | None, amount: int) -> None:
        """Take over what a counter says of a place that the ledger knows nothing of."""
        self._sums[place] = _Sum(place.limit, place.group, place.start, end, amount)

    def ends(self) -> dict[int, int]:
        """Return the segments that there are, and their sizes."""
        found: dict[int, int] = {}
        for path in sorted(self._journal.glob("*.log")):
            with contextlib.suppress(FileNotFoundError):  # shipped and unlinked meanwhile
                if path.stem.isdigit():
                    found[int(path.stem)] = path.stat().st_size
        return found

    def skip(self, ends: Mapping[int, int]) -> None:
        """Leave out what stands before these places: a new ledger has it from the counters."""
        for number, end in ends.items():
            head = self._head(number)
            if head is not None:
                self._segments[number] = _Segment(head, end)

    def catch_up(self, ends: Mapping[int, int]) -> bool:
        """Book some of the records before these places that are not booked yet; False: that was all. Raises OSError."""
        for number, end in ends.items():
            head = self._head(number)
            if head is None:
                continue
            segment = self._segments.get(number)
            if segment is None or not _is_same(segment.head, head):
                segment = _Segment(head)
            # one that has lost its end was booked with it: what is charged stays charged
            segment.offset = min(segment.offset, end)
            segment.head = head
            self._segments[number] = segment
            if segment.offset < end and self._read(number, segment, end):
                return True
        self._segments = {number: segment for number, segment in self._segments.items() if number in ends}
        return False

    def save(self, now_s: float) -> None:
        """Replace the file, without what is long over. Raises OSError."""
        oldest = now_s - KEPT_AFTER_S
        self._sums = {place: one for place, one in self._sums.items() if one.end is None or one.end > oldest}
        segments = {str(number): segment for number, segment in self._segments.items()}
        state = _State(opened_at=self.opened_at, segments=segments, sums=list(self._sums.values()))
        replace_file(self._path, _encode(state))
        self.is_new = False

    def _head(self, number: int) -> bytes | None:
        """Return how a segment begins, None when it is gone."""
        try:
            with self._file(number).open("rb") as lines:
                return lines.read(_HEAD_BYTES)
        except FileNotFoundError:
            return None

    def _file(self, number: int) -> Path:
        return self._journal / f"{number:010d}.log"

    def _read(self, number: int, segment: _Segment, end: int) -> bool:
        """Book the next whole lines; False when there is none."""
        with self._file(number).open("rb") as lines:
            lines.seek(segment.offset)
            found = lines.readlines(min(_SLICE_BYTES, end - segment.offset))
        for line in found:
            if not line.endswith(b"\n") or segment.offset + len(line) > end:
                return False
            segment.offset += len(line)
            self._book(line, number, segment.offset)
        return bool(found)

    def _book(self, line: bytes, number: int, offset: int) -> None:
        data = unframe(line)
        if data is None or b'"charges"' not in data:
            return  # what is damaged is told by whoever ships it
        try:
            entry = _decode_entry(data)
        except msgspec.MsgspecError:
            return
        for charge in entry.charges:
            if not charge.is_rate:
                self._add(charge)
                self.settled_by[number] = offset

    def _add(self, charge: Charge) -> None:
        place = Charged(charge.limit, charge.group, charge.start)
        found = self._sums.get(place)
        if found is None:
            found = self._sums[place] = _Sum(charge.limit, charge.group, charge.start, charge.end, 0)
        found.amount += max(0, charge.amount)


def needed_by_ledger(path: Path, journal: Path) -> int | None:
    """Return the first segment that the ledger's file has not booked to its end; None: there is none, or no ledger."""
    try:
        segments = _decode(path.read_bytes()).segments
        for file in sorted(journal.glob("*.log")):
            if file.stem.isdigit():
                segment = segments.get(str(int(file.stem)))
                if segment is None or (segment.offset < file.stat().st_size and not _is_torn(file, segment.offset)):
                    return int(file.stem)
    except (OSError, msgspec.MsgspecError):
        return None
    return None


def _is_same(known: bytes, head: bytes) -> bool:
    """Whether a segment that began so is the one that begins so now: it may have grown, or lost its end."""
    return head.startswith(known) or known.startswith(head)


def _is_torn(file: Path, offset: int) -> bool:
    """Whether all that is left of a segment is the beginning of a line that nobody will end any more."""
    if time.time() - file.stat().st_mtime < _TORN_AFTER_S:
        return False
    with file.open("rb") as lines:
        lines.seek(offset)
        return not lines.readline().endswith(b"\n")
