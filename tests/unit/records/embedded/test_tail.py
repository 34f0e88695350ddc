from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidRequest
from lockgate.records.embedded.day import DayWriter
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.tail import read_position, tail_of, write_position
from lockgate.records.query.language import parse
from tests.unit.records.rows import DAY, row


@given(st.dictionaries(st.integers(0, 100_000), st.integers(0, 2**53)))
def test_a_position_comes_back(seen):
    assert read_position(write_position(seen)) == seen


@pytest.mark.parametrize("text", ["", "x", "é", "W10"])
def test_other_text_is_no_position(text):
    with pytest.raises(InvalidRequest):
        read_position(text)


def test_rows_by_arrival(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    writer = DayWriter(layout.day(DAY))
    writer.append([row(9), row(1), row(5, is_stream=True)])
    found = tail_of(layout, [DAY], {}, parse(""), 10)
    assert [r.id for r in found.rows] == ["rec_9", "rec_1", "rec_5"]
    assert tail_of(layout, [DAY], read_position(found.position), parse(""), 10).rows == ()
    newest = tail_of(layout, [DAY], {}, parse(""), 2)
    assert ([r.id for r in newest.rows], newest.skipped) == (["rec_1", "rec_5"], 1)
    assert [r.id for r in tail_of(layout, [DAY], {}, parse("stream:yes"), 2).rows] == ["rec_5"]
    writer.close()
