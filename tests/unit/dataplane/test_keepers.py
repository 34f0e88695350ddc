import pytest

from lockgate.dataplane import keepers
from lockgate.dataplane.keepers import KEPT_S, Keepers
from tests.unit.dataplane.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


def test_a_keeper_is_found_by_kind_and_id_until_it_is_forgotten(clock):
    known = Keepers(clock)
    known.remember("w", "batches", "a", "one")
    known.remember("w", "files", "a", "two")
    assert (known.find("w", "batches", "a"), known.find("w", "files", "a"), known.find("w", "files", "b")) == (
        "one",
        "two",
        None,
    )
    known.forget("w", "files", "a")
    known.forget("w", "files", "b")
    assert (known.find("w", "batches", "a"), known.find("w", "files", "a")) == ("one", None)


def test_workspaces_do_not_know_of_each_others_things(clock):
    known = Keepers(clock)
    known.remember("w", "files", "a", "one")
    known.forget("v", "files", "a")
    assert (known.find("v", "files", "a"), known.find("w", "files", "a")) == (None, "one")


def test_a_keeper_is_known_for_thirty_days_after_it_was_seen_last(clock):
    known = Keepers(clock)
    known.remember("w", "files", "a", "one")
    clock.now += KEPT_S - 1
    assert known.find("w", "files", "a") == "one"
    known.remember("w", "files", "a", "one")
    clock.now += KEPT_S - 1
    assert known.find("w", "files", "a") == "one"
    clock.now += 2
    assert known.find("w", "files", "a") is None
    assert KEPT_S == 30 * 86400


def test_the_oldest_is_forgotten_first(clock, monkeypatch):
    monkeypatch.setattr(keepers, "MAX_KEPT", 2)
    known = Keepers(clock)
    for id in ("a", "b", "a", "c"):
        known.remember("w", "files", id, "one")
    assert [known.find("w", "files", id) for id in "abc"] == ["one", None, "one"]
