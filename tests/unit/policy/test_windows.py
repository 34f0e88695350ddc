"""Windows of rates: exact room, exact waiting time, no double burst, debts that last one window."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.limits import Rate
from lockgate.policy import windows


def rate(cap=10, window_s=60, weekday=0):
    """A rate of tokens."""
    return Rate(id="r", scope="key", name="k", unit="tokens", cap=cap, window_s=window_s, weekday=weekday)


@pytest.mark.parametrize(
    "window_s, weekday, now, start",
    [
        (1, 0, "2026-08-02T12:00:00.999", "2026-08-02T12:00:00"),
        (60, 0, "2026-08-02T12:00:59.999", "2026-08-02T12:00:00"),
        (60, 0, "2026-08-02T12:01:00", "2026-08-02T12:01:00"),
        (3600, 0, "2026-08-02T12:59:59.999", "2026-08-02T12:00:00"),
        (86400, 0, "2026-08-02T23:59:59.999", "2026-08-02T00:00:00"),
        (604800, 0, "2026-08-02T23:59:59.999", "2026-07-27T00:00:00"),
        (604800, 0, "2026-08-03T00:00:00", "2026-08-03T00:00:00"),
        (604800, 6, "2026-08-01T23:59:59.999", "2026-07-26T00:00:00"),
        (604800, 6, "2026-08-02T00:00:00", "2026-08-02T00:00:00"),
    ],
)
def test_windows_begin_on_the_unit_of_utc(window_s, weekday, now, start):
    found = windows.start_of(
        rate(window_s=window_s, weekday=weekday), datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    )
    assert datetime.fromtimestamp(found, UTC).isoformat() == f"{start}+00:00"


@pytest.mark.parametrize(
    "current, previous, elapsed_ms, asked, expected",
    [
        (0, 0, 0, 10, True),
        (0, 0, 0, 11, False),
        (9, 0, 0, 1, True),
        (10, 0, 59_999, 1, False),
        (0, 10, 0, 1, False),  # right after the edge the window before counts in full: no double burst
        (0, 10, 6_000, 1, True),
        (0, 10, 5_999, 1, False),
        (5, 10, 30_000, 0, True),
        (5, 10, 30_000, 1, False),
    ],
)
def test_a_gliding_window_counts_the_share_of_the_one_before(current, previous, elapsed_ms, asked, expected):
    assert windows.has_room(rate(), current, previous, elapsed_ms, asked) is expected


@pytest.mark.parametrize(
    "current, previous, asked, expected",
    [
        (0, 10, 10, True),
        (10, 0, 1, False),
        (0, 14, 6, True),
        (0, 14, 7, False),
        (0, 20, 1, False),
        (0, 500, 1, False),
    ],
)
def test_a_fixed_window_takes_over_a_debt_of_at_most_one_window(current, previous, asked, expected):
    assert windows.has_room(rate(window_s=3600), current, previous, 0, asked) is expected
    assert windows.carried(rate(window_s=3600), previous) <= 10


@pytest.mark.parametrize("window_s", [1, 60, 3600, 604800])
def test_a_cap_of_zero_blocks(window_s):
    assert not windows.has_room(rate(0, window_s), 0, 0, 0, 0)
    assert windows.wait_ms(rate(0, window_s), 0, 0, 0, 0) is None


@pytest.mark.parametrize(
    "window_s, current, previous, expected",
    [
        (60, 0, 0, 600),
        (60, 0, 3, 660),
        (60, 3, 3, 720),
        (3600, 3, 0, 4200),
        (3600, 11, 0, 7800),
    ],
)
def test_when_the_rate_is_whole_again(window_s, current, previous, expected):
    assert windows.whole_at(rate(window_s=window_s), 600, current, previous) == expected


def later(limit, current, previous, elapsed_ms, wait_ms):
    """Return the two amounts and the elapsed time after waiting, when nobody asks meanwhile."""
    elapsed_ms += wait_ms
    passed, elapsed_ms = divmod(elapsed_ms, limit.window_s * 1000)
    if passed == 0:
        return current, previous, elapsed_ms
    return 0, current if passed == 1 else 0, elapsed_ms


@given(
    st.sampled_from([1, 60, 3600, 86400]),
    st.integers(1, 200),
    st.integers(0, 900),
    st.integers(0, 900),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 250),
)
def test_the_waiting_time_is_exact_to_the_millisecond(window_s, cap, current, previous, share, asked):
    limit = rate(cap, window_s)
    elapsed_ms = int(share * window_s * 1000)
    wait_ms = windows.wait_ms(limit, current, previous, elapsed_ms, asked)
    if wait_ms is None:
        assert asked > cap
        return
    assert windows.has_room(limit, *later(limit, current, previous, elapsed_ms, wait_ms), asked=asked)
    if wait_ms:
        assert not windows.has_room(limit, *later(limit, current, previous, elapsed_ms, wait_ms - 1), asked=asked)


@given(st.sampled_from([1, 60]), st.integers(1, 50), st.lists(st.integers(0, 3000), max_size=200))
def test_no_span_of_one_window_admits_more_than_twice_the_cap_nor_a_clock_window_more_than_the_cap(window_s, cap, gaps):
    limit = rate(cap, window_s)
    window_ms = window_s * 1000
    now_ms, start, current, previous, admitted = 0, 0, 0, 0, []
    for gap in gaps:
        now_ms += gap
        begun = now_ms // window_ms
        if begun != start:
            previous = current if begun == start + 1 else 0
            current, start = 0, begun
        if windows.has_room(limit, current, previous, now_ms - begun * window_ms, 1):
            current += 1
            admitted.append(now_ms)
    for moment in admitted:
        assert sum(1 for other in admitted if other // window_ms == moment // window_ms) <= cap
        assert sum(1 for other in admitted if moment <= other < moment + window_ms) < 2 * cap or cap == 1


@given(st.integers(1, 10**11), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 59_999))
def test_used_is_never_below_what_counts(cap, current, previous, elapsed_ms):
    limit = rate(cap)
    found = windows.used(limit, current, previous, elapsed_ms)
    assert current <= found <= current + previous
    if found <= cap:
        assert windows.has_room(limit, current, previous, elapsed_ms, cap - found)
        assert not windows.has_room(limit, current, previous, elapsed_ms, cap - found + 1)
    else:
        assert not windows.has_room(limit, current, previous, elapsed_ms, 0)


@pytest.mark.parametrize("cap, used_up_at_ms, wait_ms", [(5, 8_000, 64_000), (1, 0, 120_000), (60, 30_000, 31_000)])
def test_two_waits_of_a_minute_are_enough_for_a_used_up_minute(cap, used_up_at_ms, wait_ms):
    limit = rate(cap, 60)
    assert windows.wait_ms(limit, cap, 0, used_up_at_ms, 1) == wait_ms
    after_one = windows.wait_ms(limit, 0, cap, used_up_at_ms, 1)
    assert after_one == max(0, wait_ms - 60_000)
    assert after_one <= 60_000
