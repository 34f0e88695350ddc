"""The trials: one kind of load each, with what is read from it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.errors import BenchError
from bench.machine import on_core
from bench.payloads import FIRST_TOKEN, Shape
from bench.processes import beside, cpu_beside_s, cpu_s, settle_beside
from bench.running import Bench, Running, ask

LOAD_LIMIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One kind of load. ``rate_per_s`` 0 means: as much as ``connections`` in a closed loop can.

    ``length`` is how long it lasts in units of the chosen seconds. ``is_special``: only for systems that name it.
    ``stream_s``: a paced stream lasts 20 ms for each event; after this time as many end as begin.
    """

    name: str
    title: str
    shape: Shape
    connections: int
    rate_per_s: float = 0.0
    is_paced: bool = False
    stream_s: float = 1.2
    length: float = 1.0
    is_special: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial showed: figures by name, or the reason why there are none."""

    values: dict[str, float] = field(default_factory=dict)
    void: str | None = None


_CHAT = Shape(api="chat")
_PACED = Shape(api="chat", model="claude-paced", is_stream=True)
TRIALS = {
    trial.name: trial
    for trial in (
        Trial(name="chat", title="chat, saturated", shape=_CHAT, connections=32),
        Trial(name="chat200", title="chat at 200/s", shape=_CHAT, connections=16, rate_per_s=200, length=1.5),
        Trial(name="messages", title="Messages, saturated", shape=Shape(api="messages"), connections=32),
        Trial(name="stream", title="burst streams", shape=Shape(api="chat", is_stream=True), connections=16),
        Trial(
            name="paced", title="paced streams", shape=_PACED, connections=80, rate_per_s=20, is_paced=True, length=1.5
        ),
        Trial(
            name="paced200",
            title="paced streams, 200/s",
            shape=_PACED,
            connections=400,
            rate_per_s=200,
            is_paced=True,
            length=1.5,
            is_special=True,
        ),
        Trial(
            name="long",
            title="paced streams of 256 events",
            shape=Shape(api="chat", model="claude-long-paced", is_stream=True),
            connections=600,
            rate_per_s=60,
            is_paced=True,
            stream_s=5.4,
            is_special=True,
        ),
        Trial(name="big", title="100 KB requests", shape=Shape(api="chat", size="large"), connections=8),
        Trial(
            name="history",
            title="100k-token history, chat",
            shape=Shape(api="chat", size="history"),
            connections=8,
        ),
        Trial(
            name="messages-history",
            title="100k-token history, Messages",
            shape=Shape(api="messages", size="history"),
            connections=8,
        ),
        Trial(
            name="messages-paced",
            title="paced Messages streams",
            shape=Shape(api="messages", model="claude-paced", is_stream=True),
            connections=80,
            rate_per_s=20,
            is_paced=True,
            length=1.5,
        ),
        Trial(
            name="messages-big",
            title="100 KB Messages",
            shape=Shape(api="messages", size="large"),
            connections=8,
        ),
        Trial(
            name="openai",
            title="chat to an OpenAI provider",
            shape=Shape(api="chat", provider="openai", model="gpt-mock"),
            connections=32,
        ),
    )
}
DEFAULT_TRIALS = (
    "chat",
    "chat200",
    "messages",
    "stream",
    "paced",
    "paced200",
    "long",
    "big",
    "history",
    "messages-history",
)
LIFE_TRIALS = ("start", "memory")
"""Read from a system's life rather than from a load of their own."""


def run_trial(bench: Bench, target: Running, trial: Trial, seconds: float) -> Outcome:
    """Measure one trial. An answer that is not 2xx or not complete makes it void."""
    if reason := _refusal(target, trial.shape):
        return Outcome(void=reason)
    try:
        if trial.is_paced:
            return _paced(bench, target, trial, seconds * trial.length)
        _load(bench, target, trial, min(0.25, seconds))
        return _loaded(bench, target, trial, seconds * trial.length)
    except (BenchError, subprocess.TimeoutExpired) as error:
        return Outcome(void=str(error))


def warm_up(bench: Bench, target: Running, trial: Trial) -> None:
    """Load a system that gets faster with use for as long as it asks for."""
    if target.system.warm_s:
        _load(bench, target, trial, target.system.warm_s, rate_per_s=20 if trial.is_paced else 0)


def duration_s(trial: Trial, seconds: float) -> float:
    """About how long the trial takes."""
    return seconds * trial.length + (2 * trial.stream_s if trial.is_paced else 0.3)


def _refusal(target: Running, shape: Shape) -> str | None:
    try:
        status, body = ask(target, shape)
    except OSError as error:
        return f"no answer: {error}"
    if status == 200 and shape.expected.encode() in body:
        return None
    return f"status {status}: {body[:160].decode(errors='replace')}"


def _command(bench: Bench, target: Running, trial: Trial, seconds: float, rate_per_s: float) -> list[str]:
    path, file = target.body_file(trial.shape)
    options = {
        "--port": target.place.port,
        "--path": path,
        "--body": file,
        "--connections": trial.connections,
        "--seconds": seconds,
        "--rate": rate_per_s,
        "--expect": trial.shape.expected,
        "--first": FIRST_TOKEN,
    }
    command = [str(bench.programs.load), *(str(part) for option in options.items() for part in option)]
    for header in target.launch.headers:
        command += ["--header", header]
    return command


@contextmanager
def _loading(bench: Bench, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A running load that does not outlive this block."""
    with on_core(bench.cores.load):
        load = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
    try:
        yield load
    finally:
        if load.poll() is None:
            load.kill()
        load.communicate()


def _result(load: subprocess.Popen[str], limit_s: float) -> dict[str, float]:
    out, problem = load.communicate(timeout=limit_s)
    if load.returncode:
        raise BenchError(problem.strip() or f"the load ended with status {load.returncode}")
    result: dict[str, float] = json.loads(out)
    return result


def _load(
    bench: Bench, target: Running, trial: Trial, seconds: float, rate_per_s: float | None = None
) -> dict[str, float]:
    rate = trial.rate_per_s if rate_per_s is None else rate_per_s
    with _loading(bench, _command(bench, target, trial, seconds, rate)) as load:
        return _result(load, seconds + LOAD_LIMIT_S)


def _loaded(bench: Bench, target: Running, trial: Trial, seconds: float) -> Outcome:
    settle_beside(target.pid)
    beside_before_s = cpu_beside_s(target.pid)
    cpu_before_s, began_s = cpu_s(target.pid), time.monotonic()
    result = _load(bench, target, trial, seconds)
    used_s, wall_s = cpu_s(target.pid) - cpu_before_s, time.monotonic() - began_s
    if reason := _void(result):
        return Outcome(void=reason)
    values = _figures(result)
    values["cpu_us"] = used_s / result["ok"] * 1e6
    values["busy"] = used_s / wall_s
    if beside(target.pid):
        settle_beside(target.pid)
        values["beside_us"] = (cpu_beside_s(target.pid) - beside_before_s) / result["ok"] * 1e6
    if result["events"]:
        values["cpu_us_per_event"] = used_s / result["events"] * 1e6
    return Outcome(values=values)


def _paced(bench: Bench, target: Running, trial: Trial, seconds: float) -> Outcome:
    """The cost is read inside a window in which as many streams end as begin; times are of all streams."""
    with _loading(bench, _command(bench, target, trial, trial.stream_s + seconds, trial.rate_per_s)) as load:
        time.sleep(trial.stream_s)
        beside_before_s = cpu_beside_s(target.pid)
        cpu_before_s, events_before = cpu_s(target.pid), bench.provider.counters()["events"]
        time.sleep(seconds)
        used_s, events = cpu_s(target.pid) - cpu_before_s, bench.provider.counters()["events"] - events_before
        beside_s = cpu_beside_s(target.pid) - beside_before_s
        result = _result(load, LOAD_LIMIT_S)
    if reason := _void(result):
        return Outcome(void=reason)
    if not result["events"]:
        return Outcome(void="no event passed in the window")
    values = _figures(result) | {"cpu_us": used_s / (trial.rate_per_s * seconds) * 1e6, "busy": used_s / seconds}
    if beside(target.pid):
        values["beside_us"] = beside_s / (trial.rate_per_s * seconds) * 1e6
    if events:  # none when every answer comes from a cache
        values["cpu_us_per_event"] = used_s / events * 1e6
    return Outcome(values=values)


def _void(result: dict[str, float]) -> str | None:
    if result["refused"] or result["incomplete"]:
        return (
            f"{result['refused']:.0f} answers refused, {result['incomplete']:.0f} incomplete; "
            f"status {result['last_status']}: {str(result['last_body'])[:160]}"
        )
    if result["broken"]:
        return f"{result['broken']:.0f} connections broke or were never answered"
    return None if result["ok"] else "no answer in time"


def _figures(result: dict[str, float]) -> dict[str, float]:
    names = ("ok", "rate", "p50_us", "p99_us", "first_p50_us", "first_p99_us", "events", "late", "load_cpu_s")
    return {name: float(result[name]) for name in names}
