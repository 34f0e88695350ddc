"""Every test here runs over each engine in each state that its data can be in. A new engine is a new row of ENGINES."""

from __future__ import annotations

import pytest

from lockgate.records.embedded.writer import EmbeddedStore
from tests.contract.records.world import DAY, END, World


def open_embedded(folder, now_us):
    return EmbeddedStore(folder, now_us=now_us)


def fresh(world):
    world.fill()


def sealed(world):
    world.fill()
    world.now_us = END + 10 * DAY
    world.store.maintain()


def mixed(world):
    """Two days sealed, hours sealed, some open, and a tenth of the rows late."""
    late = world.rows[::10]
    early = [row for row in world.rows if row not in late]
    world.store.append(early)
    world.now_us = END - DAY // 4
    world.store.maintain()
    world.store.append(late)
    world.store.append_previews(list(world.previews.values()))


def mixed_again(world):
    mixed(world)
    world.now_us = END + DAY // 3
    world.store.maintain()


ENGINES = {"embedded": (open_embedded, (fresh, sealed, mixed, mixed_again))}
CASES = [(engine, state) for engine, (_, states) in ENGINES.items() for state in states]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1].__name__}", scope="package")
def template(request, tmp_path_factory):
    """A filled and closed store, made once for all tests."""
    engine, state = request.param
    world = World(tmp_path_factory.mktemp("records") / "template", ENGINES[engine][0])
    world.open()
    state(world)
    world.store.close()
    return world


@pytest.fixture(scope="package")
def world(template, tmp_path_factory):
    """A filled store. Tests that use it leave it as it is."""
    world = template.copy(tmp_path_factory.mktemp("records") / "shared")
    yield world
    world.store.close()


@pytest.fixture
def own_world(template, tmp_path):
    """A filled store for one test, which may change it."""
    world = template.copy(tmp_path / "own")
    yield world
    world.store.close()


@pytest.fixture(params=sorted(ENGINES))
def empty_world(request, tmp_path):
    """An empty store."""
    world = World(tmp_path / "records", ENGINES[request.param][0])
    world.open()
    yield world
    world.store.close()
