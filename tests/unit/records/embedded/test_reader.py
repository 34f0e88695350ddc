from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest, Unavailable
from lockgate.records.embedded.reader import EmbeddedReader, deleted
from lockgate.records.query.matching import matcher
from lockgate.records.query.tree import EVERYTHING, Compare
from lockgate.records.store import ALL, PageQuery, Scope
from tests.unit.records.rows import HOUR_US, START, row


def test_a_file_that_is_retired_meanwhile_is_read_again_from_the_new_manifest(store, clock, monkeypatch):
    store.append([row(1)])
    reader = EmbeddedReader(store.layout.folder)
    from lockgate.records.embedded import reader as module

    stale = store.manifest.contents()
    fresh = module.files.read_contents
    answers = [stale]
    monkeypatch.setattr(module.files, "read_contents", lambda path: answers.pop() if answers else fresh(path))
    clock.us = START + 10 * 24 * HOUR_US
    store.maintain()
    assert [e.row.id for e in reader.page(PageQuery(scope=ALL)).entries] == ["rec_1"]
    assert answers == []
    reader.close()


def test_a_folder_that_never_comes_to_rest_is_told(store, monkeypatch):
    from lockgate.records.embedded import reader as module

    def gone(_path):
        raise FileNotFoundError

    monkeypatch.setattr(module.files, "read_contents", gone)
    with pytest.raises(Unavailable):
        store.page(PageQuery(scope=ALL))


def test_many_traces_at_once(store, clock):
    store.append([row(n, at=n) for n in range(50)])
    assert len(store.rows_of_traces([f"t{n}" for n in range(40)], ALL)) == 40
    assert store.rows_of_traces([], ALL) == []
    assert store.rows_of_traces(["t1"], Scope(frozenset({"other"}))) == []
    clock.us = START + 10 * 24 * HOUR_US
    store.maintain()
    assert len(store.rows_of_traces([f"t{n}" for n in range(40)], ALL)) == 40


def test_a_deletion_covers_what_had_begun(store):
    node = deleted(EVERYTHING, START + 5)
    assert matcher(node)(row(1, at=5), None)
    assert not matcher(node)(row(1, at=6), None)
    assert deleted(Compare("model", "in", ("m",)), 1).children[1] == Compare("started_us", "le", (1,))


def test_limits_are_checked_before_anything_is_read(store):
    with pytest.raises(InvalidRequest):
        store.page(PageQuery(scope=ALL, limit=0))
