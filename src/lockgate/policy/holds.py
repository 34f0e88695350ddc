"""How the holds of a request come to be and change from attempt to attempt, and what a budget's counter answers.

Both implementations of ``ports.Counters`` take their steps from here; all that they add is where counters live, and
that checking and taking is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from lockgate.core.limits import Budget, Claim, Demand, Grant, Hold, Limit, Rate, Reason, Spent

Place = tuple[int, int | None]
PlaceOf = Callable[[Limit], Place]
"""Where a limit counts now: start and end of its period or window."""


OWED_LEASE_S = 60.0
"""How long somebody may take to settle what is owed; without reservation nothing depends on it."""
_REQUESTS, _ONE, _NANOS, _TOKENS, _LIKELY_NANOS, _LIKELY_TOKENS = range(6)


class Step(Struct, frozen=True):
    """What happens to one counter. ``taken`` is what the request held there before."""

    hold: Hold
    taken: int = 0
    may_refuse: bool = True
    is_kept: bool = True
    """False: the grant does not hold it any more."""


def first_holds(demand: Demand, place_of: PlaceOf) -> list[Hold]:
    """Return the holds of a reservation, in the order in which they may refuse."""
    rates: list[Hold] = []
    budgets: list[Hold] = []
    amounts = amounts_of(demand)
    for claim in demand.claims:
        limit = claim.limit
        start, end = place_of(limit)
        hold = Hold(limit, claim.group, start, end, amounts[measure_of(limit)])
        (rates if type(limit) is Rate else budgets).append(hold)
    rates.extend(budgets)
    return rates


def owed_holds(claims: Sequence[Claim], place_of: PlaceOf) -> tuple[Hold, ...]:
    """Return holds of nothing under the budgets among the claims."""
    budgets = [claim for claim in claims if isinstance(claim.limit, Budget)]
    return tuple([Hold(claim.limit, claim.group, *place_of(claim.limit), 0) for claim in budgets])


def next_steps(grant: Grant, demand: Demand, spent: Spent | None, place_of: PlaceOf) -> list[Step]:
    """Return the steps that turn a grant into what the next attempt demands, in the order in which they may refuse.

    ``spent`` as in ``Counters.adjust``.
    """
    claims = {(claim.limit.id, claim.group): claim for claim in demand.claims}
    steps: list[Step] = []
    for hold in grant.holds:
        key = (hold.limit.id, hold.group)
        claim = claims.get(key)
        if claim is None or _counts_again(hold, spent):
            steps.append(_ended(hold, spent))
        else:
            steps.append(_continued(hold, claim, demand, spent))
            del claims[key]
    for claim in claims.values():
        start, end = place_of(claim.limit)
        steps.append(Step(Hold(claim.limit, claim.group, start, end, asked_by(claim.limit, demand))))
    steps.sort(key=lambda step: type(step.hold.limit) is Budget)
    return steps


def asked_by(limit: Limit, demand: Demand) -> int:
    """Return how much a demand asks of a limit."""
    return amounts_of(demand)[measure_of(limit)]


def amounts_of(demand: Demand) -> tuple[int, ...]:
    """Return what a demand asks of any limit, at the places that ``measure_of`` tells."""
    nanos, tokens, likely_nanos, likely_tokens = demand.nanos, demand.tokens, demand.likely_nanos, demand.likely_tokens
    return (
        demand.requests,
        1,
        nanos,
        tokens,
        nanos if likely_nanos is None else likely_nanos,
        tokens if likely_tokens is None else likely_tokens,
    )


def measure_of(limit: Limit) -> int:
    """Return which of ``amounts_of`` a limit counts."""
    unit = limit.unit
    if unit == "requests":
        return _REQUESTS
    if unit == "concurrency":
        return _ONE
    is_likely = type(limit) is Rate or (type(limit) is Budget and limit.admission == "open")
    if unit == "nanos":
        return _LIKELY_NANOS if is_likely else _NANOS
    return _LIKELY_TOKENS if is_likely else _TOKENS


def judge(budget: Budget, hold: Hold, used: int, others: int) -> Reason | None:
    """Say why a budget refuses a hold, None when it admits it.

    ``used`` is what the counter has settled, ``others`` what other requests reserve. What earlier attempts of the same
    request used counts as used, though it is not settled yet.
    """
    cap = budget.cap
    if budget.is_soft:
        return None
    if used + hold.before >= cap:
        return "spent"
    if budget.admission == "open":
        return "reserved" if used + hold.before + others >= cap else None
    if used + others + hold.amount <= cap:
        return None
    return "spent" if used + hold.amount > cap else "reserved"


def crossed(budget: Budget, used: int, told: int, told_cap: int) -> tuple[Sequence[int], int]:
    """Return the thresholds to tell of now, ascending, and the amount up to which everything has been told.

    ``told`` is that amount until now, and ``told_cap`` the cap at that time: a raised cap arms all thresholds again.
    """
    if budget.cap > told_cap:
        told = 0
    if used <= told:
        return (), told
    thresholds = sorted({*budget.alerts, budget.cap})
    found = [threshold for threshold in thresholds if told < threshold <= used]
    return found, found[-1] if found else told


def _continued(hold: Hold, claim: Claim, demand: Demand, spent: Spent | None) -> Step:
    """The same counter serves the next attempt; the limit's own values are those of the demand."""
    limit = claim.limit
    before = hold.before + (_spent_on(hold, spent) if hold.is_current else 0)
    asked = asked_by(limit, demand)
    if limit.unit == "requests" and not limit.per_attempt:
        before, asked = 0, hold.amount
    elif limit.unit == "concurrency":
        before = 0
    amount = before + asked
    may_refuse = type(limit) is Budget or amount > hold.amount
    return Step(Hold(limit, hold.group, hold.start, hold.end, amount, before), hold.amount, may_refuse)


def _counts_again(hold: Hold, spent: Spent | None) -> bool:
    """Tell whether a rate takes the next attempt apart from the one before; budgets add up, concurrency stays one."""
    limit = hold.limit
    if not isinstance(limit, Rate) or limit.unit == "concurrency":
        return False
    return not hold.is_current or (limit.per_attempt and spent is not None)


def _ended(hold: Hold, spent: Spent | None) -> Step:
    """The next attempt does not use this counter, or uses it anew: what was spent stays until settlement."""
    limit = hold.limit
    if not hold.is_current:
        return Step(hold, hold.amount, may_refuse=False)
    if isinstance(limit, Rate) and limit.unit == "requests":
        before = hold.amount if spent is not None else 0
    else:
        before = hold.before + _spent_on(hold, spent)
    # a rate of tokens keeps its estimate until settlement corrects it
    amount = hold.amount if isinstance(limit, Rate) and spent is not None and limit.unit != "concurrency" else before
    ended = Hold(limit, hold.group, hold.start, hold.end, amount, before, is_current=False)
    return Step(ended, hold.amount, may_refuse=False, is_kept=amount > 0 or before > 0)


def _spent_on(hold: Hold, spent: Spent | None) -> int:
    if spent is None or hold.limit.unit == "concurrency":
        return 0
    if hold.limit.unit == "nanos":
        return max(0, spent.nanos)
    if hold.limit.unit == "tokens":
        return max(0, spent.tokens)
    return max(0, spent.requests)
