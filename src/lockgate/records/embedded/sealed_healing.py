"""A sealed file that is damaged or gone is put aside, and made again of what can be read; what cannot is listed.

The rows of a sealed hour lie in SQLite too, and are sealed again. Those of a sealed day lie twice, in columns and whole
beside them; each is made again from the other. Rows that are nowhere else are missing from then on: queries go on
without them, their sums stay, and the journal is shipped again, which may have them. A file that
comes back whole is listed again. When none is there, the folder is probably not mounted, and nothing is made again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from lockgate.records.embedded import row_blocks, sealed
from lockgate.records.embedded.day import NAMES, PREVIEW_NAMES
from lockgate.records.embedded.duck import is_lost, is_unreadable
from lockgate.records.embedded.folder import Folder
from lockgate.records.embedded.layout import name_of
from lockgate.records.embedded.manifest import Missing, Sealed, day_of, hour_of
from lockgate.records.embedded.sqlite import is_marked, mark, suspects
from lockgate.records.query.sql import Parameter, Sql
from lockgate.records.row import Preview, Row

_log = logging.getLogger("lockgate.records")
_READ_S = 600.0
_T = TypeVar("_T", Row, Preview)
_BATCH = 1000


class SealedHealing:
    """Looks after sealed files. To be used by the one writer."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.restored = 0
        """Files that were put aside since the start."""

    def heal_missing(self) -> bool:
        """Look after files that are gone or have another size; returns whether there was one."""
        return self._heal([file for file in self._listed() if not self._has_size(file)])

    def heal_suspects(self) -> bool:
        """Look after the files that somebody could not read; returns whether one was damaged."""
        cold = self._folder.layout.cold
        marks = suspects(cold)
        names = {path.stem for path in marks}
        is_any = is_marked(cold)
        found = [file for file in self._listed() if is_any or Path(file.name).stem in names]
        for path in marks:
            path.unlink(missing_ok=True)
        return self._heal(self._damaged(found))

    def heal_all(self) -> bool:
        """Look through all sealed files; returns whether one was damaged."""
        return self._heal(self._damaged(self._listed()))

    def is_whole(self, file: Sealed) -> bool:
        """Look through a file."""
        path = self._folder.layout.cold / file.name
        return self._has_size(file) and self._columns_are_whole(file) and self._rows_are_whole(path, file)

    def set_aside(self, file: Sealed) -> str:
        """Move a file that is listed no more into quarantine; returns the name that it has there."""
        return self._folder.set_aside(self._folder.layout.cold / file.name)

    def list_again(self) -> None:
        """List files that were missing and came back whole, where nothing has taken their place since."""
        listed = {file.name: file for file in self._listed()}
        for missing in self._returned():
            if missing.name in listed:
                # by a manifest that was made again
                self._folder.manifest.found(missing.name, [listed[missing.name]], now_us=self._folder.now_us())
                continue
            with self._folder.mutex:
                if (file := self._found(missing)) is not None and self._is_alone(file):
                    self._folder.manifest.found(file.name, [file], now_us=self._folder.now_us())
                    _log.warning("%s came back and is listed again with %d entries", file.name, file.rows)

    def take_back(
        self, keep: Callable[[list[Row]], object], keep_previews: Callable[[list[Preview]], object],
        join_late: Callable[[int], object],
    ) -> None:  # fmt: skip
        """Keep what is in the other files that came back. ``join_late``: puts late rows of a day into its file."""
        for missing in self._returned():
            file = self._found(missing)
            if file is None:
                continue
            if file.kind == "previews":
                _in_batches(self._previews_of(file), keep_previews)
            else:
                _in_batches(self._rows_of(file), keep)
            # while the rows of a day are missing they are not counted a second time; those of an hour never were
            if file.kind != "hour" and self._folder.manifest.state_of(file.day) == "late":
                join_late(file.day)
            self._folder.manifest.found(file.name, now_us=self._folder.now_us())
            _log.warning("%s came back and %d entries are taken from it", file.name, file.rows)

    def _returned(self) -> list[Missing]:
        return [one for one in self._folder.manifest.missing() if (self._folder.layout.cold / one.name).exists()]

    def _found(self, missing: Missing) -> Sealed | None:
        """Return what there is of a missing file; None when it is not whole, as while it is still copied."""
        path = self._folder.layout.cold / missing.name
        count = missing.rows + missing.kept
        try:
            rows, checksum, low, high = self._folder.sealer.summary(path)
        except Exception as error:
            if not (isinstance(error, FileNotFoundError) or is_unreadable(error)):
                raise
            return None
        file = Sealed(
            name=missing.name, kind=missing.kind, day=missing.day,
            hour=hour_of(low) if missing.kind == "hour" else None, rows=rows, min_us=low, max_us=high,
            checksum=checksum, size_bytes=sealed.size_of(path),
        )  # fmt: skip
        is_same = (rows, low, high) == (count, missing.from_us, missing.to_us)
        return file if is_same and self.is_whole(file) else None

    def _is_alone(self, file: Sealed) -> bool:
        """Whether a file may stand for its day as it is: no other has rows of it, and none were deleted since."""
        folder = self._folder
        return (
            file.kind != "hour"
            and folder.manifest.state_of(file.day) == "cold"
            and not folder.sealed_of(file.day, file.kind)
            and not folder.manifest.tombstones()
            and (file.kind != "rows" or row_blocks.beside(folder.layout.cold / file.name).exists())
        )

    def _listed(self) -> Sequence[Sealed]:
        return self._folder.manifest.contents().files

    def _has_size(self, file: Sealed) -> bool:
        path = self._folder.layout.cold / file.name
        return path.exists() and sealed.size_of(path) == file.size_bytes

    def _columns_are_whole(self, file: Sealed) -> bool:
        path = self._folder.layout.cold / file.name
        try:
            found = self._folder.sealer.summary(path)
            # the columns that the summary does not read
            for _ in self._folder.duck.batches(_everything(path), _READ_S):
                pass
        except Exception as error:
            if is_lost(error, path):
                return False
            raise
        return found == (file.rows, file.checksum, file.min_us, file.max_us)

    def _rows_are_whole(self, path: Path, file: Sealed) -> bool:
        has_rows = file.kind == "rows" and row_blocks.beside(path).exists()
        return not has_rows or row_blocks.is_whole(path, file.rows)

    def _is_unmounted(self) -> bool:
        cold, listed = self._folder.layout.cold, self._listed()
        return len(listed) > 1 and not any((cold / file.name).exists() for file in listed)

    def _heal(self, damaged: Sequence[Sealed]) -> bool:
        if damaged and self._is_unmounted():
            _log.error(
                "none of the %d sealed files is in %s: it is probably not mounted, or not copied yet. Nothing is made"
                " again; old records cannot be read until the files are there",
                len(self._listed()), self._folder.layout.cold,
            )  # fmt: skip
            return False
        healed = 0
        for file in damaged:
            with self._folder.mutex, self._passing(file):
                self._make_again(file)
                healed += 1
        return bool(healed)

    def _damaged(self, files: Sequence[Sealed]) -> list[Sealed]:
        found = []
        for file in files:
            with self._passing(file):
                if not self.is_whole(file):
                    found.append(file)
        return found

    @contextlib.contextmanager
    def _passing(self, file: Sealed) -> Iterator[None]:
        """Leave a file as it is when reading fails for another cause than what it holds; it is looked at again."""
        try:
            yield
        except FileNotFoundError as error:
            mark(self._folder.layout.cold / file.name)
            _log.error("%s cannot be read for now, and is left as it is: %s", file.name, error)

    def _make_again(self, file: Sealed) -> None:
        folder, manifest = self._folder, self._folder.manifest
        # before anything else: whatever stops us from here on, the journal is shipped again
        manifest.forget_acks()
        made = self._made_of(file)
        kept = file.rows if self._is_fresh(file) else made.rows if made is not None else 0
        lost = max(0, file.rows - kept)
        missing = Missing(
            name=file.name, kind=file.kind, day=file.day, from_us=file.min_us, to_us=file.max_us, rows=lost, kept=kept
        )
        folder.swap(add=[made] if made is not None else [], remove=[file], missing=[missing] if lost else [])
        name = self.set_aside(file)
        self.restored += 1
        _log.error(
            "the sealed file %s is damaged or gone and is made again with %d of its %d %s; the old one is %s",
            file.name, kept, file.rows, "previews" if file.kind == "previews" else "rows", name,
        )  # fmt: skip
        if lost:
            _log.error("%s", told(missing))

    def _is_fresh(self, file: Sealed) -> bool:
        return file.kind == "hour" and self._folder.manifest.state_of(file.day) != "cold"

    def _made_of(self, file: Sealed) -> Sealed | None:
        """Return a new file of what can be read; None when that is nothing, or SQLite has it all."""
        sealer = self._folder.sealer
        if self._is_fresh(file):
            return None
        if self._has_columns(file):
            return sealer.join([file], file.kind, day=file.day)
        if file.kind == "previews":
            draft = sealer.write_previews(self._previews_of(file), day=file.day)
        else:
            draft = sealer.write_rows(self._rows_of(file), day=file.day, hour=file.hour)
        if draft is None:
            return None
        try:
            return sealer.join([draft], file.kind, day=file.day)
        finally:
            sealed.unlink(self._folder.layout.cold / draft.name)

    def _has_columns(self, file: Sealed) -> bool:
        return (self._folder.layout.cold / file.name).exists() and self._columns_are_whole(file)

    def _rows_of(self, file: Sealed) -> Iterator[Row]:
        """Yield each row that can be read: as it lies beside the columns, else from these."""
        path = self._folder.layout.cold / file.name
        seen: set[str] = set()
        columns = (sealed.read_values(values) for values in self._readable(file, NAMES, sealed.ROW_TYPES))
        for row in chain(row_blocks.salvaged(path), columns):
            if row.id not in seen and day_of(row.started_us) == file.day:
                seen.add(row.id)
                yield row

    def _previews_of(self, file: Sealed) -> Iterator[Preview]:
        for values in self._readable(file, PREVIEW_NAMES, sealed.PREVIEW_TYPES):
            yield Preview(**dict(zip(PREVIEW_NAMES, values, strict=True)))  # type: ignore[arg-type]  # as they were written

    def _readable(self, file: Sealed, names: Sequence[str], types: dict[str, str]) -> Iterator[tuple[Parameter, ...]]:
        """Yield values until damage is met."""
        table = sealed.table(self._folder.layout.cold, [file], types)
        try:
            for batch in self._folder.duck.batches(Sql(f"SELECT {', '.join(names)} FROM {table}"), _READ_S):
                yield from batch
        except Exception as error:
            if not is_lost(error, self._folder.layout.cold / file.name):
                raise


def _in_batches(items: Iterator[_T], keep: Callable[[list[_T]], object]) -> None:
    while batch := list(islice(items, _BATCH)):
        keep(batch)


def told(missing: Missing) -> str:
    """Return what is missing, in words."""
    what = "previews and texts" if missing.kind == "previews" else "records"
    return (
        f"{missing.rows} {what} of {sealed.moment(missing.from_us)} to {sealed.moment(missing.to_us)} are missing: "
        f"the sealed file of {name_of(missing.day)} was damaged, and they were nowhere else"
    )


def _everything(path: Path) -> Sql:
    return Sql("SELECT bit_xor(hash(whole)) FROM read_parquet(?) whole", (str(path),))
