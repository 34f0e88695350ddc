"""Budgets and rate limits of ``lockgate.toml``: compiled to claims whose counters go on when the file is edited.

A counter is known by its limit's id. Here the id is made from where the limit stands and from what makes it count
apart (unit, period, window): another cap goes on with the same counter, another period begins a new one. Days are
counted from ``next_usage_reset_at``, else from 1970-01-01, since a file has no day of creation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Protocol

from msgspec import Struct, structs

from lockgate.config import RateLimits, RateLimitSettings, UsageLimits, UsageLimitSettings
from lockgate.core.limits import Claim
from lockgate.entities import RateLimit, UsageLimit
from lockgate.errors import ConfigError, InvalidRequest
from lockgate.plan.limit_input import read_rate_limit, read_usage_limit
from lockgate.plan.limits import claims_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Limited(Protocol):
    """A table that has limits."""

    @property
    def usage_limits(self) -> UsageLimits: ...
    @property
    def rate_limits(self) -> RateLimits: ...


class DeclaredLimits(Struct, frozen=True):
    """The limits of one entry."""

    usage: tuple[UsageLimit, ...] = ()
    rates: tuple[RateLimit, ...] = ()

    def claims(self, scope: str, name: str, *, per_attempt: bool = False) -> tuple[Claim, ...]:
        """Return what requests claim; ``scope`` and ``name`` say whose the limits are."""
        return claims_of(
            self.usage, self.rates, scope=scope, name=name, created_at=_EPOCH, now=_EPOCH, per_attempt=per_attempt
        )


def read_limits(settings: Limited, where: str) -> DeclaredLimits:
    """Read the limits of an entry such as ``keys.bot``. Raises ConfigError that names the key at fault."""
    given = settings.usage_limits
    budgets: Sequence[UsageLimitSettings] = (given,) if isinstance(given, UsageLimitSettings) else given
    asked = settings.rate_limits
    rates: Sequence[RateLimitSettings] = (asked,) if isinstance(asked, RateLimitSettings) else asked
    try:
        return DeclaredLimits(
            usage=_named([read_usage_limit(one, None, "usage_limits", _EPOCH.date()) for one in budgets], where),
            rates=_named_rates([read_rate_limit(one, "rate_limits") for one in rates], where),
        )
    except InvalidRequest as error:
        raise ConfigError(f"{where}.{error.message}") from None


def _named(limits: Sequence[UsageLimit], where: str) -> tuple[UsageLimit, ...]:
    found: list[UsageLimit] = []
    for limit in limits:
        anchor = limit.anchor
        begins = (anchor.weekday, anchor.day_of_month, anchor.timezone) if anchor is not None else ()
        parts = (where, "usage", limit.unit, limit.reset, limit.reset_days, _shown(limit.reset_on), *begins)
        found.append(structs.replace(limit, id=_id(parts, [one.id for one in found])))
    return tuple(found)


def _named_rates(limits: Sequence[RateLimit], where: str) -> tuple[RateLimit, ...]:
    found: list[RateLimit] = []
    for limit in limits:
        parts = (where, "rate", limit.unit, limit.window_s)
        found.append(structs.replace(limit, id=_id(parts, [one.id for one in found])))
    return tuple(found)


def _id(parts: Sequence[object], taken: Sequence[str]) -> str:
    """Return ``file:keys.bot:usage:cost:monthly``; a second one that counts alike gets a number."""
    text = ":".join(("file", *(str(part) for part in parts if part is not None)))
    again = sum(id == text or id.startswith(f"{text}#") for id in taken)
    return f"{text}#{again + 1}" if again else text


def _shown(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
