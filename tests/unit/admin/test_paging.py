import pytest

from lockgate.admin.paging import PageQuery, Window, window


@pytest.mark.parametrize(
    "query, expected",
    [
        (PageQuery(), Window(0, 100)),
        (PageQuery(current_page=3), Window(3, 100)),
        (PageQuery(page_size=7, current_page=3), Window(3, 7)),
        (PageQuery(page_size=501), Window(0, 500)),
        (PageQuery(page_size=10**30, current_page=10**30), Window(10_000_000, 500)),
    ],
)
def test_pages_count_from_zero_and_large_ones_are_lowered(query, expected):
    assert window(query) == expected
    assert window(query).number * window(query).size < 2**63
