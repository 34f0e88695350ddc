"""The machine under the benchmark: its cores, its speed right now, and what to note about it."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

CALIBRATION_ROUNDS = 500
CALIBRATION_SAMPLES = 5
BUSY_LOAD = 0.8
_CALIBRATION_DATA = {"items": [{f"key{i}": "value" * 8, "number": i} for i in range(50)]}


@dataclass(frozen=True, kw_only=True)
class Cores:
    """Which core each part is pinned to; None leaves the choice to the system."""

    gateway: int | None = None
    upstream: int | None = None
    load: int | None = None


def choose_cores(usable: list[int]) -> Cores:
    """Give the gateway a core of its own; with three or more, the fake provider and the load have one each too."""
    if len(usable) < 2:
        return Cores()
    return Cores(gateway=usable[0], upstream=usable[1], load=usable[2] if len(usable) > 2 else usable[1])


def usable_cores() -> list[int]:
    """The cores that this process may use. Raises BenchError on systems that cannot tell."""
    if not hasattr(os, "sched_getaffinity") or not Path("/proc/self/stat").exists():
        raise BenchError("The benchmark needs Linux: it pins processes to cores and reads their CPU time from /proc.")
    return sorted(os.sched_getaffinity(0))


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Stay on one core within this block. A process started in it stays there with everything it starts."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def calibrate(core: int | None) -> float:
    """CPU seconds of a fixed piece of work on that core, the median of a few: how slow the machine is now."""
    with on_core(core):
        return statistics.median(_fixed_work_s() for _ in range(CALIBRATION_SAMPLES))


def _fixed_work_s() -> float:
    start_s = time.process_time()
    for _ in range(CALIBRATION_ROUNDS):
        json.loads(json.dumps(_CALIBRATION_DATA))
    return time.process_time() - start_s


def is_busy() -> bool:
    """Whether other work has kept a core busy during the last minute."""
    return os.getloadavg()[0] > BUSY_LOAD


def describe() -> dict[str, str]:
    """Facts that a reader of the raw results needs."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": str(len(usable_cores())),
        "python": sys.version.split()[0],
        "load_average": " ".join(f"{x:.2f}" for x in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
