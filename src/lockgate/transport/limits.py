"""The time limits of one upstream request: how a phase is bounded, and what is said when its limit runs out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from lockgate.core.http import Timeouts
from lockgate.errors import TimedOut

_WHAT = {
    "pool": "no connection to the provider became free",
    "connect": "no connection to the provider was established",
    "tls": "the TLS handshake with the provider did not finish",
    "write": "the provider took no more of the request",
    "first_byte": "the provider did not begin to answer",
    "idle": "the provider sent nothing more",
    "total": "the request to the provider did not finish",
}


def timed_out(phase: str, limit_s: float) -> TimedOut:
    """Return the error for a phase whose limit ran out."""
    return TimedOut(f"{_WHAT[phase]} within {limit_s:g} seconds (limit: {phase})", phase=phase)


@asynccontextmanager
async def limited(phase: str, limit_s: float, timeouts: Timeouts, started_at: float) -> AsyncIterator[None]:
    """Bound what runs inside by the limit of a phase, and by what is left of the whole; raises TimedOut."""
    now = monotonic()
    until = now + limit_s
    if started_at + timeouts.total_s < until:
        phase, limit_s, until = "total", timeouts.total_s, started_at + timeouts.total_s
    scope = asyncio.timeout(until - now)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if scope.expired():
            raise timed_out(phase, limit_s) from error
        raise
