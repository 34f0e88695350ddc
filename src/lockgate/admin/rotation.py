"""Giving a key a new text while the old one still opens for a while, and saying when that must be done.

Source: control-plane specification, section 2.4.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from lockgate.admin.times import write_time_or_none
from lockgate.entities import ApiKey, KeyText, Organisation, RotationPolicy
from lockgate.errors import Conflict, InvalidRequest

LEAST_TRANSITION_MS = 1_800_000
MOST_TRANSITION_MS = 365 * 86_400_000
_MS = 1000
_PERIOD_DAYS = {"weekly": 7, "monthly": 28}
_MONTHS = 12

Transition = Annotated[int, Meta(ge=LEAST_TRANSITION_MS, le=MOST_TRANSITION_MS)]


class RotationPolicyBody(Struct, frozen=True, kw_only=True):
    """How often a key must get a new text, by ``/api-keys/{id}/rotate``: a text that is not replaced in time ends."""

    rotation_period: Literal["weekly", "monthly"] | None = None
    """Mondays, or the first of each month, at 00:00 UTC. Give either this or ``rotation_period_days``."""
    rotation_period_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    """So many days after the last rotation, at 00:00 UTC."""
    next_rotation_at: datetime | None = None
    """When the next one is due, at 00:00 UTC of that day; by the period when left out."""
    key_transition_period_ms: Transition | None = None
    """How long a text still opens after it was replaced, or after that was due; half an hour when left out."""


class RotationPolicyView(Struct, frozen=True, kw_only=True):
    """The same as we write it."""

    rotation_period: str | None
    rotation_period_days: int | None
    next_rotation_at: str | None
    key_transition_period_ms: int
    status: str
    """``active``; ``due`` once the time has come; ``overdue`` when the text has ended for it."""


def live_texts(key: ApiKey, now: datetime) -> tuple[KeyText, ...]:
    """Return the texts that open now, the newest first."""
    return tuple(text for text in key.texts if (end := key.end_of(text)) is None or end > now)


def rotated(
    key: ApiKey, new: KeyText, *, transition_ms: int, revoke_previous: bool, organisation: Organisation, now: datetime
) -> ApiKey:
    """Return the key with a new text. The old one ends after the transition, or at once when it is revoked; the next
    rotation is due a period later.

    Raises Conflict while an earlier rotation is under way, InvalidRequest for a transition that is too long.
    """
    current = live_texts(key, now)
    rotation = _renewed(key.rotation, now)
    if revoke_previous:
        return msgspec.structs.replace(key, texts=(new,), rotation=rotation)
    if len(current) > 1:
        raise Conflict(
            "The key is being rotated already: two of its texts open until the transition ends; "
            "send revoke_previous to end the old ones now"
        )
    check_transition(transition_ms, key.rotation, organisation)
    until = now + timedelta(milliseconds=transition_ms)
    old = tuple(msgspec.structs.replace(text, expires_at=until) for text in current)
    return msgspec.structs.replace(key, texts=(new, *old), rotation=rotation)


def _renewed(policy: RotationPolicy | None, now: datetime) -> RotationPolicy | None:
    """Return the policy after a rotation: one shortly before a day that is due counts for that day."""
    if policy is None:
        return None
    half = timedelta(seconds=(_period_s(policy) or 0) / 2)
    body = RotationPolicyBody(rotation_period=policy.period, rotation_period_days=policy.period_days)
    due = _next(body, now)
    return msgspec.structs.replace(policy, next_rotation_at=due if due - now >= half else _next(body, due))


def check_transition(transition_ms: int, policy: RotationPolicy | None, organisation: Organisation) -> None:
    """Refuse an overlap that is as long as the period, or longer than the organisation allows."""
    path = "key_transition_period_ms"
    period_s = _period_s(policy)
    if period_s is not None and transition_ms >= period_s * _MS:
        raise InvalidRequest(f"{path}: must be shorter than the rotation period", path=path)
    most_s = organisation.api_key_max_transition_s
    if most_s is not None and transition_ms > most_s * _MS:
        raise InvalidRequest(f"{path}: the organisation allows at most {most_s * _MS}", path=path)


def read_rotation(body: RotationPolicyBody | None, organisation: Organisation, now: datetime) -> RotationPolicy | None:
    """Return the policy to store. Raises InvalidRequest."""
    if body is None:
        return None
    if (body.rotation_period is None) == (body.rotation_period_days is None):
        path = "rotation_policy.rotation_period"
        raise InvalidRequest(f"{path}: give either rotation_period or rotation_period_days", path=path)
    transition_ms = body.key_transition_period_ms or LEAST_TRANSITION_MS
    policy = RotationPolicy(
        period=body.rotation_period,
        period_days=body.rotation_period_days,
        next_rotation_at=_next(body, now),
        transition_s=transition_ms // _MS,
    )
    check_transition(transition_ms, policy, organisation)
    return policy


def write_rotation(policy: RotationPolicy | None, now: datetime) -> RotationPolicyView | None:
    """Return the policy for the wire."""
    if policy is None:
        return None
    due, status = policy.next_rotation_at, "active"
    if due is not None and due <= now:
        status = "due" if now < due + timedelta(seconds=policy.transition_s) else "overdue"
    return RotationPolicyView(
        rotation_period=policy.period,
        rotation_period_days=policy.period_days,
        next_rotation_at=write_time_or_none(policy.next_rotation_at),
        key_transition_period_ms=policy.transition_s * _MS,
        status=status,
    )


def _period_s(policy: RotationPolicy | None) -> int | None:
    if policy is None:
        return None
    days = policy.period_days if policy.period is None else _PERIOD_DAYS[policy.period]
    return days * 86_400 if days is not None else None


def _next(body: RotationPolicyBody, now: datetime) -> datetime:
    """Return the next rotation: what is asked for, else Monday, the 1st, or so many days from today, at midnight."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if body.next_rotation_at is not None:
        asked = body.next_rotation_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if asked <= now:
            path = "rotation_policy.next_rotation_at"
            raise InvalidRequest(f"{path}: must be in the future, at least tomorrow", path=path)
        return asked
    if body.rotation_period == "weekly":
        return today + timedelta(days=7 - today.weekday())
    if body.rotation_period == "monthly":
        years, month = divmod(today.month, _MONTHS)
        return today.replace(year=today.year + years, month=month + 1, day=1)
    return today + timedelta(days=body.rotation_period_days or 1)
