"""Trying the same target again: upon which outcomes, after how long, and when waiting is no longer worth it.

Source: gateway protocol specification, section 4.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from msgspec import Struct

from lockgate.core.http import Headers
from lockgate.routing.outcome import Origin, Outcome

MAX_ATTEMPTS = 5
DEFAULT_CODES = frozenset({429, 500, 502, 503, 504, 529})
MAX_WAIT_S = 60.0
"""The longest that one target may be waited for, all its waits together; a single value must stay below it."""

_STEPS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_DECIMAL = re.compile(r"\d{1,15}(?:\.\d{0,9})?|\.\d{1,9}", re.ASCII)
_SPELLINGS = (
    (b"retry-after-ms", 0.001),
    (b"x-ms-retry-after-ms", 0.001),
    (b"retry-after", 1.0),
    (b"x-retry-after", 1.0),
    (b"x-retry-after-ms", 0.001),
)
"""In the order in which they count, each with its unit in seconds."""


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How a target is tried again."""

    attempts: int
    """Tries after the first, 1 to MAX_ATTEMPTS."""
    codes: frozenset[int] = DEFAULT_CODES
    uses_retry_after: bool = False


def can_retry(policy: RetryPolicy, outcome: Outcome) -> bool:
    """Tell whether an outcome is of the kind that is tried again."""
    if outcome.is_exhausted or outcome.is_committed or outcome.is_client_gone:
        return False
    if outcome.origin is Origin.CONNECTION:
        return True
    return outcome.was_sent and outcome.status in policy.codes


def wait_s(
    policy: RetryPolicy, outcome: Outcome, retry: int, waited_s: float, roll: Callable[[], float] | None = None
) -> float | None:
    """Return how long to wait before a retry, None when it would be too long.

    ``retry`` counts from 1; ``waited_s`` is what this target was waited for already. What an output hook turned down
    is asked for again at once. With dice a wait of the schedule is between half of it and all of it.
    """
    if outcome.origin is Origin.OUTPUT_HOOK:
        return 0.0
    wanted = _STEPS_S[retry - 1]
    if policy.uses_retry_after and outcome.retry_after_s is not None:
        wanted = outcome.retry_after_s
        if wanted >= MAX_WAIT_S:
            return None
    elif roll is not None:
        wanted *= 0.5 + 0.5 * roll()
    return None if waited_s + wanted > MAX_WAIT_S else wanted


def read_retry_after(headers: Headers, unix_now: Callable[[], float]) -> float | None:
    """Return how many seconds a provider asks to wait, None when it does not say. A date in the past is no wait."""
    named = dict(reversed(headers))
    for name, unit_s in _SPELLINGS:
        value = named.get(name)
        if value is None:
            continue
        text = value.decode("latin-1").strip()
        if _DECIMAL.fullmatch(text):
            return float(text) * unit_s
        if name == b"retry-after":
            at = _unix_of(text)
            if at is not None:
                return max(at - unix_now(), 0.0)
    return None


def _unix_of(date: str) -> float | None:
    """Read an HTTP date in any of its three forms."""
    try:
        found = parsedate_to_datetime(date)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
