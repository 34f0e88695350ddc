"""Each test of this suite runs over every implementation of ``routing.breaker.CircuitBook``, Redis's against a real server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from lockgate.store.valkey import PrivateValkey
from tests.contract.circuits.stage import MemoryStage, RedisStage


@pytest.fixture(scope="session")
def valkey():
    """The address of a server."""
    folder = Path(tempfile.mkdtemp(prefix="lg-"))
    server = PrivateValkey(folder)
    yield server.url
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["memory", "redis"])
def stage(request):
    """What makes one implementation, with two processes that see it."""
    if request.param == "memory":
        return MemoryStage()
    return RedisStage(request.getfixturevalue("valkey"))
