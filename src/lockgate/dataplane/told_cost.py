"""What an answer tells of money: that its model has no price, and to who asks for it, what it cost and what is left.

Callers see what is left under limits of their own; of limits that they share with others they see nothing here.
Source: control-plane specification, sections 3.4 and 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from lockgate.catalog.prices_cost import Cost
from lockgate.core.http import Headers
from lockgate.core.limits import Budget, Claim, Grant, Hold, Spent, charged
from lockgate.core.money import NANOS_PER_DOLLAR
from lockgate.dataplane.headers import flag_of
from lockgate.dataplane.refusal import is_own, unit_name
from lockgate.errors import CountersUnreachable
from lockgate.ports import Counters

_DETAILS = b"x-portkey-budget-details"
UNPRICED: Headers = [(b"x-portkey-cost-status", b"unpriced")]


class Left(Struct, frozen=True):
    """A budget of the caller's own, and what was left of it, the reservation of this request taken off."""

    budget: Budget
    hold: Hold
    amount: int


def wants_details(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether the client asks what its answer cost."""
    return _DETAILS in headers and flag_of(headers, _DETAILS) is True


async def left_of(counters: Counters, grant: Grant) -> Sequence[Left]:
    """Return what is left under the caller's own budgets; nothing while the counters cannot be reached."""
    found = [(hold, hold.limit) for hold in grant.holds if isinstance(hold.limit, Budget) and is_own(hold.limit)]
    if not found:
        return ()
    try:
        usages = await counters.usage([Claim(limit, hold.group) for hold, limit in found])
    except CountersUnreachable:
        return ()
    return [
        Left(limit, hold, limit.cap - usage.used - usage.reserved)
        for (hold, limit), usage in zip(found, usages, strict=True)
    ]


def left_headers(lefts: Sequence[Left], spent: Spent | None) -> Headers:
    """Tell what is left under the budget of which the smallest share is; ``spent`` is None while nobody knows it."""
    amounts = [
        (left.budget, left.amount if spent is None else left.amount + left.hold.amount - charged(left.hold, spent))
        for left in lefts
    ]
    if not amounts:
        return []
    budget, amount = min(amounts, key=lambda one: one[1] / max(1, one[0].cap))
    amount = max(0, amount)
    shown = _dollars(amount) if budget.unit == "nanos" else str(amount)
    return [
        (b"x-portkey-budget-remaining", shown.encode("ascii")),
        (b"x-portkey-budget-unit", unit_name(budget).encode("ascii")),
    ]


def cost_headers(cost: Cost | None) -> Headers:
    """Tell what a whole answer cost, in dollars, and how that is known; one from the cache costs nothing."""
    if cost is None:
        return [(b"x-portkey-cost", _dollars(0).encode("ascii"))]
    if cost.status == "unpriced":
        return UNPRICED
    return [
        (b"x-portkey-cost", _dollars(cost.nanos).encode("ascii")),
        (b"x-portkey-cost-status", cost.status.encode("ascii")),
    ]


def _dollars(nanos: int) -> str:
    return f"{Decimal(nanos) / NANOS_PER_DOLLAR:.9f}"
