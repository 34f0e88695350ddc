"""The change feed grows with each commit, whoever commits, and readers see one moment."""

from __future__ import annotations

import threading

import msgspec
import pytest

from lockgate.entities import ProviderRecord, Workspace
from lockgate.errors import Conflict
from lockgate.store.directory import open_directory
from tests.contract.store.world import ENVIRONMENT, provider


@pytest.fixture
def other(url, tmp_path, directory):
    """What another process has."""
    found = open_directory(url=url, home=tmp_path, environment=ENVIRONMENT)
    yield found
    found.close()


def test_a_change_shows_at_once_in_every_process(directory, other, world):
    seen = other.revision()
    with directory.change(world.admin) as tx:
        made = tx.insert(provider(world.a, world.main, "new"))
        assert other.revision() == seen
    assert other.revision() == directory.revision() == seen + 1
    assert made in other.load().providers
    assert other.load().revision == seen + 1


def test_a_reader_sees_one_moment(directory, other, world):
    with other.read() as view:
        before = view.revision()
        with directory.change(world.admin) as tx:
            tx.insert(provider(world.a, world.main, "new"))
        assert view.revision() == before
        assert view.find(ProviderRecord, "new") is None
        assert view.estate().revision == before
    assert other.revision() == before + 1


def test_writers_stand_in_line_and_lose_nothing(directory, other, world):
    failures = []

    def add(mine, name):
        try:
            for n in range(10):
                with mine.change(world.admin) as tx:
                    read = tx.get(Workspace, world.b.id)
                    tx.update(msgspec.structs.replace(read, description=f"{read.description or ''}{name}"))
                    tx.insert(provider(world.a, world.main, f"{name}{n}"))
        except Exception as error:
            failures.append(error)

    start = directory.revision()
    threads = [
        threading.Thread(target=add, args=(mine, name)) for mine, name in ((directory, "x"), (other, "y"), (other, "z"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with directory.read() as view:
        text = view.get(Workspace, world.b.id).description
        assert view.get(Workspace, world.b.id).version == 31
    assert sorted(text) == ["x"] * 10 + ["y"] * 10 + ["z"] * 10
    assert directory.revision() == start + 60
    assert directory.verify_audit().is_whole


def test_of_two_who_read_the_same_version_one_wins(directory, other, world):
    with directory.read(world.everywhere) as view:
        read = view.get(Workspace, world.b.id)
    outcomes = []

    def save(mine, name):
        try:
            with mine.change(world.admin) as tx:
                tx.update(msgspec.structs.replace(read, description=name))
            outcomes.append(name)
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=save, args=(mine, name)) for mine, name in ((directory, "x"), (other, "y"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count("refused") == 1
    with directory.read() as view:
        assert view.get(Workspace, world.b.id).description in outcomes


def test_old_lines_of_the_feed_are_dropped_and_it_goes_on(directory, world, monkeypatch):
    monkeypatch.setattr("lockgate.store.transaction._KEPT_CHANGES", 3)
    start = directory.revision()
    with directory.change(world.admin) as tx:
        for n in range(5):
            tx.insert(provider(world.a, world.main, f"p{n}"))
        from sqlalchemy import func, select

        from lockgate.store.tables import changes

        assert tx.connection.execute(select(func.count()).select_from(changes)).scalar() == 3
    assert directory.revision() == start + 5


def test_what_an_attempt_did_is_undone_alone(directory, world):
    with directory.change(world.admin) as tx:
        tx.insert(provider(world.a, world.main, "before"))
        with pytest.raises(Conflict), tx.attempt():
            tx.insert(provider(world.a, world.main, "undone"))
            tx.insert(provider(world.a, world.main, "before"))
        with tx.attempt():
            tx.insert(provider(world.a, world.main, "after"))
    with directory.read() as view:
        assert view.find(ProviderRecord, "undone") is None
        assert {"before", "after"} <= {one.slug for one in view.all(ProviderRecord)}
    assert directory.verify_audit().is_whole
