"""What a settlement will charge is known from the grant alone."""

from __future__ import annotations

import pytest

from lockgate.core.limits import Budget, Charge, Grant, Hold, Rate, Refusal, Spent, charged, charges_of

MONEY = Budget(id="b1", scope="key", name="k", unit="nanos", cap=100)
TOKENS = Budget(id="b2", scope="key", name="k", unit="tokens", cap=100)
REQUESTS = Budget(id="b3", scope="policy", name="p", unit="requests", cap=100)
PER_HOUR = Rate(id="r1", scope="key", name="k", unit="requests", cap=5, window_s=3600)
TOKENS_PER_DAY = Rate(id="r2", scope="key", name="k", unit="tokens", cap=5, window_s=86400)
PER_MINUTE = Rate(id="r3", scope="key", name="k", unit="requests", cap=5, window_s=60)
AT_ONCE = Rate(id="r4", scope="key", name="k", unit="concurrency", cap=5)
SPENT = Spent(nanos=7, tokens=11)


@pytest.mark.parametrize(
    "hold, expected",
    [
        (Hold(MONEY, "", 0, None, 50), 7),
        (Hold(MONEY, "", 0, None, 50, before=3), 10),
        (Hold(MONEY, "", 0, None, 3, before=3, is_current=False), 3),
        (Hold(TOKENS, "", 0, None, 50), 11),
        (Hold(REQUESTS, "", 0, None, 1), 1),
        (Hold(PER_HOUR, "", 0, 3600, 1), 1),
        (Hold(TOKENS_PER_DAY, "", 0, 86400, 40, before=2), 13),
        (Hold(AT_ONCE, "", 0, None, 1), 0),
    ],
)
def test_a_hold_is_charged_what_all_attempts_used(hold, expected):
    assert charged(hold, SPENT) == expected


def test_charges_say_where_they_count():
    grant = Grant("g", (Hold(MONEY, "ann", 60, 120, 50), Hold(PER_HOUR, "", 3600, 7200, 1)), 60.0)
    assert charges_of(grant, SPENT) == (
        Charge(limit="b1", unit="nanos", amount=7, start=60, end=120, group="ann"),
        Charge(limit="r1", unit="requests", amount=1, start=3600, end=7200, is_rate=True),
    )


def test_short_windows_concurrency_and_zeros_are_not_in_the_ledger():
    holds = (Hold(PER_MINUTE, "", 0, 60, 1), Hold(AT_ONCE, "", 0, None, 1), Hold(MONEY, "", 0, None, 50))
    assert charges_of(Grant("g", holds, 60.0), Spent()) == ()


def test_a_failed_request_is_not_charged_to_budgets_of_requests():
    assert charged(Hold(REQUESTS, "", 0, None, 1), Spent(requests=0)) == 0


@pytest.mark.parametrize("used, reserved, remaining", [(40, 30, 30), (120, 0, 0), (90, 30, 0)])
def test_what_remains_is_never_below_zero(used, reserved, remaining):
    refusal = Refusal(
        limit=MONEY,
        group="",
        reason="reserved",
        asked=1,
        used=used,
        reserved=reserved,
        resets_at=None,
        retry_after_s=1.0,
    )
    assert refusal.remaining == remaining
    assert refusal.is_only_reserved
