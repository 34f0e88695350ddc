"""Kills the gateway again and again, at random moments: under load, while it starts, or one of its processes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.telemetry.journal import read_journal
from tools.outage.ledger import (
    check_calls,
    check_contents,
    check_journal,
    check_simulator,
    check_store,
    count_rows,
    read_books,
)
from tools.outage.load import MARK, TAG_LENGTH, Call, Load, Pace, outcomes, plan
from tools.outage.report import Report
from tools.outage.stage import Stage, family, wait

_RECORDERS = 0.15
"""The share of kills that hit a process beside the gateway."""
_REPLACED_S = 60.0
_SETTLED_S = 60.0


@dataclass(frozen=True, kw_only=True)
class KillOptions:
    """How often, and how."""

    kills: int = 200
    workers: int = 1
    clients: int = 16
    window_s: float = 0.8
    """The moment is drawn from so long after the first answer."""
    starting: float = 0.1
    """The share of kills that come while the gateway still starts."""
    seed: int = 7


@dataclass(kw_only=True)
class _Seen:
    """All rounds together."""

    calls: list[Call] = field(default_factory=list)
    received: dict[str, str] = field(default_factory=dict)
    """What became of each request at the simulator, by tag."""
    victims: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)


def run(options: KillOptions, folder: Path) -> Report:
    """Run everything in a folder that is empty. Ends by itself."""
    began_s = time.monotonic()
    stage = Stage(folder, workers=options.workers, seed=options.seed, segment_bytes=64 * 1024)
    dice = random.Random(options.seed)  # moments and calls that can be repeated
    calls = plan(dice, Pace(events=8, drip_s=0.02, delay_s=0.15))
    seen = _Seen()
    try:
        for _ in range(options.kills):
            _round(options, stage, dice, calls, seen)
        return _judge(options, stage, seen, began_s)
    finally:
        stage.close()


def _round(options: KillOptions, stage: Stage, dice: random.Random, calls: Iterator[Call], seen: _Seen) -> None:
    gateway = stage.gateway
    is_running = gateway.popen is not None and gateway.popen.poll() is None
    if not is_running and gateway.port and dice.random() < options.starting:
        gateway.spawn()
        time.sleep(dice.random() * 1.5)
        assert gateway.popen is not None
        stage.kill(gateway.popen.pid)
        seen.victims["while it started"] += 1
        return
    if not is_running:
        stage.start()
    load = Load(gateway.port, stage.key, calls)
    asyncio.run(_load_and_kill(options, stage, dice, load, seen))
    seen.calls += load.calls
    seen.problems += load.problems
    for entry in stage.received():
        seen.received[_tag_of(entry)] = entry["outcome"]


async def _load_and_kill(options: KillOptions, stage: Stage, dice: random.Random, load: Load, seen: _Seen) -> None:
    running = asyncio.create_task(load.run_closed(options.clients))
    answered = asyncio.create_task(load.answered.wait())
    await asyncio.wait((running, answered), return_when=asyncio.FIRST_COMPLETED, timeout=20)
    answered.cancel()
    await asyncio.sleep(dice.random() * options.window_s)
    loop = asyncio.get_running_loop()
    victim = await loop.run_in_executor(None, _kill_one, stage, dice)
    seen.victims[victim] += 1
    if victim.startswith("a "):
        await asyncio.sleep(0.3)
    load.stop()
    await running
    if victim == "a worker":
        await loop.run_in_executor(None, _until_replaced, stage)


def _kill_one(stage: Stage, dice: random.Random) -> str:
    gateway = stage.gateway
    assert gateway.popen is not None
    workers = sorted(gateway.workers().values())
    recorders = sorted(pid for one in workers or [gateway.popen.pid] for pid in family(one) - {one})
    if recorders and dice.random() < _RECORDERS:
        with contextlib.suppress(ProcessLookupError):
            stage.kill(dice.choice(recorders))
        return "a process that tends records"
    choice = dice.randrange(len(workers) + 1)
    if choice < len(workers):
        stage.kill(workers[choice])
        return "a worker"
    stage.kill(gateway.popen.pid)
    return "the supervisor" if workers else "the gateway"


def _until_replaced(stage: Stage) -> None:
    if wait(lambda: all(map(_is_alive, stage.gateway.workers().values())), _REPLACED_S) is None:
        raise RuntimeError("a worker that was killed was not replaced")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def _tag_of(entry: dict[str, Any]) -> str:
    text = base64.b64decode(entry["body_base64"]).decode("utf-8", "replace")
    at = text.find(MARK)
    return text[at : at + TAG_LENGTH] if at >= 0 else f"request {entry['id']} without a tag"


def _judge(options: KillOptions, stage: Stage, seen: _Seen, began_s: float) -> Report:
    gateway = stage.gateway
    if gateway.popen is None or gateway.popen.poll() is not None:
        stage.start()
    written = len({record.id for record in read_journal(stage.journal)})
    shipped_s = wait(lambda: count_rows(stage.records) >= written, _SETTLED_S)
    status = gateway.stop()
    books = read_books(stage.records)
    stage.start()
    settled_s = wait(lambda: stage.spent() == books.nanos, _SETTLED_S)
    spent = stage.spent()
    provided = check_simulator(seen.received, seen.calls, books)
    problems = [f"{count} x {text}" for text, count in seen.problems.most_common(8)]
    problems += check_store(books) + check_calls(seen.calls, books) + check_journal(stage.journal, books)
    problems += provided.problems
    without, wrong = check_contents(stage.records, books)
    problems += wrong
    if status:
        problems.append(f"the gateway ended with status {status}")
    if shipped_s is None:
        problems.append(f"the store did not have the journal's {written} records within a minute")
    if settled_s is None:
        problems.append(f"the counter says {spent} nano-dollars, the records {books.nanos}")
    cut = [call for call in seen.calls if call.outcome == "cut"]
    told = [call for call in cut if call.has_end]
    told_kept = [call for call in told if call.tag in books.by_tag]
    lines = [
        f"{options.kills} kills in {time.monotonic() - began_s:.0f} s, {options.workers} process(es), "
        f"seed {options.seed}: " + ", ".join(f"{count} of {name}" for name, count in seen.victims.items()),
        f"clients: {len(seen.calls)} requests, {outcomes(seen.calls)}",
        f"store: {books.records} records of {books.nanos / 1e9:.6f} dollars; the counter says {spent / 1e9:.6f}",
        f"bodies: {without} of {books.records} records have none; those of the others were read and are whole",
        f"simulator: received {provided.received}, completed {provided.completed}; "
        f"{provided.recorded} of them have a record, {provided.in_flight} were under way when their gateway was killed",
        f"{len(told)} of the {len(cut)} answers that were cut had shown their last event; {len(told_kept)} of these "
        "have a record",
    ]
    return Report(lines=lines, problems=problems)
