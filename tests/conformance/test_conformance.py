"""Each cell of docs/reference/conformance.md is one test here, by its id: what was sent, and what came back."""

from __future__ import annotations

import pytest

from tests.conformance.rows import ROWS
from tests.conformance.stage import check, check_native_bytes, run
from tests.conformance.table import MODES, ROUTES


def cells():
    """Yield every cell that is tested; one that is a gap must fail until it is closed."""
    for row in ROWS:
        for route in ROUTES:
            for mode in MODES:
                expect = row.cell(route, mode)
                if expect.verdict == "none":
                    continue
                marks = [pytest.mark.xfail(reason=expect.gap, raises=AssertionError, strict=True)] if expect.gap else []
                yield pytest.param(row, route, mode, id=row.cell_id(route, mode), marks=marks)


@pytest.mark.parametrize("row, route, mode", list(cells()))
def test_each_cell(row, route, mode):
    expect = row.cell(route, mode)
    seen = run(row, route, mode)
    check(seen, expect, route)
    if route == "messages" and expect.verdict == "carried":
        check_native_bytes(seen, row.model)
