from __future__ import annotations

import pytest

from lockgate.records.embedded.writer import EmbeddedStore
from tests.unit.records.rows import HOUR_US, START


class Clock:
    """A clock that stands until it is set."""

    def __init__(self):
        self.us = START + 30 * HOUR_US

    def __call__(self):
        return self.us


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    found = EmbeddedStore(tmp_path / "records", now_us=clock)
    yield found
    found.close()
