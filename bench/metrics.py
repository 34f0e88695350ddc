"""The figures of the report: which trial each comes from, and its median over the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.rounds import Run
from bench.trials import TRIALS

BUSY_ENOUGH = 0.9
"""A gateway that used less of its core than this at saturation was not the limit: the load side was."""
HELD_PART = 0.95
"""A rate that falls below this part of what was asked for is not held."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One line of the table. ``kind`` cpu: scaled by the calibration; added: the part above ``direct``."""

    name: str
    title: str
    trial: str
    key: str
    kind: Literal["cpu", "added", "plain", "rate"] = "plain"
    decimals: int = 0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A median over ``n`` rounds.

    ``is_floor``: at least this, the load side was the limit. ``missed_rate``: requests a second that the system
    managed where a higher rate was asked for.
    """

    median: float
    best: float
    n: int
    is_floor: bool = False
    missed_rate: float | None = None


METRICS = (
    Metric(name="chat", title="chat translated, saturated: CPU us/request", trial="chat", key="cpu_us", kind="cpu"),
    Metric(name="rate", title="chat, saturated: requests/s on one core", trial="chat", key="rate", kind="rate"),
    Metric(name="chat200", title="chat at 200/s: CPU us/request", trial="chat200", key="cpu_us", kind="cpu"),
    Metric(name="chat200-p50", title="chat at 200/s: added p50, us", trial="chat200", key="p50_us", kind="added"),
    Metric(name="chat200-p99", title="chat at 200/s: added p99, us", trial="chat200", key="p99_us", kind="added"),
    Metric(name="messages", title="Messages, byte path: CPU us/request", trial="messages", key="cpu_us", kind="cpu"),
    Metric(
        name="stream", title="streamed, burst: CPU us/event", trial="stream", key="cpu_us_per_event", kind="cpu",
        decimals=1,
    ),
    Metric(
        name="paced", title="streamed, paced: CPU us/event", trial="paced", key="cpu_us_per_event", kind="cpu",
        decimals=1,
    ),
    Metric(
        name="paced200", title="streamed, paced, 200/s: CPU us/request", trial="paced200", key="cpu_us", kind="cpu",
    ),
    Metric(name="long", title="streamed, paced, 256 events: CPU us/request", trial="long", key="cpu_us", kind="cpu"),
    Metric(name="first-p50", title="streamed, paced: first token, added p50, us", trial="paced", key="first_p50_us",
           kind="added"),
    Metric(name="first-p99", title="streamed, paced: first token, added p99, us", trial="paced", key="first_p99_us",
           kind="added"),
    Metric(name="big", title="100 KB request: CPU us", trial="big", key="cpu_us", kind="cpu"),
    Metric(
        name="history", title="100k-token history, chat translated: CPU us", trial="history", key="cpu_us", kind="cpu"
    ),
    Metric(
        name="messages-history", title="100k-token history, Messages, byte path: CPU us", trial="messages-history",
        key="cpu_us", kind="cpu",
    ),
    Metric(
        name="messages-paced", title="Messages streamed, paced: CPU us/event", trial="messages-paced",
        key="cpu_us_per_event", kind="cpu", decimals=1,
    ),
    Metric(name="messages-big", title="100 KB Messages: CPU us", trial="messages-big", key="cpu_us", kind="cpu"),
    Metric(name="openai", title="chat, byte path: CPU us/request", trial="openai", key="cpu_us", kind="cpu"),
    Metric(name="chat-beside", title="chat: CPU us/request of the process that tends records", trial="chat",
           key="beside_us", kind="cpu"),
    Metric(name="messages-beside", title="Messages: CPU us/request of the process that tends records", trial="messages",
           key="beside_us", kind="cpu"),
    Metric(name="paced200-beside", title="streamed, paced, 200/s: CPU us/request of the same", trial="paced200",
           key="beside_us", kind="cpu"),
    Metric(name="long-beside", title="streamed, paced, 256 events: CPU us/request of the same", trial="long",
           key="beside_us", kind="cpu"),
    Metric(name="start", title="start to first answer, s", trial="start", key="s", decimals=2),
    Metric(name="memory", title="memory after load, peak MB", trial="memory", key="peak_mb"),
    Metric(name="memory-beside", title="the same of the process that tends records", trial="memory", key="beside_mb"),
)  # fmt: skip
METRIC = {metric.name: metric for metric in METRICS}


def figure(runs: Sequence[Run], system: str, metric: Metric) -> Figure | None:
    """The median of a metric for a system, None when no round has it."""
    found = _values(runs, system, metric)
    if not found:
        return None
    median = statistics.median(found)
    if metric.kind == "added":
        base = figure(runs, "direct", _plain(metric))
        if base is None or system == "direct":
            return None
        median -= base.median
    is_floor = metric.kind == "rate" and statistics.median(_raw(runs, system, metric.trial, "busy")) < BUSY_ENOUGH
    missed = _missed_rate(runs, system, metric.trial)
    return Figure(median=median, best=max(found), n=len(found), is_floor=is_floor, missed_rate=missed)


def reference_s(runs: Sequence[Run]) -> float:
    """The calibration of the fastest moment: all CPU figures are scaled to it."""
    return min((run.calibration_s for run in runs if run.calibration_s), default=1.0)


def _plain(metric: Metric) -> Metric:
    return Metric(name=metric.name, title=metric.title, trial=metric.trial, key=metric.key)


def _values(runs: Sequence[Run], system: str, metric: Metric) -> list[float]:
    reference = reference_s(runs)
    found = []
    for run in runs:
        outcome = run.outcomes.get(metric.trial)
        if run.system == system and outcome and metric.key in outcome.values:
            scale = reference / run.calibration_s if metric.kind == "cpu" and run.calibration_s else 1.0
            found.append(outcome.values[metric.key] * scale)
    return found


def _raw(runs: Sequence[Run], system: str, trial: str, key: str) -> list[float]:
    outcomes = [run.outcomes[trial] for run in runs if run.system == system and trial in run.outcomes]
    return [outcome.values[key] for outcome in outcomes if key in outcome.values]


def _missed_rate(runs: Sequence[Run], system: str, trial: str) -> float | None:
    """The rate that was managed, if the trial asked for clearly more. Streams take a second and do not count."""
    if trial not in TRIALS or not TRIALS[trial].rate_per_s or TRIALS[trial].is_paced:
        return None
    managed = statistics.median(_raw(runs, system, trial, "rate"))
    return managed if managed < HELD_PART * TRIALS[trial].rate_per_s else None
