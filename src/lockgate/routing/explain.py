"""What a config would do with a request: the machine's own answers, and nothing is sent.

Which target is chosen and why, and what would come next if each try failed with some status.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from lockgate.errors import Fault
from lockgate.routing.machine import Call, Step, Stop, begin, proceed
from lockgate.routing.outcome import Origin, Outcome, is_exhausted
from lockgate.routing.scene import Scene
from lockgate.routing.strategies.loadbalance import LoadBalance
from lockgate.routing.tree import Leaf, Routes, is_shut, leaves

LOST_CONNECTION = 0
"""Stands among the statuses for a connection that could not be made."""

USUAL_STATUSES = (LOST_CONNECTION, 400, 408, 429, 500, 529)

_TIMEOUT, _UNREACHABLE = 408, 503


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A target's settings, without its secrets."""

    path: str
    provider: str
    """``@slug``, a provider's name, or ``from the request``."""
    name: str | None = None
    retries: int = 0
    retry_codes: tuple[int, ...] = ()
    uses_retry_after: bool = False
    timeout_s: float | None = None
    cache: str | None = None
    custom_host: str | None = None
    sets: tuple[str, ...] = ()
    """Top-level fields of the body that are set."""
    defaults: tuple[str, ...] = ()
    """Top-level fields of the body that are set when they are missing."""
    drops: int = 0
    """How many paths are cut out of the body."""
    has_breaker: bool = False


class Choice(Struct, frozen=True, kw_only=True):
    """One decision on the way to a target."""

    path: str
    """Of the node that decided."""
    because: str


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step: a call, or the end when ``ends`` is set."""

    path: str
    because: str
    wait_s: float = 0.0
    retry: int = 0
    ends: bool = False
    retry_count: int | None = None
    """At the end: ``x-portkey-retry-attempt-count``."""


class WhatIf(Struct, frozen=True, kw_only=True):
    """What would happen if every try failed in the same way."""

    failure: str
    """A status, or ``connection lost``."""
    events: tuple[Event, ...]
    calls: int
    """How often a provider is asked; a target that names none that there is does not count."""
    waited_s: float


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a config would do with one request."""

    target: Target | None
    """None: no target could be chosen; ``refusal`` says why."""
    choices: tuple[Choice, ...] = ()
    what_if: tuple[WhatIf, ...] = ()
    open_circuits: tuple[str, ...] = ()
    """Targets that are left out at the moment."""
    refusal: str | None = None
    warnings: tuple[Fault, ...] = ()


def explain(
    routes: Routes,
    scene: Scene,
    statuses: Sequence[int] = USUAL_STATUSES,
    refusal_of: Callable[[Leaf], Outcome | None] = lambda leaf: None,
) -> Explanation:
    """Ask the machine. The dice are those of the scene, and chances are named in the choices.

    ``refusal_of`` returns how a target ends that nobody would be asked for, whatever the provider is like.
    """
    first = begin(routes, scene)
    shut = tuple(leaf.path for leaf in leaves(routes.root) if is_shut(leaf, scene))
    if isinstance(first, Stop):
        refusal = first.refusal.message if first.refusal is not None else first.because
        return Explanation(target=None, refusal=refusal, open_circuits=shut, warnings=routes.warnings)
    return Explanation(
        target=target_of(first.leaf, first.timeout_s),
        choices=_choices(first),
        what_if=tuple(_what_if(first, status, scene, refusal_of) for status in statuses),
        open_circuits=shut,
        warnings=routes.warnings,
    )


def target_of(leaf: Leaf, timeout_s: float | None = None) -> Target:
    """Return a target's settings for people."""
    pin = leaf.pin
    slug = pin.slug or (pin.model_slug if pin.provider is None else None)
    return Target(
        path=leaf.path,
        provider=f"@{slug}" if slug else pin.provider or "from the request",
        name=leaf.name,
        retries=leaf.retry.attempts if leaf.retry else 0,
        retry_codes=tuple(sorted(leaf.retry.codes)) if leaf.retry else (),
        uses_retry_after=leaf.retry.uses_retry_after if leaf.retry else False,
        timeout_s=timeout_s,
        cache=leaf.cache.mode if leaf.cache else None,
        custom_host=leaf.custom_host,
        sets=tuple(leaf.shaping.overrides),
        defaults=tuple(leaf.shaping.defaults),
        drops=len(leaf.shaping.drops),
        has_breaker=leaf.breaker is not None,
    )


def _choices(call: Call) -> tuple[Choice, ...]:
    found = []
    for frame in call.frames:
        because, strategy = frame.order.because, frame.router.strategy
        if isinstance(strategy, LoadBalance):
            weight = strategy.weights[frame.order.indexes[0]]
            because += f": {weight:g} of {sum(strategy.weights):g}"
        found.append(Choice(path=frame.router.path, because=because))
    return tuple(found)


def _what_if(first: Call, status: int, scene: Scene, refusal_of: Callable[[Leaf], Outcome | None]) -> WhatIf:
    failed = _outcome(status)
    events: list[Event] = []
    waited_s, step, calls = 0.0, first, 0
    while True:
        refused = refusal_of(step.leaf)
        calls += refused is None
        following = proceed(step, refused or failed, scene)
        if isinstance(following, Stop):
            break
        step = following
        events.append(_event(step, status))
        waited_s += step.wait_s
    events.append(_event(following, status))
    return WhatIf(failure=_name(status), events=tuple(events), calls=calls, waited_s=waited_s)


def _outcome(status: int) -> Outcome:
    if status == LOST_CONNECTION:
        return Outcome(status=_UNREACHABLE, origin=Origin.CONNECTION)
    origin = Origin.TIMEOUT if status == _TIMEOUT else Origin.PROVIDER
    return Outcome(status=status, origin=origin, is_exhausted=is_exhausted(status, None))


def _event(step: Step, status: int) -> Event:
    if isinstance(step, Stop):
        because = step.refusal.message if step.refusal is not None else step.because
        return Event(path=step.path, because=because, ends=True, retry_count=step.retry_count)
    because = f"retry {step.retry} after {_name(status)}" if step.is_retry else step.because
    return Event(path=step.leaf.path, because=because, wait_s=step.wait_s, retry=step.retry)


def _name(status: int) -> str:
    return "connection lost" if status == LOST_CONNECTION else f"status {status}"
