import asyncio

import pytest

from lockgate.core.batches import BatchOwner
from lockgate.errors import Unavailable
from lockgate.store.batch_book import DatabaseBatchBook
from lockgate.store.directory import open_directory
from lockgate.store.engine import database_url, open_engine, writing

OWNER = BatchOwner(workspace_id="w", id="b", slug="claude", key_id="k")


def test_another_process_knows_it_too(tmp_path):
    for _ in range(2):
        directory = open_directory(url=None, home=tmp_path, environment={})
        book = DatabaseBatchBook(directory)
        asyncio.run(book.keep(OWNER))
        assert asyncio.run(book.find("w", "b")) == OWNER
        directory.close()


def test_a_busy_database_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setattr("lockgate.store.engine._BUSY_TIMEOUT_S", 0.01)
    directory = open_directory(url=None, home=tmp_path, environment={})
    other = open_engine(database_url(None, tmp_path))
    with writing(other), pytest.raises(Unavailable):
        asyncio.run(DatabaseBatchBook(directory).keep(OWNER))
    other.dispose()
    directory.close()
