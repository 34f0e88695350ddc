"""What a client is told when a budget or a rate refuses: status, words, headers, and what to do.

Callers see the numbers of limits that are theirs. Of limits that they share with others they learn whose limit it is
and when it resets, not how much the others used.
Source: control-plane specification, section 3.5; addendum of November 2026, section 9 (retry-after of at most 60 s).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

from lockgate.core.limits import Budget, Limit, Rate, Refusal
from lockgate.errors import BudgetExceeded, BudgetReserved, CountersUnreachable, GatewayError, RateLimited
from lockgate.plan.policies import GROUP_SEPARATOR
from lockgate.policy.windows import GLIDING_S

_OWN_SCOPES = ("key",)
_MAX_RETRY_AFTER_S = 60
_MAX_GROUP = 200
_NANOS = Decimal(10) ** 9
_UNITS = {"nanos": "usd", "tokens": "tokens", "requests": "requests"}
_WINDOWS = {1: "rps", 60: "rpm", 3600: "rph", 86400: "rpd", 604800: "rpw"}
_HOLDERS = {"user": "user policy", "policy": "policy"}


def refusal_error(refusal: Refusal) -> GatewayError:
    """Return the error that a refusal becomes."""
    if refusal.reason == "outage":
        return CountersUnreachable("The limits of this request cannot be checked at the moment; try again")
    limit = refusal.limit
    if isinstance(limit, Rate):
        return _rate_error(refusal, limit)
    return _budget_error(refusal, limit)


def is_own(limit: Limit) -> bool:
    """Tell whether a limit is the caller's alone, so that it may see the numbers."""
    return limit.scope in _OWN_SCOPES


def unit_name(limit: Budget) -> str:
    """Return the unit of a budget as headers name it."""
    return _UNITS[limit.unit]


def _budget_error(refusal: Refusal, limit: Budget) -> GatewayError:
    holder = _holder(limit, refusal.group)
    resets = _resets(refusal.resets_at)
    details: dict[str, object] = {"scope": limit.scope, "type": _type(limit), "resets_at": _iso(refusal.resets_at)}
    headers = [
        (b"x-portkey-budget-scope", limit.scope.encode()),
        (b"x-portkey-budget-unit", unit_name(limit).encode()),
    ]
    if refusal.resets_at is not None:
        headers.append((b"x-portkey-budget-reset", (_iso(refusal.resets_at) or "").encode()))
    if is_own(limit):
        used, cap = amount(limit, refusal.used), amount(limit, limit.cap)
        details |= {
            "id": limit.id,
            "credit_limit": cap,
            "used": used,
            "reserved": amount(limit, refusal.reserved),
            "remaining": amount(limit, refusal.remaining),
            "asked": amount(limit, refusal.asked),
        }
        headers += [(b"x-portkey-budget-limit", str(cap).encode()), (b"x-portkey-budget-used", str(used).encode())]
    if refusal.is_only_reserved:
        return BudgetReserved(
            f"Budget busy: {holder} has enough left only once {_busy_with(refusal)}",
            limit=details,
            headers=(*headers, *_when_free(refusal)),
            is_of_target=limit.per_attempt,
        )
    return BudgetExceeded(
        _budget_message(refusal, limit, resets),
        limit=details,
        headers=(*headers, (b"x-should-retry", b"false")),
        is_of_target=limit.per_attempt,
    )


def _busy_with(refusal: Refusal) -> str:
    if refusal.retry_after_s is None:
        return "batches have ended and their results are read, which may take hours"
    return "requests under way are settled; try again"


def _when_free(refusal: Refusal) -> tuple[tuple[bytes, bytes], ...]:
    wait_s = refusal.retry_after_s
    return ((b"x-should-retry", b"false"),) if wait_s is None else _retry_after(wait_s)


def _budget_message(refusal: Refusal, limit: Budget, resets: str) -> str:
    holder = _holder(limit, refusal.group)
    if not is_own(limit):
        return f"Budget reached: {holder} has too little left for this request; {resets}"
    used, cap = _shown(limit, refusal.used), _shown(limit, limit.cap)
    if refusal.used >= limit.cap:
        return f"Budget reached: {holder} has used {used} of {cap}; {resets}"
    left, asked = _shown(limit, refusal.remaining), _shown(limit, refusal.asked)
    return (
        f"Budget too small: {holder} has {left} of {cap} left, and this request may use {asked}; "
        f"ask for fewer tokens (max_tokens) or raise the budget; {resets}"
    )


def _rate_error(refusal: Refusal, limit: Rate) -> GatewayError:
    holder = _holder(limit, refusal.group)
    unit = "max" if limit.unit == "concurrency" else _WINDOWS[limit.window_s]
    details: dict[str, object] = {
        "scope": limit.scope,
        "type": limit.unit,
        "unit": unit,
        "resets_at": _iso(refusal.resets_at),
    }
    headers = [(b"x-portkey-ratelimit-scope", limit.scope.encode())]
    if is_own(limit):
        details |= {"id": limit.id, "value": limit.cap, "remaining": refusal.remaining}
        headers += [
            (b"x-portkey-ratelimit-limit", b"%d" % limit.cap),
            (b"x-portkey-ratelimit-remaining", b"%d" % refusal.remaining),
        ]
    if refusal.resets_at is not None:
        headers.append((b"x-portkey-ratelimit-reset", (_iso(refusal.resets_at) or "").encode()))
    what = "requests at a time" if limit.unit == "concurrency" else f"{limit.unit} ({unit})"
    allowed = f" may use {limit.cap} {what}" if is_own(limit) else f" has used up its {what}"
    again = "" if limit.cap else "; it is blocked"
    message = f"Rate limit reached: {holder}{allowed}{again}"
    if limit.unit == "tokens" and 0 < limit.cap < refusal.asked:
        # it never fits, so a sentence about what is used up would mislead
        most = f" of {limit.cap}" if is_own(limit) else ""
        message = (
            f"Rate limit too small: this request may use {refusal.asked} tokens, more than the whole limit{most} "
            f"({unit}) of {holder}; ask for fewer tokens (max_tokens) or raise the limit"
        )
    wait_s = refusal.retry_after_s
    if wait_s is not None:
        message += f"; try again in {max(1, math.ceil(wait_s))} s"
        if limit.window_s <= GLIDING_S:
            # up to two windows: who comes back after the first is told the rest, which SDKs' two retries reach
            wait_s = min(wait_s, _MAX_RETRY_AFTER_S)
        headers += _retry_after(wait_s)
    if wait_s is None or wait_s > _MAX_RETRY_AFTER_S:
        headers.append((b"x-should-retry", b"false"))
    return RateLimited(message, limit=details, headers=tuple(headers), is_of_target=limit.per_attempt)


def _retry_after(wait_s: float) -> tuple[tuple[bytes, bytes], ...]:
    """Say when to ask again; no more than a minute, since SDKs sleep as long as they are told."""
    if wait_s > _MAX_RETRY_AFTER_S:
        return ()
    return (
        (b"retry-after", b"%d" % max(1, math.ceil(wait_s))),
        (b"retry-after-ms", b"%d" % max(1, math.ceil(wait_s * 1000))),
    )


def amount(limit: Budget, value: int) -> int | float:
    """Return an amount in the unit of the API: dollars, tokens or requests."""
    if limit.unit != "nanos":
        return value
    whole, rest = divmod(value, 10**9)
    return float(Decimal(value) / _NANOS) if rest else whole


def _shown(limit: Budget, value: int) -> str:
    if limit.unit != "nanos":
        return f"{value} {limit.unit}"
    dollars = Decimal(value) / _NANOS
    text = f"{dollars:.2f}" if dollars == round(dollars, 2) else f"{dollars:f}".rstrip("0")
    return f"{text} USD"


def _type(limit: Budget) -> str:
    return "cost" if limit.unit == "nanos" else limit.unit


def _holder(limit: Budget | Rate, group: str) -> str:
    """Say whose limit it is, and of a limit that counts by groups, for which one."""
    counted = f" for {', '.join(group.split(GROUP_SEPARATOR))[:_MAX_GROUP]}" if group else ""
    return f"{_HOLDERS.get(limit.scope, limit.scope)} {limit.name!r}{counted}"


def _iso(at_s: int | None) -> str | None:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at_s is not None else None


def _resets(at_s: int | None) -> str:
    return f"resets {_iso(at_s)}" if at_s is not None else "it does not reset"
