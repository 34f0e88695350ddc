from __future__ import annotations

from lockgate.records.embedded.pages import Pages, previews_head, sort_value
from lockgate.records.query.language import parse
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import DAY, HOUR_US, START, row


def test_old_days_are_not_asked_while_new_ones_fill_the_page(store, clock, monkeypatch):
    store.append([row(n, at=n * 24 * HOUR_US) for n in range(8)])
    clock.us = START + 7 * 24 * HOUR_US + HOUR_US
    store.maintain()
    asked = []
    read = Pages._read

    def see(self, files, *rest):
        asked.append(files)
        return read(self, files, *rest)

    monkeypatch.setattr(Pages, "_read", see)
    page = store.page(PageQuery(scope=ALL, limit=2))
    assert [e.row.id for e in page.entries] == ["rec_7", "rec_6"]
    assert [files.days for files in asked] == [(DAY + 7,), (DAY + 6,), (DAY + 5,)]
    asked.clear()
    assert len(store.page(PageQuery(scope=ALL, limit=100)).entries) == 8
    assert [len(files.sealed) for files in asked] == [0, 0, 0, 2, 3]


def test_only_filters_that_look_into_texts_bring_the_files_of_texts(store):
    contents = store.manifest.contents()
    assert previews_head(store.layout, contents, parse("status:200"), {DAY}) == ""
    assert previews_head(store.layout, contents, parse("-(status:200 x)"), {DAY}).startswith("WITH previews AS")


def test_rows_without_a_value_sort_below_all_others():
    assert sort_value(row(1, cost_nano=None), PageQuery(scope=ALL, sort="cost_nano")) == -1
    assert sort_value(row(1, cost_nano=0), PageQuery(scope=ALL, sort="cost_nano")) == 0
