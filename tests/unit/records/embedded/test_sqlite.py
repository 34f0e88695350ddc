from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lockgate.errors import Unavailable
from lockgate.records.embedded.sqlite import reading, transaction, writing

SCHEMA = "CREATE TABLE IF NOT EXISTS t (a TEXT);"


def test_a_transaction_is_all_or_nothing(tmp_path):
    connection = writing(tmp_path / "x.db", SCHEMA, is_durable=True)
    with pytest.raises(RuntimeError), transaction(connection):
        connection.execute("INSERT INTO t VALUES ('lost')")
        raise RuntimeError
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES ('kept')")
    connection.close()
    with reading(tmp_path / "x.db", 1.0) as found:
        assert found.execute("SELECT a FROM t").fetchall() == [("kept",)]


def test_a_reader_cannot_write_and_a_missing_file_is_told(tmp_path):
    writing(tmp_path / "x.db", SCHEMA, is_durable=False).close()
    with pytest.raises(sqlite3.OperationalError), reading(tmp_path / "x.db", 1.0) as connection:
        connection.execute("INSERT INTO t VALUES ('x')")
    with pytest.raises(FileNotFoundError), reading(tmp_path / "y.db", 1.0):
        pass


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writing(Path("x.db"), SCHEMA, is_durable=False).close()
    with reading(Path("x.db"), 1.0) as found:
        assert found.execute("SELECT a FROM t").fetchall() == []


def test_functions_of_ours(tmp_path):
    connection = writing(tmp_path / "x.db", SCHEMA, is_durable=False)
    query = (
        "SELECT re2_found('claude-4', '^cl.*[0-9]$'), re2_found('x', 'y'), re2_found(NULL, 'y'), fold('ÄÉ'), fold(NULL)"
    )
    assert connection.execute(query).fetchone() == (1, 0, None, "äé", None)
    connection.close()


def test_a_query_that_takes_too_long_is_stopped(tmp_path):
    writing(tmp_path / "x.db", SCHEMA, is_durable=False).close()
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT SUM(x) FROM n"
    with pytest.raises(Unavailable), reading(tmp_path / "x.db", 0.0) as connection:
        connection.execute(endless).fetchone()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        writing(tmp_path / "x.db", SCHEMA, is_durable=False)
