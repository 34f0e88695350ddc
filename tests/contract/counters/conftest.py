"""Each test of this suite runs over every implementation of ``ports.Counters``, Redis's against a real server."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.contract.counters.stage import MemoryStage, RedisStage


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine test with its stage set up."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(bounded(pyfuncitem.obj, arguments))
    return True


async def bounded(test, arguments):
    """Let a test that waits for what never comes fail like any other, so that the rest still run."""
    async with asyncio.timeout(60):
        async with arguments.get("stage") or arguments["redis_stage"]:
            await test(**arguments)


@pytest.fixture(params=["memory", "redis"])
def stage(request):
    """One implementation, with two workers."""
    return MemoryStage() if request.param == "memory" else RedisStage(request.getfixturevalue("valkey"))


@pytest.fixture
def redis_stage(request):
    """For what only shared counters can do."""
    return RedisStage(request.getfixturevalue("valkey"))
