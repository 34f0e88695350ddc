from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from lockgate.errors import ConfigError
from lockgate.store.engine import connected, database_url, open_engine, reading, writing

HOME = Path("/state")


@pytest.mark.parametrize(
    "given, driver, database",
    [
        (None, "sqlite", "/state/lockgate.db"),
        ("", "sqlite", "/state/lockgate.db"),
        ("sqlite:////data/x.db", "sqlite", "/data/x.db"),
        ("postgresql://u:p@h/name", "postgresql+psycopg", "name"),
        ("postgres://u:p@h/name", "postgresql+psycopg", "name"),
        ("postgresql+psycopg://u:p@h/name", "postgresql+psycopg", "name"),
    ],
)
def test_the_address_says_which_database(given, driver, database):
    url = database_url(given, HOME)
    assert (url.drivername, url.database) == (driver, database)


@pytest.mark.parametrize(
    "given", ["nonsense", "mysql://u:hush-hush@h/x", "sqlite://", "sqlite:///:memory:", "postgresql+asyncpg://h/x"]
)
def test_other_addresses_are_refused_without_the_password(given):
    with pytest.raises(ConfigError, match=r"database\.url") as raised:
        database_url(given, HOME)
    assert "hush-hush" not in str(raised.value)


def test_a_database_that_is_not_there_is_named_without_its_password():
    engine = open_engine(database_url("postgresql://user:hush-hush@127.0.0.1:1/x?connect_timeout=2", HOME))
    with pytest.raises(ConfigError, match="cannot open the database") as raised:
        with connected(engine):
            pass
    assert "hush-hush" not in str(raised.value)


def test_sqlite_writes_ahead_and_keeps_foreign_keys(tmp_path):
    engine = open_engine(database_url(None, tmp_path))
    with reading(engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "secure_delete": 1}
    engine.dispose()


def test_making_a_table_is_part_of_the_transaction(tmp_path):
    engine = open_engine(database_url(None, tmp_path))
    with pytest.raises(RuntimeError), writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (x)"))
        raise RuntimeError
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0
    engine.dispose()
