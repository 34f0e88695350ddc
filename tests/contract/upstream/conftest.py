"""Async tests of this suite run on the event loop of the implementation under test."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from tests.contract.upstream.authority import Authority


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine test; its ``kind`` says on which loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    with asyncio.Runner(loop_factory=arguments["kind"].new_loop) as runner:
        runner.run(bounded(pyfuncitem.obj(**arguments)))
    return True


async def bounded(test):
    """Let a test that waits for what never comes fail like any other, so that the rest still run."""
    async with asyncio.timeout(60):
        await test


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority of this test run."""
    return Authority(tmp_path_factory.mktemp("authority"))
