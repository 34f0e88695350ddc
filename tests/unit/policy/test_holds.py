"""What a request holds from attempt to attempt, when a budget refuses, and which thresholds are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.limits import MAX_AMOUNT, Budget, Claim, Demand, Grant, Hold, Rate, Spent, charged
from lockgate.policy.holds import asked_by, crossed, first_holds, judge, next_steps

KEY = Budget(id="key", scope="key", name="k", unit="nanos", cap=100)
KEY_REQUESTS = Budget(id="key-requests", scope="policy", name="p", unit="requests", cap=100)
KEY_RPM = Rate(id="key-rpm", scope="key", name="k", unit="requests", cap=10)
KEY_AT_ONCE = Rate(id="key-max", scope="key", name="k", unit="concurrency", cap=10)
A = Budget(id="a", scope="provider", name="a", unit="nanos", cap=100, per_attempt=True)
A_RPM = Rate(id="a-rpm", scope="provider", name="a", unit="requests", cap=10, per_attempt=True)
A_TPM = Rate(id="a-tpm", scope="provider", name="a", unit="tokens", cap=1000, per_attempt=True)
A_AT_ONCE = Rate(id="a-max", scope="provider", name="a", unit="concurrency", cap=10, per_attempt=True)
B = Budget(id="b", scope="provider", name="b", unit="nanos", cap=100, per_attempt=True)


def place_of(limit):
    """Everything counts in one place."""
    return 60, 120


def demand(*limits, **amounts):
    """A demand under ungrouped limits."""
    return Demand(claims=tuple(Claim(limit) for limit in limits), **amounts)


def grant_of(steps):
    """The grant that results when the steps are admitted."""
    return Grant("g", tuple(step.hold for step in steps if step.is_kept), 60.0)


def granted(*limits, **amounts):
    """A first grant."""
    return Grant("g", tuple(first_holds(demand(*limits, **amounts), place_of)), 60.0)


def held(steps):
    """What the steps hold, by limit, with what was held before."""
    return [(step.hold.limit.id, step.taken, step.hold.amount, step.hold.before, step.is_kept) for step in steps]


def test_rates_may_refuse_before_budgets():
    holds = first_holds(demand(KEY, KEY_RPM, A, A_TPM, nanos=7, tokens=9), place_of)
    assert [hold.limit.id for hold in holds] == ["key-rpm", "a-tpm", "key", "a"]
    assert [hold.amount for hold in holds] == [1, 9, 7, 7]


@pytest.mark.parametrize(
    "limit, expected",
    [
        (Budget(id="x", scope="", name="", unit="nanos", cap=1), 50),
        (Budget(id="x", scope="", name="", unit="nanos", cap=1, admission="open"), 5),
        (Budget(id="x", scope="", name="", unit="tokens", cap=1), 60),
        (Budget(id="x", scope="", name="", unit="tokens", cap=1, admission="open"), 6),
        (Budget(id="x", scope="", name="", unit="requests", cap=1), 1),
        (Rate(id="x", scope="", name="", unit="requests", cap=1), 1),
        (Rate(id="x", scope="", name="", unit="tokens", cap=1), 6),
        (Rate(id="x", scope="", name="", unit="concurrency", cap=1), 1),
    ],
)
def test_strict_budgets_reserve_the_worst_case_others_the_likely_one(limit, expected):
    assert asked_by(limit, demand(nanos=50, likely_nanos=5, tokens=60, likely_tokens=6)) == expected


def test_without_a_likely_case_the_worst_is_taken():
    assert asked_by(A_TPM, demand(tokens=60)) == 60


@pytest.mark.parametrize("amounts", [{"nanos": -1}, {"tokens": -1}, {"likely_nanos": -1}, {"nanos": MAX_AMOUNT + 1}])
def test_a_demand_of_absurd_amounts_is_refused(amounts):
    with pytest.raises(ValueError, match="out of range"):
        demand(KEY, **amounts)


def test_a_fallback_charges_each_target_its_own_attempt_and_the_key_both():
    grant = granted(KEY, KEY_REQUESTS, A, nanos=10)
    grant = grant_of(next_steps(grant, demand(KEY, KEY_REQUESTS, B, nanos=20), Spent(nanos=3), place_of))
    assert {hold.limit.id: charged(hold, Spent(nanos=5)) for hold in grant.holds} == {
        "key": 8,
        "key-requests": 1,
        "a": 3,
        "b": 5,
    }
    assert {hold.limit.id: hold.amount for hold in grant.holds} == {"key": 23, "key-requests": 1, "a": 3, "b": 20}


def test_a_target_that_was_never_tried_gets_everything_back():
    steps = next_steps(granted(KEY, A, A_RPM, A_AT_ONCE, nanos=10), demand(KEY, B, nanos=20), None, place_of)
    assert held(steps) == [
        ("a-rpm", 1, 0, 0, False),
        ("a-max", 1, 0, 0, False),
        ("key", 10, 20, 0, True),
        ("a", 10, 0, 0, False),
        ("b", 0, 20, 0, True),
    ]


def test_a_retry_counts_again_in_rates_of_the_target_and_not_in_those_of_the_key():
    grant = granted(KEY_RPM, A_RPM, A_TPM, A_AT_ONCE, tokens=50)
    steps = next_steps(grant, demand(KEY_RPM, A_RPM, A_TPM, A_AT_ONCE, tokens=40), Spent(tokens=8), place_of)
    assert held(steps) == [
        ("key-rpm", 1, 1, 0, True),
        ("a-rpm", 1, 1, 1, True),
        ("a-tpm", 50, 50, 8, True),
        ("a-max", 1, 1, 0, True),
        ("a-rpm", 0, 1, 0, True),
        ("a-tpm", 0, 40, 0, True),
    ]
    charges = [(hold.limit.id, charged(hold, Spent(tokens=5))) for hold in grant_of(steps).holds]
    assert charges == [("key-rpm", 1), ("a-rpm", 1), ("a-tpm", 8), ("a-max", 0), ("a-rpm", 1), ("a-tpm", 5)]


def test_a_budget_of_the_target_adds_up_over_retries():
    grant = granted(A, nanos=10)
    for _ in range(3):
        grant = grant_of(next_steps(grant, demand(A, nanos=10), Spent(nanos=2), place_of))
    (hold,) = grant.holds
    assert (hold.before, hold.amount, charged(hold, Spent(nanos=2))) == (6, 16, 8)


def test_a_target_that_comes_back_goes_on_with_its_own_hold():
    grant = granted(KEY, A, nanos=10)
    grant = grant_of(next_steps(grant, demand(KEY, B, nanos=10), Spent(nanos=2), place_of))
    grant = grant_of(next_steps(grant, demand(KEY, A, nanos=10), Spent(nanos=3), place_of))
    assert {hold.limit.id: charged(hold, Spent(nanos=4)) for hold in grant.holds} == {"key": 9, "a": 6, "b": 3}


def test_concurrency_of_a_former_target_ends_with_its_attempt():
    steps = next_steps(granted(KEY_AT_ONCE, A_AT_ONCE), demand(KEY_AT_ONCE, B), Spent(), place_of)
    assert held(steps) == [("key-max", 1, 1, 0, True), ("a-max", 1, 0, 0, False), ("b", 0, 0, 0, True)]


AMOUNTS = st.integers(0, 1000)
ATTEMPTS = st.lists(st.tuples(st.sampled_from("ab"), AMOUNTS, st.none() | AMOUNTS), min_size=1, max_size=6)


@given(AMOUNTS, ATTEMPTS, AMOUNTS)
def test_over_any_attempts_the_targets_charges_add_up_to_the_keys(first, attempts, last):
    targets = {"a": A, "b": B}
    grant = granted(KEY, A, nanos=first)
    total = 0
    for target, nanos, spent in attempts:
        used = None if spent is None else Spent(nanos=spent)
        grant = grant_of(next_steps(grant, demand(KEY, targets[target], nanos=nanos), used, place_of))
        total += spent or 0
    charges = {hold.limit.id: charged(hold, Spent(nanos=last)) for hold in grant.holds}
    assert charges["key"] == total + last
    assert charges.get("a", 0) + charges.get("b", 0) == total + last
    assert all(hold.amount >= hold.before for hold in grant.holds)


STRICT = Budget(id="s", scope="", name="", unit="nanos", cap=100)
OPEN = Budget(id="o", scope="", name="", unit="nanos", cap=100, admission="open")
SOFT = Budget(id="f", scope="", name="", unit="nanos", cap=100, is_soft=True)


@pytest.mark.parametrize(
    "budget, amount, before, used, reserved, taken, expected",
    [
        (STRICT, 100, 0, 0, 0, 0, None),
        (STRICT, 101, 0, 0, 0, 0, "spent"),
        (STRICT, 60, 0, 40, 0, 0, None),
        (STRICT, 61, 0, 40, 0, 0, "spent"),
        (STRICT, 60, 0, 30, 10, 0, None),
        (STRICT, 61, 0, 30, 10, 0, "reserved"),
        (STRICT, 0, 0, 100, 0, 0, "spent"),
        (STRICT, 0, 0, 99, 1, 0, None),
        (STRICT, 70, 0, 30, 50, 50, None),
        (STRICT, 70, 0, 30, 51, 50, "reserved"),
        (STRICT, 60, 50, 30, 50, 50, None),
        (STRICT, 50, 50, 50, 50, 50, "spent"),
        (OPEN, 500, 0, 99, 0, 0, None),
        (OPEN, 0, 0, 100, 0, 0, "spent"),
        (OPEN, 1, 0, 99, 1, 0, "reserved"),
        (OPEN, 1, 0, 99, 1, 1, None),
        (OPEN, 3, 1, 99, 1, 1, "spent"),
        (SOFT, 500, 0, 500, 500, 0, None),
    ],
)
def test_when_a_budget_refuses(budget, amount, before, used, reserved, taken, expected):
    assert judge(budget, Hold(budget, "", 0, None, amount, before), used, reserved - taken) == expected


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(1, 1000))
def test_strict_admission_never_lets_used_and_reserved_exceed_the_cap(used, reserved, amount, cap):
    budget = Budget(id="s", scope="", name="", unit="nanos", cap=cap)
    if judge(budget, Hold(budget, "", 0, None, amount), used, reserved) is None:
        assert used + reserved + amount <= cap


WATCHED = Budget(id="w", scope="", name="", unit="nanos", cap=100, alerts=(50, 80, 100, 150))


@pytest.mark.parametrize(
    "used, told, told_cap, found, now_told",
    [
        (49, 0, 100, [], 0),
        (50, 0, 100, [50], 50),
        (79, 50, 100, [], 50),
        (120, 50, 100, [80, 100], 100),
        (150, 100, 100, [150], 150),
        (150, 150, 100, [], 150),
        (60, 50, 90, [50], 50),  # the cap was raised: armed again
        (60, 50, 120, [], 50),  # the cap was lowered: not
    ],
)
def test_each_threshold_is_told_once(used, told, told_cap, found, now_told):
    thresholds, told_to = crossed(WATCHED, used, told, told_cap)
    assert (list(thresholds), told_to) == (found, now_told)
