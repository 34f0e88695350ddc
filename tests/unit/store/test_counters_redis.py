"""What only shared counters know: a server that is away, late, restarted; queues; keys that end. The rest is in contract."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
import redis

from lockgate.core.journal import Position
from lockgate.core.limits import Budget, Claim, Demand, Grant, LedgerEntry, Period, Rate, Refusal, Spent, charges_of
from lockgate.errors import CountersUnreachable
from lockgate.store.counters_redis import RedisCounters
from lockgate.store.valkey import PrivateValkey

START = 1_785_931_230.0
MONEY = Budget(id="b", scope="key", name="k", unit="nanos", cap=1000, period=Period(kind="days", days=1))
DENIED = Budget(id="d", scope="key", name="k", unit="nanos", cap=1000, on_outage="deny")
PER_MINUTE = Rate(id="r", scope="key", name="k", unit="requests", cap=10)
PER_HOUR = Rate(id="h", scope="key", name="k", unit="tokens", cap=1000, window_s=3600)


class FakeClock:
    def __init__(self):
        self.now = START

    def unix(self):
        return self.now

    monotonic = unix


class Server:
    """A server that a test stops and starts."""

    def __init__(self, folder):
        self.folder = folder
        self.running = None
        self.url = f"unix://{folder}/valkey.sock"

    def start(self):
        self.running = PrivateValkey(self.folder)

    def stop(self):
        if self.running is not None:
            self.running.stop()
        self.running = None

    def client(self):
        return redis.from_url(self.url, decode_responses=True)


@pytest.fixture(scope="module")
def folder():
    folder = Path(tempfile.mkdtemp(prefix="lg-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(folder):
    found = Server(folder)
    found.start()
    with found.client() as client:
        client.flushall()
    yield found
    found.stop()


def play(server, scene, **more):
    """Run a scene with counters and their clock."""

    async def playing():
        clock = FakeClock()
        counters = RedisCounters(server.url, clock, **{"deadline_s": 10.0, **more})
        try:
            async with asyncio.timeout(30):
                return await scene(counters, clock)
        finally:
            await counters.close(timeout_s=0.01)

    return asyncio.run(playing())


def demand(*limits, **amounts):
    return Demand(claims=tuple(Claim(limit) for limit in limits), **amounts)


async def used(counters, limit):
    await counters.flush()
    (usage,) = await counters.usage([Claim(limit)])
    return usage.used, usage.reserved


def test_while_the_server_is_away_limits_say_whether_to_admit(server):
    async def scene(counters, clock):
        server.stop()
        blind = await counters.reserve(demand(MONEY, PER_MINUTE, nanos=5))
        assert isinstance(blind, Grant)
        assert blind.is_blind
        clock.now += 60
        refusal = await counters.reserve(demand(MONEY, DENIED, nanos=5))
        assert isinstance(refusal, Refusal)
        assert (refusal.limit, refusal.reason) == (DENIED, "outage")
        assert counters.blind == 1

    play(server, scene)


def test_what_was_admitted_blindly_is_charged_once_the_server_is_back(server):
    async def scene(counters, clock):
        server.stop()
        blind = await counters.reserve(demand(MONEY, PER_MINUTE, PER_HOUR, nanos=500, tokens=50))
        for _ in range(2):
            counters.settle(blind, Spent(nanos=300, tokens=30))
        server.start()
        clock.now += 60
        assert await used(counters, MONEY) == (300, 0)
        assert await used(counters, PER_HOUR) == (30, 0)

    play(server, scene)


def test_settlements_wait_for_the_server_and_keep_their_order(server):
    settled = []
    positions = iter([Position(segment=1, offset=offset) for offset in (10, 20, 30)])

    async def scene(counters, clock):
        grants = [await counters.reserve(demand(MONEY, nanos=100)) for _ in range(3)]
        server.stop()
        for nanos, grant in enumerate(grants, 1):
            counters.settle(grant, Spent(nanos=nanos))
        await asyncio.sleep(0.02)
        assert settled == []
        server.start()
        assert await used(counters, MONEY) == (6, 0)
        assert [position.offset for position in settled] == [10, 20, 30]

    play(server, scene, position=lambda: next(positions), on_settled=settled.append)


def test_while_the_server_is_known_to_be_away_nobody_waits_for_it(server):
    async def scene(counters, clock):
        server.stop()
        await counters.reserve(demand(MONEY))
        asked = []
        counters._asking.run = lambda *arguments: asked.append(arguments)
        for _ in range(100):
            assert (await counters.reserve(demand(MONEY))).is_blind
        assert asked == []

    play(server, scene)


def test_a_full_queue_is_counted_and_stays_behind_the_mark(server):
    settled = []

    async def scene(counters, clock):
        grants = [await counters.reserve(demand(MONEY, nanos=1)) for _ in range(3)]
        server.stop()
        for grant in grants:
            counters.settle(grant, Spent(nanos=1))
        assert counters.lost == 1
        server.start()
        await counters.flush()
        assert settled == []
        entries = [LedgerEntry(grant=grant.id, charges=charges_of(grant, Spent(nanos=1))) for grant in grants]
        await counters.replay(entries)
        assert await used(counters, MONEY) == (3, 0)

    play(server, scene, queue_size=2, position=lambda: Position(segment=1, offset=1), on_settled=settled.append)


def test_reading_tells_when_the_server_is_away(server):
    async def scene(counters, clock):
        server.stop()
        for reading in (
            counters.usage([Claim(MONEY)]),
            counters.groups(MONEY),
            counters.history(Claim(MONEY)),
            counters.reset(MONEY),
            counters.replay([LedgerEntry(grant="x-1", charges=())]),
        ):
            with pytest.raises(CountersUnreachable):
                await reading
            clock.now += 60

    play(server, scene)


def test_a_caller_that_left_while_it_was_admitted_holds_nothing(server):
    async def scene(counters, clock):
        leaving = asyncio.ensure_future(counters.reserve(demand(MONEY, PER_MINUTE, nanos=900)))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await used(counters, MONEY) == (0, 0)
        assert await used(counters, PER_MINUTE) == (0, 0)

    play(server, scene)


def test_an_answer_that_comes_too_late_is_taken_back(server):
    async def scene(counters, clock):
        take = counters._asking.run

        async def late(*arguments):
            await take(*arguments)
            raise CountersUnreachable("too late")

        counters._asking.run = late
        blind = await counters.reserve(demand(MONEY, PER_MINUTE, nanos=900))
        counters._asking.run = take
        clock.now += 60
        assert blind.is_blind
        assert await used(counters, MONEY) == (0, 0)
        counters.settle(blind, Spent(nanos=7))
        assert await used(counters, MONEY) == (7, 0)

    play(server, scene)


def test_an_adjustment_during_an_outage_follows_the_limits(server):
    async def scene(counters, clock):
        grant = await counters.reserve(demand(MONEY, nanos=500))
        server.stop()
        refusal = await counters.adjust(grant, demand(MONEY, DENIED, nanos=600), Spent(nanos=5))
        assert isinstance(refusal, Refusal)
        clock.now += 60
        blind = await counters.adjust(grant, demand(MONEY, nanos=600), Spent(nanos=5))
        assert blind.is_blind
        server.start()
        clock.now += 60
        again = await counters.adjust(blind, demand(MONEY, PER_MINUTE, nanos=700), Spent(nanos=6))
        assert isinstance(again, Grant)
        assert not again.is_blind
        assert await used(counters, MONEY) == (0, 711)
        counters.settle(again, Spent(nanos=7))
        assert await used(counters, MONEY) == (18, 0)
        assert await used(counters, PER_MINUTE) == (1, 0)

    play(server, scene)


def test_a_server_that_lost_everything_is_filled_from_the_journal(server):
    async def scene(counters, clock):
        entries = []
        for nanos in (1, 2, 3):
            grant = await counters.reserve(demand(MONEY, nanos=9))
            entries.append(LedgerEntry(grant=grant.id, charges=charges_of(grant, Spent(nanos=nanos))))
            counters.settle(grant, Spent(nanos=nanos))
        await counters.flush()
        with server.client() as client:
            client.flushall()
        for _ in range(2):
            await counters.replay(entries)
        assert await used(counters, MONEY) == (6, 0)

    play(server, scene)


def test_windows_and_periods_end_by_themselves_and_nothing_is_kept_of_what_ended(server):
    async def scene(counters, clock):
        for _ in range(50):
            grant = await counters.reserve(demand(MONEY, PER_MINUTE, PER_HOUR, nanos=9, tokens=5))
            if isinstance(grant, Grant):
                counters.settle(grant, Spent(nanos=1, tokens=5))
        await counters.flush()
        released = await counters.reserve(demand(DENIED, nanos=1))
        counters.release(released)
        await counters.flush()

    play(server, scene)
    with server.client() as client:
        ends = {key.partition(":")[2]: client.pttl(key) / 1000 for key in client.scan_iter()}
        minute, hour = int(START // 60) * 60, int(START // 3600) * 3600
        assert ends.pop(f"w:r||{minute}") == pytest.approx(minute + 120 - START + 60, abs=5)
        assert ends.pop(f"w:h||{hour}") == pytest.approx(hour + 7200 - START + 60, abs=5)
        (over,) = [key for key in ends if key.startswith("over:")]
        assert client.zcard(f"{{lockgate}}:{over}") <= 2
        assert all(ends[key] > 80 * 86400 for key in ends)
        assert {key[:2] for key in ends} == {"c:", "g:", "p:", "ov"}


def test_a_reservation_that_is_sent_twice_is_taken_once(server):
    async def scene(counters, clock):
        take = counters._asking.run

        async def twice(*arguments):
            await take(*arguments)
            return await take(*arguments)

        counters._asking.run = twice
        for limits in ((MONEY, PER_MINUTE), (PER_MINUTE,)):
            assert isinstance(await counters.reserve(demand(*limits, nanos=400)), Grant)
        counters._asking.run = take
        assert await used(counters, MONEY) == (0, 400)
        assert await used(counters, PER_MINUTE) == (2, 0)

    play(server, scene)


def test_two_namespaces_share_nothing(server):
    async def scene(counters, clock):
        other = RedisCounters(server.url, clock, namespace="other", deadline_s=10.0)
        await counters.reserve(demand(MONEY, nanos=1000))
        assert isinstance(await other.reserve(demand(MONEY, nanos=1000)), Grant)
        await other.close()

    play(server, scene)


def test_what_a_dead_gateway_reserved_comes_back_and_nothing_it_sent_late_counts(server):
    async def scene(counters, clock):
        dead = RedisCounters(server.url, clock, deadline_s=10.0)
        settled, open_, late = [await dead.reserve(demand(MONEY, nanos=100)) for _ in range(3)]
        dead.settle(settled, Spent(nanos=40))
        await dead.flush()
        own = await counters.reserve(demand(MONEY, nanos=100))
        assert await counters.abandon(dead.instance) == 2
        assert await counters.abandon(dead.instance) == 0
        dead.settle(open_, Spent(nanos=70))
        refused = None
        try:
            await dead.adjust(late, demand(MONEY, nanos=200), None)
        except CountersUnreachable as error:
            refused = error
        await dead.close()
        found = (await counters.usage([Claim(MONEY)]))[0]
        counters.release(own)
        return found.used, found.reserved, refused is not None

    assert play(server, scene) == (40, 100, True)


def test_one_late_answer_does_not_blind_those_that_come_after_it(server):
    async def scene(counters, clock):
        take = counters._asking.run

        async def late(*arguments):
            raise CountersUnreachable("late")

        counters._asking.run = late
        assert (await counters.reserve(demand(MONEY, nanos=1))).is_blind
        counters._asking.run = take
        assert (await counters.reserve(demand(MONEY, nanos=1))).is_blind
        await counters._probe
        assert not (await counters.reserve(demand(MONEY, nanos=1))).is_blind

    play(server, scene)


def test_blind_admission_is_said_in_the_log_and_not_for_each_request(server, caplog):
    async def scene(counters, clock):
        server.stop()
        for _ in range(5):
            await counters.reserve(demand(MONEY, nanos=1))
        clock.now += 10
        await counters.reserve(demand(MONEY, nanos=1))

    play(server, scene)
    assert [text for text in caplog.messages if "admitted unasked" in text] == [
        "the counters' server does not answer; requests are admitted unasked (1 so far)",
        "the counters' server does not answer; requests are admitted unasked (6 so far)",
    ]


def test_a_renewal_that_finds_the_queue_full_is_not_missed(server):
    settled = []

    async def scene(counters, clock):
        grants = [await counters.reserve(demand(MONEY, nanos=1)) for _ in range(2)]
        server.stop()
        counters.settle(grants[0], Spent(nanos=1))
        counters.settle(grants[1], Spent(nanos=1))
        for grant in grants:
            counters.renew(grant)
        assert counters.lost == 0
        server.start()
        await counters.flush()
        return settled

    position = Position(segment=1, offset=1)
    found = play(server, scene, queue_size=2, position=lambda: position, on_settled=settled.append)
    assert found == [position, position]
