"""Connections to SQLite files: how they are opened, what functions of ours they know, how long they may think."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import re2

from lockgate.errors import Unavailable

_BUSY_S = 10.0
_STEPS_BETWEEN_LOOKS = 20_000
_CACHE_KIB = 16_384


_SUSPECT = ".suspect"


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file holds what it never wrote."""
    code = getattr(error, "sqlite_errorcode", None)
    # the extended codes stand above the first byte
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check(connection: sqlite3.Connection) -> None:
    """Look through a file. Raises sqlite3.DatabaseError when it is damaged."""
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem[0] != "ok":
        error = sqlite3.DatabaseError(problem[0])
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def salvaged(
    path: Path, select: str | Callable[[sqlite3.Connection], str], key: Sequence[str]
) -> Iterator[tuple[object, ...]]:
    """Yield the rows that can be read in a damaged file, some of them twice: from the beginning on, then from the end
    on, for damage lies between the two. ``key``: by what they are ordered."""
    for order in ("ASC", "DESC"):
        try:
            with contextlib.closing(read_only(path)) as connection:
                # else nothing of a file that is shorter than it says would be read
                connection.execute("PRAGMA writable_schema = ON")
                keys = ", ".join(f"{name} {order}" for name in key)
                text = select if isinstance(select, str) else select(connection)
                yield from connection.execute(f"{text} ORDER BY {keys}")
                return
        except sqlite3.Error:
            continue


def mark(path: Path) -> None:
    """Leave a mark beside a file that could not be read, for its writer to see."""
    with contextlib.suppress(OSError):  # who only reads may not be allowed to
        path.with_suffix(_SUSPECT).touch(mode=0o600)


def is_marked(path: Path) -> bool:
    """Whether somebody could not read a file; takes the mark away."""
    suspect = path.with_suffix(_SUSPECT)
    found = suspect.exists()
    suspect.unlink(missing_ok=True)
    return found


def is_whole(path: Path) -> bool:
    """Look through a file with eyes of its own: what a connection read before may lie in its memory as it was."""
    try:
        with contextlib.closing(read_only(path)) as connection:
            check(connection)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False
    return True


def put_aside(path: Path, target: Path) -> None:
    """Move a file, with what lies beside it, to another place."""
    for source, place in zip(beside(path), beside(target), strict=True):
        if source.exists():
            source.rename(place)


def suspects(folder: Path) -> list[Path]:
    """Return the marks beside the files of a folder that somebody could not read; named as those are."""
    return sorted(folder.glob(f"*{_SUSPECT}"))


def unlink_database(path: Path) -> int:
    """Unlink a file with what lies beside it; returns the bytes that are free now."""
    freed = 0
    for file in beside(path):
        if file.exists():
            freed += file.stat().st_size
            file.unlink()
    return freed


def beside(path: Path) -> list[Path]:
    """Return the names of a file and of those that SQLite keeps beside it."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def read_only(path: Path) -> sqlite3.Connection:
    """Open a file that nothing is to be written to."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, check_same_thread=False)


@contextlib.contextmanager
def reading(path: Path, timeout_s: float) -> Iterator[sqlite3.Connection]:
    """Open a file to read, for one query. Raises FileNotFoundError when it is gone, Unavailable when time is up.

    One that is damaged gets a mark beside it, for its writer to see.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    connection = read_only(path)
    deadline = time.monotonic() + timeout_s
    try:
        _teach(connection)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
        yield connection
    except sqlite3.OperationalError as error:
        if str(error) == "interrupted":
            raise Unavailable(f"The query took longer than {timeout_s:g} s; narrow the range of time") from None
        raise
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            mark(path)
        raise
    finally:
        connection.close()


def writing(path: Path, schema: str, *, is_durable: bool) -> sqlite3.Connection:
    """Open a file to write, in WAL mode, and make what is missing in it. ``is_durable``: each commit is on the disk."""
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON")
        connection.executescript(schema)
        _teach(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _teach(connection: sqlite3.Connection) -> None:
    connection.create_function("re2_found", 2, _found, deterministic=True)
    connection.create_function("fold", 1, _fold, deterministic=True)


def _found(text: str | None, pattern: str) -> bool | None:
    return None if text is None else _compiled(pattern).search(text) is not None


def _fold(text: str | None) -> str | None:
    return None if text is None else text.lower()


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re2._Regexp[str]:
    return re2.compile(pattern)
