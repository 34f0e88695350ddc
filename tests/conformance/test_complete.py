"""The table of rows is complete and sound: what the official SDKs know has a row, and each cell has one test."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.conformance import documented
from tests.conformance.rows import ROWS
from tests.conformance.table import MODES, ROUTES, SECTIONS, VERDICTS, Row, carried, gap, on
from tools.docs_conformance import cell, cells, conformance_page


@pytest.mark.parametrize("section", SECTIONS)
def test_each_documented_name_has_a_row(section):
    assert [name for kind, name in documented.missing() if kind == section] == []


def test_a_name_without_a_row_is_seen(monkeypatch):
    kept = tuple(row for row in ROWS if (row.section, row.name) != ("field", "thread"))
    monkeypatch.setattr(documented, "ROWS", kept)
    assert documented.missing() == [("field", "thread")]


@pytest.mark.parametrize("section, least", [("field", 50), ("block", 30), ("tool", 25), ("answer", 15), ("beta", 50)])
def test_the_sdks_types_are_read_whole(section, least):
    assert len(documented.documented()[section]) >= least


def test_no_cell_shares_its_id():
    ids = Counter(row.cell_id(route, mode) for row in ROWS for route in ROUTES for mode in MODES)
    assert [name for name, count in ids.items() if count > 1] == []


def test_each_cell_says_what_becomes_of_it():
    for row in ROWS:
        assert row.section in SECTIONS, row.name
        for route in ROUTES:
            for mode in MODES:
                expect = row.cell(route, mode)
                assert expect.verdict in VERDICTS, row.cell_id(route, mode)
                assert expect.note or expect.verdict != "none", row.cell_id(route, mode)


def test_each_row_is_shown_somewhere():
    for row in ROWS:
        assert any(row.cell(route, mode).verdict != "none" for route in ROUTES for mode in MODES), row.name


def test_each_cell_of_the_page_leads_to_its_test():
    shown = re.findall(r"test_conformance\.py#([^)]+)\)", conformance_page())
    tested = [row.cell_id(route, mode) for row, route, mode, expect in cells() if expect.verdict != "none"]
    assert shown == tested


def test_a_gap_is_shown_until_its_test_passes():
    row = Row(section="field", name="x", cells=on(gap(carried(), "not yet"), carried(), carried()))
    assert cell(row, "chat_strict", "whole").startswith("[🔴](")
    assert cell(row, "messages", "whole").startswith("[✅](")
