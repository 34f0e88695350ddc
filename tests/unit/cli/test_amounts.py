from decimal import Decimal

import pytest
import typer

from lockgate.cli.amounts import (
    changed_budget,
    limits_of,
    merged_budgets,
    read_budget,
    read_rates,
    shown_budget,
    shown_rates,
    shown_rules,
    shown_usage,
)

BUDGETS = [
    ("40", {"type": "cost", "credit_limit": Decimal(40)}, "$40"),
    ("$0.5/month", {"type": "cost", "credit_limit": Decimal("0.5"), "periodic_reset": "monthly"}, "$0.5/month"),
    ("5usd/week", {"type": "cost", "credit_limit": Decimal(5), "periodic_reset": "weekly"}, "$5/week"),
    ("100/30d", {"type": "cost", "credit_limit": Decimal(100), "periodic_reset_days": 30}, "$100/30d"),
    ("7/day", {"type": "cost", "credit_limit": Decimal(7), "periodic_reset_days": 1}, "$7/1d"),
    (
        "1000 tokens/w",
        {"type": "tokens", "credit_limit": Decimal(1000), "periodic_reset": "weekly"},
        "1000 tokens/week",
    ),
    ("none", None, "-"),
]


@pytest.mark.parametrize("text, limit, shown", BUDGETS)
def test_budgets(text, limit, shown):
    assert read_budget(text) == limit
    assert shown_budget(limit) == shown


@pytest.mark.parametrize("text", ["", "abc", "-5", "5/year", "5//month", "5 apples", "1.2.3", "5/"])
def test_what_is_no_budget(text):
    with pytest.raises(typer.BadParameter):
        read_budget(text)


@pytest.mark.parametrize(
    "text, limit, shown",
    [
        ("60/min", {"type": "requests", "unit": "rpm", "value": 60}, "60/min"),
        ("5/s", {"type": "requests", "unit": "rps", "value": 5}, "5/s"),
        ("200000tokens/hour", {"type": "tokens", "unit": "rph", "value": 200000}, "200000 tokens/hour"),
        ("0/day", {"type": "requests", "unit": "rpd", "value": 0}, "0/day"),
        ("3 concurrent", {"type": "concurrency", "unit": "max", "value": 3}, "3 concurrent"),
    ],
)
def test_rates(text, limit, shown):
    assert read_rates([text]) == [limit]
    assert shown_rates([limit]) == shown


@pytest.mark.parametrize("text", ["", "60", "60/", "60/year", "1.5/min", "-1/min", "x/min"])
def test_what_is_no_rate(text):
    with pytest.raises(typer.BadParameter):
        read_rates([text])


def test_what_is_not_given_is_not_said():
    assert limits_of(None, None) == limits_of(None, []) == {}
    assert limits_of("none", ["none"]) == {"usage_limits": None, "rate_limits": []}


OLD = {
    "type": "cost", "credit_limit": 40, "alert_threshold": 30, "periodic_reset": "monthly", "periodic_reset_days": None,
    "next_usage_reset_at": "2026-12-01T00:00:00.000Z", "id": "b", "on_unpriced": "block", "mode": "soft",
}  # fmt: skip


@pytest.mark.parametrize(
    "said, wanted",
    [
        (("60/week", None, None), {"credit_limit": 60, "periodic_reset": "weekly"}),
        (("60", "none", None), {"credit_limit": 60, "alert_threshold": None, "periodic_reset": None}),
        ((None, "$35.5", None), {"alert_threshold": Decimal("35.5")}),
        ((None, None, "Allow"), {"on_unpriced": "allow"}),
    ],
)
def test_what_is_not_given_stays_as_it_was(said, wanted):
    kept = {
        name: OLD[name] for name in ("type", "credit_limit", "alert_threshold", "periodic_reset", "on_unpriced", "mode")
    }
    found = changed_budget(*said, old=[{"type": "tokens", "credit_limit": 5, "mode": "hard"}, OLD][::-1])
    assert {"periodic_reset": None, **found} == {**kept, **wanted}


def test_a_budget_of_another_unit_starts_anew():
    assert changed_budget("500tokens", None, None, [OLD]) == {"type": "tokens", "credit_limit": 500}


MONTHLY = {"type": "cost", "credit_limit": 40, "periodic_reset": "monthly", "periodic_reset_days": None, "id": "m"}


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("50/week", ["$40/month", "$50/week"]),
        ("50/30d", ["$40/month", "$50/30d"]),
        ("50", ["$40/month", "$50"]),
        ("500tokens/month", ["$40/month", "500 tokens/month"]),
        ("50/month", ["$50/month"]),
        ("none", []),
    ],
)
def test_a_budget_of_another_period_is_one_more(text, wanted):
    assert [shown_budget(each) for each in merged_budgets([MONTHLY], (text, None, None))] == wanted


def test_a_budget_that_is_added_has_nothing_of_the_others():
    assert merged_budgets([OLD], ("60/week", None, "allow")) == [
        OLD, {"type": "cost", "credit_limit": 60, "periodic_reset": "weekly", "on_unpriced": "allow"},
    ]  # fmt: skip


def test_the_only_budget_is_meant_where_no_amount_is_given_and_another_period_where_it_is_named():
    assert merged_budgets([MONTHLY], (None, "30", None))[0]["alert_threshold"] == 30
    (changed,) = merged_budgets([MONTHLY], ("50/week", None, None), which="40/month")
    assert shown_budget(changed) == "$50/week"


def test_of_two_budgets_of_one_period_one_is_to_be_named():
    with pytest.raises(typer.BadParameter, match="which budget is meant"):
        merged_budgets([MONTHLY, {**MONTHLY, "credit_limit": 60, "id": "n"}], ("50/month", None, None))


@pytest.mark.parametrize(
    "said, words",
    [
        (("none", "5", None), "there is to be none"),
        ((None, "5", None), "give one with --budget"),
        (("40", "much", None), "is no amount"),
        (("40", None, "refuse"), "allow or block"),
    ],
)
def test_what_belongs_to_no_budget(said, words):
    with pytest.raises(typer.BadParameter, match=words):
        changed_budget(*said, old=())


def test_rules():
    assert shown_rules(OLD) == "warn at $30, refuse models without a price, refuse nothing"
    assert shown_rules({"type": "tokens", "alert_threshold": 5}) == "warn at 5"
    assert shown_rules({"type": "cost"}) == shown_rules(None) == "-"


def test_usage():
    assert shown_usage(None) == "-"
    cost = {"type": "cost", "used": 1.5, "reserved": 0, "remaining": 2}
    assert shown_usage(cost) == "$1.5 used, $2 left"
    assert shown_usage({**cost, "reserved": 0.5}) == "$1.5 used, $0.5 reserved, $2 left"
    assert shown_usage({"type": "tokens", "used": 1, "reserved": 3, "remaining": 2}) == "1 used, 3 reserved, 2 left"
    assert shown_rates(None) == "-"
