"""Windows of rates: what counts now, what is left, and how long to wait. Integers only, so the answers are exact.

A window of up to a minute *glides*: it counts the running window of the clock, and of the one before the share that has
not yet passed, so that no double burst fits around an edge. Longer windows are aligned to UTC; what settlements used
beyond the cap is carried into the next window, once, and never more than a whole window.

``current`` and ``previous`` are the amounts of the two windows; ``elapsed_ms`` is the time since the running one began.
"""

from __future__ import annotations

from lockgate.core.limits import Rate

_WEEK_S = 604800
_DAY_S = 86400
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
GLIDING_S = 60
"""The longest window that glides."""


def start_of(rate: Rate, now_s: float) -> int:
    """Return when the window that holds ``now_s`` began."""
    window_s = rate.window_s
    if window_s != _WEEK_S:
        return int(now_s // window_s) * window_s
    shift = (rate.weekday - _EPOCH_WEEKDAY) * _DAY_S
    return int((now_s - shift) // _WEEK_S) * _WEEK_S + shift


def level(rate: Rate, current: int, previous: int, elapsed_ms: int) -> int:
    """Return what counts now, in units times milliseconds of the window."""
    window_ms = rate.window_s * 1000
    if rate.window_s <= GLIDING_S:
        return current * window_ms + previous * (window_ms - elapsed_ms)
    return (current + carried(rate, previous)) * window_ms


def carried(rate: Rate, previous: int) -> int:
    """Return the debt that a fixed window takes over from the one before."""
    return min(max(previous - rate.cap, 0), rate.cap)


def has_room(rate: Rate, current: int, previous: int, elapsed_ms: int, asked: int) -> bool:
    """Tell whether so much more may be used now. Nothing fits a cap of 0."""
    cap = rate.cap
    if cap == 0:
        return False
    if rate.window_s > GLIDING_S:
        debt = previous - cap
        return current + asked + (0 if debt <= 0 else min(debt, cap)) <= cap
    window_ms = rate.window_s * 1000
    return (current + asked) * window_ms + previous * (window_ms - elapsed_ms) <= cap * window_ms


def used(rate: Rate, current: int, previous: int, elapsed_ms: int) -> int:
    """Return what counts now, in units, rounded up."""
    return -(-level(rate, current, previous, elapsed_ms) // (rate.window_s * 1000))


def whole_at(rate: Rate, start: int, current: int, previous: int) -> int:
    """Return when the whole cap is free again if nobody asks; the start of the running window when it is so now."""
    window_s = rate.window_s
    if rate.window_s <= GLIDING_S:
        return start + (2 * window_s if current else window_s if previous else 0)
    if carried(rate, current):
        return start + 2 * window_s
    return start + window_s


def wait_ms(rate: Rate, current: int, previous: int, elapsed_ms: int, asked: int) -> int | None:
    """Return after how many milliseconds ``asked`` fits if nobody else asks; None when it is more than the cap."""
    window_ms = rate.window_s * 1000
    free = rate.cap - asked
    if free < 0 or rate.cap == 0:
        return None
    if has_room(rate, current, previous, elapsed_ms, asked):
        return 0
    if rate.window_s > GLIDING_S:
        windows = 1 if carried(rate, current) <= free else 2
        return windows * window_ms - elapsed_ms
    if current <= free:  # the share of the window before must shrink; it is not empty, or there would be room
        return window_ms - (free - current) * window_ms // previous - elapsed_ms
    return 2 * window_ms - free * window_ms // current - elapsed_ms
