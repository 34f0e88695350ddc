"""What counters say to those who ask."""

from __future__ import annotations

import pytest

from lockgate.core.limits import Budget, Hold, Period, Rate
from lockgate.policy import answers
from lockgate.policy.periods import Calendar

MONEY = Budget(id="b", scope="key", name="k", unit="nanos", cap=100, period=Period(kind="days", days=1))
PER_MINUTE = Rate(id="r", scope="key", name="k", unit="requests", cap=10)
AT_ONCE = Rate(id="c", scope="key", name="k", unit="concurrency", cap=2)


@pytest.mark.parametrize(
    "limit, expected",
    [(MONEY, (86400, 172800)), (PER_MINUTE, (100_020, 100_080)), (AT_ONCE, (0, None))],
)
def test_where_a_limit_counts(limit, expected):
    assert answers.place_of(Calendar(), limit, 100_061.5) == expected


@pytest.mark.parametrize(
    "amount, reason, waits",
    [(50, "spent", 40.0), (50, "reserved", 1.0), (101, "spent", None)],
)
def test_how_long_to_wait_for_a_budget(amount, reason, waits):
    hold = Hold(MONEY, "", 0, 1000, amount)
    assert answers.budget_refusal(hold, reason, 90, 5, 960.0).retry_after_s == waits


@pytest.mark.parametrize("lasting, waits", [(0, 1.0), (40, 1.0), (41, None), (60, None)])
def test_reservations_that_stay_for_hours_are_not_waited_for(lasting, waits):
    hold = Hold(MONEY, "", 0, 1000, 50)
    assert answers.budget_refusal(hold, "reserved", 10, 60, 960.0, lasting=lasting).retry_after_s == waits


def test_a_budget_that_never_begins_anew_is_not_waited_for():
    assert answers.budget_refusal(Hold(MONEY, "", 0, None, 50), "spent", 90, 0, 960.0).retry_after_s is None


def test_what_earlier_attempts_used_is_told_as_used():
    refusal = answers.budget_refusal(Hold(MONEY, "", 0, None, 50, before=20), "spent", 70, 0, 960.0)
    assert (refusal.asked, refusal.used) == (30, 90)


def test_during_an_outage_the_first_limit_that_denies_refuses():
    deny = Rate(id="d", scope="key", name="k", unit="requests", cap=10, on_outage="deny")
    assert answers.outage_refusal([(MONEY, ""), (PER_MINUTE, "")]) is None
    refusal = answers.outage_refusal([(MONEY, ""), (deny, "ann")])
    assert (refusal.limit, refusal.group, refusal.reason) == (deny, "ann", "outage")


def test_usage_is_never_below_zero_left():
    assert answers.budget_usage(MONEY, 0, 9, 90, 30).remaining == 0
    assert answers.rate_usage(PER_MINUTE, 60, 12, 0, 0).remaining == 0
    assert answers.concurrency_usage(AT_ONCE, 3).remaining == 0


@pytest.mark.parametrize("threshold, kind", [(50, "threshold"), (100, "exhausted"), (150, "threshold")])
def test_reaching_the_cap_is_an_event_of_its_own(threshold, kind):
    event = answers.threshold_event(MONEY, "ann", threshold, 160, 0, 9)
    assert (event.kind, event.threshold, event.used, event.group) == (kind, threshold, 160, "ann")
