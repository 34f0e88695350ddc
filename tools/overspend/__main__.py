"""The whole run, its table, and an exit status: 0 when no budget was overrun and all books agree."""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.overspend.books import HEAD, Row, check_calls, check_simulator, outcomes, read_ledger, rows
from tools.overspend.stage import Scene, Stage
from tools.overspend.storm import Call, Storm, plan

REST_S = 30.0
"""How long reserved money may take to come back once nothing runs any more, also that of a process that was killed."""
_FILES_LEFT = 500


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to run."""

    calls: int = 10_000
    workers: int = 1
    seed: int = 7
    is_killing: bool = False
    open_at_once: int | None = None
    seconds: float = 180.0
    latency_s: float = 0.3
    token_delay_s: float = 0.02
    longest_wait_s: float = 8.0
    leaving: float = 0.2
    failing: float = 0.06


@dataclass(kw_only=True)
class Report:
    """What was seen."""

    lines: list[str]
    problems: list[str]


def run(options: Options, folder: Path) -> Report:
    """Run everything in a folder that is empty. Ends by itself."""
    _raise_file_limit()
    stage = Stage(
        folder,
        workers=options.workers,
        seed=options.seed,
        latency_s=options.latency_s,
        token_delay_s=options.token_delay_s,
    )
    try:
        return _run(options, stage)
    finally:
        stage.close()


def _run(options: Options, stage: Stage) -> Report:
    scene = stage.prepare(options.calls)
    dice = random.Random(options.seed)  # a plan that can be repeated
    calls = plan(options.calls, scene.keys, dice, leaving=options.leaving, failing=options.failing)
    time.sleep(1.0)  # the change feed of every worker
    began_s = time.monotonic()
    storm, killed = asyncio.run(_storm(options, stage, calls, dice))
    storm_s = time.monotonic() - began_s
    rested_s = stage.wait(lambda: not any(reserved for _, reserved in stage.counters(scene).values()), REST_S)
    settled_s = stage.wait(lambda: _agrees(stage, scene), REST_S)
    books = _books(stage, scene)
    problems = [problem for row in books for problem in row.problems]
    ledger = read_ledger(stage.gateway.home / "journal")
    problems += check_calls(calls, ledger)
    simulated = stage.simulated()
    problems += check_simulator(simulated, ledger)
    status = stage.gateway.stop()
    if status:
        problems.append(f"the gateway ended with status {status}")
    stage.gateway.start()
    again = {(row.limit.id, row.group): row.used for row in _books(stage, scene)}
    if again != {(row.limit.id, row.group): row.used for row in books}:
        problems.append("the counters changed over a restart")
    lines = [
        f"{options.calls} calls, {options.workers} process(es), seed {options.seed}: {outcomes(calls)}",
        f"{storm.sent} requests in {storm_s:.1f} s, {storm.most_open} open at once at most; statuses "
        + ", ".join(f"{count} x {status}" for status, count in storm.statuses.most_common()),
        f"killed: process {killed}" if killed else "killed: nobody",
        f"requests that were admitted without counters: {stage.gateway.blind()}",
        f"all reservations were back after {_seconds(rested_s)}, all books agreed after {_seconds(settled_s)} more",
        f"the provider completed {simulated['completed']} answers, {simulated['aborted']} were left; "
        f"the journals have {ledger.answered} answers in {len(ledger.ids)} records",
        "",
        HEAD,
        *(row.line() for row in books),
    ]
    return Report(lines=lines, problems=problems)


async def _storm(options: Options, stage: Stage, calls: Sequence[Call], dice: random.Random) -> tuple[Storm, int]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _FILES_LEFT
    open_at_once = min(options.open_at_once or options.calls, limit)
    storm = Storm(
        stage.gateway.port,
        open_at_once=open_at_once,
        deadline_s=options.seconds,
        dice=dice,
        longest_wait_s=options.longest_wait_s,
    )
    running = asyncio.create_task(storm.run(calls))
    killed = 0
    if options.is_killing:
        loop = asyncio.get_running_loop()
        await storm.has_answered(max(10, options.calls // 100))
        killed = await loop.run_in_executor(None, stage.gateway.kill_one)
        if not stage.gateway.workers():
            await loop.run_in_executor(None, stage.gateway.start)
    await running
    return storm, killed


def _books(stage: Stage, scene: Scene) -> list[Row]:
    return rows(scene.limits, stage.counters(scene), read_ledger(stage.gateway.home / "journal"))


def _agrees(stage: Stage, scene: Scene) -> bool:
    return not any(row.used != row.charged for row in _books(stage, scene))


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _raise_file_limit() -> None:
    """Let this process and those that it starts open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tools.overspend", description="Try to overrun budgets.")
    parser.add_argument("--calls", type=int, default=10_000, help="how many calls, default 10000")
    parser.add_argument("--workers", type=int, default=1, help="gateway processes, default 1")
    parser.add_argument("--kill", action="store_true", help="kill -9 one of them in the middle")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other calls, default 7")
    parser.add_argument("--open", type=int, default=None, help="calls open at once; all of them by default")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long refused calls try again, default 180")
    parser.add_argument("--latency-s", type=float, default=0.3, help="how long the provider thinks, default 0.3")
    given = parser.parse_args(arguments)
    options = Options(
        calls=given.calls,
        workers=given.workers,
        seed=given.seed,
        is_killing=given.kill,
        open_at_once=given.open,
        seconds=given.seconds,
        latency_s=given.latency_s,
    )
    with tempfile.TemporaryDirectory(prefix="overspend-") as name:
        report = run(options, Path(name))
    print(*report.lines, sep="\n")
    print("", *(report.problems or ["No budget was overrun, and all books agree."]), sep="\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
