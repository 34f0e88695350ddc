"""A copy has everything that a machine needs, but for the master key; what is used of budgets comes back."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack

import msgspec
import pytest

from lockgate.app.alerts import tell
from lockgate.app.backups import back_up, restore
from lockgate.app.counting import local_counters
from lockgate.config import Document
from lockgate.errors import Conflict
from lockgate.store.directory import open_directory
from lockgate.telemetry.clock import SystemClock
from tests.unit.app.test_counting import journal_in, spend, used
from tests.unit.cli.kept import record, write_records


def life(home, amount):
    """Spend an amount, and say what is used then; the process is killed."""

    async def live():
        async with AsyncExitStack() as stack:
            (home / "journal").mkdir(parents=True, exist_ok=True)
            journal = journal_in(home / "journal")
            counters = local_counters(home / "journal", journal, SystemClock(), stack, tell)
            if amount:
                await spend(counters, journal, amount)
            stack.pop_all()
            journal.close()
            return await used(counters)

    return asyncio.run(live())


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    open_directory(url=None, home=home, environment={}).close()
    assert life(home, 300) == 300
    assert life(home, 200) == 500
    return home


def copy(home, target, **environment):
    return back_up(home, target, document=Document(), environment=environment)


def put_back(source, home, **environment):
    return restore(source, home, document=Document(), environment=environment)


def test_budgets_database_and_master_key(home, tmp_path):
    made = copy(home, tmp_path / "copy")
    assert (made.files, len(made.remarks)) == (3, 2)
    assert "keep " + str(home / "master.key") in made.remarks[0]
    secret = (home / "master.key").read_bytes().strip()
    assert not any(secret in path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file())
    other = tmp_path / "other"
    (needed,) = put_back(tmp_path / "copy", other).remarks
    assert str(other / "master.key") in needed
    (other / "master.key").write_bytes(secret)
    open_directory(url=None, home=other, environment={}).close()
    assert life(other, 100) == 600
    assert life(home, 0) == 500


def test_who_has_the_master_key_is_not_told_to_bring_it(home, tmp_path):
    key = (home / "master.key").read_text().strip()
    (told, _) = copy(home, tmp_path / "copy", LOCKGATE_MASTER_KEY=key).remarks
    assert "keep LOCKGATE_MASTER_KEY elsewhere" in told
    assert put_back(tmp_path / "copy", tmp_path / "other", LOCKGATE_MASTER_KEY=key).remarks == ()


def test_what_is_on_servers_is_named(home, tmp_path):
    document = msgspec.convert({"counters": {"url": "redis://counters:6379"}}, Document)
    environment = {"LOCKGATE_DATABASE_URL": "postgresql://u:p@database/lockgate"}
    made = back_up(home, tmp_path / "copy", document=document, environment=environment)
    assert made.files == 1
    assert ["pg_dump" in each for each in made.remarks] == [False, False, True, False]
    assert "server of the counters" in made.remarks[3]
    (told, _) = restore(tmp_path / "copy", tmp_path / "other", document=document, environment=environment).remarks
    assert "The database is on a server" in told


@pytest.mark.parametrize("name, held", [("lockgate.db", "a database"), ("counters.json", "counters")])
def test_nothing_is_written_over(home, tmp_path, name, held):
    copy(home, tmp_path / "copy")
    with pytest.raises(Conflict, match="is not empty"):
        copy(home, tmp_path / "copy")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / name).touch()
    with pytest.raises(Conflict, match=f"holds {held} already"):
        put_back(tmp_path / "copy", tmp_path / "other")


def test_a_journal_would_be_counted_on_top(home, tmp_path):
    copy(home, tmp_path / "copy")
    write_records(tmp_path / "other", [record(1)])
    with pytest.raises(Conflict, match="holds a journal already"):
        put_back(tmp_path / "copy", tmp_path / "other")


def test_the_counters_of_workers_are_copied_as_they_are_written(home, tmp_path):
    folder = home / "appendonlydir"
    folder.mkdir(parents=True)
    for name in ("appendonly.aof.manifest", "appendonly.aof.1.incr.aof"):
        (folder / name).write_text(name)
    copy(home, tmp_path / "copy")
    put_back(tmp_path / "copy", tmp_path / "other")
    found = sorted(path.name for path in (tmp_path / "other" / "appendonlydir").iterdir())
    assert found == ["appendonly.aof.1.incr.aof", "appendonly.aof.manifest"]


def test_the_database_is_copied_as_it_is_at_one_moment(home, tmp_path):
    writer = sqlite3.connect(home / "lockgate.db", isolation_level=None)
    writer.execute("CREATE TABLE things (name TEXT)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO things VALUES ('half')")
    copy(home, tmp_path / "copy")
    writer.execute("ROLLBACK")
    writer.close()
    reader = sqlite3.connect(tmp_path / "copy" / "lockgate.db")
    assert reader.execute("SELECT count(*) FROM things").fetchone() == (0,)
    reader.close()
