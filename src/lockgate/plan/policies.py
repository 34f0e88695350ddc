"""Policies: limits on the requests that meet conditions, counted for each value by which they group.

Conditions are joined by and, the values of one by or; ``*`` needs the key to be present; a value that ends in ``*``
stands for all that begin so. A request that lacks what a policy groups by is counted in a group of its own, so that
leaving metadata out evades nothing. Source: control-plane specification, section 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from lockgate.core.limits import MISSING_GROUP, Claim, Limit
from lockgate.entities import Condition, RatePolicy, UsagePolicy
from lockgate.plan.limits import budget_of, holds, rate_of

_ANY = "*"
_OF_TARGET = frozenset({"provider", "virtual_key", "model"})
GROUP_SEPARATOR = "|"


class Policy(Struct, frozen=True, kw_only=True):
    """One policy, compiled."""

    limit: Limit
    conditions: tuple[Condition, ...] = ()
    group_by: tuple[str, ...] = ()

    def claim(self, scene: Mapping[str, str]) -> Claim | None:
        """Return the claim on a request, None for one that does not meet the conditions.

        ``scene`` says what is known of the request, by the names that conditions use: ``api_key``, ``provider``,
        ``model``, ``metadata.NAME`` and so on.
        """
        if not all(_is_met(condition, scene) for condition in self.conditions):
            return None
        group = GROUP_SEPARATOR.join(f"{key}:{scene.get(key, MISSING_GROUP)}" for key in self.group_by)
        return Claim(self.limit, group)


def compile_policies(usage: Iterable[UsagePolicy], rates: Iterable[RatePolicy], now: datetime) -> tuple[Policy, ...]:
    """Compile the policies of a workspace that are in force, rates first."""
    compiled = []
    for rate in rates:
        if rate.status == "active" and rate.target == "llm":
            limit: Limit = rate_of(rate.limit, scope="policy", name=rate.name, per_attempt=_is_of_target(rate))
            compiled.append(Policy(limit=limit, conditions=rate.conditions, group_by=rate.group_by))
    for policy in usage:
        if policy.status == "active" and holds(policy.limit, now):
            limit = budget_of(
                policy.limit,
                scope="policy",
                name=policy.name,
                created_at=policy.created_at,
                per_attempt=_is_of_target(policy),
            )
            compiled.append(Policy(limit=limit, conditions=policy.conditions, group_by=policy.group_by))
    return tuple(compiled)


def _is_of_target(policy: UsagePolicy | RatePolicy) -> bool:
    """Tell whether a policy depends on who serves, so that it holds for attempts rather than for requests."""
    keys = {condition.key for condition in policy.conditions} | set(policy.group_by)
    return not keys.isdisjoint(_OF_TARGET)


def _is_met(condition: Condition, scene: Mapping[str, str]) -> bool:
    value = scene.get(condition.key)
    if condition.is_excluded:
        return value is None or not any(_is_like(value, given) for given in condition.values)
    return value is not None and any(_is_like(value, given) for given in condition.values)


def _is_like(value: str, given: str) -> bool:
    if given.endswith(_ANY):
        return value.startswith(given[:-1])
    return value == given
