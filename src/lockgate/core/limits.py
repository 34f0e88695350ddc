"""Limits as the hot path sees them: what may be used, what a request asks for, what it was granted and charged.

Money is integer nano-dollars (``nanos``), tokens and requests are counts; nothing here is ever a float but points
in time, which are seconds since 1970-01-01 UTC. Arithmetic on periods and windows lives in ``policy``; counters live
behind ``ports.Counters``.

What is made for each request is left alone by the garbage collector: none of it can be part of a cycle.

The life of a reservation: ``Demand`` -> ``Grant`` or ``Refusal``; for a further attempt an adjusted ``Grant``; at the
end ``Charge``s, which the record carries, and the settlement.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias

from msgspec import Struct

BudgetUnit: TypeAlias = Literal["nanos", "tokens", "requests"]
RateUnit: TypeAlias = Literal["requests", "tokens", "concurrency"]
Outage: TypeAlias = Literal["allow", "deny"]
Reason: TypeAlias = Literal["spent", "reserved", "rate", "outage"]

MAX_AMOUNT = 10**18
"""Largest cap or amount of a budget: a thousand million dollars in nanos. A sum of a few fits in 64 bits."""
DOLLAR = 10**9
"""In nanos."""
MAX_RATE = 10**11
"""Largest cap or amount of a rate. Times a minute in milliseconds it is below 2**53."""
NO_GROUP = ""
"""The group of a limit that does not group."""
MISSING_GROUP = "(not set)"
"""The group of a request that lacks the value which a policy groups by."""


class Period(Struct, frozen=True, kw_only=True):
    """When a budget starts again: never, on a weekday, on a day of the month, each so many days; at local midnight."""

    kind: Literal["none", "weekly", "monthly", "days"] = "none"
    weekday: int = 0
    """Of ``weekly``: 0 is Monday, 6 is Sunday."""
    day_of_month: int = 1
    """Of ``monthly``; in shorter months their last day."""
    days: int = 0
    """Of ``days``: how many, 1 to 365."""
    anchored_on: date | None = None
    """Of ``days``: a day on which a period begins, in the time zone."""
    timezone: str = "UTC"
    """Name in the time zone database."""


class Budget(Struct, frozen=True, kw_only=True):
    """How much may be used in a period. Whoever changes unit, period kind or grouping gives it a new id."""

    id: str
    scope: str
    """Whose it is: key, provider, integration, workspace, user, policy."""
    name: str
    unit: BudgetUnit
    cap: int
    period: Period = Period()
    admission: Literal["strict", "open"] = "strict"
    """strict: the worst case must fit; open: admitted while anything is left."""
    is_soft: bool = False
    """It counts and warns, and refuses nothing."""
    alerts: tuple[int, ...] = ()
    """Amounts at which to warn, ascending; reaching the cap is always an event."""
    per_attempt: bool = False
    """It belongs to the target: each attempt counts, not each client request."""
    on_outage: Outage = "allow"
    """What to do when the counters cannot be reached."""
    blocks_unpriced: bool = False
    """Of money: whether it refuses what has no price, which it could not count."""


class Rate(Struct, frozen=True, kw_only=True):
    """How much may be used in a window of time, or at once (``concurrency``). A cap of 0 blocks."""

    id: str
    scope: str
    name: str
    unit: RateUnit
    cap: int
    window_s: int = 60
    """1, 60, 3600, 86400 or 604800; without meaning for concurrency. Up to a minute windows glide, longer ones are
    aligned to UTC."""
    weekday: int = 0
    """On which a window of a week begins: 0 is Monday, 6 is Sunday."""
    per_attempt: bool = False
    """It belongs to the target: each attempt counts, not each client request."""
    on_outage: Outage = "allow"
    """What to do when the counters cannot be reached."""


Limit: TypeAlias = Budget | Rate


class Claim(Struct, frozen=True, gc=False):
    """A limit that a request falls under, and the value by which that limit groups. Compiled once where it can be."""

    limit: Limit
    group: str = NO_GROUP


class Demand(Struct, frozen=True, kw_only=True, gc=False):
    """What a request may cost, and every limit that it falls under: its caller's and its target's."""

    claims: tuple[Claim, ...]
    """In the order in which they may refuse, within rates and within budgets: rates refuse before budgets."""
    nanos: int = 0
    """Worst case; what strict budgets reserve."""
    tokens: int = 0
    """Worst case."""
    requests: int = 1
    likely_nanos: int | None = None
    """What open budgets reserve; the worst case when left out."""
    likely_tokens: int | None = None
    """What open budgets and token rates reserve; the worst case when left out."""
    lease_s: float = 660.0
    """How long the reservation holds without ``renew``: the request's time limit and a minute."""

    def __post_init__(self) -> None:
        """Raises ValueError for an amount that is negative or absurdly large."""
        if (
            not 0 <= self.nanos <= MAX_AMOUNT
            or not 0 <= self.tokens <= MAX_RATE
            or not 0 <= self.requests <= MAX_RATE
            or not 0 <= (self.likely_nanos or 0) <= MAX_AMOUNT
            or not 0 <= (self.likely_tokens or 0) <= MAX_RATE
        ):
            raise ValueError("an amount of a demand is out of range")


class Spent(Struct, frozen=True, kw_only=True, gc=False):
    """What an attempt really used. All zero but requests: it was free (cache hit). Negative amounts count as zero."""

    nanos: int = 0
    tokens: int = 0
    requests: int = 1
    """0 when budgets of requests should not count it, as after an upstream's error."""


class Hold(Struct, frozen=True, gc=False):
    """One limit's part of a grant. Only the counters make these."""

    limit: Limit
    group: str
    start: int
    """Start of the budget's period or the rate's window at admission; 0 for what has none."""
    end: int | None
    amount: int
    """Reserved, earlier attempts included."""
    before: int = 0
    """What earlier attempts of this request used."""
    is_current: bool = True
    """Whether the attempt under way will be charged to it; False: only earlier attempts."""


class Grant(Struct, frozen=True, gc=False):
    """A reservation over all limits of a request. Ends with ``settle`` or ``release``, or when its lease lapses."""

    id: str
    holds: tuple[Hold, ...]
    lease_s: float
    is_blind: bool = False
    """Admitted without asking, because the counters could not be reached."""


NO_GRANT = Grant(id="", holds=(), lease_s=0.0)
"""What a request without limits is granted."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a request was not admitted: the limit that refuses first. Nothing was counted anywhere."""

    limit: Limit
    group: str
    reason: Reason
    """spent: a budget is used up, or what is left is too little; reserved: only other reservations are in the way,
    which clears in seconds, or with batches in hours, where ``retry_after_s`` is None; rate; outage: the counters
    cannot be reached and the limit says deny."""
    asked: int
    used: int
    """Settled in this period; of a rate what counts in its window now, reservations included; of concurrency 0."""
    reserved: int
    resets_at: int | None
    """When the period ends, or when the rate is whole again; None: never, or by itself (concurrency)."""
    retry_after_s: float | None
    """After this time the request fits if nobody else asks; None: waiting does not help."""

    @property
    def remaining(self) -> int:
        """What is left, never below zero."""
        return max(0, self.limit.cap - self.used - self.reserved)

    @property
    def is_only_reserved(self) -> bool:
        """Whether only other reservations are in the way."""
        return self.reason == "reserved"


class Charge(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one limit is charged for a request: the ledger's line, carried by the record."""

    limit: str
    """The limit's id."""
    unit: str
    amount: int
    start: int = 0
    """Start of the period or window it counts in."""
    end: int | None = None
    group: str = NO_GROUP
    is_rate: bool = False


class Charged(Struct, frozen=True):
    """Where a budget counts: which counter of which period."""

    limit: str
    """The limit's id."""
    group: str
    start: int


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """What a record says about money: enough to settle it, once, whenever."""

    grant: str
    """The grant's id; settling an id twice changes nothing."""
    charges: tuple[Charge, ...]


class Usage(Struct, frozen=True, kw_only=True):
    """A counter as it stands. ``remaining`` is never below zero; ``resets_at`` as in Refusal."""

    used: int
    reserved: int
    remaining: int
    start: int
    resets_at: int | None
    extra: int = 0
    """What of ``used`` the ledger does not have, as the last check found."""


class LimitEvent(Struct, frozen=True, kw_only=True):
    """A budget reached an alert or its cap, or was reset. Told once per period, counter and threshold.

    A raised cap arms all thresholds again.
    """

    kind: Literal["threshold", "exhausted", "reset"]
    limit: Budget
    group: str
    threshold: int
    """The amount that was reached; the cap when exhausted, 0 when reset."""
    used: int
    start: int
    resets_at: int | None


class Drift(Struct, frozen=True, kw_only=True):
    """A budget's counter beside the ledger: what each of them says was charged in a period, resets left out."""

    limit: Budget
    group: str
    start: int
    resets_at: int | None
    counted: int
    booked: int | None
    """None: the ledger says nothing of it."""
    is_made_up: bool = False
    """Whether the counter was charged what it lacked."""

    @property
    def missing(self) -> int:
        """What the counter lacks; negative: what it has too much."""
        return 0 if self.booked is None else self.booked - self.counted

    @property
    def matters(self) -> bool:
        """Whether it is worth an alert: more than a hundredth, or more than a dollar."""
        off = abs(self.missing)
        return off * 100 > max(self.counted, self.booked or 0) or (self.limit.unit == "nanos" and off > DOLLAR)


def charges_of(grant: Grant, spent: Spent) -> tuple[Charge, ...]:
    """Return what settling the grant will charge, for the record, which is written before settlement.

    ``spent`` is the last attempt's; what earlier ones used is in the grant. Windows of up to a minute and concurrency
    are left out: they are over before anybody could read them again.
    """
    charges = []
    for hold in grant.holds:
        limit = hold.limit
        is_rate = type(limit) is Rate
        if is_rate and (limit.window_s <= 60 or limit.unit == "concurrency"):  # type: ignore[union-attr]  # a Rate
            continue
        amount = charged(hold, spent)
        if amount:
            charges.append(
                Charge(
                    limit=limit.id,
                    unit=limit.unit,
                    amount=amount,
                    start=hold.start,
                    end=hold.end,
                    group=hold.group,
                    is_rate=is_rate,
                )
            )
    return tuple(charges)


def charged(hold: Hold, spent: Spent) -> int:
    """Return what a hold is charged when the last attempt used ``spent``; never anything negative."""
    if not hold.is_current:
        return hold.before
    unit = hold.limit.unit
    if unit == "nanos":
        amount = spent.nanos
    elif unit == "tokens":
        amount = spent.tokens
    elif unit == "requests":
        if type(hold.limit) is Rate:
            return hold.amount
        amount = spent.requests
    else:
        return 0
    return hold.before if amount <= 0 else hold.before + min(amount, MAX_AMOUNT)
