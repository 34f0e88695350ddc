"""A day's file that is damaged is put aside and made again, so that damage to one day stops nothing.

What the new file has comes from three places, the most trustworthy first: the sealed hours of the day, which are put
in at once; the journal, whose acknowledged offsets are forgotten so that it is shipped again; and, after that, whatever
can still be read in the old file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from lockgate.records.embedded import sealed
from lockgate.records.embedded.day import NAMES, PREVIEW_NAMES, DayWriter, columns_in, read_values
from lockgate.records.embedded.duck import is_lost, is_unreadable
from lockgate.records.embedded.feedback import FeedbackFile
from lockgate.records.embedded.folder import Folder
from lockgate.records.embedded.layout import BAD, PREFIX, day_of_name, name_of
from lockgate.records.embedded.manifest import Missing, Sealed
from lockgate.records.embedded.sealed_healing import SealedHealing, told
from lockgate.records.embedded.sealing import Sealing
from lockgate.records.embedded.sqlite import is_damage, is_marked, is_whole, salvaged, suspects, unlink_database
from lockgate.records.query.sql import Sql
from lockgate.records.row import Preview, Row
from lockgate.records.store import Restored

_log = logging.getLogger("lockgate.records")
_BATCH = 1000
_PREFIX, _READ = "day-", ".read"
_T = TypeVar("_T")


class Healing:
    """Looks after the files of fresh days. To be used by the one writer."""

    def __init__(self, folder: Folder, feedback: FeedbackFile) -> None:
        self._folder = folder
        self._feedback = feedback
        self._sealed = SealedHealing(folder)
        self._restored = 0

    @property
    def restored(self) -> int:
        """Files that were put aside since the start."""
        return self._restored + self._sealed.restored

    def heal(self, days: Sequence[int] | None = None) -> bool:
        """Make again those of the days, or of all, whose file is damaged; returns whether there was one."""
        with self._folder.mutex:
            states = self._folder.manifest.contents().days
            fresh = [day for day, state in states.items() if state != "cold" and (days is None or day in days)]
            damaged = [day for day in fresh if not self._is_whole(day)]
            for day in damaged:
                self._make_again(day)
        return bool(damaged)

    @contextlib.contextmanager
    def restoring(self) -> Iterator[None]:
        """Raises Restored in place of what a damaged file brings about, once that is made again."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if is_damage(error) and (self._heal_manifest() or self.heal()):
                raise Restored from error
            raise
        except Exception as error:
            is_gone = isinstance(error, FileNotFoundError) and not self._folder.layout.manifest.exists()
            if is_gone and self._heal_manifest():
                raise Restored from error
            if self._is_of_sealed(error) and self._sealed.heal_all():
                raise Restored from error
            raise

    def open(self) -> None:
        """Make again what is not there, as after a crash in the middle of that, and what could not be read before."""
        self._restored += self._folder.is_manifest_new
        self._restored += self._feedback.open(self._folder.layout.quarantine, self._folder.now_us())
        states = self._folder.manifest.contents().days
        self.heal([day for day in states if not self._has_content(day)])
        self._sealed.heal_missing()
        self._sealed.list_again()
        self.heal_suspects()

    def heal_suspects(self) -> bool:
        """Look at the files that somebody could not read; returns whether one was damaged."""
        layout = self._folder.layout
        is_manifest_new = is_marked(layout.manifest) and self._heal_manifest()
        if is_marked(layout.feedback):
            self._restored += self._feedback.heal(layout.quarantine, self._folder.now_us())
        is_sealed_healed = self._sealed.heal_suspects()
        return self._heal_fresh_suspects() or is_sealed_healed or is_manifest_new

    def _heal_manifest(self) -> bool:
        if not self._folder.heal_manifest():
            return False
        self._restored += 1
        self.heal([day for day in self._folder.manifest.contents().days if not self._has_content(day)])
        self._sealed.heal_missing()
        return True

    def _is_of_sealed(self, error: Exception) -> bool:
        if isinstance(error, FileNotFoundError):
            cold = self._folder.layout.cold
            return any(not (cold / file.name).exists() for file in self._folder.manifest.contents().files)
        return is_unreadable(error)

    def _heal_fresh_suspects(self) -> bool:
        found = suspects(self._folder.layout.hot)
        days = [day for path in found if (day := _day_of(path.stem)) is not None]
        is_healed = self.heal(days) if days else False
        for path in found:
            path.unlink(missing_ok=True)
        return is_healed

    def salvage(self, keep: Callable[[list[Row]], object], keep_previews: Callable[[list[Preview]], object]) -> int:
        """Keep what can be read in files that were put aside, and of sealed files that came back; returns how many rows
        the first were."""
        self._sealed.list_again()
        self._sealed.take_back(keep, keep_previews, Sealing(self._folder).join_late)
        count = 0
        for path in sorted(self._folder.layout.quarantine.glob(f"{_PREFIX}*.db")):
            for rows in _batches(_rows_of(path)):
                keep(rows)
                count += len(rows)
            for previews in _batches(_previews_of(path)):
                keep_previews(previews)
            path.rename(path.with_suffix(f".db{_READ}"))
            unlink_database(path)
            _log.warning("%d rows could be read in %s", count, path.name)
        return count

    def forget(self, before_us: int) -> None:
        """Unlink files that were put aside before a moment: they hold what was to be forgotten."""
        quarantine = self._folder.layout.quarantine
        for path in (*quarantine.glob("*.db*"), *quarantine.glob(f"{PREFIX}*")):
            if int(path.name.removesuffix(_READ).split(".")[0].rpartition("-")[2]) < before_us:
                path.unlink(missing_ok=True)
        for path in quarantine.glob(f"*{BAD}"):
            if path.stat().st_mtime_ns // 1000 < before_us:
                path.unlink(missing_ok=True)

    def forget_all(self) -> None:
        """Leave nothing of what was put aside: it may hold what was deleted, and cannot be searched for that.

        Pieces of the journal are emptied and keep their names, by which the shipper knows not to put them aside again.
        """
        for path in self._folder.layout.quarantine.iterdir():
            if path.suffix == BAD:
                os.truncate(path, 0)
            else:
                path.unlink(missing_ok=True)

    def _has_content(self, day: int) -> bool:
        path = self._folder.layout.day(day)
        return path.exists() and path.stat().st_size > 0

    def _is_whole(self, day: int) -> bool:
        if not self._has_content(day):
            return False
        if not is_whole(self._folder.layout.day(day)):
            return False
        try:
            self._folder.writer(day).check_words()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return False
        return True

    def _make_again(self, day: int) -> None:
        folder, name = self._folder, f"{_PREFIX}{name_of(day)}-{self._folder.now_us()}.db"
        _log.error("the rows of %s are damaged or gone and are made again; the old file is %s", name_of(day), name)
        # before anything else: whatever stops us from here on, the journal is shipped again
        folder.manifest.forget_acks()
        is_marked(folder.layout.day(day))  # not any more
        if folder.manifest.state_of(day) == "late":
            folder.replace(day, None, name)
            folder.manifest.set_state(day, "cold")
        else:
            folder.replace(day, self._draft(day), name)
        self._restored += 1

    def _draft(self, day: int) -> Path:
        """Return a file of all rows that the day's sealed hours have."""
        draft = self._folder.layout.temp / f"{name_of(day)}.db"
        unlink_database(draft)
        writer = DayWriter(draft)
        try:
            count = sum(self._copy(writer, file) for file in self._folder.sealed_of(day, "hour"))
        finally:
            writer.close()
        _log.warning("%s: %d rows of sealed hours are there again", name_of(day), count)
        return draft

    def _copy(self, writer: DayWriter, file: Sealed) -> int:
        import duckdb

        columns = ", ".join(NAMES)
        table = sealed.table(self._folder.layout.cold, [file], sealed.ROW_TYPES)
        try:
            rows = [
                sealed.read_values(values) for values in self._folder.duck.rows(Sql(f"SELECT {columns} FROM {table}"))
            ]
        except (duckdb.Error, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and not is_lost(error, self._folder.layout.cold / file.name):
                raise
            missing = Missing(
                name=file.name, kind=file.kind, day=file.day, from_us=file.min_us, to_us=file.max_us, rows=file.rows,
                kept=0,
            )  # fmt: skip
            _log.error("%s cannot be read and is not listed any more: %s; %s", file.name, error, told(missing))
            self._folder.swap(remove=[file], missing=[missing])
            self._sealed.set_aside(file)
            self._restored += 1
            return 0
        for batch in _batches(iter(rows)):
            writer.append(batch)
        return len(rows)


def _day_of(name: str) -> int | None:
    try:
        return day_of_name(name)
    except ValueError:
        return None


def _batches(items: Iterator[_T]) -> Iterator[list[_T]]:
    batch: list[_T] = []
    for item in items:
        batch.append(item)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows_of(path: Path) -> Iterator[Row]:
    select = "SELECT {} FROM rows"
    for values in salvaged(path, lambda connection: select.format(columns_in(connection)), ("seq",)):
        with contextlib.suppress(ValueError, TypeError):  # damage may have the form of a row
            yield read_values(values)


def _previews_of(path: Path) -> Iterator[Preview]:
    select = f"SELECT {', '.join(PREVIEW_NAMES)} FROM previews"
    for values in salvaged(path, select, ("seq",)):
        yield Preview(**dict(zip(PREVIEW_NAMES, values, strict=True)))  # type: ignore[arg-type]  # as they were written
