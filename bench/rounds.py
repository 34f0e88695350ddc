"""The rounds: every system once in each, in changing order, so that a slow minute hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.errors import BenchError
from bench.machine import calibrate
from bench.processes import memory_beside_mb, memory_mb
from bench.running import Bench, Running, running
from bench.systems import System
from bench.trials import TRIALS, Outcome, Trial, duration_s, run_trial, warm_up

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure and how long. ``trials`` names loads; start and memory are always noted."""

    trials: tuple[str, ...]
    rounds: int = 3
    seconds: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One system in one round. ``calibration_s`` tells how slow the machine was meanwhile."""

    system: str
    round: int
    calibration_s: float = 0.0
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failure: str | None = None


def order(names: Sequence[str], round_number: int) -> list[str]:
    """The order of a round: rotated by one each time, and every second round backwards."""
    shift = round_number % len(names)
    rotated = [*names[shift:], *names[:shift]]
    return rotated[::-1] if round_number % 2 else rotated


def estimate_s(systems: Sequence[System], options: Options) -> float:
    """About how long all rounds take."""
    total_s = 0.0
    for system in systems:
        trials = trials_of(system, options)
        total_s += sum(duration_s(trial, options.seconds) for trial in trials) + system.warm_s + 1.0
    return total_s * options.rounds


def trials_of(system: System, options: Options) -> list[Trial]:
    """The trials that this system takes part in."""
    wanted = [TRIALS[name] for name in options.trials]
    if system.trials is None:
        return [trial for trial in wanted if not trial.is_special]
    return [trial for trial in wanted if trial.name in system.trials]


def run_rounds(bench: Bench, systems: Sequence[System], options: Options, say: Say) -> list[Run]:
    """Run all rounds. A system that fails is noted with its reason and does not stop the others."""
    by_name = {system.name: system for system in systems}
    runs: list[Run] = []
    total = options.rounds * sum(len(trials_of(system, options)) for system in systems)
    done = 0
    for number in range(options.rounds):
        for name in order(list(by_name), number):
            trials = trials_of(by_name[name], options)
            if trials:
                progress = _Progress(say=say, done=done, total=total, prefix=f"round {number + 1}  {name}")
                runs.append(_run_one(bench, by_name[name], trials, options, number, progress))
            done += len(trials)
    return runs


@dataclass(kw_only=True)
class _Progress:
    """Says which trial comes and what the last one showed."""

    say: Say
    done: int
    total: int
    prefix: str

    def show(self, trial: Trial, outcome: Outcome) -> None:
        """One line per finished trial."""
        self.done += 1
        self.say(f"[{self.done:3d}/{self.total}] {self.prefix:24s} {trial.title:28s} {summary(outcome)}")


def summary(outcome: Outcome) -> str:
    """A trial's outcome in a few words."""
    if outcome.void is not None:
        return f"void: {outcome.void}"
    values = outcome.values
    if "cpu_us_per_event" in values:
        return (
            f"{values['cpu_us_per_event']:8.1f} us CPU/event, first token after {values['first_p50_us'] / 1e3:.1f} ms"
        )
    return f"{values['cpu_us']:8.1f} us CPU/request, {values['rate']:.0f}/s"


def _run_one(
    bench: Bench, system: System, trials: list[Trial], options: Options, number: int, progress: _Progress
) -> Run:
    before_s = calibrate(bench.cores.gateway)
    try:
        with running(bench, system, trials[0].shape) as target:
            outcomes = _outcomes(bench, target, trials, options, progress)
    except BenchError as error:
        progress.say(f"{progress.prefix}: failed: {error}")
        return Run(system=system.name, round=number, failure=str(error))
    calibration_s = (before_s + calibrate(bench.cores.gateway)) / 2
    return Run(system=system.name, round=number, calibration_s=calibration_s, outcomes=outcomes)


def _outcomes(
    bench: Bench, target: Running, trials: list[Trial], options: Options, progress: _Progress
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    warm_up(bench, target, trials[0])
    for trial in trials:
        outcomes[trial.name] = run_trial(bench, target, trial, options.seconds)
        progress.show(trial, outcomes[trial.name])
        time.sleep(0.02)
    if target.launch.command:
        outcomes["start"] = Outcome(values={"s": target.start_s})
        outcomes["memory"] = Outcome(
            values={
                "peak_mb": memory_mb(target.pid),
                "now_mb": memory_mb(target.pid, "VmRSS"),
                "beside_mb": memory_beside_mb(target.pid),
            }
        )
    return outcomes
