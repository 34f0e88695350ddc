"""The store for one machine as its one writer has it. Other processes read with ``EmbeddedReader``.

Every step leaves the folder whole: a row is in its day's file, with its sums, or it is not; a sealed file is listed
after it was compared; what a crash leaves behind is not listed, and swept at the next start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from lockgate.records.embedded.deleting import Deleting, OnDeleted
from lockgate.records.embedded.duck import DuckLimits
from lockgate.records.embedded.folder import Folder, Windows
from lockgate.records.embedded.healing import Healing
from lockgate.records.embedded.manifest import DAY_US, Manifest, day_of, hour_of
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.sealing import Sealing
from lockgate.records.query.tree import Node
from lockgate.records.row import Preview, Row
from lockgate.records.store import Appended, Dropped, Feedback, PageQuery, Receipt, Scope

_Item = TypeVar("_Item", Row, Preview)


def system_now_us() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


class EmbeddedStore(EmbeddedReader):
    """Implements ``store.RecordStore`` over a folder. Only the process that opened it first may write."""

    def __init__(
        self, folder: Path, *, limits: DuckLimits | None = None, windows: Windows | None = None,
        now_us: Callable[[], int] = system_now_us,
    ) -> None:  # fmt: skip
        """Raises Conflict when another process writes to the folder."""
        super().__init__(folder, limits)
        self._folder = Folder(self.layout, self._duck, windows or Windows(), now_us)
        self._healing = Healing(self._folder, self._feedback)
        self._sealing = Sealing(self._folder)
        try:
            self._healing.open()
            self._deleting = Deleting(self._folder, self._feedback)
        except BaseException:
            self.close()
            raise

    @property
    def manifest(self) -> Manifest:
        """For who keeps marks beside the rows: the shipper its offsets."""
        return self._folder.manifest

    def close(self) -> None:
        """Close all files and give the lock back."""
        super().close()
        self._folder.close()

    def append(self, rows: Sequence[Row]) -> Appended:
        """Keep rows; idempotent by id. Raises Restored as ``restoring`` does."""
        kept = self._deleting.without_deleted(rows)
        new = 0
        with self._folder.mutex, self._healing.restoring():
            for day, members in _by_day(kept).items():
                new += self._append_day(day, members)
        return Appended(new, len(kept) - new, len(rows) - len(kept))

    def append_previews(self, previews: Sequence[Preview]) -> None:
        """Keep previews; idempotent by id. Raises Restored as ``restoring`` does."""
        gone = self.deleted_among([item.id for item in previews])
        with self._folder.mutex, self._healing.restoring():
            for day, members in _by_day([item for item in previews if item.id not in gone]).items():
                if self._folder.manifest.state_of(day) in ("cold", "late"):
                    known = self._folder.known_in(self._folder.sealed_of(day, "previews"), [p.id for p in members])
                    members = [item for item in members if item.id not in known]
                    self._open_late(day)
                self._folder.writer(day).append_previews(members)

    def deleted_among(self, record_ids: Sequence[str]) -> set[str]:
        """Return which of these records were deleted."""
        return self._deleting.among(record_ids)

    def maintain(self) -> None:
        """Do what is due: seal hours, cool days, forget old sums. Call it every minute or so.

        Raises Restored as ``restoring`` does.
        """
        with self._healing.restoring():
            self._healing.salvage(self.append, self.append_previews)
            self._sealing.run()

    def heal(self) -> bool:
        """Look after files that somebody could not read; returns whether the journal is to be shipped again."""
        return self._healing.heal_suspects()

    @property
    def restored(self) -> int:
        """Files that were put aside and made again since the start."""
        return self._healing.restored

    def add_feedback(self, items: Sequence[Feedback]) -> None:
        """Keep feedback, all or none."""
        self._feedback.add(items)

    def change_feedback(
        self,
        id: str,
        scope: Scope,
        *,
        now_us: int,
        value: int | None,
        weight: float | None,
        metadata: Mapping[str, str] | None,
    ) -> Feedback | None:
        """Change what is given; None: there is no such feedback."""
        return self._feedback.change(id, scope, now_us=now_us, value=value, weight=weight, metadata=metadata)

    def drop_before(self, us: int) -> Dropped:
        """Forget whole days that ended before, by unlinking their files; sums by hour stay."""
        days, files, freed = 0, 0, 0
        with self._folder.mutex:
            for day, state in self._folder.manifest.contents().days.items():
                if (day + 1) * DAY_US > us:
                    continue
                days += 1
                if state != "cold":
                    self._sealing.keep_sums(day, is_late=state == "late")
                files += sum(f.day == day for f in self._folder.manifest.contents().files) + (state != "cold")
                self._folder.manifest.forget(day, self._folder.now_us())
                self._folder.sealed_hours -= set(range(day * 24, day * 24 + 24))
                freed += self._folder.drop_writer(day)
            freed += self._folder.unlink_retired(at_once=True)[1]
        self._healing.forget(us)
        return Dropped(days, files, freed)

    def drop_previews_before(self, us: int) -> int:
        """Forget the previews and texts of sealed days that ended before; rows stay. Returns the bytes freed."""
        with self._folder.mutex:
            self._folder.manifest.forget_missing_previews(us // DAY_US)
            old = [file for file in self._folder.manifest.contents().of("previews") if (file.day + 1) * DAY_US <= us]
            if not old:
                return 0
            self._folder.swap(remove=old)
            return self._folder.unlink_retired(at_once=True)[1]

    def delete_where(self, where: Node, scope: Scope, *, reason: str, now_us: int) -> Receipt:
        """Hide rows at once; ``apply_deletions`` removes them from every file."""
        hidden = self.count(PageQuery(scope=scope, filter=where, to_us=now_us + 1))
        return self._deleting.bury(where, scope, reason=reason, now_us=now_us, hidden=hidden)

    def apply_deletions(self, now_us: int) -> Sequence[Receipt]:
        """Rewrite the files that hold deleted rows. Raises Restored as ``restoring`` does."""
        with self._healing.restoring():
            # what was put aside cannot be rewritten: what can be read of it is kept before it goes
            self._healing.salvage(self.append, self.append_previews)
            done = self._deleting.apply(now_us)
        if done:
            self._healing.forget_all()
        return done

    def when_deleted(self, remove_bodies: OnDeleted) -> None:
        """Say who removes the bodies of deleted rows."""
        self._deleting.on_deleted = remove_bodies

    def _append_day(self, day: int, rows: list[Row]) -> int:
        if self._folder.manifest.state_of(day) in ("cold", "late"):
            known = self._folder.known_in(self._folder.sealed_of(day, "rows"), [row.id for row in rows])
            rows = [row for row in rows if row.id not in known]
            if rows:
                self._open_late(day)
        else:
            self._reopen(day, rows)
        return self._folder.writer(day).append(rows) if rows else 0

    def _open_late(self, day: int) -> None:
        self._folder.writer(day)
        self._folder.manifest.set_state(day, "late")

    def _reopen(self, day: int, rows: list[Row]) -> None:
        """New rows for a sealed hour: it is read from SQLite again, until it is sealed anew."""
        if not any(hour_of(row.started_us) in self._folder.sealed_hours for row in rows):
            return
        known = self._folder.writer(day).known([row.id for row in rows])
        hours = {hour_of(row.started_us) for row in rows if row.id not in known}
        self._folder.swap(remove=[file for file in self._folder.sealed_of(day, "hour") if file.hour in hours])


def _by_day(items: Sequence[_Item]) -> dict[int, list[_Item]]:
    found: dict[int, list[_Item]] = {}
    for item in items:
        found.setdefault(day_of(item.started_us), []).append(item)
    return found
