"""The folder as its one writer holds it: open files of days, the manifest, a mutex over both, a sweep at the start."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from lockgate.errors import Conflict
from lockgate.records.embedded import row_blocks, sealed
from lockgate.records.embedded.day import DayWriter
from lockgate.records.embedded.duck import Duck
from lockgate.records.embedded.layout import PREFIX, Layout, day_of_name
from lockgate.records.embedded.manifest import FileKind, Missing, Sealed, has_tables
from lockgate.records.embedded.manifest_healing import ManifestHealing, opened
from lockgate.records.embedded.sealed import Sealer
from lockgate.records.embedded.sqlite import is_whole, put_aside, unlink_database
from lockgate.records.lock import FileLock
from lockgate.records.query.sql import Sql, values_of

_log = logging.getLogger("lockgate.records")
GRACE_US = 60_000_000
"""How long a retired file stays for those who have read its name."""


class Windows(Struct, frozen=True, kw_only=True):
    """When fresh rows become old ones, and how long sums are kept."""

    hot_days: int = 2
    """Whole days before today that stay in SQLite."""
    seal_delay_s: int = 300
    """How long after its end an hour is sealed."""
    minute_days: int = 8
    """How long sums by minute are kept."""
    hour_days: int = 400
    """How long sums by hour are kept."""


class Folder:
    """Owns the folder. ``mutex`` is held by whoever changes which files there are."""

    def __init__(self, layout: Layout, duck: Duck, windows: Windows, now_us: Callable[[], int]) -> None:
        """Raises Conflict when another process writes to the folder."""
        self.layout = layout
        self.duck = duck
        self.windows = windows
        self.now_us = now_us
        self.mutex = threading.RLock()
        self._lock = FileLock(layout.lock)
        layout.create()
        if not self._lock.acquire():
            raise Conflict(f"Another process writes the records in {layout.folder}")
        try:
            self.sealer = Sealer(duck, layout.cold, layout.temp)
            self.manifest, self.is_manifest_new = opened(self.manifest_healing(), layout)
            self.manifest.copy_buried()
            self.sealed_hours = {file.hour for file in self.manifest.contents().of("hour")}
            self._days: dict[int, DayWriter] = {}
            self._sweep()
        except BaseException:
            # or nobody could write until this process ends
            self._lock.release()
            raise

    def manifest_healing(self) -> ManifestHealing:
        """Return what makes the manifest again."""
        return ManifestHealing(self.layout, self.duck, self.sealer, self.now_us(), self.windows.minute_days)

    def heal_manifest(self) -> bool:
        """Make the manifest again when it is damaged or gone; returns whether it was."""
        with self.mutex:
            if self.layout.manifest.exists() and is_whole(self.layout.manifest) and has_tables(self.layout.manifest):
                return False
            _log.error("the manifest of records is damaged or gone and is made again of what lies in the folder")
            for writer in self._days.values():
                writer.close()
            self._days.clear()
            healing = self.manifest_healing()
            self.manifest.replace(healing.draft(), healing.aside())
            healing.done()
            self.sealed_hours = {file.hour for file in self.manifest.contents().of("hour")}
        return True

    def close(self) -> None:
        """Close all files and give the lock back."""
        with self.mutex:
            for writer in self._days.values():
                writer.close()
            self._days.clear()
            self.manifest.close()
        self._lock.release()

    def writer(self, day: int) -> DayWriter:
        """Return the file of a day's fresh rows, made when it is not there. The day is listed before a row is in it."""
        writer = self._days.get(day)
        if writer is None:
            writer = self._days[day] = DayWriter(self.layout.day(day))
        if self.manifest.state_of(day) is None:
            self.manifest.set_state(day, "hot")
        return writer

    def drop_writer(self, day: int) -> int:
        """Close and unlink the file of a day; returns its size. Who has it open reads on."""
        writer = self._days.pop(day, None)
        if writer is not None:
            writer.close()
        return unlink_database(self.layout.day(day))

    def replace(self, day: int, draft: Path | None, name: str) -> None:
        """Move the file of a day into quarantine, under another name, and put a closed draft in its place."""
        writer = self._days.pop(day, None)
        if writer is not None:
            writer.close()
        here = self.layout.day(day)
        put_aside(here, self.layout.quarantine / name)
        if draft is not None:
            draft.rename(here)

    def close_idle(self, keep: Iterable[int]) -> None:
        """Close the files of days that nothing is written to any more."""
        with self.mutex:
            for day in self._days.keys() - set(keep):
                self._days.pop(day).close()

    def swap(
        self, *, add: Iterable[Sealed] = (), remove: Iterable[Sealed] = (), missing: Iterable[Missing] = ()
    ) -> None:
        """List sealed files and retire others; ``missing``: and list what nothing has any more."""
        gone = list(remove)
        self.manifest.swap(add=add, remove=[file.name for file in gone], now_us=self.now_us(), missing=missing)
        self.sealed_hours -= {file.hour for file in gone if file.kind == "hour"}
        self.sealed_hours |= {file.hour for file in add if file.kind == "hour"}

    def sealed_of(self, day: int, kind: FileKind) -> list[Sealed]:
        """Return the sealed files of a day."""
        return [file for file in self.manifest.contents().of(kind) if file.day == day]

    def known_in(self, files: Sequence[Sealed], ids: Sequence[str]) -> set[str]:
        """Return which ids sealed files of one kind have."""
        if not files:
            return set()
        types = sealed.PREVIEW_TYPES if files[0].kind == "previews" else sealed.ROW_TYPES
        table = sealed.table(self.layout.cold, files, types)
        wanted = values_of(ids)
        found = self.duck.rows(Sql(f"SELECT id FROM {table} WHERE id IN ({wanted.text})", wanted.parameters))
        return {str(row[0]) for row in found}

    def unlink_retired(self, *, at_once: bool = False) -> tuple[int, int]:
        """Unlink files that were retired a minute ago, or all; returns how many and how many bytes.

        One that is missing stays, should it come back.
        """
        names = self.manifest.retired_before(self.now_us() + 1 if at_once else self.now_us() - GRACE_US)
        missed = {one.name for one in self.manifest.missing()}
        freed = sum(sealed.unlink(self.layout.cold / name) for name in names if name not in missed)
        self.manifest.unlinked(names)
        return len(names), freed

    def set_aside(self, path: Path) -> str:
        """Move a sealed file that is not listed into quarantine; returns the name that it has there."""
        name = f"{PREFIX}{path.stem}-{self.now_us()}"
        for file in (path, row_blocks.beside(path)):
            if file.exists():
                shutil.move(file, self.layout.quarantine / f"{name}{file.suffix}")
        return name

    def _sweep(self) -> None:
        """Remove what a crash left behind: drafts, files of days that are sealed. Sealed files that are not listed are
        put aside, for somebody may have brought them back; those that are missed stay where they are."""
        shutil.rmtree(self.layout.temp, ignore_errors=True)
        self.layout.temp.mkdir(mode=0o700, exist_ok=True)
        known = self.manifest.known_files() | {one.name for one in self.manifest.missing()}
        for path in sorted(self.layout.cold.iterdir()):
            parquet = path.with_suffix(".parquet")
            if parquet.name in known or not path.is_file():
                continue
            if path.suffix in (".parquet", ".rows"):
                _log.warning("%s is not listed and was put aside as %s", path.name, self.set_aside(parquet))
            else:
                path.unlink()
        states = self.manifest.contents().days
        for path in self.layout.hot.glob("*.db"):
            if states.get(day_of_name(path.stem)) in (None, "cold"):
                unlink_database(path)
