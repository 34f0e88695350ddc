"""Batches go to whoever writes: this process, another one, or this one when the other ends meanwhile."""

import json
import sqlite3
import threading

import pytest

from lockgate.app.archive import Archive
from lockgate.app.importer import Importer, Report, with_sums
from lockgate.core.recording import DEFAULT
from lockgate.errors import Unavailable
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.shipping import inbox
from lockgate.records.shipping.keeper import Keeper, KeeperSettings
from lockgate.records.store import ALL, PageQuery, Restored

START = 1_750_000_000_000_000
COUNT = 1700


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.jsonl"
    lines = [json.dumps({"id": f"r{number}", "started_us": START + number, "request": "{}"}) for number in range(COUNT)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path / "home", may_begin=True)
    yield made
    made.close()


def count(archive):
    return archive.reader.count(PageQuery(scope=ALL))


def test_where_nobody_writes_this_process_does(archive, file):
    seen = []
    report = Importer(archive, DEFAULT).run(file, "jsonl", seen.append)
    assert (report.read, report.new, count(archive)) == (COUNT, COUNT, COUNT)
    assert seen == [500, 1000, 1500, 1700]
    assert list(archive.reader.layout.inbox.iterdir()) == []


def test_beside_a_writer_it_takes_what_is_handed_over(archive, file, tmp_path):
    settings = KeeperSettings(poll_s=0.01, look_s=0.01)
    keeper = Keeper(archive.folder, tmp_path / "home" / "journal", settings)
    keeper.start()
    assert keeper.shipped(30)
    try:
        with archive.writing() as writer:
            assert writer is None
        report = Importer(archive, DEFAULT).run(file, "jsonl")
        assert (report.new, count(archive)) == (COUNT, COUNT)
        assert Importer(archive, DEFAULT).run(file, "jsonl").known == COUNT
    finally:
        keeper.stop()


def test_a_writer_that_ends_meanwhile_is_replaced(archive, file):
    store = EmbeddedStore(archive.folder)
    timer = threading.Timer(0.5, store.close)
    timer.start()
    assert Importer(archive, DEFAULT).run(file, "jsonl").new == COUNT
    timer.join()


def test_a_writer_that_takes_nothing_is_told(archive, file):
    store = EmbeddedStore(archive.folder)
    with pytest.raises(Unavailable, match="does not take what is imported"):
        Importer(archive, DEFAULT, timeout_s=0.2).run(file, "jsonl")
    store.close()


def test_sums_of_several_files():
    parts = [Report(read=2, new=1, refused=1), Report(read=3, known=3)]
    assert with_sums(parts) == Report(read=5, new=1, known=3, refused=1)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk is full")])
def test_a_store_that_cannot_keep_is_told(archive, file, monkeypatch, error):
    def fail(self, rows):
        raise error

    monkeypatch.setattr(EmbeddedStore, "append", fail)
    with pytest.raises(Unavailable, match="cannot be kept now"):
        Importer(archive, DEFAULT).run(file, "jsonl")
    monkeypatch.undo()
    # what was handed over is not lost
    with archive.writing() as writer:
        assert inbox.take(archive.reader.layout.inbox, writer.store, writer.bodies) == 1
    assert count(archive) == 500


def test_a_store_that_made_itself_again_is_asked_again(archive, file, monkeypatch):
    append, failed = EmbeddedStore.append, []

    def once(self, rows):
        if not failed:
            failed.append(True)
            raise Restored
        return append(self, rows)

    monkeypatch.setattr(EmbeddedStore, "append", once)
    assert Importer(archive, DEFAULT).run(file, "jsonl").new == COUNT
