from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from lockgate.entities import RateLimit, ResetAnchor, UsageLimit
from lockgate.entities.limits import restart, succeed_rate, succeed_usage

T = datetime(2026, 8, 1, tzinfo=UTC)
OLD = UsageLimit(id="one", unit="cost", cap=10, reset="monthly", last_reset_at=T)


@pytest.mark.parametrize(
    "change",
    [{"cap": 20}, {"alert_at": 5}, {"mode": "soft"}, {"admission": "open"}, {"note": "x"}, {"effective_from": T}],
)
def test_a_limit_that_counts_the_same_keeps_its_counter(change):
    new = msgspec.structs.replace(OLD, id="whatever", last_reset_at=None, **change)
    kept = succeed_usage(OLD, new)
    assert kept == msgspec.structs.replace(OLD, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "tokens"},
        {"reset": "weekly"},
        {"reset": None},
        {"reset": "days", "reset_days": 3},
        {"anchor": ResetAnchor(timezone="Asia/Tokyo")},
    ],
)
def test_a_limit_that_counts_otherwise_starts_anew(change):
    new = msgspec.structs.replace(OLD, **change)
    assert succeed_usage(OLD, new) == msgspec.structs.replace(new, id="")


def test_the_first_limit_starts_anew():
    assert succeed_usage(None, OLD).id == ""
    assert succeed_rate(None, RateLimit(id="x", cap=1)).id == ""


@pytest.mark.parametrize(
    "new, id",
    [
        (RateLimit(cap=5), "one"),
        (RateLimit(cap=0), "one"),
        (RateLimit(cap=1, window_s=1), ""),
        (RateLimit(cap=1, unit="tokens"), ""),
    ],
)
def test_a_rate_keeps_its_counter_while_unit_and_window_stay(new, id):
    assert succeed_rate(RateLimit(id="one", cap=1), new) == msgspec.structs.replace(new, id=id)


def test_a_restart_is_a_new_counter_of_the_same_limit():
    later = T.replace(year=2027)
    assert restart(OLD, later) == msgspec.structs.replace(OLD, id="", last_reset_at=later)
