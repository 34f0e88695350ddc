"""Each test of this suite runs over every implementation of ``routing.breaker.CircuitBook``, Redis's against a real server."""

from __future__ import annotations

import pytest

from tests.contract.circuits.stage import MemoryStage, RedisStage


@pytest.fixture(params=["memory", "redis"])
def stage(request):
    """What makes one implementation, with two processes that see it."""
    if request.param == "memory":
        return MemoryStage()
    return RedisStage(request.getfixturevalue("valkey"))
