"""A sealed file that is damaged or gone is put aside, and made again of what can be read; what cannot is listed.

The rows of a sealed hour lie in SQLite too, and are sealed again. Those of a sealed day lie twice, in columns and whole
beside them; each is made again from the other. Rows that are nowhere else are missing from then on: queries go on
without them, their sums stay, and the journal is shipped again, which may have them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from lockgate.records.embedded import row_blocks, sealed
from lockgate.records.embedded.day import NAMES, PREVIEW_NAMES
from lockgate.records.embedded.duck import is_unreadable
from lockgate.records.embedded.folder import Folder
from lockgate.records.embedded.layout import name_of
from lockgate.records.embedded.manifest import Missing, Sealed, day_of
from lockgate.records.embedded.sqlite import is_marked, suspects
from lockgate.records.query.sql import Parameter, Sql
from lockgate.records.row import Preview, Row

_log = logging.getLogger("lockgate.records")
_READ_S = 600.0
PREFIX = "cold-"
"""Begins the names of sealed files that were put aside."""


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
        is_healed = self._heal([file for file in found if not self.is_whole(file)])
        for path in marks:
            path.unlink(missing_ok=True)
        return is_healed

    def heal_all(self) -> bool:
        """Look through all sealed files; returns whether one was damaged."""
        return self._heal([file for file in self._listed() if not self.is_whole(file)])

    def is_whole(self, file: Sealed) -> bool:
        """Look through a file."""
        path = self._folder.layout.cold / file.name
        return self._has_size(file) and self._columns_are_whole(file) and self._rows_are_whole(path, file)

    def set_aside(self, file: Sealed) -> str:
        """Move a file that is listed no more into quarantine; returns the name that it has there."""
        layout = self._folder.layout
        name = f"{PREFIX}{Path(file.name).stem}-{self._folder.now_us()}"
        for path in (layout.cold / file.name, row_blocks.beside(layout.cold / file.name)):
            if path.exists():
                path.rename(layout.quarantine / f"{name}{path.suffix}")
        return name

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
            if isinstance(error, FileNotFoundError) or is_unreadable(error):
                return False
            raise
        return found == (file.rows, file.checksum, file.min_us, file.max_us)

    def _rows_are_whole(self, path: Path, file: Sealed) -> bool:
        has_rows = file.kind == "rows" and row_blocks.beside(path).exists()
        return not has_rows or row_blocks.is_whole(path, file.rows)

    def _heal(self, damaged: Sequence[Sealed]) -> bool:
        for file in damaged:
            with self._folder.mutex:
                self._make_again(file)
        return bool(damaged)

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
            if not (isinstance(error, FileNotFoundError) or is_unreadable(error)):
                raise


def told(missing: Missing) -> str:
    """Return what is missing, in words."""
    what = "previews and texts" if missing.kind == "previews" else "records"
    return (
        f"{missing.rows} {what} of {sealed.moment(missing.from_us)} to {sealed.moment(missing.to_us)} are missing: "
        f"the sealed file of {name_of(missing.day)} was damaged, and they were nowhere else"
    )


def _everything(path: Path) -> Sql:
    return Sql("SELECT bit_xor(hash(whole)) FROM read_parquet(?) whole", (str(path),))
