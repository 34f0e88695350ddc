"""Takes the record store away under load, by holding its locks in another process, and gives it back."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.core.record import Record
from lockgate.telemetry.journal import read_journal
from tools.outage.ledger import Books, check_calls, check_journal, check_store, count_rows, percentile, read_books
from tools.outage.load import Call, Load, Pace, outcomes, plan
from tools.outage.report import Report
from tools.outage.stage import Stage, wait

_MOST_MS = 1.0
"""By how much the p99 of our own work may change. Source: observability specification, section 10, invariant 6."""
_MOST_MB = 25.0
"""How much memory may grow from the second to the last quarter of an outage."""
_WARM_S = 5.0


@dataclass(frozen=True, kw_only=True)
class StoppedOptions:
    """How long, and how many requests."""

    minutes: float = 10.0
    """The long outage."""
    rate_per_s: float = 100.0
    slices: int = 8
    """Before it: so many short phases, with the store and without in turn, so that both see the same machine."""
    slice_s: float = 20.0
    workers: int = 1
    seed: int = 7
    is_timed: bool = True
    """Whether times and memory are judged, or only shown."""


@dataclass(kw_only=True)
class Phase:
    """A stretch of time, in Unix time."""

    name: str
    begin_s: float
    end_s: float = 0.0
    waiting: int = 0
    """Records in the journal and not in the store, at its end."""
    memory_mb: list[float] = field(default_factory=list)
    own_ms: list[float] = field(default_factory=list)
    """Our own work on each request."""
    took_s: list[float] = field(default_factory=list)
    """Whole answers, as clients saw them."""


@contextlib.contextmanager
def store_held(records: Path) -> Iterator[None]:
    """Hold the write locks of every file of a record store: whoever wants to write waits, and fails."""
    held: list[sqlite3.Connection] = []
    try:
        for path in [records / "manifest.db", *sorted((records / "hot").glob("*.db"))]:
            connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            held.append(connection)
            connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        for connection in held:
            connection.close()


def run(options: StoppedOptions, folder: Path) -> Report:
    """Run everything in a folder that is empty. Ends by itself."""
    stage = Stage(folder, workers=options.workers, seed=options.seed, segment_bytes=4 << 20)
    try:
        stage.start()
        dice = random.Random(options.seed)  # the same calls every time
        load = Load(stage.gateway.port, stage.key, plan(dice, Pace(events=6, drip_s=0.01, delay_s=0.05)))
        phases = asyncio.run(_play(options, stage, load))
        return _judge(options, stage, load, phases)
    finally:
        stage.close()


async def _play(options: StoppedOptions, stage: Stage, load: Load) -> list[Phase]:
    running = asyncio.create_task(load.run_paced(options.rate_per_s))
    await asyncio.sleep(min(_WARM_S, options.slice_s))
    phases: list[Phase] = []
    for number in range(options.slices):
        await _phase("up" if number % 2 == 0 else "stopped", options.slice_s, stage, phases)
    await _phase("stopped for long", options.minutes * 60, stage, phases)
    load.stop()
    await running
    return phases


async def _phase(name: str, seconds: float, stage: Stage, phases: list[Phase]) -> None:
    loop = asyncio.get_running_loop()
    with store_held(stage.records) if name != "up" else contextlib.nullcontext():
        phase = Phase(name=name, begin_s=time.time())
        phases.append(phase)
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            phase.memory_mb.append(await loop.run_in_executor(None, stage.memory_mb))
            await asyncio.sleep(min(2.0, left_s))
        phase.end_s = time.time()
        phase.waiting = await loop.run_in_executor(None, _waiting, stage)


def _waiting(stage: Stage) -> int:
    lines = sum(path.read_bytes().count(b"\n") for path in stage.journal.glob("*.log"))
    return lines - count_rows(stage.records)


def _judge(options: StoppedOptions, stage: Stage, load: Load, phases: Sequence[Phase]) -> Report:
    records = list(read_journal(stage.journal))
    waited = phases[-1].waiting
    recovered_s = wait(lambda: count_rows(stage.records) >= len(records), 300)
    memory_mb = stage.memory_mb()
    status = stage.gateway.stop()
    books = read_books(stage.records)
    problems = [f"{count} x {text}" for text, count in load.problems.most_common(8)]
    problems += check_load(load.calls) + check_store(books) + check_calls(load.calls, books)
    problems += check_journal(stage.journal, books) + _check_count(stage.simulated(), books)
    if status:
        problems.append(f"the gateway ended with status {status}")
    if recovered_s is None:
        problems.append("the store did not become complete again within five minutes")
    if waited <= 0:
        problems.append("the store was complete all the time: it was not away, and nothing was tried")
    fill(phases, records, load.calls)
    if options.is_timed:
        problems += check_phases(phases)
    seconds = "never" if recovered_s is None else f"{recovered_s:.1f} s"
    lines = [
        f"{options.rate_per_s:g} requests a second, {options.workers} process(es), seed {options.seed}: "
        f"{len(load.calls)} requests, {outcomes(load.calls)}",
        f"at the end of the outage {waited} records waited in the journal; all were in the store after {seconds}",
        f"store: {books.records} records; memory of the gateway at the end {memory_mb:.1f} MB",
        "",
        f"{'phase':24} {'seconds':>8} {'requests':>9} {'own p50':>9} {'own p99':>9} {'client p99':>11} {'memory':>20}",
        *(_line(name, [phase for phase in phases if phase.name == name]) for name in _names(phases)),
    ]
    return Report(lines=lines, problems=problems)


def check_load(calls: Sequence[Call]) -> list[str]:
    """Every request is answered well."""
    bad = Counter(call.outcome for call in calls if call.outcome != "whole" or call.status != 200)
    return [f"{count} requests failed: {outcome}" for outcome, count in bad.items()]


def _check_count(simulated: dict[str, int], books: Books) -> list[str]:
    recorded = sum(len(rows) for rows in books.by_tag.values())
    if simulated["completed"] != recorded:
        return [f"the simulator completed {simulated['completed']} answers, the store has {recorded}"]
    return []


def fill(phases: Sequence[Phase], records: Sequence[Record], calls: Sequence[Call]) -> None:
    """Say in which phase each request began."""
    for record in records:
        phase = _phase_of(phases, record.started_at)
        if phase is not None:
            phase.own_ms.append(record.stages.prepare + record.stages.finish)
    for call in calls:
        phase = _phase_of(phases, call.began_s)
        if phase is not None and not call.is_stream:
            phase.took_s.append(call.took_s)


def check_phases(phases: Sequence[Phase]) -> list[str]:
    """Without the store, p99 and memory stay what they were."""
    own = {name: [ms for phase in phases if phase.name == name for ms in phase.own_ms] for name in _names(phases)}
    found = []
    change_ms = percentile(own.get("stopped", ()), 0.99) - percentile(own.get("up", ()), 0.99)
    if change_ms >= _MOST_MS:
        found.append(f"p99 of our own work is {change_ms:.2f} ms higher while the store is away")
    longest = quarters(max((phase.memory_mb for phase in phases if phase.name != "up"), key=len, default=[]))
    grown = max(longest[-1]) - max(longest[len(longest) // 3]) if longest else 0.0
    if grown > _MOST_MB:
        found.append(f"memory grew by {grown:.1f} MB while the store was away")
    return found


def quarters(values: Sequence[float]) -> list[Sequence[float]]:
    """Return four parts of a sequence, in order; fewer of a short one."""
    size = max(1, -(-len(values) // 4))
    return [values[at : at + size] for at in range(0, len(values), size)]


def _names(phases: Sequence[Phase]) -> list[str]:
    return list(dict.fromkeys(phase.name for phase in phases))


def _phase_of(phases: Sequence[Phase], at_s: float) -> Phase | None:
    return next((phase for phase in phases if phase.begin_s <= at_s < phase.end_s), None)


def _line(name: str, phases: Sequence[Phase]) -> str:
    own = [ms for phase in phases for ms in phase.own_ms]
    took = [s for phase in phases for s in phase.took_s]
    memory = [max(part) for part in quarters([mb for phase in phases for mb in phase.memory_mb])]
    seconds = sum(phase.end_s - phase.begin_s for phase in phases)
    return (
        f"{name:24} {seconds:8.0f} {len(own):9} {percentile(own, 0.5):6.2f} ms {percentile(own, 0.99):6.2f} ms "
        f"{percentile(took, 0.99) * 1000:8.0f} ms {' '.join(f'{mb:.0f}' for mb in memory):>17} MB"
    )
