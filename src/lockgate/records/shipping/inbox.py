"""Records that a command hands to the process that writes them, which may be another one.

    inbox/NAME.batch   rows and bodies, there whole or not at all
    inbox/NAME.done    what became of them; the batch is gone then

A batch may be taken twice, when its taker died in between: keeping is idempotent by id.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import zstandard
from msgspec import Struct

from lockgate.records.bodies.kept import Kept
from lockgate.records.imports.items import Imported
from lockgate.records.row import Preview, Row
from lockgate.records.shipping.shipper import BodyTarget, RowTarget

_BATCH, _DONE = ".batch", ".done"
_LEVEL = 1
_OLD_S = 3600.0
"""After which nobody asks any more what became of a batch."""


class _Batch(Struct, frozen=True):
    rows: Sequence[Row]
    previews: Sequence[Preview]
    kept: Sequence[Kept]


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    new: int = 0
    known: int = 0
    deleted: int = 0
    error: str | None = None
    """Why nothing of it could be kept."""


_encode = msgspec.msgpack.Encoder().encode
_read_batch = msgspec.msgpack.Decoder(_Batch).decode
_read_outcome = msgspec.json.Decoder(Outcome).decode


def put(folder: Path, items: Sequence[Imported]) -> str:
    """Hand records over; returns the name to ask ``outcome`` for. Names sort by time. Raises OSError."""
    batch = _Batch(
        [item.row for item in items],
        [item.preview for item in items if item.preview is not None],
        [item.kept for item in items if item.kept is not None],
    )
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    _write(folder / (name + _BATCH), zstandard.ZstdCompressor(_LEVEL).compress(_encode(batch)))
    return name


def take(folder: Path, rows: RowTarget, bodies: BodyTarget, *, seconds: float = 0.5) -> int:
    """Keep what was handed over, the first first, for about so long; returns how many batches.

    Raises OSError, sqlite3.Error and Restored: what was not kept is taken the next time.
    """
    started = time.monotonic()
    count = 0
    for path in sorted(folder.glob("*" + _BATCH)):
        outcome = _keep(path, rows, bodies)
        _write(path.with_suffix(_DONE), msgspec.json.encode(outcome))
        path.unlink()
        count += 1
        if time.monotonic() - started > seconds:
            break
    if count:
        _sweep(folder)
    return count


def outcome(folder: Path, name: str) -> Outcome | None:
    """Return what became of a batch, once; None: it waits still."""
    path = folder / (name + _DONE)
    try:
        found = _read_outcome(path.read_bytes())
    except FileNotFoundError:
        return None
    path.unlink()
    return found


def _keep(path: Path, rows: RowTarget, bodies: BodyTarget) -> Outcome:
    try:
        batch = _read_batch(zstandard.ZstdDecompressor().decompress(path.read_bytes()))
        made = rows.append(batch.rows)
        gone = rows.deleted_among([item.record_id for item in batch.kept]) if batch.kept else set()
        bodies.put([item for item in batch.kept if item.record_id not in gone])
        rows.append_previews(batch.previews)
    except (
        zstandard.ZstdError, msgspec.MsgspecError, ValueError, TypeError, OverflowError, sqlite3.IntegrityError,
        sqlite3.ProgrammingError,
    ) as error:  # fmt: skip
        return Outcome(error=f"{type(error).__name__}: {error}")
    return Outcome(new=made.new, known=made.known, deleted=made.deleted)


def _sweep(folder: Path) -> None:
    for path in folder.glob("*" + _DONE):
        try:
            if time.time() - path.stat().st_mtime > _OLD_S:
                path.unlink()
        except FileNotFoundError:
            pass  # who waited for it has read it


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        os.chmod(draft, 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
