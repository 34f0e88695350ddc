"""DuckDB as an engine that owns nothing: one database in memory for the process, loaded by the first query.

It may use so many threads and so much memory, spills into a folder that is given, asks no network for extensions, and
every query has a time limit, after which it is interrupted.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lockgate.errors import Unavailable
from lockgate.records.query.sql import Parameter, Sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 2000
_SHORT = "Could not read enough bytes"
"""Says DuckDB of a file that ends before what it is said to hold."""


def is_unreadable(error: BaseException) -> bool:
    """Whether DuckDB says that a file holds what it never wrote."""
    import duckdb

    kinds = (
        duckdb.InvalidInputException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException,
    )  # fmt: skip
    # what the format of the file refuses has no class of its own
    return type(error) is duckdb.Error or isinstance(error, kinds)


def is_lost(error: BaseException, path: Path) -> bool:
    """Whether an error of a query says that this file is gone, or holds what it never wrote.

    Others of reading, such as too many open files, pass, and say nothing about the file.
    """
    if isinstance(error, FileNotFoundError):
        return not path.exists() or _SHORT in str(error)
    return is_unreadable(error)


class DuckLimits(Struct, frozen=True, kw_only=True):
    """What queries over old rows may use."""

    threads: int = 2
    memory_mb: int = 512
    temp_mb: int = 4096
    queries: int = 4
    """How many may run at once; others wait their turn within their time limit."""
    timeout_s: float = 20.0


class Duck:
    """Runs queries. May be used from any thread."""

    def __init__(self, limits: DuckLimits, temp: Path) -> None:
        self._limits = limits
        self._temp = temp
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(limits.queries)
        self._root: DuckDBPyConnection | None = None

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            if self._root is not None:
                self._root.close()
                self._root = None

    def rows(self, sql: Sql) -> list[tuple[Parameter, ...]]:
        """Return all rows of a query. Raises FileNotFoundError when a file is gone, Unavailable when time is up."""
        with self._cursor(self._limits.timeout_s) as cursor:
            cursor.execute(sql.text, list(sql.parameters))
            return cursor.fetchall()

    def batches(self, sql: Sql, timeout_s: float) -> Iterator[list[tuple[Parameter, ...]]]:
        """Yield the rows of a query in batches, as they are made."""
        with self._cursor(timeout_s) as cursor:
            cursor.execute(sql.text, list(sql.parameters))
            while found := cursor.fetchmany(_BATCH):
                yield found

    def run(self, statement: str, parameters: Sequence[Parameter], timeout_s: float) -> None:
        """Run a statement that writes a file."""
        with self._cursor(timeout_s) as cursor:
            cursor.execute(statement, list(parameters))

    @contextlib.contextmanager
    def _cursor(self, timeout_s: float) -> Iterator[DuckDBPyConnection]:
        import duckdb

        if not self._slots.acquire(timeout=timeout_s):
            raise Unavailable("Too many queries over old records are running; try again")
        try:
            cursor = self._connection().cursor()
            alarm = threading.Timer(timeout_s, cursor.interrupt)
            alarm.daemon = True
            alarm.start()
            try:
                yield cursor
            except duckdb.InterruptException:
                raise Unavailable(f"The query took longer than {timeout_s:g} s; narrow the range of time") from None
            except duckdb.OutOfMemoryException:
                raise Unavailable("The query needs more memory than it may use; narrow the range of time") from None
            except duckdb.IOException as error:
                raise FileNotFoundError(str(error)) from None
            except (duckdb.InternalException, duckdb.FatalException):
                # the database takes no query any more: the next one gets another
                self.close()
                raise
            finally:
                alarm.cancel()
                cursor.close()
        finally:
            self._slots.release()

    def _connection(self) -> DuckDBPyConnection:
        import duckdb

        with self._lock:
            if self._root is None:
                self._temp.mkdir(parents=True, exist_ok=True)
                self._root = duckdb.connect(
                    ":memory:",
                    config={
                        "threads": str(self._limits.threads),
                        "memory_limit": f"{self._limits.memory_mb}MB",
                        "temp_directory": str(self._temp),
                        "max_temp_directory_size": f"{self._limits.temp_mb}MB",
                        "autoinstall_known_extensions": "false",
                        "autoload_known_extensions": "false",
                    },
                )
                self._root.execute("SET parquet_metadata_cache = true")
            return self._root
