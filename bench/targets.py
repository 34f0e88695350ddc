"""The numbers that Lockgate has to reach, as ratios to what is measured in the same run.

The design states them as multiples of a prototype that had nothing but a key check and translation. The prototype
is not here, so its cost is estimated in two ways, and both are shown because each errs in its own way:

- from nginx: the design's table also says what part of the prototype plain proxying costs. "At most 2 x the
  prototype" where nginx costs 0.2 x is "at most 2 / 0.2 = 10 x nginx". Errs where a machine has another balance
  between the kernel's work, which is nearly all of nginx's, and Python's.
- from the calibration: the prototype's cost on the machine where it was measured, scaled by how much slower this one
  does the fixed piece of work. Errs where the kernel's work has another share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.metrics import METRIC, Figure, figure, reference_s
from bench.rounds import Run


@dataclass(frozen=True, kw_only=True)
class Target:
    """At most ``multiple`` times the prototype, of which nginx costs the part ``nginx_part``.

    ``prototype_us`` is its CPU time on a machine whose calibration took ``PROTOTYPE_CALIBRATION_S``.
    """

    metric: str
    multiple: float
    nginx_part: float
    prototype_us: float

    @property
    def nginx_multiple(self) -> float:
        """The same limit as a multiple of nginx."""
        return self.multiple / self.nginx_part


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit that is the same everywhere."""

    metric: str
    most: float


@dataclass(frozen=True, kw_only=True)
class PeerTarget:
    """At most one part in ``parts`` of what a peer costs."""

    metric: str
    peer: str
    parts: float


@dataclass(frozen=True, kw_only=True)
class PartTarget:
    """What the same with more or less to do, ``system``, may cost: at most ``most`` times as much as ``of``."""

    metric: str
    system: str
    most: float
    of: str = "lockgate"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A target beside what was reached."""

    metric: str
    reached: float
    most: float
    basis: str

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        return self.reached <= self.most


PROTOTYPE_CALIBRATION_S = 0.0165
"""The calibration of the machine on which ``prototype_us`` was measured, in two runs of three rounds."""
TARGETS = (
    Target(metric="chat", multiple=2.0, nginx_part=0.20, prototype_us=50),
    Target(metric="chat200", multiple=1.5, nginx_part=0.30, prototype_us=277),
    Target(metric="messages", multiple=2.0, nginx_part=0.24, prototype_us=51),
    Target(metric="paced", multiple=1.3, nginx_part=0.36, prototype_us=52),
    Target(metric="big", multiple=1.5, nginx_part=0.12, prototype_us=255),
)
LIMITS = (
    Limit(metric="first-p50", most=800.0),
    Limit(metric="memory", most=120.0),
    Limit(metric="start", most=1.0),
)
PEER_TARGETS = (
    PeerTarget(metric="chat", peer="portkey", parts=10),
    PeerTarget(metric="chat", peer="litellm", parts=100),
)
PART_TARGETS = (
    PartTarget(metric="chat", system="lockgate-limits", most=1.15),
    PartTarget(metric="messages", system="lockgate-limits", most=1.15),
    PartTarget(metric="chat", system="lockgate", most=1.15, of="lockgate-unrecorded"),
    PartTarget(metric="messages", system="lockgate", most=1.15, of="lockgate-unrecorded"),
    PartTarget(metric="paced200", system="lockgate", most=1.15, of="lockgate-unrecorded"),
    PartTarget(metric="long", system="lockgate-hit", most=0.2, of="lockgate-miss"),
)


def verdicts(runs: Sequence[Run], system: str = "lockgate") -> list[Verdict]:
    """Every target for which this run has the figures."""
    found: list[Verdict] = []
    for target in TARGETS:
        if reached := figure(runs, system, METRIC[target.metric]):
            for most, basis in _limits(target, figure(runs, "nginx", METRIC[target.metric]), reference_s(runs)):
                found.append(Verdict(metric=target.metric, reached=reached.median, most=most, basis=basis))
    for limit in LIMITS:
        if reached := figure(runs, system, METRIC[limit.metric]):
            found.append(Verdict(metric=limit.metric, reached=reached.median, most=limit.most, basis="fixed"))
    for part in PEER_TARGETS:
        reached, peer = figure(runs, system, METRIC[part.metric]), figure(runs, part.peer, METRIC[part.metric])
        if reached and peer:
            basis = f"{part.peer} / {part.parts:g}"
            found.append(
                Verdict(metric=part.metric, reached=reached.median, most=peer.median / part.parts, basis=basis)
            )
    for more in PART_TARGETS:
        of = system if more.of == "lockgate" else more.of
        plain, loaded = figure(runs, of, METRIC[more.metric]), figure(runs, more.system, METRIC[more.metric])
        if plain and loaded:
            basis = f"{more.most:g} x without limits" if of == system else f"{more.system}: {more.most:g} x {of}"
            found.append(Verdict(metric=more.metric, reached=loaded.median, most=plain.median * more.most, basis=basis))
    return found


def _limits(target: Target, nginx: Figure | None, calibration_s: float) -> list[tuple[float, str]]:
    scale = calibration_s / PROTOTYPE_CALIBRATION_S
    limits = [(target.prototype_us * scale * target.multiple, f"{target.multiple:g} x prototype, by calibration")]
    if nginx:
        limits.insert(0, (nginx.median * target.nginx_multiple, f"{target.nginx_multiple:.1f} x nginx"))
    return limits
