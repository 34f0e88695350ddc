from __future__ import annotations

from lockgate.records.embedded.late_texts import find_late_texts
from lockgate.records.query.language import parse
from lockgate.records.query.tree import AnyOf, Compare, Not, Text
from lockgate.records.store import ALL, PageQuery
from tests.unit.records.rows import HOUR_US, START, preview, row


def late(store, clock):
    """A sealed day with two rows; the text of one comes late, and the row of another text does."""
    store.append([row(1), row(2)])
    store.append_previews([preview(1, text="early words"), preview(3, at=5, text="early words")])
    clock.us = START + 10 * 24 * HOUR_US
    store.maintain()
    store.append([row(3, at=5)])
    store.append_previews([preview(2, text="late words")])


def test_texts_are_found_wherever_their_rows_lie(store, clock):
    late(store, clock)
    for text, ids in (("early", {"rec_1", "rec_3"}), ("late", {"rec_2"}), ("words", {"rec_1", "rec_2", "rec_3"})):
        found = store.page(PageQuery(scope=ALL, filter=parse(text))).entries
        assert {entry.row.id for entry in found} == ids
        assert store.count(PageQuery(scope=ALL, filter=parse(f"-{text}"))) == 3 - len(ids)


def test_a_filter_is_left_alone_where_nothing_is_late_or_no_text_is_asked_for(store, clock):
    node = parse("-words status:200")
    assert find_late_texts(node, store.layout, store._duck, store.manifest.contents()) is node
    late(store, clock)
    contents = store.manifest.contents()
    assert find_late_texts(parse("status:200"), store.layout, store._duck, contents) == parse("status:200")
    found = find_late_texts(parse("-late"), store.layout, store._duck, contents)
    assert found == Not(AnyOf((Text("late"), Compare("id", "in", ("rec_2",)))))
