"""Fills the disk of the state folder under load, step by step, and makes room again. Needs root: it mounts a disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.outage.ledger import check_calls, check_journal, check_store, count_rows, read_books
from tools.outage.load import Load, Pace, outcomes, plan
from tools.outage.report import Report
from tools.outage.stage import Stage, wait
from tools.outage.stopped import check_load

_CHUNK = 64 * 1024
_BODIES_SHARE, _ROWS_SHARE = 0.92, 0.975
_TOLD_S = 20.0
_NAMES = (
    "aigw_log_bodies_dropped_total",
    "aigw_log_spool_bytes",
    "aigw_log_store_blocked",
    "aigw_log_records_held",
    "aigw_log_records_lost_total",
)


@dataclass(frozen=True, kw_only=True)
class FullOptions:
    """How large the disk is, and how long each step takes."""

    disk_mb: int = 96
    step_s: float = 5.0
    rate_per_s: float = 50.0
    seed: int = 7


@dataclass(kw_only=True)
class Step:
    """What ``/metrics`` said at the end of a step, and how many records the store had."""

    name: str
    used: float
    """Share of the disk."""
    rows: int
    sent: int
    metrics: dict[str, float] = field(default_factory=dict)


def can_mount() -> bool:
    """Whether this process may mount a disk."""
    return os.geteuid() == 0 and Path("/proc/mounts").exists()


@contextlib.contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[None]:
    """Put a disk of that size in a folder's place. Raises CalledProcessError."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run(options: FullOptions, folder: Path) -> Report:
    """Run everything in a folder that is empty. Ends by itself."""
    stage = Stage(folder, seed=options.seed, segment_bytes=256 * 1024)
    with small_disk(stage.gateway.home, options.disk_mb):
        try:
            stage.start()
            dice = random.Random(options.seed)  # the same calls every time
            load = Load(stage.gateway.port, stage.key, plan(dice, Pace(events=4, drip_s=0.01, delay_s=0.03)))
            steps = asyncio.run(_play(options, stage, load))
            return _judge(options, stage, load, steps)
        finally:
            stage.close()


async def _play(options: FullOptions, stage: Stage, load: Load) -> list[Step]:
    running = asyncio.create_task(load.run_paced(options.rate_per_s))
    loop, home = asyncio.get_running_loop(), stage.gateway.home
    steps: list[Step] = []
    for name, share in (("empty", 0.0), ("no bodies", _BODIES_SHARE), ("no rows", _ROWS_SHARE), ("full", 1.0)):
        until_s = time.monotonic() + options.step_s
        while time.monotonic() < until_s:
            fill(home, share)
            await asyncio.sleep(0.1)
        while not await loop.run_in_executor(None, _is_told, name, stage) and time.monotonic() < until_s + _TOLD_S:
            fill(home, share)
            await asyncio.sleep(0.2)
        steps.append(await loop.run_in_executor(None, _look, name, stage, load))
    for path in home.glob("ballast-*"):
        path.unlink()
    await asyncio.sleep(min(3.0, options.step_s))
    load.stop()
    await running
    return steps


def _is_told(name: str, stage: Stage) -> bool:
    """Whether ``/metrics`` shows what a step brings about; the processes look and tell once a second each."""
    dropped, spool, blocked, held, _ = (stage.metrics()[metric] for metric in _NAMES)
    return {"no bodies": dropped > 0, "no rows": blocked > 0 and spool > 0, "full": held > 0}.get(name, True)


def fill(home: Path, share: float) -> None:
    """Use up that share of a disk; of all of it, leave not a byte."""
    use = os.statvfs(home)
    wanted = int(share * use.f_blocks * use.f_frsize) - (use.f_blocks - use.f_bfree) * use.f_frsize
    if share >= 1:
        wanted += 1 << 20
    if wanted <= 0:
        return
    try:
        with (home / f"ballast-{time.monotonic_ns()}").open("wb", buffering=0) as file:
            while wanted > 0:
                wanted -= file.write(bytes(min(_CHUNK, wanted)))
    except OSError:
        return


def _look(name: str, stage: Stage, load: Load) -> Step:
    use = os.statvfs(stage.gateway.home)
    metrics = stage.metrics()
    return Step(
        name=name,
        used=1 - use.f_bfree / use.f_blocks,
        rows=count_rows(stage.records) if name != "full" else -1,
        sent=len(load.calls),
        metrics={metric: metrics[metric] for metric in _NAMES},
    )


def _judge(options: FullOptions, stage: Stage, load: Load, steps: list[Step]) -> Report:
    recovered_s = wait(lambda: _is_well(stage, load), 60)
    end = _look("room again", stage, load)
    log = stage.gateway.log.read_text(errors="replace")
    status = stage.gateway.stop()
    books = read_books(stage.records)
    stage.start()
    settled_s = wait(lambda: stage.spent() == books.nanos, 20)
    problems = [f"{count} x {text}" for text, count in load.problems.most_common(8)]
    problems += check_load(load.calls) + check_store(books) + check_calls(load.calls, books)
    problems += check_journal(stage.journal, books) + check_steps([*steps, end], log)
    if status:
        problems.append(f"the gateway ended with status {status}")
    if recovered_s is None:
        problems.append("the store did not become complete again within a minute")
    if settled_s is None:
        problems.append(f"the counter says {stage.spent()} nano-dollars, the records {books.nanos}")
    seconds = "never" if recovered_s is None else f"{recovered_s:.1f} s"
    lines = [
        f"a disk of {options.disk_mb} MB, {options.rate_per_s:g} requests a second, seed {options.seed}: "
        f"{len(load.calls)} requests, {outcomes(load.calls)}",
        f"all of {books.records} records were in the store {seconds} after the load had ended",
        "",
        f"{'step':12} {'disk':>7} {'requests':>9} {'in store':>9} {'no bodies':>10} {'waiting':>10} {'blocked':>8} "
        f"{'held':>6} {'lost':>5}",
        *(_line(step) for step in [*steps, end]),
    ]
    return Report(lines=lines, problems=problems)


def _is_well(stage: Stage, load: Load) -> bool:
    metrics = stage.metrics()
    is_empty = not metrics["aigw_log_records_held"] and not metrics["aigw_log_store_blocked"]
    return is_empty and count_rows(stage.records) >= len(load.calls)


def check_steps(steps: list[Step], log: str) -> list[str]:
    """Bodies are shed first, then rows wait, then they are held; all of it is told."""
    found = []
    at = {step.name: step.metrics for step in steps}
    dropped, spool, blocked, held, lost = _NAMES
    expected = (
        (not at["empty"][dropped], "bodies were dropped while there was room"),
        (at["no bodies"][dropped] > 0, "no bodies were dropped at 92 %, or /metrics does not tell"),
        (not at["no bodies"][blocked], "rows waited at 92 % already"),
        (
            at["no rows"][blocked] == 1 and at["no rows"][spool] > 0,
            "rows did not wait at 97.5 %, or /metrics does not tell",
        ),
        (not at["no rows"][held], "records were held while the journal had room"),
        (at["full"][held] > 0, "no records were held on the full disk, or /metrics does not tell"),
        (not at["room again"][held] and not at["room again"][blocked], "something still waits, though there is room"),
        (not any(step.metrics[lost] for step in steps), "records were lost"),
        ("bodies are not kept" in log, "the log does not say that bodies are not kept"),
        ("records are held in memory" in log, "the log does not say that records are held"),
    )
    found += [text for is_so, text in expected if not is_so]
    return found


def _line(step: Step) -> str:
    values = [step.metrics[name] for name in _NAMES]
    rows = str(step.rows) if step.rows >= 0 else "-"
    return (
        f"{step.name:12} {100 * step.used:5.1f} % {step.sent:9} {rows:>9} {values[0]:10g} {values[1]:10g} "
        f"{values[2]:8g} {values[3]:6g} {values[4]:5g}"
    )
