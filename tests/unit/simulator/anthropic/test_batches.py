import json

import pytest

from lockgate.simulator.anthropic import batches as module
from lockgate.simulator.anthropic.batches import Batches, Item, Patience, batches_of, describe_batch
from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.provider import Usage, World
from lockgate.simulator.settings import SimulatorSettings


def item(custom_id="a", outcome="succeeded", **more):
    result = json.dumps({"type": outcome}).encode()
    return Item(custom_id=custom_id, version="2023-06-01", outcome=outcome, result=result, usage=Usage(3, 5), **more)


def begin(*items, polls=2, until_s=0.0, store=None):
    return (store or Batches(0)).add(items or (item(),), Patience(polls=polls, until_s=until_s))


def test_a_batch_ends_with_a_poll():
    batch = begin()
    seen = []
    for is_poll in (False, True, False, True, True):
        batch.look(0.0, is_poll=is_poll)
        seen.append(batch.status)
    assert seen == ["in_progress"] * 3 + ["ended"] * 2


def test_a_batch_ends_with_time():
    batch = begin(polls=0, until_s=10.0)
    for now_s, status in ((9.9, "in_progress"), (10.0, "ended")):
        batch.look(now_s)
        assert batch.status == status


def test_polls_and_time_must_both_be_over():
    batch = begin(polls=1, until_s=10.0)
    batch.look(5.0, is_poll=True)
    assert batch.status == "in_progress"
    batch.look(10.0)
    assert batch.status == "ended"


def test_a_batch_is_shown_as_the_api_does():
    batch = begin(item("a"), item("b", "errored"), item("c", "expired"))
    shown = batch.write("http://h")
    assert shown == {
        "id": batch.id, "type": "message_batch", "processing_status": "in_progress",
        "request_counts": {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": "2026-01-01T00:00:01Z", "expires_at": "2026-01-02T00:00:01Z", "ended_at": None,
        "cancel_initiated_at": None, "archived_at": None, "results_url": None,
    }  # fmt: skip
    batch.status = "ended"
    shown = batch.write("http://h")
    assert shown["results_url"] == f"http://h/v1/messages/batches/{batch.id}/results"
    assert shown["request_counts"] == {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 1}
    assert shown["ended_at"] > shown["created_at"]


def test_a_cancelled_batch_keeps_what_was_ordered():
    batch = begin(item("a"), item("b", is_final=True), item("c", "errored"))
    batch.cancel()
    batch.look(0.0)
    assert (batch.status, batch.write("")["cancel_initiated_at"] is not None) == ("canceling", True)
    batch.cancel()
    batch.look(0.0, is_poll=True)
    assert batch.count() == {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 2, "expired": 0}
    results = {line["custom_id"]: line["result"] for line in map(json.loads, batch.write_results(0))}
    assert results == {"a": {"type": "canceled"}, "b": {"type": "succeeded"}, "c": {"type": "canceled"}}
    assert batch.usage() == Usage(3, 5)
    with pytest.raises(ApiError):
        batch.cancel()


def test_results_come_in_an_order_of_their_own_and_always_the_same():
    batch = begin(*(item(str(number)) for number in range(30)), polls=0)
    lines = list(batch.write_results(7))
    order = [json.loads(line)["custom_id"] for line in lines]
    assert order != sorted(order, key=int)
    assert sorted(order, key=int) == [str(number) for number in range(30)]
    assert list(batch.write_results(7)) == lines
    assert all(line.endswith(b"}\n") for line in lines)


def test_usage_is_counted_once():
    store = Batches(0)
    batch = begin(item("a"), item("b"), item("c", "errored"), polls=1, store=store)
    assert store.take_usage() == Usage()
    batch.look(0.0, is_poll=True)
    assert store.take_usage() == Usage(6, 10)
    assert store.take_usage() == Usage()


def test_only_an_ended_batch_is_deleted():
    store = Batches(0)
    batch = begin(store=store)
    with pytest.raises(ApiError):
        store.delete(batch.id)
    batch.status = "ended"
    store.delete(batch.id)
    with pytest.raises(ApiError) as caught:
        store.find(batch.id)
    assert caught.value.status == 404


def test_an_impossible_id_is_refused():
    with pytest.raises(ApiError) as caught:
        Batches(0).find("batch_1")
    assert caught.value.status == 400


def test_old_batches_are_forgotten(monkeypatch):
    monkeypatch.setattr(module, "_MOST_BATCHES", 2)
    store = Batches(0)
    made = [begin(store=store) for _ in range(3)]
    assert store.newest() == [made[2], made[1]]
    assert len({batch.id for batch in made}) == 3


def test_the_version_of_each_request_is_remembered():
    store = batches_of(World(SimulatorSettings()))
    shown = describe_batch(begin(store=store))
    assert shown["requests"] == [{"custom_id": "a", "version": "2023-06-01", "outcome": "succeeded"}]
