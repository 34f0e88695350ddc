"""A segment that the counters would read after a crash stays, however old, and however well it is shipped."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest

from lockgate.app import counting
from lockgate.app.alerts import tell
from lockgate.app.needed import needed_by_memory, needed_by_shared
from lockgate.core.journal import Position
from lockgate.core.limits import Budget, Claim, Demand, Spent, charges_of
from lockgate.core.record import SCHEMA_VERSION, Record
from lockgate.errors import ConfigError
from lockgate.records.shipping.keeper import Keeper, KeeperSettings
from lockgate.records.shipping.shipper import ShipPolicy
from lockgate.records.store import ALL, PageQuery
from lockgate.store.checkpoint import Checkpoint, write_checkpoint
from lockgate.store.settled_marks import SettledMarks
from lockgate.telemetry.clock import SystemClock
from lockgate.telemetry.journal import Journal

CLAIM = Claim(Budget(id="b", scope="key", name="bot", unit="nanos", cap=10**9))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "journal").mkdir()
    return tmp_path / "journal"


def test_memory_needs_the_journal_from_its_checkpoint_on(folder):
    assert needed_by_memory(folder) == 0
    path = folder.parent / "counters.json"
    write_checkpoint(path, Checkpoint())
    assert needed_by_memory(folder) == 0
    write_checkpoint(path, Checkpoint(position=Position(segment=7, offset=3)))
    assert needed_by_memory(folder) == 7
    path.write_text("{")
    assert needed_by_memory(folder) == 0


def test_a_server_needs_the_journal_from_the_first_segment_that_is_not_settled(folder):
    assert needed_by_shared(folder) is None
    for number in (2, 3):
        (folder / f"{number:010d}.log").write_bytes(b"x" * 10)
    assert needed_by_shared(folder) == 2
    SettledMarks(folder).settle_whole(2)
    assert needed_by_shared(folder) == 3
    SettledMarks(folder).settle_whole(3)
    assert needed_by_shared(folder) is None
    journal = Journal(folder, fsync="off", segment_bytes=600)
    assert needed_by_shared(folder) == 4, "it is empty, but what will be written to it is not settled"
    journal.close()
    assert needed_by_shared(folder) is None


async def spend(counters, journal, amount):
    grant = await counters.reserve(Demand(claims=(CLAIM,), nanos=amount))
    spent = Spent(nanos=amount)
    journal.write(
        Record(
            schema_version=SCHEMA_VERSION, id=f"rec_{journal.position}", trace_id="t", started_at=1e9, method="POST",
            route="chat", dialect="d", status=200, grant=grant.id, charges=charges_of(grant, spent),
        )
    )  # fmt: skip
    counters.settle(grant, spent)


def ship(folder, first_needed):
    """Ship everything and unlink what may go, at once; return how many rows the store has."""
    settings = KeeperSettings(ship=ShipPolicy(keep_s=-1e9), poll_s=0.01)
    keeper = Keeper(folder.parent / "records", folder, settings, first_needed=first_needed)
    keeper.start()
    assert keeper.shipped(60)
    count = keeper.reader.count(PageQuery(scope=ALL))
    keeper.stop(30)
    return count


@pytest.mark.parametrize("is_told, used", [(True, 4000), (False, None)])
def test_a_crash_after_shipping_does_not_make_a_budget_forget(folder, is_told, used):
    async def life(amounts, *, is_killed):
        async with AsyncExitStack() as stack:
            journal = Journal(folder, fsync="off", segment_bytes=600)
            stack.callback(journal.close)
            counters = counting.local_counters(folder, journal, SystemClock(), stack, tell)
            for amount in amounts:
                await spend(counters, journal, amount)
            if is_killed:
                stack.pop_all()
            return (await counters.usage([CLAIM]))[0].used

    assert asyncio.run(life([100] * 40, is_killed=True)) == 4000
    before = len(list(folder.glob("*.log")))
    assert before > 5
    assert ship(folder, (lambda: needed_by_memory(folder)) if is_told else lambda: None) == 40
    again = asyncio.run(life([], is_killed=False))
    if is_told:
        assert again == used
        assert ship(folder, lambda: needed_by_memory(folder)) == 40
        assert len(list(folder.glob("*.log"))) < before
    else:
        assert again < 4000, "the danger that the numbers above exclude is gone: this test proves nothing"


def test_a_checkpoint_that_could_not_be_written_is_tried_again(folder, monkeypatch, caplog):
    monkeypatch.setattr(counting, "_CHECKPOINT_EVERY_S", 0.01)
    fails = []

    def write(path, checkpoint):
        if not fails:
            fails.append(1)
            raise ConfigError("the disk is full")
        write_checkpoint(path, checkpoint)

    monkeypatch.setattr(counting, "write_checkpoint", write)

    async def life():
        async with AsyncExitStack() as stack:
            journal = Journal(folder, fsync="off", segment_bytes=600)
            stack.callback(journal.close)
            with caplog.at_level(logging.ERROR, logger="lockgate.limits"):
                counting.local_counters(folder, journal, SystemClock(), stack, tell)
            while needed_by_memory(folder) == 0:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(life(), 20))
    assert "the disk is full" in caplog.text
