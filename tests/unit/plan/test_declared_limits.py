import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import read_document
from lockgate.errors import ConfigError
from lockgate.plan.declared_limits import DeclaredLimits, read_limits


def limits(text):
    return read_limits(read_document(f'[keys.bot]\nkey = "k"\n{text}', "lockgate.toml").keys["bot"], "keys.bot")


def ids(text):
    found = limits(text)
    return [limit.id for limit in (*found.usage, *found.rates)]


def test_dollars_become_exact_nano_dollars_in_the_names_of_the_api():
    found = limits(
        'usage_limits = { type = "cost", credit_limit = 40.1, alert_threshold = 30, periodic_reset = "monthly", '
        'mode = "soft", admission = "open", alert_thresholds = [0.5], on_unpriced = "block", on_outage = "deny" }\n'
        'rate_limits = [{ type = "requests", unit = "rpm", value = 120 }, { type = "tokens", unit = "tpd", value = 9 }]'
    )
    (budget,) = found.usage
    assert (budget.cap, budget.alert_at, budget.alert_permille) == (40_100_000_000, 30 * 10**9, (500,))
    assert (budget.reset, budget.mode, budget.admission, budget.on_outage) == ("monthly", "soft", "open", "deny")
    assert [(rate.unit, rate.cap, rate.window_s) for rate in found.rates] == [
        ("requests", 120, 60),
        ("tokens", 9, 86400),
    ]
    assert found.claims("key", "k")[-1].limit.blocks_unpriced
    scopes = [(claim.limit.scope, claim.limit.name, claim.limit.per_attempt) for claim in found.claims("key", "bot")]
    assert scopes == [("key", "bot", False)] * 3


def test_nothing_is_no_limit():
    assert limits("") == DeclaredLimits()
    assert limits("").claims("key", "bot") == ()


def test_another_cap_goes_on_with_the_counter_and_another_period_begins_a_new_one():
    (before,) = ids('usage_limits = { credit_limit = 5, periodic_reset = "weekly" }')
    assert before == "file:keys.bot:usage:cost:weekly"
    assert ids('usage_limits = { credit_limit = 7, periodic_reset = "weekly", mode = "soft" }') == [before]
    for other in (
        "credit_limit = 5",
        'credit_limit = 5, periodic_reset = "monthly"',
        'credit_limit = 500, type = "tokens", periodic_reset = "weekly"',
        'credit_limit = 5, periodic_reset = "weekly", reset_anchor = { weekday = "monday" }',
        'credit_limit = 5, periodic_reset = "weekly", reset_anchor = { timezone = "Europe/Berlin" }',
        "credit_limit = 5, periodic_reset_days = 7",
    ):
        assert ids(f"usage_limits = {{ {other} }}") != [before]


def test_two_that_count_alike_are_kept_apart():
    assert ids("usage_limits = [{ credit_limit = 5 }, { credit_limit = 6 }, { credit_limit = 7 }]") == [
        "file:keys.bot:usage:cost",
        "file:keys.bot:usage:cost#2",
        "file:keys.bot:usage:cost#3",
    ]
    assert ids("rate_limits = [{ value = 1 }, { value = 2 }]") == [
        "file:keys.bot:rate:requests:60", "file:keys.bot:rate:requests:60#2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "usage_limits = { credit_limit = 0.001 }",
            "keys.bot.usage_limits.credit_limit: must be at least 0.01 dollars",
        ),
        ('usage_limits = { credit_limit = 1.5, type = "tokens" }', "must be a whole number of tokens"),
        ("usage_limits = { credit_limit = 5, alert_threshold = 5 }", "keys.bot.usage_limits.alert_threshold: "),
        ('usage_limits = { credit_limit = 5, periodic_reset = "weekly", periodic_reset_days = 3 }', "give either"),
        ('usage_limits = { credit_limit = 5, reset_anchor = { timezone = "Mars/Base" } }', "no such time zone"),
        ('rate_limits = { value = 5, unit = "tpm" }', "keys.bot.rate_limits.unit: tpm counts tokens"),
    ],
)
def test_what_cannot_be_is_named(text, message):
    with pytest.raises(ConfigError) as caught:
        limits(text)
    assert message in caught.value.message


@given(st.integers(min_value=10**7, max_value=10**15))
def test_money_survives_as_it_is_written(nanos):
    dollars = f"{nanos // 10**9}.{nanos % 10**9:09d}"
    (budget,) = limits(f"usage_limits = {{ credit_limit = {dollars} }}").usage
    assert abs(budget.cap - nanos) <= nanos // 10**15
