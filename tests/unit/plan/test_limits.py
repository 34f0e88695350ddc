from datetime import UTC, date, datetime

import pytest

from lockgate.core.limits import Period
from lockgate.entities import RateLimit, ResetAnchor, UsageLimit
from lockgate.plan.limits import budget_of, claims_of, rate_of

CREATED = datetime(2026, 8, 3, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "scope, limit, period",
    [
        ("key", {}, Period()),
        ("key", {"reset": "weekly"}, Period(kind="weekly", weekday=6)),
        ("policy", {"reset": "weekly"}, Period(kind="weekly", weekday=0)),
        ("policy", {"reset": "weekly", "anchor": ResetAnchor(weekday=2)}, Period(kind="weekly", weekday=2)),
        ("workspace", {"reset": "monthly"}, Period(kind="monthly", day_of_month=1)),
        (
            "workspace",
            {"reset": "monthly", "anchor": ResetAnchor(day_of_month=15, timezone="Europe/Berlin")},
            Period(kind="monthly", day_of_month=15, timezone="Europe/Berlin"),
        ),
        ("key", {"reset": "days", "reset_days": 10}, Period(kind="days", days=10, anchored_on=date(2026, 8, 3))),
        (
            "key",
            {"reset": "days", "reset_days": 10, "reset_on": date(2026, 9, 1)},
            Period(kind="days", days=10, anchored_on=date(2026, 9, 1)),
        ),
    ],
)
def test_when_a_budget_starts_again(scope, limit, period):
    budget = budget_of(UsageLimit(id="l", cap=100, **limit), scope=scope, name="n", created_at=CREATED)
    assert budget.period == period


def test_a_budget_keeps_what_was_set():
    limit = UsageLimit(
        id="l",
        unit="cost",
        cap=1000,
        alert_at=900,
        alert_permille=(500, 1000),
        mode="soft",
        admission="open",
        on_outage="deny",
    )
    budget = budget_of(limit, scope="key", name="bot", created_at=CREATED)
    assert (budget.unit, budget.cap, budget.alerts) == ("nanos", 1000, (500, 900))
    assert (budget.is_soft, budget.admission, budget.on_outage) == (True, "open", "deny")


def test_a_rate_keeps_what_was_set():
    rate = rate_of(RateLimit(id="r", unit="tokens", cap=5, window_s=604800), scope="policy", name="p")
    assert (rate.unit, rate.cap, rate.window_s, rate.weekday) == ("tokens", 5, 604800, 0)


def test_rates_come_first():
    claims = claims_of(
        [UsageLimit(id="l", cap=1)], [RateLimit(id="r", cap=1)], scope="key", name="n", created_at=CREATED, now=CREATED
    )
    assert [claim.limit.id for claim in claims] == ["r", "l"]


@pytest.mark.parametrize(
    "limit, blocks",
    [({}, False), ({"on_unpriced": "block"}, True), ({"on_unpriced": "block", "unit": "tokens"}, False)],
    ids=["by default", "money", "tokens"],
)
def test_a_budget_of_money_may_refuse_what_has_no_price(limit, blocks):
    for scope in ("key", "provider", "workspace", "organisation", "user", "policy"):
        budget = budget_of(UsageLimit(id="l", cap=100, **limit), scope=scope, name="n", created_at=CREATED)
        assert budget.blocks_unpriced is blocks
