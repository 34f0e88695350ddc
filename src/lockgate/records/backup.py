"""Copies of a folder of records that can be opened again, taken while it is written.

SQLite files are copied by SQLite's own online copy, sealed files and segments of bodies as they are, for they never
change. The manifest is copied first; what it lists stays for a minute after it is retired, and the copy is checked at
its end. Of bodies that are being written, the index is copied before its segments: it names nothing that is not there.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from lockgate.errors import Conflict
from lockgate.records.embedded import row_blocks
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import read_contents
from lockgate.records.embedded.sqlite import read_only
from lockgate.records.lock import FileLock

Progress = Callable[[int, int], None]
"""Told how many of how many files are copied."""
_DONE = "complete"


class Copied(Struct, frozen=True):
    """What a copy holds."""

    files: int
    size_bytes: int
    seconds: float


def back_up(source: Path, target: Path, *, progress: Progress = lambda _done, _all: None) -> Copied:
    """Copy a folder of records into an empty one. Raises Conflict when the target is not empty, OSError.

    The copy is complete when the file ``complete`` is in it, which is written last.
    """
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} is not empty")
    started = time.monotonic()
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout, copy = Layout(source), Layout(target)
    copy.create()
    copy_database(layout.manifest, copy.manifest)
    wanted = list(_files(layout, copy))
    for number, path in enumerate(wanted, 1):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.suffix == ".db":
            copy_database(path, place)
        else:
            shutil.copyfile(path, place)
        progress(number, len(wanted))
    faults = check(target)
    if faults:
        raise OSError(f"the copy is not whole: {faults[0]}")
    (target / _DONE).write_text("")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Copied(len(wanted) + 1, size, time.monotonic() - started)


def restore(source: Path, target: Path, *, progress: Progress = lambda _done, _all: None) -> Copied:
    """Put a copy into a folder that holds no records. Raises Conflict when it does, or the copy is not complete."""
    if not (source / _DONE).exists():
        raise Conflict(f"{source} is not a complete copy")
    lock = FileLock(Layout(target).lock)
    if not lock.acquire():
        raise Conflict(f"Another process writes the records in {target}")
    try:
        if Layout(target).manifest.exists():
            raise Conflict(f"{target} holds records already; restore into an empty folder")
        started = time.monotonic()
        paths = [path for path in source.rglob("*") if path.is_file() and path.name not in (_DONE, "writer.lock")]
        # the manifest last: without it there are no records, whatever else is there
        paths.sort(key=lambda path: path.name == "manifest.db")
        for number, path in enumerate(paths, 1):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(path, place)
            progress(number, len(paths))
        faults = check(target)
        if faults:
            raise OSError(f"what was restored is not whole: {faults[0]}")
        _forget_journal(Layout(target).manifest)
        return Copied(len(paths), sum(path.stat().st_size for path in paths), time.monotonic() - started)
    finally:
        lock.release()


def check(folder: Path) -> list[str]:
    """Return what is wrong with a folder that nobody writes: missing files, wrong sizes, damaged databases."""
    layout = Layout(folder)
    faults = [f"{path.name} is damaged" for path in sorted(folder.rglob("*.db")) if not _is_sound(path)]
    if not layout.manifest.exists():
        return [*faults, "manifest.db is missing"]
    contents = read_contents(layout.manifest)
    for day, state in contents.days.items():
        if state != "cold" and not layout.day(day).exists():
            faults.append(f"{layout.day(day).name} is missing")
    for file in contents.files:
        path = layout.cold / file.name
        parts = [part for part in (path, row_blocks.beside(path)) if part.exists()]
        if not path.exists():
            faults.append(f"{file.name} is missing")
        elif sum(part.stat().st_size for part in parts) != file.size_bytes:
            faults.append(f"{file.name} has another size than it had")
    return faults


def _files(layout: Layout, copy: Layout) -> Iterator[Path]:
    """Yield what the copied manifest lists, feedback and bodies."""
    contents = read_contents(copy.manifest)
    if layout.feedback.exists():
        yield layout.feedback
    for day, state in contents.days.items():
        if state != "cold":
            yield layout.day(day)
    for file in contents.files:
        path = layout.cold / file.name
        yield path
        if row_blocks.beside(path).exists():
            yield row_blocks.beside(path)
    for folder in sorted(layout.bodies.iterdir()):
        if (folder / "index.db").exists():
            yield folder / "index.db"
            yield from sorted(folder.glob("seg-*.zst"))


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file that may be written meanwhile, as it is at one moment."""
    reader = read_only(source)
    writer = sqlite3.connect(target)
    try:
        reader.backup(writer)
    finally:
        writer.close()
        reader.close()


def _forget_journal(manifest: Path) -> None:
    """Let what the next gateway writes be shipped, though its segments are named as those of the one before."""
    with contextlib.closing(sqlite3.connect(manifest)) as connection, connection:
        connection.execute("DELETE FROM acks")


def _is_sound(path: Path) -> bool:
    connection = read_only(path)
    try:
        found: tuple[str] = connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError:
        return False
    else:
        return found[0] == "ok"
    finally:
        connection.close()
