from __future__ import annotations

import pytest

from lockgate.errors import Conflict
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.embedded.writer import EmbeddedStore, system_now_us
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import DAY, HOUR_US, START, preview, row


def test_another_process_reads_what_one_writes(store, tmp_path):
    store.append([row(1)])
    reader = EmbeddedReader(tmp_path / "records")
    assert reader.get("rec_1", ALL).row == row(1)
    store.append([row(2)])
    assert reader.count(PageQuery(scope=ALL)) == 2
    reader.close()
    with pytest.raises(Conflict):
        EmbeddedStore(tmp_path / "records")


def test_previews_go_at_the_end_of_their_own_time(store, clock):
    store.append([row(1)])
    store.append_previews([preview(1)])
    clock.us = START + 10 * 24 * HOUR_US
    store.maintain()
    assert store.get("rec_1", ALL).preview == preview(1)
    assert store.drop_previews_before(START) == 0
    assert store.drop_previews_before(START + 24 * HOUR_US) > 0
    assert store.get("rec_1", ALL).preview is None
    assert store.get("rec_1", ALL).row == row(1)
    assert sorted(path.suffix for path in store.layout.cold.iterdir()) == [".parquet", ".rows"]


def test_a_preview_that_comes_before_its_row_waits_for_it(store):
    store.append_previews([preview(1)])
    assert store.page(PageQuery(scope=ALL)).entries == ()
    store.append([row(1)])
    assert store.get("rec_1", ALL).preview == preview(1)


def test_a_row_of_yesterday_goes_where_yesterday_is(store):
    store.append([row(1), row(2, at=-1)])
    assert store.manifest.contents().days == {DAY: "hot", DAY - 1: "hot"}


def test_the_clock_of_the_system_is_in_microseconds():
    assert 1_700_000_000_000_000 < system_now_us() < 5_000_000_000_000_000
