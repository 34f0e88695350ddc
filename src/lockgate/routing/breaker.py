"""Circuits: a target that keeps failing is left out for a while.

One circuit for each target of a config and tenant. A circuit counts since it last closed, and anew after a cooldown
without a failure. It opens when failures reach a number, or a share of all answers, and closes by itself.
Source: gateway protocol specification, section 4.7.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from msgspec import Struct, structs

from lockgate.routing.outcome import Origin, Outcome

MIN_COOLDOWN_S = 30.0
MAX_CIRCUITS = 50_000
"""How many circuits are kept in one process; the one that was not used for longest is forgotten first."""

_SERVER_ERROR = 500
_UNSEEN = frozenset({Origin.REFUSAL, Origin.INPUT_HOOK, Origin.CACHE})


class BreakerPolicy(Struct, frozen=True, kw_only=True):
    """When a circuit opens, and for how long. At least one threshold is set."""

    cooldown_s: float
    failures: float | None = None
    """How many failures open it."""
    percentage: float | None = None
    """Which share of failures opens it, once there are ``minimum`` answers."""
    minimum: int = 1
    codes: frozenset[int] | None = None
    """The statuses that are failures; None: 500 and above, and lost connections."""


class Circuit(Struct, frozen=True, kw_only=True):
    """What is known of one target."""

    since_s: float
    """When counting began, or of the last failure."""
    failures: int = 0
    successes: int = 0
    opened_s: float | None = None
    """When it opened, None while it is closed."""


class Observation(Struct, frozen=True, kw_only=True):
    """The end of a target's part in an exchange, to be counted after the answer."""

    path: str
    """The target's path in the config."""
    policy: BreakerPolicy
    is_failure: bool
    is_exhausted: bool = False

    def broken(self) -> Observation:
        """Return what to count when the answer broke after it had begun."""
        return structs.replace(self, is_failure=True)


def is_open(circuit: Circuit | None, policy: BreakerPolicy, now_s: float) -> bool:
    """Tell whether a circuit is open; its cooldown over, it is closed."""
    return circuit is not None and circuit.opened_s is not None and now_s < circuit.opened_s + policy.cooldown_s


def observe(circuit: Circuit | None, seen: Observation, now_s: float) -> Circuit:
    """Return a circuit after one more answer. While it is open nothing counts, so that it closes when it should."""
    policy = seen.policy
    if circuit is not None and is_open(circuit, policy, now_s):
        return circuit
    if circuit is None or circuit.opened_s is not None or now_s >= circuit.since_s + policy.cooldown_s:
        circuit = Circuit(since_s=now_s)
    if not seen.is_failure:
        return structs.replace(circuit, successes=circuit.successes + 1)
    circuit = structs.replace(circuit, failures=circuit.failures + 1, since_s=now_s)
    if seen.is_exhausted or _is_too_much(circuit, policy):
        return structs.replace(circuit, opened_s=now_s)
    return circuit


def _is_too_much(circuit: Circuit, policy: BreakerPolicy) -> bool:
    if policy.failures is not None and circuit.failures >= policy.failures:
        return True
    total = circuit.failures + circuit.successes
    return (
        policy.percentage is not None
        and total >= policy.minimum
        and circuit.failures * 100 >= policy.percentage * total
    )


def observation_of(path: str, policy: BreakerPolicy | None, outcome: Outcome) -> Observation | None:
    """Return what an outcome means for a target's circuit, None when it means nothing."""
    if policy is None or outcome.origin in _UNSEEN or outcome.is_client_gone:
        return None
    if policy.codes is not None:
        is_failure = outcome.matches(policy.codes)
    else:
        is_failure = outcome.status >= _SERVER_ERROR or outcome.origin is Origin.CONNECTION
    return Observation(
        path=path,
        policy=policy,
        is_failure=is_failure or outcome.is_exhausted,
        is_exhausted=outcome.is_exhausted,
    )


class CircuitBook(Protocol):
    """Keeps circuits. It never waits. ``owner`` stands for tenant and config: their circuits never mix."""

    def is_open(self, owner: str, path: str, policy: BreakerPolicy, now_s: float) -> bool:
        """Tell whether a target is to be left out."""
        ...

    def observe(self, owner: str, seen: Observation, now_s: float) -> None:
        """Count one answer."""
        ...


class Circuits:
    """The circuits of one process, bounded; implements ``CircuitBook``."""

    def __init__(self, most: int = MAX_CIRCUITS) -> None:
        self._most = most
        self._circuits: OrderedDict[tuple[str, str], Circuit] = OrderedDict()

    def is_open(self, owner: str, path: str, policy: BreakerPolicy, now_s: float) -> bool:
        """Tell whether a target is to be left out."""
        return is_open(self._circuits.get((owner, path)), policy, now_s)

    def observe(self, owner: str, seen: Observation, now_s: float) -> None:
        """Count one answer."""
        self.learn(owner, seen.path, observe(self._circuits.get((owner, seen.path)), seen, now_s))

    def learn(self, owner: str, path: str, circuit: Circuit) -> None:
        """Take what somebody else knows of a target in place of what was known."""
        self._circuits[owner, path] = circuit
        self._circuits.move_to_end((owner, path))
        while len(self._circuits) > self._most:
            self._circuits.popitem(last=False)
