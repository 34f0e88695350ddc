"""A request as routing sees it, with the dice and with what other requests have led to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Raw, Struct

from lockgate.routing.breaker import BreakerPolicy

MAX_TIMEOUT_MS = 86_400_000
"""A day: what a request asks for beyond it is cut."""


def read_timeout_ms(text: str) -> int | None:
    """Read ``x-portkey-request-timeout``; what is no positive whole number counts as not given."""
    text = text.strip()
    if not text.isascii() or not text.isdigit():
        return None
    return min(int(text[:9]), MAX_TIMEOUT_MS) or None


def _all_closed(path: str, policy: BreakerPolicy) -> bool:
    return False


def _unassigned(key: str) -> int | None:
    return None


class Scene(Struct, frozen=True, kw_only=True):
    """What decisions depend on beside the config."""

    path: str
    """The URL's path, with its version."""
    roll: Callable[[], float]
    """Dice: each call gives another number in [0, 1)."""
    metadata: Mapping[str, str] = {}
    """The request's metadata, merged."""
    params: Mapping[str, Raw] = {}
    """The top level of the body as the client sent it; needed when the config asks for it."""
    headers: Mapping[str, str] = {}
    """By lower-case name; needed when a sticky strategy asks for them."""
    tenant: str = ""
    """The workspace: callers of different ones never share a sticky assignment."""
    is_open: Callable[[str, BreakerPolicy], bool] = _all_closed
    """Whether the circuit of the target with this path is open."""
    assigned: Callable[[str], int | None] = _unassigned
    """Which child was chosen for a sticky key before, None when there is no such choice."""
    timeout_ms: int | None = None
    """The request's own time limit for one try; beats the config's."""
    is_repeatable: bool = True
    """Off for requests that may be sent once only, such as a turn that continues a thread."""
    has_jitter: bool = False
    """Whether waits of the schedule are shortened by chance, to half at most, so that many callers do not come back
    together."""
