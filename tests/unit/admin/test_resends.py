import asyncio

import pytest

from lockgate.admin.resends import KEEP_S, Resends, digest_of
from lockgate.store.replies import Reply


class Work:
    """Answers with how often it was done, once it may."""

    def __init__(self, error=None):
        self.done, self.error, self.may_go_on = 0, error, asyncio.Event()
        self.may_go_on.set()

    async def __call__(self):
        self.done += 1
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return Reply(200, (), b"%d" % self.done)


def test_the_same_within_seconds_gets_the_same_answer_marked_as_one():
    async def run():
        resends, work = Resends(), Work()
        first = await resends.once(b"a", 0.0, work)
        again = await resends.once(b"a", KEEP_S - 0.1, work)
        assert (first.body, again.body, first.headers) == (b"1", b"1", ())
        assert (b"x-lockgate-idempotent-replay", b"true") in again.headers
        assert (await resends.once(b"b", 0.0, work)).body == b"2"
        assert (await resends.once(b"a", KEEP_S, work)).body == b"3"

    asyncio.run(run())


def test_it_waits_for_the_first_one():
    async def run():
        resends, work = Resends(), Work()
        work.may_go_on.clear()
        loop = asyncio.get_running_loop()
        first = loop.create_task(resends.once(b"a", 0.0, work))
        second = loop.create_task(resends.once(b"a", 0.0, work))
        await asyncio.sleep(0)
        second.cancel()
        third = loop.create_task(resends.once(b"a", 0.0, work))
        await asyncio.sleep(0)
        work.may_go_on.set()
        assert [(await task).body for task in (first, third)] == [b"1", b"1"]
        assert work.done == 1

    asyncio.run(run())


@pytest.mark.parametrize("error", [RuntimeError("x"), asyncio.CancelledError()], ids=["failed", "cancelled"])
def test_what_did_not_end_well_may_be_tried_again(error):
    async def run():
        resends, work = Resends(), Work(error)
        with pytest.raises(type(error)):
            await resends.once(b"a", 0.0, work)
        work.error = None
        assert (await resends.once(b"a", 0.1, work)).body == b"2"

    asyncio.run(run())


def test_it_forgets_what_is_old_or_too_much():
    async def run():
        resends, work = Resends(most=3), Work()
        for number in range(9):
            await resends.once(b"%d" % number, 0.0, work)
        assert len(resends._answers) == 3
        await resends.once(b"x", KEEP_S, work)
        assert len(resends._answers) == 1

    asyncio.run(run())


def test_caller_route_and_body_make_it_the_same():
    assert len({digest_of("k", "POST /a", b"x"), digest_of("l", "POST /a", b"x"), digest_of("k", "POST /b", b"x"),
                digest_of("k", "POST /a", b"y"), digest_of("k", "POST /a", b"x")}) == 4  # fmt: skip
