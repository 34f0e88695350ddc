"""What a time limit says when it runs out, and whose error is whose."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from lockgate.core.http import Timeouts
from lockgate.errors import TimedOut
from lockgate.transport.limits import limited, timed_out

PHASES = [name.removesuffix("_s") for name in Timeouts.__struct_fields__]


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_has_words_and_names_its_limit(phase):
    error = timed_out(phase, 2.5)
    assert error.phase == phase
    assert "2.5 seconds" in error.message
    assert f"limit: {phase}" in error.message


@pytest.mark.parametrize("total_s,expected", [(60.0, "connect"), (0.005, "total")])
def test_the_shorter_limit_is_the_one_that_counts(total_s, expected):
    async def scenario() -> None:
        with pytest.raises(TimedOut) as caught:
            async with limited("connect", 0.01, Timeouts(total_s=total_s), monotonic()):
                await asyncio.sleep(10)
        assert caught.value.phase == expected

    asyncio.run(scenario())


def test_a_timeout_of_the_operating_system_is_not_ours():
    async def scenario() -> None:
        with pytest.raises(TimeoutError) as caught:
            async with limited("connect", 10, Timeouts(), monotonic()):
                raise TimeoutError("ETIMEDOUT")
        assert not isinstance(caught.value, TimedOut)

    asyncio.run(scenario())


def test_being_cancelled_is_not_a_timeout():
    async def scenario() -> None:
        async def inner() -> None:
            async with limited("connect", 10, Timeouts(), monotonic()):
                await asyncio.sleep(10)

        task = asyncio.get_running_loop().create_task(inner())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_total_that_has_run_out_ends_at_once():
    async def scenario() -> None:
        with pytest.raises(TimedOut) as caught:
            async with limited("connect", 10, Timeouts(total_s=1), monotonic() - 5):
                await asyncio.sleep(10)
        assert caught.value.phase == "total"

    asyncio.run(scenario())
