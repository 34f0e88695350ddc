from datetime import date

from lockgate.core.batches import read_hold, write_hold
from lockgate.core.limits import NO_GRANT, Budget, Grant, Hold, Period, Rate

BUDGET = Budget(
    id="m",
    scope="key",
    name="n",
    unit="nanos",
    cap=10,
    period=Period(kind="days", days=3, anchored_on=date(2026, 8, 21)),
)
HOLD = Hold(limit=BUDGET, group="kim", start=5, end=9, amount=7)


def test_a_reservation_is_the_same_after_a_round_through_text():
    grant = Grant("batch.a-1", (HOLD,), 60.0)
    assert read_hold(write_hold(grant)) == grant


def test_only_budgets_are_kept():
    rate = Rate(id="r", scope="key", name="n", unit="requests", cap=1)
    mixed = Grant("batch.a-1", (Hold(limit=rate, group="", start=0, end=60, amount=1), HOLD), 60.0)
    assert read_hold(write_hold(mixed)).holds == (HOLD,)
    assert write_hold(Grant("batch.a-1", mixed.holds[:1], 60.0)) is None
    assert write_hold(NO_GRANT) is None
