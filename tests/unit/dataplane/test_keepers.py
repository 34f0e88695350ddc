import pytest

from lockgate.dataplane import keepers
from lockgate.dataplane.keepers import KEPT_S, Keepers
from tests.unit.dataplane.fakes import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


def test_a_keeper_is_found_by_kind_and_id_until_it_is_forgotten(clock):
    known = Keepers(clock)
    known.remember("batches", "a", "one")
    known.remember("files", "a", "two")
    assert (known.find("batches", "a"), known.find("files", "a"), known.find("files", "b")) == ("one", "two", None)
    known.forget("files", "a")
    known.forget("files", "b")
    assert (known.find("batches", "a"), known.find("files", "a")) == ("one", None)


def test_a_keeper_is_known_for_thirty_days_after_it_was_seen_last(clock):
    known = Keepers(clock)
    known.remember("files", "a", "one")
    clock.now += KEPT_S - 1
    assert known.find("files", "a") == "one"
    known.remember("files", "a", "one")
    clock.now += KEPT_S - 1
    assert known.find("files", "a") == "one"
    clock.now += 2
    assert known.find("files", "a") is None
    assert KEPT_S == 30 * 86400


def test_the_oldest_is_forgotten_first(clock, monkeypatch):
    monkeypatch.setattr(keepers, "MAX_KEPT", 2)
    known = Keepers(clock)
    for id in ("a", "b", "a", "c"):
        known.remember("files", id, "one")
    assert [known.find("files", id) for id in "abc"] == ["one", None, "one"]
