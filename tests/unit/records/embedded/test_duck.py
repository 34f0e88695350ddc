from __future__ import annotations

import subprocess
import sys

import pytest

from lockgate.errors import Unavailable
from lockgate.records.embedded.duck import Duck, DuckLimits, is_lost, is_unreadable
from lockgate.records.query.sql import Sql


@pytest.fixture
def duck(tmp_path):
    found = Duck(DuckLimits(timeout_s=30.0), tmp_path / "spill")
    yield found
    found.close()


def test_rows_and_batches(duck):
    assert duck.rows(Sql("SELECT ?, ?", ("a", 5))) == [("a", 5)]
    batches = list(duck.batches(Sql("SELECT * FROM range(5000)"), 30.0))
    assert sum(len(batch) for batch in batches) == 5000
    assert len(batches) > 1


def test_a_file_that_is_gone_is_told(duck, tmp_path):
    with pytest.raises(FileNotFoundError):
        duck.rows(Sql("SELECT * FROM read_parquet(?)", (str(tmp_path / "none.parquet"),)))


def test_a_query_that_takes_too_long_is_stopped_and_the_next_one_runs(tmp_path):
    duck = Duck(DuckLimits(timeout_s=0.05), tmp_path / "spill")
    with pytest.raises(Unavailable):
        duck.rows(Sql("SELECT COUNT(*) FROM range(10000000000) a, range(1000) b"))
    duck.close()


def test_too_many_queries_at_once_are_told(tmp_path):
    duck = Duck(DuckLimits(queries=1, timeout_s=0.01), tmp_path / "spill")
    running = duck.batches(Sql("SELECT * FROM range(100000)"), 30.0)
    next(running)
    with pytest.raises(Unavailable):
        duck.rows(Sql("SELECT 1"))
    running.close()
    assert len(list(duck.batches(Sql("SELECT 1"), 30.0))) == 1
    duck.close()


def test_no_network_is_asked_for_extensions(duck):
    query = "SELECT current_setting('autoinstall_known_extensions'), current_setting('autoload_known_extensions')"
    assert duck.rows(Sql(query)) == [(False, False)]


def test_the_engine_is_loaded_by_the_first_query_only():
    script = (
        "import sys, tempfile, pathlib; from lockgate.records.embedded.writer import EmbeddedStore\n"
        "from lockgate.records.store import ALL, PageQuery\n"
        "store = EmbeddedStore(pathlib.Path(tempfile.mkdtemp())); store.page(PageQuery(scope=ALL)); store.close()\n"
        "assert 'duckdb' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("data", [b"", b"nothing", bytes(5000), b"PAR1" + b"\xa5" * 500 + b"PAR1"])
def test_a_file_that_is_none_is_told_apart_from_one_that_is_gone(tmp_path, data):
    duck = Duck(DuckLimits(), tmp_path / "temp")
    (tmp_path / "x.parquet").write_bytes(data)
    with pytest.raises(Exception, match=r".") as caught:
        duck.rows(Sql("SELECT * FROM read_parquet(?)", (str(tmp_path / "x.parquet"),)))
    assert is_unreadable(caught.value)
    with pytest.raises(FileNotFoundError) as caught:
        duck.rows(Sql("SELECT * FROM read_parquet(?)", (str(tmp_path / "y.parquet"),)))
    assert not is_unreadable(caught.value)
    duck.close()


def test_a_database_that_gave_up_is_followed_by_another(tmp_path):
    import duckdb

    duck = Duck(DuckLimits(), tmp_path)
    with pytest.raises(duckdb.FatalException), duck._cursor(1):
        raise duckdb.FatalException("it is over")
    assert duck.rows(Sql("SELECT 1")) == [(1,)]
    assert not is_unreadable(ValueError())
    duck.close()


def test_errors_of_reading_that_pass_are_not_damage(tmp_path):
    import duckdb

    path = tmp_path / "x.parquet"
    assert is_lost(FileNotFoundError("No files found"), path)
    path.touch()
    assert not is_lost(FileNotFoundError('IO Error: Cannot open file "x.parquet": Too many open files'), path)
    assert is_lost(FileNotFoundError('IO Error: Could not read enough bytes from file "x.parquet"'), path)
    assert is_lost(duckdb.InvalidInputException("No magic bytes"), path)
    assert not is_lost(OSError("x"), path)
