"""A manifest that is damaged or gone is made again of what can be read in it and of what lies in the folder.

Sealed files say by their names what they are, and which rows they have when they are read; fresh days are what there
are files of. Sums are taken over where they count all rows of their day, and made again of the rows where they do not.
What was acknowledged of the journal is forgotten, so that it is shipped again. Deletions have copies beside the
manifest.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from msgspec import Struct

from lockgate.records.embedded import rollup, row_blocks, sealed
from lockgate.records.embedded.day import ID_COLUMNS, NAMES, DayWriter
from lockgate.records.embedded.duck import Duck, is_unreadable
from lockgate.records.embedded.layout import Layout, day_of_name, name_of
from lockgate.records.embedded.manifest import (
    DAY_US,
    FileKind,
    Manifest,
    Missing,
    Sealed,
    State,
    Tombstone,
    buried_path,
    day_of,
    read_buried,
)
from lockgate.records.embedded.sealed import Sealer, id_hash
from lockgate.records.embedded.sqlite import is_damage, is_whole, put_aside, salvaged, transaction, unlink_database
from lockgate.records.query.sql import Sql
from lockgate.records.query.tree import read_tree
from lockgate.records.row import Row

_log = logging.getLogger("lockgate.records")
_T = TypeVar("_T")
_NAME = re.compile(r"^(hour|rows|previews)-(\d{1,9})-[0-9a-f]{8}-[0-9a-f]{12}$")
_READ_S = 6 * 3600.0
_BATCH = 1000
_ASIDE, _READ = "manifest-", ".read"
_STONE = (*Tombstone.__struct_fields__, "receipt")
_STATES = ("hot", "cold", "late")
_MAX_DAY = 100_000


class Found(Struct):
    """What could be read in the old manifest."""

    days: dict[int, State] = {}
    files: dict[str, Sealed] = {}
    retired: set[str] = set()


class ManifestHealing:
    """Makes the manifest of a folder again. To be used by the one writer."""

    def __init__(self, layout: Layout, duck: Duck, sealer: Sealer, now_us: int, minute_days: int) -> None:
        """``minute_days``: for how many days sums by minute are kept."""
        self._layout = layout
        self._duck = duck
        self._sealer = sealer
        self._now_us = now_us
        self._hours: dict[int, dict[int, int] | None] = {}
        self._minutes_since_us = (day_of(now_us) - minute_days) * DAY_US

    def draft(self) -> Path:
        """Return a closed manifest that is made of the old one, as far as it can be read, and of the folder."""
        path = self._layout.temp / "manifest.db"
        unlink_database(path)
        manifest = Manifest(path)
        try:
            found = Found()
            for old in self._sources():
                self._take_over(old, manifest, found)
            for stone in read_buried(buried_path(self._layout.manifest)):
                # what was done already is done again, which finds nothing
                self._bury(manifest, (stone.id, stone.filter, stone.created_us, 0, stone.receipt))
            self._list(manifest, found)
            self._sum_up(manifest)
        finally:
            manifest.close()
        return path

    def aside(self) -> Path:
        """Return where the old manifest is moved to."""
        return self._layout.quarantine / f"{_ASIDE}{self._now_us}.db"

    def done(self) -> None:
        """Note that what was put aside is read."""
        for path in self._layout.quarantine.glob(f"{_ASIDE}*.db"):
            path.rename(path.with_suffix(f".db{_READ}"))
            unlink_database(path)

    def _sources(self) -> list[Path]:
        """Return what is left of manifests: the one in its place, and one that was put aside before a crash."""
        here = self._layout.manifest
        found = sorted(self._layout.quarantine.glob(f"{_ASIDE}*.db"), reverse=True)
        return [here, *found] if here.exists() and here.stat().st_size else found

    # ---- what the old one says

    def _take_over(self, old: Path, manifest: Manifest, found: Found) -> None:
        connection = manifest.connection
        for day, state in _read(old, "days", ("day", "state"), ("day",)):
            if state in _STATES and isinstance(day, int) and 0 <= day < _MAX_DAY:
                found.days.setdefault(day, cast("State", state))
        for file in _structs(old, "files", Sealed, ("rowid",)):
            found.files.setdefault(file.name, file)
        found.retired |= {str(name) for (name,) in _read(old, "retired", ("name",), ("rowid",))}
        with transaction(connection):
            for stone in _read(old, "tombstones", _STONE, ("rowid",)):
                self._bury(manifest, stone)
            for table, columns, key in (
                ("deleted", ("hash",), ("hash",)),
                ("notes", ("name", "value"), ("rowid",)),
                ("missing", Missing.__struct_fields__, ("rowid",)),
                ("rollup", rollup.ALL_COLUMNS, rollup.KEY),
            ):
                _copy(old, connection, table, columns, key)

    def _bury(self, manifest: Manifest, stone: Sequence[object]) -> None:
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError):  # damage may have the form of a tombstone
            read_tree(cast("bytes", stone[1]))
            manifest.connection.execute(
                f"INSERT OR IGNORE INTO tombstones ({', '.join(_STONE)}) VALUES (?, ?, ?, ?, ?)", stone
            )

    # ---- what lies in the folder

    def _list(self, manifest: Manifest, found: Found) -> None:
        fresh = {day for path in self._layout.hot.glob("*.db") if (day := _day_of(path.stem)) is not None}
        chosen = self._chosen(found, fresh)
        with_rows = {file.day for file in chosen if file.kind == "rows"}
        days: dict[int, State] = {day: state for day, state in found.days.items() if state == "cold"}
        for file in chosen:
            days[file.day] = "hot" if file.kind == "hour" else "cold"
        for day in fresh:
            days[day] = "late" if day in with_rows or found.days.get(day) == "late" else "hot"
        for day, state in found.days.items():
            # its file is gone: who looks after days makes it again
            days.setdefault(day, state)
        manifest.swap(add=chosen, now_us=self._now_us)
        for day, state in sorted(days.items()):
            manifest.set_state(day, state)
            if state == "late":
                self._without_doubles(day, [file for file in chosen if file.day == day])
        manifest.retire([name for name in found.retired if (self._layout.cold / name).exists()], self._now_us)

    def _chosen(self, found: Found, fresh: set[int]) -> list[Sealed]:
        """Return the files that are to be listed: of several of one place the one that was, else the newest."""
        places: dict[tuple[str, int], list[Path]] = {}
        for path in self._layout.cold.glob("*.parquet"):
            match = _NAME.match(path.stem)
            if match and path.name not in found.retired:
                places.setdefault((match[1], int(match[2])), []).append(path)
        chosen: list[Sealed] = []
        for (kind, number), paths in places.items():
            paths.sort(key=lambda path: (path.name in found.files, path.stat().st_mtime_ns, path.name))
            file = self._described(paths[-1], cast("FileKind", kind), number, found)
            if file is not None and self._is_wanted(file, found, fresh, places):
                chosen.append(file)
                paths.pop()
            for path in paths:
                self._set_aside(path)
        # what is listed and gone is missed by who looks after sealed files
        there = {file.name for file in chosen}
        places_there = {(file.kind, file.day, file.hour) for file in chosen}
        chosen += [
            file for file in found.files.values()
            if file.name not in there and (file.kind, file.day, file.hour) not in places_there
            and (file.kind != "hour" or file.day in fresh) and not (self._layout.cold / file.name).exists()
        ]  # fmt: skip
        return chosen

    def _is_wanted(
        self, file: Sealed, found: Found, fresh: set[int], places: dict[tuple[str, int], list[Path]]
    ) -> bool:
        if file.kind == "hour":
            if file.day in fresh:
                return self._rows_in_hour(file) == file.rows
            # the hours of a day that is sealed as a whole are left over
            return ("rows", file.day) not in places
        is_draft = found.days.get(file.day) == "hot" and file.day in fresh
        return not is_draft or file.name in found.files

    def _rows_in_hour(self, file: Sealed) -> int:
        """Return how many rows of an hour its day has; when that cannot be read, it is made again of the hour."""
        if file.day not in self._hours:
            path = self._layout.day(file.day)
            self._hours[file.day] = None
            if is_whole(path):
                with contextlib.closing(DayWriter(path)) as writer:
                    self._hours[file.day] = writer.hours()
        hours = self._hours[file.day]
        return file.rows if hours is None else hours.get(file.hour or 0, 0)

    def _described(self, path: Path, kind: FileKind, number: int, found: Found) -> Sealed | None:
        """Return what a file holds; None when neither it nor what lies beside it can be read."""
        if path.name in found.files:
            return found.files[path.name]
        try:
            summary = self._sealer.summary(path)
        except Exception as error:
            if not (isinstance(error, FileNotFoundError) or is_unreadable(error)):
                raise
            summary = _summary(row_blocks.salvaged(path))
        rows, checksum, low, high = summary
        if not rows:
            _log.error("%s cannot be read, nor is it known what it held", path.name)
            return None
        return Sealed(
            name=path.name, kind=kind, day=number // 24 if kind == "hour" else number,
            hour=number if kind == "hour" else None, rows=rows, min_us=low, max_us=high, checksum=checksum,
            size_bytes=sealed.size_of(path),
        )  # fmt: skip

    def _set_aside(self, path: Path) -> None:
        name = f"cold-{path.stem}-{self._now_us}"
        for file in (path, row_blocks.beside(path)):
            if file.exists():
                file.rename(self._layout.quarantine / f"{name}{file.suffix}")

    def _without_doubles(self, day: int, files: Sequence[Sealed]) -> None:
        """Take rows out of a day's late ones that its sealed file has: a crash may have left them in both."""
        path = self._layout.day(day)
        if not path.exists() or not is_whole(path):
            return
        draft = self._layout.temp / path.name
        unlink_database(draft)
        with contextlib.closing(DayWriter(path)) as late:
            rows = list(late.rows(day * DAY_US, (day + 1) * DAY_US))
            known = self._known([file for file in files if file.kind == "rows"], [row.id for row in rows])
            if not known:
                return
            with contextlib.closing(DayWriter(draft)) as kept:
                kept.append([row for row in rows if row.id not in known])
                kept.append_previews(late.previews())
        unlink_database(path)
        draft.rename(path)

    def _known(self, files: Sequence[Sealed], ids: Sequence[str]) -> set[str]:
        wanted, known = set(ids), set[str]()
        for file in files:
            query = Sql(f"SELECT id FROM {sealed.table(self._layout.cold, [file], sealed.ROW_TYPES)}")
            try:
                for batch in self._duck.batches(query, _READ_S):
                    known |= wanted.intersection(str(values[0]) for values in batch)
            except Exception as error:
                if not (isinstance(error, FileNotFoundError) or is_unreadable(error)):
                    raise
                known |= wanted.intersection(row.id for row in row_blocks.salvaged(self._layout.cold / file.name))
        return known

    # ---- what is made of the rows

    def _sum_up(self, manifest: Manifest) -> None:
        contents, connection = manifest.contents(), manifest.connection
        if not contents.minutes_since_us:
            connection.execute(
                "INSERT OR REPLACE INTO notes VALUES ('minutes_since_us', ?)", (str(self._minutes_since_us),)
            )
        for day, state in contents.days.items():
            bounds = (day * DAY_US, (day + 1) * DAY_US)
            if state == "hot":
                connection.execute("DELETE FROM rollup WHERE slot_us >= ? AND slot_us < ?", bounds)
        for file in contents.of("rows"):
            try:
                self._remember(manifest, file)
                if not self._is_counted(connection, file):
                    self._count_again(connection, file, self._rows_of(file))
            except Exception as error:
                if not (isinstance(error, FileNotFoundError) or is_unreadable(error)):
                    raise
                _log.error("%s cannot be read: %s", file.name, error)
                self._take_whole_rows(manifest, file)

    def _take_whole_rows(self, manifest: Manifest, file: Sealed) -> None:
        """The same, of what lies beside columns that cannot be read: of that they are made again, too."""
        path = self._layout.cold / file.name
        for rows in _batches(row_blocks.salvaged(path)):
            with transaction(manifest.connection):
                ids = {getattr(row, name) for row in rows for name in ID_COLUMNS} - {None}
                manifest.remember(file.day, map(id_hash, ids))
        self._count_again(manifest.connection, file, row_blocks.salvaged(path))

    def _remember(self, manifest: Manifest, file: Sealed) -> None:
        """Note which ids lie on a day."""
        for column in ID_COLUMNS:
            some = "NOT (id GLOB 'rec_????????????7*')" if column == "id" else f"{column} IS NOT NULL"
            table = sealed.table(self._layout.cold, [file], sealed.ROW_TYPES)
            query = f"SELECT DISTINCT (md5_number_lower({column}) >> 1)::BIGINT FROM {table} WHERE {some}"
            for batch in self._duck.batches(Sql(query), _READ_S):
                with transaction(manifest.connection):
                    manifest.remember(file.day, [int(cast("int", values[0])) for values in batch])

    def _is_counted(self, connection: sqlite3.Connection, file: Sealed) -> bool:
        """Whether the sums that could be read count all rows of a sealed day: more are right, for sums stay."""
        table = sealed.table(self._layout.cold, [file], sealed.ROW_TYPES)
        [(count,)] = self._duck.rows(Sql(f"SELECT COUNT(*) FROM {table} WHERE is_counted"))
        query = "SELECT resolution_us, cube, SUM(requests) FROM rollup WHERE slot_us >= ? AND slot_us < ? GROUP BY 1, 2"
        bounds = (file.day * DAY_US, (file.day + 1) * DAY_US)
        sums = {(row[0], row[1]): row[2] for row in connection.execute(query, bounds)}
        needed = [(us, cube) for cube in rollup.CUBES for us in rollup.resolutions_of(cube)]
        if bounds[0] < self._minutes_since_us:
            needed = [key for key in needed if key[0] != rollup.MINUTE_US]
        return all(sums.get(key, 0) >= int(cast("int", count)) for key in needed)

    def _count_again(self, connection: sqlite3.Connection, file: Sealed, all_rows: Iterator[Row]) -> None:
        with transaction(connection):
            connection.execute(
                "DELETE FROM rollup WHERE slot_us >= ? AND slot_us < ?", (file.day * DAY_US, (file.day + 1) * DAY_US)
            )
            for rows in _batches(all_rows):
                rollup.add_rows(connection, rows)
        _log.warning("the sums of %s are made again of its rows", name_of(file.day))

    def _rows_of(self, file: Sealed) -> Iterator[Row]:
        table = sealed.table(self._layout.cold, [file], sealed.ROW_TYPES)
        for batch in self._duck.batches(Sql(f"SELECT {', '.join(NAMES)} FROM {table}"), _READ_S):
            yield from map(sealed.read_values, batch)


def lists_nothing(manifest: Manifest, layout: Layout) -> bool:
    """Whether a manifest is empty though there are files: then the one that listed them is gone."""
    contents = manifest.contents()
    if contents.days or contents.files or manifest.known_files():
        return False
    return any(layout.cold.glob("*.parquet")) or any(layout.hot.glob("*.db"))


def opened(healing: ManifestHealing, layout: Layout) -> tuple[Manifest, bool]:
    """Open a manifest, made again when it is damaged or gone; returns whether it was."""
    if layout.manifest.exists() and layout.manifest.stat().st_size:
        try:
            manifest = Manifest(layout.manifest)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        else:
            try:
                if not lists_nothing(manifest, layout):
                    return manifest, False
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
            manifest.close()
    elif not any(layout.cold.glob("*.parquet")) and not any(layout.hot.glob("*.db")):
        return Manifest(layout.manifest), False
    _log.error("the manifest of records is damaged or gone and is made again of what lies in the folder")
    draft = healing.draft()
    put_aside(layout.manifest, healing.aside())
    draft.rename(layout.manifest)
    healing.done()
    return Manifest(layout.manifest), True


def _read(old: Path, table: str, columns: Sequence[str], key: Sequence[str]) -> Iterator[tuple[object, ...]]:
    return salvaged(old, f"SELECT {', '.join(columns)} FROM {table}", key)


def _structs(old: Path, table: str, kind: type[_T], key: Sequence[str]) -> Iterator[_T]:
    names = kind.__struct_fields__  # type: ignore[attr-defined]  # a Struct
    for values in _read(old, table, names, key):
        with contextlib.suppress(msgspec.ValidationError):  # damage may have the form of a row
            yield msgspec.convert(dict(zip(names, values, strict=True)), kind)


def _copy(old: Path, target: sqlite3.Connection, table: str, columns: Sequence[str], key: Sequence[str]) -> None:
    marks = ", ".join("?" * len(columns))
    for values in _read(old, table, columns, key):
        with contextlib.suppress(sqlite3.Error):
            target.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)


def _summary(rows: Iterator[Row]) -> tuple[int, int, int, int]:
    count, checksum, low, high = 0, 0, 2**62, 0
    for row in rows:
        count, checksum = count + 1, checksum ^ id_hash(row.id)
        low, high = min(low, row.started_us), max(high, row.started_us)
    return count, checksum, low, high


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _day_of(name: str) -> int | None:
    try:
        return day_of_name(name)
    except ValueError:
        return None
