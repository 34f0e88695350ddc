from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Struct, structs, to_builtins

from lockgate.admin.limits import (
    RateLimitsBody,
    UsageLimitBody,
    UsageLimitsBody,
    budget_claims,
    is_exhausted,
    patched_usage_limit,
    read_rate_limits,
    read_usage_limits,
    restarted,
    write_amount,
    write_rate_limit,
    write_usage,
    write_usage_limit,
)
from lockgate.admin.reading import read_value
from lockgate.core.limits import Usage
from lockgate.core.money import nanos_of
from lockgate.entities import RateLimit, ResetAnchor, UsageLimit
from lockgate.errors import InvalidRequest

NOW = datetime(2026, 8, 21, 9, 30, tzinfo=UTC)  # a Friday
TODAY = date(2026, 8, 21)


class Body(Struct):
    usage_limits: UsageLimitsBody | None = None
    rate_limits: RateLimitsBody | None = None


def usage(given, old=(), most=20):
    body = read_value({"usage_limits": given}, Body)
    return read_usage_limits(body.usage_limits, old, path="usage_limits", today=TODAY, most=most)


def rates(given, old=()):
    return read_rate_limits(read_value({"rate_limits": given}, Body).rate_limits, old, path="rate_limits")


def shown(limit, scope="key"):
    return to_builtins(write_usage_limit(limit, scope=scope, created_at=NOW, now=NOW), builtin_types=(Decimal,))


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"credit_limit": 40}, UsageLimit(cap=40_000_000_000)),
        ({"credit_limit": 0.01}, UsageLimit(cap=10_000_000)),
        ({"credit_limit": "0.1"}, UsageLimit(cap=100_000_000)),
        ({"credit_limit": 123456.123456789}, UsageLimit(cap=123_456_123_456_789)),
        ({"type": "tokens", "credit_limit": 1000.0}, UsageLimit(unit="tokens", cap=1000)),
        ({"type": "requests", "credit_limit": 1}, UsageLimit(unit="requests", cap=1)),
        ({"credit_limit": 40, "alert_threshold": 39.5}, UsageLimit(cap=40 * 10**9, alert_at=39_500_000_000)),
        (
            {"credit_limit": 40, "alertThresholds": [1, 0.5, 0.5]},
            UsageLimit(cap=40 * 10**9, alert_permille=(500, 1000)),
        ),
        ({"credit_limit": 1, "periodic_reset": "weekly"}, UsageLimit(cap=10**9, reset="weekly")),
        (
            {"credit_limit": 1, "periodic_reset_days": 10},
            UsageLimit(cap=10**9, reset="days", reset_days=10, reset_on=TODAY),
        ),
        (
            {"credit_limit": 1, "periodic_reset_days": 10, "next_usage_reset_at": "2026-09-03T17:00:00Z"},
            UsageLimit(cap=10**9, reset="days", reset_days=10, reset_on=date(2026, 9, 3)),
        ),
        (
            {"credit_limit": 1, "reset_anchor": {"weekday": "tuesday", "timezone": "Europe/Berlin"}},
            UsageLimit(cap=10**9, anchor=ResetAnchor(weekday=1, timezone="Europe/Berlin")),
        ),
        (
            {"credit_limit": 1, "mode": "soft", "admission": "open", "on_unpriced": "block", "on_outage": "deny"},
            UsageLimit(cap=10**9, mode="soft", admission="open", on_unpriced="block", on_outage="deny"),
        ),
    ],
)
def test_budgets_are_read_exactly(given, expected):
    assert usage(given) == (expected,)


@pytest.mark.parametrize(
    "given, param",
    [
        ({"credit_limit": 0}, "usage_limits[0].credit_limit"),
        ({"credit_limit": 0.009}, "usage_limits[0].credit_limit"),
        ({"credit_limit": -1}, "usage_limits[0].credit_limit"),
        ({"credit_limit": 10**12}, "usage_limits[0].credit_limit"),
        ({"credit_limit": 1e300}, "usage_limits[0].credit_limit"),
        ({"credit_limit": "NaN"}, "usage_limits[0].credit_limit"),
        ({"credit_limit": "inf"}, "usage_limits[0].credit_limit"),
        ({"type": "tokens", "credit_limit": 99}, "usage_limits[0].credit_limit"),
        ({"type": "tokens", "credit_limit": 100.5}, "usage_limits[0].credit_limit"),
        ({"credit_limit": 40, "alert_threshold": 40}, "usage_limits[0].alert_threshold"),
        ({"credit_limit": 40, "alert_threshold": -1}, "usage_limits[0].alert_threshold"),
        (
            {"credit_limit": 40, "periodic_reset": "weekly", "periodic_reset_days": 3},
            "usage_limits[0].periodic_reset_days",
        ),
        ({"credit_limit": 40, "periodic_reset_days": 366}, "usage_limits[0].periodic_reset_days"),
        ({"credit_limit": 40, "reset_anchor": {"timezone": "Mars/Base"}}, "usage_limits[0].reset_anchor.timezone"),
        ({"credit_limit": 40, "reset_anchor": {"timezone": "../etc"}}, "usage_limits[0].reset_anchor.timezone"),
        (
            {"credit_limit": 40, "periodic_reset": "monthly", "reset_anchor": {"weekday": "monday"}},
            "usage_limits[0].reset_anchor.weekday",
        ),
        (
            {"credit_limit": 40, "periodic_reset": "weekly", "reset_anchor": {"day_of_month": 3}},
            "usage_limits[0].reset_anchor.day_of_month",
        ),
        ({"credit_limit": 40, "type": "apples"}, "usage_limits[0].type"),
    ],
)
def test_wrong_budgets_are_named_by_field(given, param):
    with pytest.raises(InvalidRequest) as caught:
        usage(given)
    assert caught.value.path == param


def test_only_so_many():
    with pytest.raises(InvalidRequest, match="at most 1"):
        usage([{"credit_limit": 1}, {"credit_limit": 2}], most=1)


class TestCounters:
    """A counter goes on as long as what it counts stays the same."""

    OLD = UsageLimit(id="1", cap=10**9, reset="monthly", last_reset_at=NOW)

    def test_a_new_amount_keeps_it(self):
        (limit,) = usage({"credit_limit": 5, "periodic_reset": "monthly", "alert_threshold": 2}, [self.OLD])
        assert (limit.id, limit.cap, limit.last_reset_at) == ("1", 5 * 10**9, NOW)

    @pytest.mark.parametrize("given", [{"type": "tokens"}, {"periodic_reset": "weekly"}, {"periodic_reset": None}])
    def test_another_unit_or_period_does_not(self, given):
        (limit,) = usage({"credit_limit": 500, "periodic_reset": "monthly"} | given, [self.OLD])
        assert limit.id == ""

    def test_days_go_on_from_the_day_they_began(self):
        old = UsageLimit(id="1", cap=10**9, reset="days", reset_days=7, reset_on=date(2026, 8, 1))
        for at in (None, "2026-08-29T00:00:00Z"):
            (limit,) = usage({"credit_limit": 2, "periodic_reset_days": 7, "next_usage_reset_at": at}, [old])
            assert (limit.id, limit.reset_on) == ("1", date(2026, 8, 1))
        (limit,) = usage({"credit_limit": 2, "periodic_reset_days": 7, "next_usage_reset_at": "2026-08-30"}, [old])
        assert (limit.id, limit.reset_on) == ("", date(2026, 8, 30))

    def test_each_old_one_is_used_once(self):
        found = usage([{"credit_limit": 1, "periodic_reset": "monthly"}] * 2, [self.OLD])
        assert [limit.id for limit in found] == ["1", ""]

    def test_rates_of_the_same_window_keep_theirs(self):
        old = [RateLimit(id="m", cap=1, window_s=60), RateLimit(id="h", cap=1, window_s=3600)]
        found = rates([{"unit": "rph", "value": 5}, {"unit": "rps", "value": 5}, {"unit": "rpm", "value": 2}], old)
        assert [limit.id for limit in found] == ["h", "", "m"]

    def test_a_restart_has_another_counter(self):
        (limit,) = restarted([self.OLD], NOW)
        assert (limit.id, limit.last_reset_at, limit.cap) == ("", NOW, 10**9)


@pytest.mark.parametrize(
    "given, expected, unit",
    [
        ({"value": 120}, RateLimit(cap=120), "rpm"),
        ({"unit": "rps", "value": 0}, RateLimit(cap=0, window_s=1), "rps"),
        ({"unit": "rpw", "value": 1}, RateLimit(cap=1, window_s=604800), "rpw"),
        ({"type": "tokens", "unit": "rpm", "value": 9}, RateLimit(unit="tokens", cap=9), "rpm"),
        ({"type": "tokens", "unit": "tph", "value": 9}, RateLimit(unit="tokens", cap=9, window_s=3600), "rph"),
        ({"type": "concurrency", "unit": "max", "value": 3}, RateLimit(unit="concurrency", cap=3), "max"),
        ({"type": "concurrency", "value": 3}, RateLimit(unit="concurrency", cap=3), "max"),
    ],
)
def test_rates(given, expected, unit):
    (limit,) = rates([given])
    assert limit == expected
    assert write_rate_limit(limit).unit == unit


@pytest.mark.parametrize(
    "given",
    [{"unit": "tpm", "value": 1}, {"unit": "max", "value": 1}, {"value": -1}, {"value": 1.5}, {"value": 10**12},
     {"type": "concurrency", "unit": "rph", "value": 1}],
)  # fmt: skip
def test_wrong_rates(given):
    with pytest.raises(InvalidRequest, match=r"rate_limits\[0\]"):
        rates([given])


@pytest.mark.parametrize(
    "limit, scope, at",
    [
        (UsageLimit(cap=1), "key", None),
        (UsageLimit(cap=1, reset="weekly"), "key", "2026-08-23T00:00:00.000Z"),
        (UsageLimit(cap=1, reset="weekly"), "policy", "2026-08-24T00:00:00.000Z"),
        (UsageLimit(cap=1, reset="monthly"), "key", "2026-09-01T00:00:00.000Z"),
        (UsageLimit(cap=1, reset="days", reset_days=3, reset_on=date(2026, 8, 20)), "key", "2026-08-23T00:00:00.000Z"),
        (
            UsageLimit(cap=1, reset="monthly", anchor=ResetAnchor(day_of_month=25, timezone="Europe/Berlin")),
            "key", "2026-08-24T22:00:00.000Z",
        ),
    ],
)  # fmt: skip
def test_when_a_budget_starts_again(limit, scope, at):
    assert shown(limit, scope)["next_usage_reset_at"] == at


def test_what_is_ours_shows_only_when_set():
    assert set(shown(UsageLimit(id="1", cap=10**9))) == {
        "id", "type", "credit_limit", "alert_threshold", "periodic_reset", "periodic_reset_days", "next_usage_reset_at",
    }  # fmt: skip


@given(st.integers(min_value=10_000_000, max_value=10**18))
def test_what_is_written_is_read_again(cap):
    limit = UsageLimit(
        cap=cap, alert_at=cap // 2, alert_permille=(500, 900), reset="monthly", mode="soft", admission="open",
        anchor=ResetAnchor(day_of_month=3, timezone="Europe/Berlin"), effective_from=NOW, on_unpriced="block", note="n",
    )  # fmt: skip
    assert usage(shown(limit)) == (limit,)


@pytest.mark.parametrize(
    "amount, unit, expected",
    [
        (40 * 10**9, "cost", 40),
        (1, "cost", Decimal("0.000000001")),
        (12_250_000_000, "cost", Decimal("12.25")),
        (7, "tokens", 7),
    ],
)
def test_amounts(amount, unit, expected):
    found = write_amount(amount, unit)
    assert found == expected
    assert type(found) is type(expected)


@given(st.integers(min_value=0, max_value=10**18))
def test_dollars_survive_the_wire(nanos):
    assert nanos_of(write_amount(nanos, "cost")) == nanos


def test_usage_is_shown_in_the_limits_unit():
    limit = UsageLimit(id="1", cap=40 * 10**9)
    found = {"1": Usage(used=3_217_500_000, reserved=10_000_000, remaining=36_772_500_000, start=0, resets_at=None)}
    assert to_builtins(write_usage(limit, found, NOW), builtin_types=(Decimal,)) == {
        "type": "cost", "used": Decimal("3.2175"), "reserved": Decimal("0.01"), "remaining": Decimal("36.7725"), "as_of": "2026-08-21T09:30:00.000Z",
    }  # fmt: skip
    assert write_usage(limit, {}, NOW) is None


def test_what_is_exhausted():
    full = {"1": Usage(used=100, reserved=0, remaining=0, start=0, resets_at=None)}
    limit = UsageLimit(id="1", unit="tokens", cap=100)
    assert is_exhausted([limit], full)
    assert not is_exhausted([structs.replace(limit, cap=101)], full)
    assert not is_exhausted([structs.replace(limit, mode="soft")], full)
    assert not is_exhausted([limit], {})


def test_what_the_counters_are_asked_for():
    (claim,) = budget_claims([UsageLimit(id="1", cap=5, reset="weekly")], scope="policy", created_at=NOW)
    assert (claim.limit.id, claim.limit.period.weekday) == ("1", 0)


NOTHING = dict.fromkeys(
    (
        "credit_limit",
        "alert_threshold",
        "periodic_reset",
        "periodic_reset_days",
        "next_usage_reset_at",
        "mode",
        "admission",
    ),
    UNSET,
)


@pytest.mark.parametrize(
    "change, expected, id",
    [
        ({}, {}, "1"),
        ({"credit_limit": 5}, {"cap": 5 * 10**9}, "1"),
        ({"alert_threshold": 0.5}, {"alert_at": 5 * 10**8}, "1"),
        ({"alert_threshold": None}, {"alert_at": None}, "1"),
        ({"mode": "soft", "admission": "open"}, {"mode": "soft", "admission": "open"}, "1"),
        ({"periodic_reset": "weekly"}, {"reset": "weekly"}, ""),
        ({"periodic_reset": None}, {"reset": None}, ""),
        ({"periodic_reset_days": 3}, {"reset": "days", "reset_days": 3, "reset_on": TODAY}, ""),
    ],
)
def test_a_partial_change_of_a_budget(change, expected, id):
    old = UsageLimit(
        id="1", cap=10**9, alert_at=10**8, alert_permille=(500,), reset="monthly", note="n",
        anchor=ResetAnchor(day_of_month=2), on_unpriced="block",
    )  # fmt: skip
    found = patched_usage_limit(old, SimpleNamespace(**NOTHING | change), TODAY)
    assert found == structs.replace(old, id=id, **expected)


def test_of_several_budgets_each_goes_on_with_the_counter_of_its_period():
    def body(cap, **more):
        return UsageLimitBody(credit_limit=Decimal(cap), **more)

    bodies = (body(10, periodic_reset="monthly"), body(5, periodic_reset="weekly"), body(3, periodic_reset_days=30))
    first = [
        structs.replace(limit, id=str(number))
        for number, limit in enumerate(read_usage_limits(bodies, (), path="usage_limits", today=TODAY))
    ]
    again = read_usage_limits(bodies[::-1], first, path="usage_limits", today=TODAY)
    assert [limit.id for limit in again] == ["2", "1", "0"]
    assert [limit.id for limit in read_usage_limits(bodies[:0:-1], first, path="u", today=TODAY)] == ["2", "1"]


def test_what_the_ledger_does_not_have_is_shown():
    limit = UsageLimit(id="l", unit="cost", cap=nanos_of(Decimal(10)))
    found = Usage(used=nanos_of(Decimal(5)), reserved=0, remaining=nanos_of(Decimal(5)), start=0, resets_at=None)
    assert "drift" not in to_builtins(write_usage(limit, {"l": found}, NOW))
    drifted = structs.replace(found, extra=nanos_of(Decimal(2)))
    assert to_builtins(write_usage(limit, {"l": drifted}, NOW), builtin_types=(Decimal,))["drift"] == 2
