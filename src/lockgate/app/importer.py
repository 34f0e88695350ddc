"""Records of exported files into the store, whether a gateway runs beside it or not.

Where one runs, records are handed to the process that writes; where none does, this one writes them itself.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Set
from pathlib import Path

from msgspec import Struct

from lockgate.app.archive import Archive, Writer
from lockgate.errors import Unavailable
from lockgate.records.embedded.writer import system_now_us
from lockgate.records.exports.writers import Format
from lockgate.records.imports.items import Imported, read_item
from lockgate.records.imports.readers import Values, read_file
from lockgate.records.query.tree import Compare
from lockgate.records.redaction import Rules
from lockgate.records.shipping import inbox
from lockgate.records.store import ALL, PageQuery, Restored

MAX_FAULTS = 20
"""Of more faults only the number is told."""
_BATCH_ROWS, _BATCH_BYTES = 500, 16 << 20
_AHEAD = 4
"""So many batches may wait for the writer."""
_LOOK_EVERY_S = 0.05
_BECOME_WRITER_S = 2.0
_TRIES = 3
_DAY_US = 86_400_000_000


class Fault(Struct):
    """Why a record was not taken, where it stands, and how many after it were not for the same reason."""

    place: str
    message: str
    more: int = 0


class Report(Struct, kw_only=True):
    """What became of the records of a file."""

    read: int = 0
    new: int = 0
    known: int = 0
    """Those whose id was there already: they stay as they are."""
    deleted: int = 0
    """Those that were deleted for good."""
    refused: int = 0
    old: int = 0
    """Of all, those that are older than records are kept."""
    faults: list[Fault] = []

    def refuse(self, place: str, message: str) -> None:
        """Count a record that is not taken."""
        self.refused += 1
        for fault in self.faults:
            if fault.message == message:
                fault.more += 1
                return
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(place, message))


class Importer:
    """Reads files into an archive."""

    def __init__(
        self, archive: Archive, rules: Rules, *, workspace_id: str | None = None,
        workspaces: Set[str] | None = None, is_rehearsal: bool = False,
        timeout_s: float = 120.0,
    ) -> None:  # fmt: skip
        """``rules`` say what of bodies may be kept. ``workspace_id``: whose all records become; None: as they say.
        ``workspaces``: those that there are; records of others are refused. None: any may be named.

        ``timeout_s``: how long the writer may take over one batch.
        """
        self._archive = archive
        self._inbox = archive.reader.layout.inbox
        self._rules = rules
        self._workspace_id = workspace_id
        self._workspaces = workspaces
        self._seen: set[str] = set()
        self._is_rehearsal = is_rehearsal
        self._timeout_s = timeout_s
        self._wait = threading.Event().wait

    def run(self, path: Path, format: Format, progress: Callable[[int], None] = lambda _done: None) -> Report:
        """Import a file. Raises InvalidRequest when it is none of its format, OSError, Unavailable."""
        report = Report()
        if self._is_rehearsal:
            for batch in self._batches(path, format, report):
                self._rehearse(batch, report)
                progress(report.read)
            return report
        waiting: list[str] = []
        with self._archive.writing() as writer:
            for batch in self._batches(path, format, report):
                waiting.append(inbox.put(self._inbox, batch))
                while len(waiting) > (_AHEAD if writer is None else 0):
                    self._settle(waiting.pop(0), report, writer)
                progress(report.read)
            for name in waiting:
                self._settle(name, report, writer)
        return report

    def _rehearse(self, batch: list[Imported], report: Report) -> None:
        """Count what would become of a batch."""
        fresh = {item.row.id for item in batch} - self._seen
        self._seen |= fresh
        known = 0
        if fresh:
            times = [item.row.started_us for item in batch]
            where = Compare("id", "in", tuple(sorted(fresh)))
            known = self._archive.reader.count(
                PageQuery(scope=ALL, filter=where, from_us=min(times), to_us=max(times) + 1)
            )
        report.new += len(fresh) - known
        report.known += len(batch) - len(fresh) + known

    def _batches(self, path: Path, format: Format, report: Report) -> Iterator[list[Imported]]:
        oldest_us = system_now_us() - self._archive.settings.days * _DAY_US
        batch: list[Imported] = []
        size = 0
        for one in read_file(path, format, self._archive.reader.layout.temp / "import"):
            report.read += 1
            try:
                if one.fault is not None:
                    raise ValueError(one.fault)
                item = read_item(self._owned(one.values), now_us=system_now_us(), rules=self._rules)
                self._check_owner(item.row.workspace_id)
            except ValueError as error:
                report.refuse(one.place, str(error))
                continue
            report.old += item.row.started_us < oldest_us
            batch.append(item)
            size += sum(len(view.data) for view in item.kept.views) if item.kept is not None else 0
            if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _check_owner(self, workspace_id: str | None) -> None:
        if self._workspaces is not None and workspace_id is not None and workspace_id not in self._workspaces:
            raise ValueError(
                f"workspace_id: there is no workspace {workspace_id[:80]!r} here, so no key would see the record; "
                "--workspace puts it into one, --keep-workspace takes it as it is"
            )

    def _owned(self, values: Values) -> Values:
        return values if self._workspace_id is None else {**values, "workspace_id": self._workspace_id}

    def _settle(self, name: str, report: Report, writer: Writer | None) -> None:
        """See to it that a batch is kept, and count what became of it. ``writer`` None: another process writes."""
        if writer is not None:
            _take_all(writer, self._inbox)
        deadline = time.monotonic() + self._timeout_s
        patience = _BECOME_WRITER_S
        while (made := inbox.outcome(self._inbox, name)) is None:
            if time.monotonic() >= deadline:
                raise Unavailable(
                    "the process that writes records does not take what is imported: its disk may be nearly full, "
                    "which its log tells; what waits is kept as soon as it can"
                )
            if patience <= 0:
                patience = _BECOME_WRITER_S
                with self._archive.writing() as other:
                    if other is not None:
                        _take_all(other, self._inbox)
                        continue
            self._wait(_LOOK_EVERY_S)
            patience -= _LOOK_EVERY_S
        if made.error is not None:
            raise Unavailable(f"what was imported cannot be kept: {made.error}")
        report.new, report.known = report.new + made.new, report.known + made.known
        report.deleted += made.deleted


def _take_all(writer: Writer, folder: Path) -> None:
    """Keep what was handed over. Raises Unavailable."""
    for _ in range(_TRIES):
        try:
            while inbox.take(folder, writer.store, writer.bodies):
                pass
        except Restored:
            # the store has made again what was damaged, and kept nothing of this
            writer.shipper.begin_again()
            continue
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"what is imported cannot be kept now, and is when the gateway starts: {error}") from None
        return


def with_sums(reports: list[Report]) -> Report:
    """Return what became of the records of several files."""
    total = Report()
    for report in reports:
        for name in ("read", "new", "known", "deleted", "refused", "old"):
            setattr(total, name, getattr(total, name) + getattr(report, name))
        total.faults += report.faults[: MAX_FAULTS - len(total.faults)]
    return total
