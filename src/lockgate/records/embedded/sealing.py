"""From fresh to old: closed hours are sealed, days that leave the hot window become one file, late rows join it."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lockgate.records.embedded import rollup
from lockgate.records.embedded.day import ID_COLUMNS, DayWriter, columns_in, read_values
from lockgate.records.embedded.folder import Folder
from lockgate.records.embedded.layout import name_of
from lockgate.records.embedded.manifest import DAY_US, HOUR_US, Sealed, day_of
from lockgate.records.embedded.sealed import id_hash, unlink
from lockgate.records.embedded.sqlite import reading, transaction
from lockgate.records.row import Preview, Row

_log = logging.getLogger("lockgate.records")
_READ_S = 600.0
_LOOKUP_COLUMNS = tuple(name for name in ID_COLUMNS if name != "id")


class Sealing:
    """Does what is due. Called now and then by the one writer; each call may take seconds."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def run(self) -> None:
        """Seal what is closed, cool what is old, join what came late, forget sums that nobody needs."""
        now = self._folder.now_us()
        oldest_hot = day_of(now) - self._folder.windows.hot_days
        for day, state in sorted(self._folder.manifest.contents().days.items()):
            if state == "late":
                self.join_late(day)
            elif state == "hot":
                self.seal_hours(day, now)
                if day < oldest_hot:
                    self.cool(day)
        self._folder.manifest.drop_sums_before(
            minutes_us=(day_of(now) - self._folder.windows.minute_days) * DAY_US,
            hours_us=(day_of(now) - self._folder.windows.hour_days) * DAY_US,
        )
        self._folder.unlink_retired()
        self._folder.close_idle(range(oldest_hot, day_of(now) + 2))

    def seal_hours(self, day: int, now: int) -> list[Sealed]:
        """Seal the hours of a day that ended long enough ago and are not sealed."""
        closed = now - self._folder.windows.seal_delay_s * 1_000_000
        with self._folder.mutex:
            hours = sorted(self._folder.writer(day).hours())
        due = [h for h in hours if (h + 1) * HOUR_US <= closed and h not in self._folder.sealed_hours]
        return [file for hour in due if (file := self._seal_hour(day, hour)) is not None]

    def _seal_hour(self, day: int, hour: int) -> Sealed | None:
        bounds = (hour * HOUR_US, (hour + 1) * HOUR_US)
        with reading(self._folder.layout.day(day), _READ_S) as connection:
            query = (
                f"SELECT {columns_in(connection)} FROM rows WHERE started_us >= ? AND started_us < ?"
                " ORDER BY started_us, id"
            )
            rows = map(read_values, connection.execute(query, bounds))
            file = self._folder.sealer.write_rows(rows, day=day, hour=hour)
        if file is None:
            return None
        with self._folder.mutex:
            if self._folder.writer(day).hours().get(hour, 0) != file.rows:
                self._discard([file])
                return None
            self._folder.swap(add=[file])
        return file

    def cool(self, day: int) -> bool:
        """Make a hot day a cold one: one file of rows, one of previews, its sums beside the manifest."""
        folder = self._folder
        self.seal_hours(day, (day + 2) * DAY_US)
        hours = folder.sealed_of(day, "hour")
        with folder.mutex:
            total = sum(folder.writer(day).hours().values())
        if sum(file.rows for file in hours) != total:
            return False
        rows = folder.sealer.join(hours, "rows", day=day) if hours else None
        previews = folder.sealer.write_previews(_previews(folder, day), day=day)
        made = [file for file in (rows, previews) if file is not None]
        with folder.mutex:
            writer = folder.writer(day)
            if sum(writer.hours().values()) != total or _count_previews(writer) != (previews.rows if previews else 0):
                self._discard(made)
                return False
            with transaction(folder.manifest.connection):
                folder.manifest.swap_within(add=made, remove=[f.name for f in hours], now_us=folder.now_us())
                folder.manifest.remember(day, _hashes(writer))
                rollup.copy(writer.connection, folder.manifest.connection, (day * DAY_US, (day + 1) * DAY_US))
                folder.manifest.set_state(day, "cold")
            folder.sealed_hours -= {file.hour for file in hours}
            folder.drop_writer(day)
        _log.info("sealed %s: %d rows", name_of(day), total)
        return True

    def join_late(self, day: int) -> None:
        """Put rows that came after their day was sealed into its file."""
        folder = self._folder
        old = folder.sealed_of(day, "rows") + folder.sealed_of(day, "previews")
        with folder.mutex:
            writer = folder.writer(day)
            late = folder.sealer.write_rows(writer.rows(day * DAY_US, (day + 1) * DAY_US), day=day, hour=None)
            words = folder.sealer.write_previews(writer.previews(), day=day)
            drafts = [file for file in (late, words) if file is not None]
            made: list[Sealed] = []
            for draft in drafts:
                parts = [file for file in old if file.kind == draft.kind]
                joined = folder.sealer.join([*parts, draft], draft.kind, day=day) if parts else draft
                made += [joined] if joined is not None else []
            replaced = [file.name for file in old if file.kind in {file.kind for file in made}]
            with transaction(folder.manifest.connection):
                folder.manifest.swap_within(add=made, remove=replaced, now_us=folder.now_us())
                folder.manifest.remember(day, _hashes(writer))
                self._add_late_sums(day)
                folder.manifest.set_state(day, "cold")
            folder.drop_writer(day)
            self._discard([file for file in drafts if file not in made])

    def _add_late_sums(self, day: int) -> None:
        """Add the sums of rows that came late, but of as many as were lost in their span: those were counted."""
        manifest, writer = self._folder.manifest, self._folder.writer(day)
        lost = [one for one in manifest.missing() if one.day == day and one.kind == "rows"]
        if not lost:
            rollup.add_written(writer.connection, manifest.connection)
            return
        left = {one.name: one.rows for one in lost}
        new: list[Row] = []
        for row in writer.rows(day * DAY_US, (day + 1) * DAY_US):
            spans = (one.name for one in lost if left[one.name] and one.from_us <= row.started_us <= one.to_us)
            if (name := next(spans, None)) is not None:
                left[name] -= 1
            else:
                new.append(row)
        rollup.add_rows(manifest.connection, new)
        for one in lost:
            manifest.returned(one.name, one.rows - left[one.name])

    def keep_sums(self, day: int, *, is_late: bool) -> None:
        """Put the sums of fresh rows beside the manifest, because the rows are going; the mutex is held."""
        source, manifest = self._folder.writer(day).connection, self._folder.manifest
        with transaction(manifest.connection):
            if is_late:
                self._add_late_sums(day)
            else:
                rollup.copy(source, manifest.connection, (day * DAY_US, (day + 1) * DAY_US))

    def _discard(self, files: Iterable[Sealed]) -> None:
        for file in files:
            unlink(self._folder.layout.cold / file.name)


def _previews(folder: Folder, day: int) -> list[Preview]:
    with folder.mutex:
        return list(folder.writer(day).previews())


def _count_previews(writer: DayWriter) -> int:
    count: int = writer.connection.execute("SELECT COUNT(*) FROM previews").fetchone()[0]
    return count


def _hashes(writer: DayWriter) -> Iterable[int]:
    """Yield the hash of each id of a day, but of record ids that carry their time."""
    for column in _LOOKUP_COLUMNS:
        for row in writer.connection.execute(f"SELECT DISTINCT {column} FROM rows WHERE {column} IS NOT NULL"):
            yield id_hash(row[0])
    for row in writer.connection.execute("SELECT id FROM rows WHERE id NOT GLOB 'rec_????????????7*'"):
        yield id_hash(row[0])
