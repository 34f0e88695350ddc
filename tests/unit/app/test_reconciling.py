"""Counters beside the ledger: what they lack is made up for and told, what they have too much is told."""

from __future__ import annotations

import asyncio
import logging

import pytest

from lockgate.app.reconciling import LEDGER, Reconciler, Reconciliation, budgets_of
from lockgate.core.limits import Budget, Charge, Charged, Claim, Demand, Drift, Rate, Spent, charges_of
from lockgate.core.record import SCHEMA_VERSION, Record
from lockgate.errors import Unavailable
from lockgate.plan.policies import Policy
from lockgate.plan.snapshot import GatewayKey, Snapshot, Target, Workspace
from lockgate.providers import load_providers
from lockgate.store.counters_memory import MemoryCounters
from lockgate.store.counters_redis import RedisCounters
from lockgate.store.settled_marks import SettledMarks
from lockgate.store.valkey import PrivateValkey
from lockgate.telemetry.drift_file import NAME, DriftFile
from lockgate.telemetry.journal import Journal
from tests.unit.dataplane.fakes import FakeClock

DOLLAR = 10**9
LIMIT = Budget(id="b", scope="key", name="bot", unit="nanos", cap=100 * DOLLAR)
GROUPED = Budget(id="p", scope="policy", name="per person", unit="tokens", cap=1000)
KEY = GatewayKey(
    id="k", name="bot", claims=(Claim(LIMIT), Claim(Rate(id="r", scope="key", name="", unit="requests", cap=1)))
)
PLACE = Workspace(id="w", slug="w", policies=(Policy(limit=GROUPED, group_by=("metadata._user",)),))
CLAIM = Claim(LIMIT)
SNAPSHOT = Snapshot(version=1, keys={b"1": KEY, b"2": KEY}, workspaces={"w": PLACE}, raw_targets={})


class Scene:
    """A gateway's counters and journal."""

    def __init__(self, home):
        self.home = home
        (home / "journal").mkdir()
        self.clock = FakeClock()
        self.journal = Journal(home / "journal", fsync="off", segment_bytes=1 << 20)
        self.counters = MemoryCounters(self.clock)
        self.told = []
        self.held = False

    def reconciler(self, **more):
        return Reconciler(self.home, lambda: self.counters, self.clock, lambda: SNAPSHOT, **more)

    def work(self, *, repairs=False, **more):
        reconciler = self.reconciler(**more)
        return Reconciliation(reconciler, self.told.append, lambda: self.held, self.home / NAME, repairs=repairs)

    async def spend(self, amount, claim=CLAIM):
        spent = Spent(nanos=amount, tokens=amount)
        grant = await self.counters.reserve(Demand(claims=(claim,)))
        self.journal.write(
            Record(
                schema_version=SCHEMA_VERSION, id=f"rec_{grant.id}", trace_id="t", started_at=0.0, method="POST",
                route="chat", dialect="d", status=200, grant=grant.id, charges=charges_of(grant, spent),
            )
        )  # fmt: skip
        self.counters.settle(grant, spent)

    async def used(self):
        return (await self.counters.usage([Claim(LIMIT)]))[0].used


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.journal.close()


def test_counters_that_are_right_are_right_from_the_first_check_on(scene):
    async def run():
        await scene.spend(40)
        await scene.spend(7, Claim(GROUPED, "ann"))
        (first, *_) = await scene.reconciler().check(keeps=True)
        assert (first.counted, first.booked, first.matters) == (40, None, False)
        await scene.spend(2)
        await scene.spend(8, Claim(GROUPED, "bob"))
        await scene.counters.reset(GROUPED, "ann")
        found = await scene.reconciler().check(keeps=True)
        assert [(one.limit.id, one.group, one.counted, one.booked, one.missing) for one in found] == [
            ("b", "", 42, 42, 0),
            ("p", "ann", 7, 7, 0),
            ("p", "bob", 8, 8, 0),
        ]

    asyncio.run(run())


def test_what_a_counter_lost_is_told_and_left_to_people(scene):
    async def run():
        await scene.work().once()
        await scene.spend(40 * DOLLAR)
        scene.counters = MemoryCounters(scene.clock)
        await scene.spend(3 * DOLLAR)
        work = scene.work()
        await work.once()
        await work.once()
        assert await scene.used() == 3 * DOLLAR
        (drift,) = scene.told
        assert (drift.missing, drift.is_made_up) == (40 * DOLLAR, False)

    asyncio.run(run())


def test_what_a_counter_lost_is_made_up_for_and_told_where_that_is_wanted(scene):
    async def run():
        await scene.work().once()
        await scene.spend(40 * DOLLAR)
        scene.counters = MemoryCounters(scene.clock)
        await scene.spend(3 * DOLLAR)
        work = scene.work(repairs=True)
        await work.once()
        assert await scene.used() == 43 * DOLLAR
        await work.once()
        (drift,) = scene.told
        assert (drift.missing, drift.is_made_up, drift.limit) == (40 * DOLLAR, True, LIMIT)
        assert DriftFile(scene.home / NAME)() == {}

    asyncio.run(run())


def test_what_a_counter_has_too_much_is_told_once_and_left(scene):
    async def run():
        await scene.work().once()
        await scene.spend(10)
        scene.counters.replay([Charge(limit="b", unit="nanos", amount=5)])
        work = scene.work()
        await work.once()
        await work.once()
        (drift,) = scene.told
        assert (drift.missing, drift.is_made_up) == (-5, False)
        assert DriftFile(scene.home / NAME)() == {Charged("b", "", 0): 5}
        assert await scene.used() == 15
        # whoever does not see all journals cannot tell
        assert all(one.missing == 0 for one in await scene.reconciler(is_whole=False).check(keeps=False))

    asyncio.run(run())


def test_nothing_is_checked_while_records_wait_for_the_journal(scene, caplog):
    scene.held = True
    asyncio.run(scene.work().once())
    assert "records wait for the journal" in caplog.text
    assert not (scene.home / LEDGER).exists()


def test_a_ledger_that_cannot_be_written_is_said_and_costs_nothing(scene, caplog):
    (scene.home / LEDGER).mkdir()
    with pytest.raises(Unavailable):
        asyncio.run(scene.reconciler().check(keeps=True))
    with caplog.at_level(logging.ERROR):
        asyncio.run(scene.work().once())
    assert "budgets were not checked: The ledger" in caplog.text


def test_a_check_that_keeps_nothing_leaves_no_trace(scene):
    async def run():
        await scene.spend(5)
        assert [one.booked for one in await scene.reconciler().check(keeps=False)] == [None]
        assert not (scene.home / LEDGER).exists()

    asyncio.run(run())


def test_settlements_on_their_way_to_a_server_are_waited_for(scene, monkeypatch):
    monkeypatch.setattr("lockgate.app.reconciling.MemoryCounters", type("Other", (), {}))

    async def run():
        await scene.reconciler().check(keeps=True)
        await scene.spend(10)
        position = scene.journal.position
        with pytest.raises(Unavailable, match="Settlements wait"):
            await scene.reconciler(settled_within_s=0).check(keeps=True)
        (scene.home / "journal" / f"{position.segment:010d}.settled").write_text(f"{position.offset}\n")
        (found,) = await scene.reconciler(settled_within_s=0).check(keeps=True)
        assert found.missing == 0

    asyncio.run(run())


def test_every_budget_is_looked_at_once(scene):
    target = Target(
        provider=load_providers()["anthropic"], origin=None, base_path="", slug="claude",
        claims=(Claim(Budget(id="t", scope="provider", name="claude", unit="nanos", cap=1)), Claim(LIMIT)),
    )  # fmt: skip
    workspace = Workspace(id="w", slug="w", targets={"claude": target}, policies=PLACE.policies)
    snapshot = Snapshot(version=1, keys=SNAPSHOT.keys, workspaces={"w": workspace}, raw_targets={})
    assert [(limit.id, has_groups) for limit, has_groups in budgets_of(snapshot)] == [
        ("b", False),
        ("p", True),
        ("t", False),
    ]


@pytest.mark.parametrize(
    "counted, booked, matters",
    [
        (100, 100, False),
        (100, 101, False),
        (100, 102, True),
        (0, 1, True),
        (5, None, False),
        (1000 * DOLLAR, 1001 * DOLLAR, False),
        (1000 * DOLLAR + 1, 999 * DOLLAR, True),
    ],
)
def test_more_than_a_hundredth_or_a_dollar_matters(counted, booked, matters):
    drift = Drift(limit=LIMIT, group="", start=0, resets_at=None, counted=counted, booked=booked)
    assert drift.matters == matters


@pytest.mark.timeout(120)
def test_a_server_that_lost_its_data_gets_back_what_the_ledger_has(scene, tmp_path_factory):
    server = PrivateValkey(tmp_path_factory.mktemp("v"))
    marks = SettledMarks(scene.home / "journal")

    async def run():
        scene.counters = counters = RedisCounters(
            server.url, scene.clock, position=lambda: scene.journal.position, on_settled=marks.reached, deadline_s=10.0
        )
        try:
            await scene.work().once()
            await scene.spend(40 * DOLLAR)
            await counters.flush()
            marks.write()
            (fine,) = await scene.reconciler().check(keeps=True)
            assert (fine.counted, fine.booked) == (40 * DOLLAR, 40 * DOLLAR)
            await counters._ask_command("FLUSHALL")
            await scene.spend(2 * DOLLAR)
            await counters.flush()
            marks.write()
            work = scene.work(repairs=True)
            await work.once()
            await work.once()
            assert await scene.used() == 42 * DOLLAR
            assert [one.missing for one in scene.told] == [40 * DOLLAR]
        finally:
            await counters.close()

    try:
        asyncio.run(run())
    finally:
        server.stop()


def test_what_the_ledger_never_heard_of_is_taken_over_from_the_counter(scene):
    async def run():
        await scene.reconciler().check(keeps=True)
        late = Claim(Budget(id="late", scope="key", name="late", unit="nanos", cap=100 * DOLLAR))
        scene.counters.replay([Charge(limit="late", unit="nanos", amount=50)])
        key = GatewayKey(id="k", name="bot", claims=(late,))
        snapshot = Snapshot(version=1, keys={b"1": key}, workspaces={"w": PLACE}, raw_targets={})
        reconciler = Reconciler(scene.home, lambda: scene.counters, scene.clock, lambda: snapshot)
        (first,) = await reconciler.check(keeps=True)
        assert (first.booked, first.matters) == (None, False)
        await scene.spend(3, late)
        (second,) = await reconciler.check(keeps=True)
        assert (second.counted, second.missing) == (53, 0)

    asyncio.run(run())
