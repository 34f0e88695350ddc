"""How one attempt ended, as routing sees it.

Source: gateway protocol specification, sections 4.3 and 4.4; addendum of November 2026, section 2.8.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from lockgate.errors import Broken, GatewayError, Rejected, TimedOut, Unreachable

EXHAUSTED_CODES = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"})
"""Codes of a 429 that say that the credential has spent what it may; trying it again does not help."""

PAYMENT_REQUIRED = 402
_NO_CONNECTION = frozenset({"connect", "tls"})


class Origin(Enum):
    """Who made the status."""

    PROVIDER = "provider"
    CONNECTION = "connection"
    """No connection could be made, or it broke before the answer began."""
    TIMEOUT = "timeout"
    REFUSAL = "refusal"
    """We, before anything was sent: unknown slug, model not allowed, blocked host, what cannot be translated."""
    LIMIT = "limit"
    """We: a budget or rate limit of the target."""
    INPUT_HOOK = "input_hook"
    OUTPUT_HOOK = "output_hook"
    CACHE = "cache"


_UNSENT = frozenset({Origin.REFUSAL, Origin.LIMIT, Origin.INPUT_HOOK, Origin.CACHE})


class Outcome(Struct, frozen=True, kw_only=True):
    """What one attempt at a target led to."""

    status: int
    """The status that the client would get."""
    origin: Origin = Origin.PROVIDER
    retry_after_s: float | None = None
    """How long the provider asks to wait."""
    is_exhausted: bool = False
    """Whether the credential has used up its allowance: no try again, and the circuit opens."""
    is_committed: bool = False
    """Whether the client has got a byte of it."""
    is_client_gone: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299

    @property
    def was_sent(self) -> bool:
        """Whether a provider may have got the request."""
        return self.origin not in _UNSENT

    def matches(self, codes: frozenset[int]) -> bool:
        """Tell whether a list of statuses means this outcome; one that holds 500 means lost connections too."""
        return self.status in codes or (self.origin is Origin.CONNECTION and 500 in codes)


def outcome_of(error: GatewayError, *, retry_after_s: float | None = None, is_sent: bool = True) -> Outcome:
    """Return the outcome of an attempt that ended with an error. ``is_sent`` is off for errors of our own making."""
    origin = Origin.PROVIDER if is_sent else Origin.REFUSAL
    if isinstance(error, Unreachable | Broken):
        origin = Origin.CONNECTION
    elif isinstance(error, TimedOut):
        origin = Origin.CONNECTION if error.phase in _NO_CONNECTION else Origin.TIMEOUT
    return Outcome(
        status=error.status,
        origin=origin,
        retry_after_s=retry_after_s,
        is_exhausted=isinstance(error, Rejected) and is_exhausted(error.status, error.wire_code),
    )


def is_exhausted(status: int, code: str | None) -> bool:
    """Tell whether an error says that the credential has used up its allowance."""
    return code in EXHAUSTED_CODES or status == PAYMENT_REQUIRED
