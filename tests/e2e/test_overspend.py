"""Budgets hold while hundreds of calls overlap, clients leave, providers fail and a process is killed."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tools.overspend.__main__ import Options, run
from tools.overspend.books import read_ledger, rows
from tools.overspend.stage import Stage
from tools.overspend.storm import Storm, plan


@pytest.mark.parametrize("workers", [1, 2])
def test_no_budget_is_overrun_and_all_books_agree(tmp_path: Path, workers: int) -> None:
    report = run(
        Options(calls=250, workers=workers, is_killing=True, seconds=5, latency_s=0.1, longest_wait_s=0.5), tmp_path
    )
    print(*report.lines, sep="\n")
    assert report.problems == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_in_the_middle_charges_what_was_cut_and_leaves_nothing_reserved(tmp_path: Path, workers: int) -> None:
    stage = Stage(tmp_path, workers=workers, seed=7, latency_s=0.2, token_delay_s=0.3, drain_s=0.5)
    try:
        scene = stage.prepare(100)
        dice = random.Random(7)
        calls = plan(60, scene.keys, dice, leaving=0, failing=0)

        async def scene_of_calls() -> None:
            storm = Storm(stage.gateway.port, open_at_once=60, deadline_s=2, dice=dice, longest_wait_s=0.3)
            running = asyncio.create_task(storm.run(calls))
            await storm.has_answered(10)
            stopped = asyncio.get_running_loop().run_in_executor(None, stage.gateway.stop)
            await running
            assert await stopped == 0

        asyncio.run(scene_of_calls())
        stage.gateway.start()
        ledger = read_ledger(stage.gateway.home / "journal")
        books = rows(scene.limits, stage.counters(scene), ledger)
        assert [problem for row in books for problem in row.problems] == []
        cut = [record for record in ledger.ids.values() if record.error == "draining" and record.attempts]
        assert cut
        assert all(record.cost is not None and record.cost.nanos and record.charges for record in cut)
    finally:
        stage.close()
