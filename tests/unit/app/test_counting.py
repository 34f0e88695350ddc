import asyncio
import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockgate.app.alerts import tell
from lockgate.app.counting import local_counters, private_server, shared_counters, take_up_batches
from lockgate.core.batches import write_hold
from lockgate.core.limits import Budget, Claim, Demand, Grant, Hold, Spent, charges_of
from lockgate.core.record import SCHEMA_VERSION, Record
from lockgate.dataplane.batch_results import HOLD_S
from lockgate.errors import ConfigError
from lockgate.store.counters_memory import MemoryCounters
from lockgate.telemetry.clock import SystemClock
from lockgate.telemetry.journal import Journal

LIMIT = Budget(id="b", scope="key", name="bot", unit="nanos", cap=1000)
CLAIM = Claim(LIMIT)


def record(id, grant, spent):
    return Record(
        schema_version=SCHEMA_VERSION, id=id, trace_id="t", started_at=0.0, method="POST", route="chat", dialect="d",
        status=200, grant=grant.id, charges=charges_of(grant, spent),
    )  # fmt: skip


async def spend(counters, journal, amount, *, is_settled=True):
    """Reserve, write the record, settle; a process that dies in between has not settled."""
    grant = await counters.reserve(Demand(claims=(CLAIM,), nanos=amount))
    spent = Spent(nanos=amount)
    journal.write(record(f"rec_{grant.id}", grant, spent))
    if is_settled:
        counters.settle(grant, spent)


async def used(counters):
    return (await counters.usage([CLAIM]))[0].used


def journal_in(folder):
    return Journal(folder, fsync="off", segment_bytes=1 << 20)


@pytest.mark.parametrize("is_checkpoint_lost", [False, True])
def test_counters_in_memory_go_on_where_the_last_process_ended(tmp_path, is_checkpoint_lost):
    folder = tmp_path / "journal"
    folder.mkdir()

    async def one_life(amount, *, is_killed):
        async with AsyncExitStack() as stack:
            journal = journal_in(folder)
            stack.callback(journal.close)
            counters = local_counters(folder, journal, SystemClock(), stack, tell)
            await spend(counters, journal, amount, is_settled=not is_killed)
            if is_killed:
                stack.pop_all()
                return None
            return await used(counters)

    assert asyncio.run(one_life(100, is_killed=False)) == 100
    asyncio.run(one_life(200, is_killed=True))
    if is_checkpoint_lost:
        (tmp_path / "counters.json").unlink()
    assert asyncio.run(one_life(50, is_killed=False)) == 350


def test_what_waited_for_a_full_disk_is_not_counted_twice_after_a_crash(tmp_path, monkeypatch):
    folder = tmp_path / "journal"
    folder.mkdir()

    async def life(*, is_full):
        async with AsyncExitStack() as stack:
            journal = journal_in(folder)
            stack.callback(journal.close)
            counters = local_counters(folder, journal, SystemClock(), stack, tell)
            if not is_full:
                return await used(counters)
            with monkeypatch.context() as full:
                full.setattr(os, "write", no_space)
                await spend(counters, journal, 100)
                assert journal.held == 1
                counters.on_reset()  # what the clock does every five seconds, too
            journal.retry()
            stack.pop_all()
            return None

    asyncio.run(life(is_full=True))
    assert asyncio.run(life(is_full=False)) == 100


def no_space(*_):
    raise OSError(28, "No space left on device")


def test_a_damaged_checkpoint_is_no_reason_to_begin_at_zero(tmp_path):
    (tmp_path / "journal").mkdir()
    (tmp_path / "counters.json").write_text("{")

    async def start():
        async with AsyncExitStack() as stack:
            journal = journal_in(tmp_path / "journal")
            stack.callback(journal.close)
            local_counters(tmp_path / "journal", journal, SystemClock(), stack, tell)

    with pytest.raises(ConfigError, match="damaged"):
        asyncio.run(start())


@pytest.fixture
def server():
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lg-") as folder:
        with_stack = AsyncExitStack()
        url = private_server(Path(folder), with_stack).url
        yield url
        asyncio.run(with_stack.aclose())


def test_what_a_killed_process_left_is_settled_once_by_whoever_starts_next(tmp_path, server):
    folder = tmp_path / "journal"
    folder.mkdir()

    async def one_life(amounts, *, is_killed=False):
        async with AsyncExitStack() as stack:
            journal = journal_in(folder)
            stack.callback(journal.close)
            counters = await shared_counters(server, folder, journal, SystemClock(), stack, tell)
            for amount in amounts:
                await spend(counters, journal, amount, is_settled=not is_killed)
            await counters.flush()
            return await used(counters)

    assert asyncio.run(one_life([100])) == 100
    asyncio.run(one_life([200], is_killed=True))
    assert asyncio.run(one_life([])) == 300
    assert asyncio.run(one_life([])) == 300


def test_a_living_process_settles_its_own_journal(tmp_path, server):
    folder = tmp_path / "journal"
    folder.mkdir()

    async def both():
        async with AsyncExitStack() as stack:
            journal = journal_in(folder)
            stack.callback(journal.close)
            first = await shared_counters(server, folder, journal, SystemClock(), stack, tell)
            await spend(first, journal, 100, is_settled=False)
            beside = journal_in(folder)
            stack.callback(beside.close)
            second = await shared_counters(server, folder, beside, SystemClock(), stack, tell)
            return await used(second)

    assert asyncio.run(both()) == 0


def test_counters_that_do_not_answer_stop_the_start_without_showing_a_password(tmp_path):
    async def start(url):
        async with AsyncExitStack() as stack:
            journal = journal_in(tmp_path)
            stack.callback(journal.close)
            await shared_counters(url, tmp_path, journal, SystemClock(), stack, tell)

    with pytest.raises(ConfigError, match="do not answer") as caught:
        asyncio.run(start("redis://me:s3cret@127.0.0.1:1/0"))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"counters\.url"):
        asyncio.run(start("nonsense"))


def test_what_a_killed_process_had_reserved_comes_back_with_the_next_start(tmp_path, server):
    folder = tmp_path / "journal"
    folder.mkdir()

    async def scene():
        async with AsyncExitStack() as living, AsyncExitStack() as killed:
            journal, beside = journal_in(folder), journal_in(folder)
            living.callback(journal.close)
            killed.callback(beside.close)
            first = await shared_counters(server, folder, journal, SystemClock(), living, tell)
            second = await shared_counters(server, folder, beside, SystemClock(), killed, tell)
            for counters in (first, second):
                await counters.reserve(Demand(claims=(CLAIM,), nanos=100))
            await spend(second, beside, 30, is_settled=False)
            await killed.aclose()
            assert await state(first) == (0, 230)
            async with AsyncExitStack() as stack:
                following = journal_in(folder)
                stack.callback(following.close)
                third = await shared_counters(server, folder, following, SystemClock(), stack, tell)
                return await state(third)

    assert asyncio.run(scene()) == (30, 100)
    assert len(list((tmp_path / "processes").iterdir())) == 3 - 1


async def state(counters):
    found = (await counters.usage([CLAIM]))[0]
    return found.used, found.reserved


def test_batches_that_are_under_way_reserve_again_after_a_restart(tmp_path, caplog):
    created = datetime.now(UTC)

    class Book:
        def open_holds(self, since):
            assert created - since > timedelta(seconds=HOLD_S - 60)
            held = Grant("batch.a-1", (Hold(limit=LIMIT, group="", start=0, end=None, amount=7),), HOLD_S)
            return [(write_hold(held), created), ("no reservation", created)]

    async def scene():
        counters = MemoryCounters(SystemClock())
        take_up_batches(counters, Book(), SystemClock())
        return (await counters.usage([CLAIM]))[0].reserved

    assert asyncio.run(scene()) == 7
    assert "cannot be read" in caplog.text
