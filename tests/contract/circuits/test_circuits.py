"""What every book of circuits promises to the processes that share it."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.routing.breaker import BreakerPolicy, Circuits, Observation
from tests.contract.circuits.stage import RedisStage

POLICY = BreakerPolicy(cooldown_s=60, failures=3)
SHARE = BreakerPolicy(cooldown_s=60, percentage=50, minimum=4)
OWNER, PATH = "workspace:config", "config.targets[0]"


def see(book, stage, *, fails=True, policy=POLICY, owner=OWNER, path=PATH, **more):
    book.observe(owner, Observation(path=path, policy=policy, is_failure=fails, **more), stage.clock.monotonic())


def shut(stage, *, policy=POLICY, owner=OWNER, path=PATH):
    """Tell who leaves the target out: all, or nobody."""
    (found,) = {book.is_open(owner, path, policy, stage.clock.monotonic()) for book in (stage.book, stage.other)}
    return found


def run(stage, test):
    async def within():
        async with asyncio.timeout(60), stage:
            await test(stage)

    asyncio.run(within())


def test_failures_of_all_processes_count_together(stage):
    async def test(stage):
        for book in (stage.book, stage.other):
            see(book, stage)
        await stage.settle()
        assert not shut(stage)
        see(stage.other, stage)
        await stage.settle()
        assert shut(stage)

    run(stage, test)


def test_a_process_that_saw_no_failure_leaves_the_target_out_too(stage):
    async def test(stage):
        for _ in range(3):
            see(stage.book, stage)
        assert stage.book.is_open(OWNER, PATH, POLICY, stage.clock.monotonic()), "it does not wait for anybody"
        await stage.settle()
        assert stage.other.is_open(OWNER, PATH, POLICY, stage.clock.monotonic())

    run(stage, test)


def test_a_circuit_closes_after_its_cooldown_for_all_and_counts_anew(stage):
    async def test(stage):
        for _ in range(3):
            see(stage.book, stage)
        await stage.settle()
        await stage.age(59)
        see(stage.other, stage)
        await stage.settle()
        assert shut(stage), "what is answered meanwhile changes nothing"
        await stage.age(2)
        await stage.settle()
        assert not shut(stage)
        see(stage.book, stage)
        see(stage.other, stage)
        await stage.settle()
        assert not shut(stage)

    run(stage, test)


def test_a_cooldown_without_a_failure_begins_the_count_anew(stage):
    async def test(stage):
        for _ in range(2):
            see(stage.book, stage)
        await stage.settle()
        await stage.age(61)
        see(stage.other, stage)
        await stage.settle()
        assert not shut(stage)

    run(stage, test)


def test_a_share_of_failures_counts_the_successes_of_all(stage):
    async def test(stage):
        for _ in range(3):
            see(stage.book, stage, fails=False, policy=SHARE)
        for _ in range(2):
            see(stage.other, stage, policy=SHARE)
        await stage.settle()
        assert not shut(stage, policy=SHARE)
        see(stage.other, stage, policy=SHARE)
        await stage.settle()
        assert shut(stage, policy=SHARE)

    run(stage, test)


def test_a_spent_credential_opens_it_at_once_for_all(stage):
    async def test(stage):
        see(stage.book, stage, is_exhausted=True)
        await stage.settle()
        assert shut(stage)

    run(stage, test)


def test_owners_and_targets_never_meet(stage):
    async def test(stage):
        for _ in range(3):
            see(stage.book, stage)
        await stage.settle()
        assert not shut(stage, owner="other:config")
        assert not shut(stage, path="config.targets[1]")

    run(stage, test)


STEPS = st.lists(
    st.one_of(st.booleans(), st.sampled_from(["exhausted"]), st.sampled_from([1, 20, 29, 31, 61])), max_size=25
)
POLICIES = st.builds(
    BreakerPolicy,
    cooldown_s=st.just(30.0),
    failures=st.sampled_from([1, 2, 3.5]),
    percentage=st.sampled_from([None, 34, 50.5, 100]),
    minimum=st.sampled_from([1, 3]),
)


def test_the_server_counts_as_one_process_does(valkey):
    """Any answers and pauses, told in turns by two processes, lead to the same as in the memory of one."""

    @settings(max_examples=40, deadline=None)
    @given(steps=STEPS, policy=POLICIES)
    def check(steps, policy):
        async def test(stage):
            alone = Circuits()
            for number, step in enumerate(steps):
                if not isinstance(step, bool) and step != "exhausted":
                    await stage.age(step)
                else:
                    seen = Observation(
                        path=PATH, policy=policy, is_failure=step is not False, is_exhausted=step == "exhausted"
                    )
                    alone.observe(OWNER, seen, stage.clock.monotonic())
                    (stage.book, stage.other)[number % 2].observe(OWNER, seen, stage.clock.monotonic())
                await stage.settle()
                assert shut(stage, policy=policy) == alone.is_open(OWNER, PATH, policy, stage.clock.monotonic())

        run(RedisStage(valkey), test)

    check()
