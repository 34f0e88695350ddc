"""Connections to the database: SQLite in a file, or PostgreSQL.

Writers stand in line, one at a time: changes of the control plane are rare, and the change feed and the audit log are
read in the order of commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from lockgate.errors import ConfigError

_BUSY_TIMEOUT_S = 15.0
_WRITERS_LOCK = 0x4C4F_434B
"""The key of PostgreSQL's advisory lock that writers and migrations take."""
_POOL_SIZE = 4
_IS_WRITER = "lockgate_is_writer"


def database_url(text: str | None, home: Path) -> URL:
    """Return where the database is: what an operator wrote, or a file in the state folder. Raises ConfigError."""
    if not text:
        return URL.create("sqlite", database=str(home / "lockgate.db"))
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("database.url: expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME") from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ConfigError("database.url: the SQLite database needs a path, as in sqlite:///PATH")
        return url
    raise ConfigError(f"database.url: {url.drivername} is not supported; use sqlite or postgresql")


def open_engine(url: URL) -> Engine:
    """Return an engine; nothing is connected yet. Raises ConfigError when the driver is not installed."""
    if url.drivername == "sqlite":
        return _open_sqlite(url)
    try:
        return create_engine(
            url, pool_size=_POOL_SIZE, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": 10}
        )
    except ModuleNotFoundError:
        raise ConfigError("database.url: PostgreSQL needs the extra: pip install 'lockgate[postgres]'") from None


def _open_sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        pool_size=_POOL_SIZE,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        # the driver begins no transactions by itself: `begin` below does, so that DDL is part of them
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_writer = connection.get_execution_options().get(_IS_WRITER, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction of the only writer: committed at the end, undone when anything is raised."""
    with connected(engine) as connection:
        connection = connection.execution_options(**{_IS_WRITER: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_WRITERS_LOCK)))
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that sees the database as it was when it began."""
    with connected(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection. Raises ConfigError, without the address's password, when there is none."""
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise ConfigError(f"cannot open the database {engine.url!r}: {_reason(error)}") from None
    with connection:
        yield connection


def _reason(error: DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
