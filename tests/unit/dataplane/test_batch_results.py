"""What batches cost: refused when nothing is left, charged once, at half the price, to who created them."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from msgspec import structs

from lockgate.catalog.prices_cost import Cost
from lockgate.core.batches import BatchOwner, read_hold
from lockgate.core.limits import Budget, Claim, Spent
from lockgate.dataplane.batch_results import ResultMeter
from lockgate.dialects.anthropic_messages import DIALECT
from lockgate.errors import Broken, Unavailable
from lockgate.plan.keys import digest_of
from lockgate.store.counters_memory import MemoryCounters
from tests.unit.dataplane.fakes import JSON, KEY, FakeResponse, World

DOLLAR = 10**9
MODEL = "claude-sonnet-4-5"
BATCH = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1000, "output_tokens": 100},
}
NANOS = 1000 * 1_500 + 100 * 7_500
"""What one such result costs: half of 3 and 15 dollars per million tokens."""
GOOD = json.dumps({"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}}).encode() + b"\n"
BAD = json.dumps({"custom_id": "b", "result": {"type": "errored", "error": {"type": "error"}}}).encode() + b"\n"
OTHER = "another-key"
OWNER = BatchOwner(workspace_id="", id="msgbatch_1", slug="anthropic", key_id="key_test")
RESULTS = "/v1/messages/batches/msgbatch_1/results"


def budget(id="m", unit="nanos", cap=DOLLAR, **more):
    return Budget(id=id, scope="key", name="n", unit=unit, cap=cap, **more)


def world_with(*limits, target_limits=()):
    """One key with limits, another one without, in the same workspace."""
    world = World()
    snapshot = world.plane.snapshot
    (key,) = snapshot.keys.values()
    limited = structs.replace(key, claims=tuple(Claim(limit) for limit in limits))
    keys = {digest_of(KEY): limited, digest_of(OTHER): structs.replace(key, id="key_other", name="other", claims=())}
    workspace = snapshot.workspace_of(None)
    claims = tuple(Claim(limit) for limit in target_limits)
    targets = {slug: structs.replace(target, claims=claims) for slug, target in workspace.targets.items()}
    workspaces = {workspace.id: structs.replace(workspace, targets=targets)}
    world.plane.snapshot = structs.replace(snapshot, keys=keys, workspaces=workspaces)
    return world


def used(world, limit):
    found = asyncio.run(world.counters.usage([Claim(limit)]))[0]
    return found.used, found.reserved


def create(world, count=1, max_tokens=100, will=True, **headers):
    if will:
        world.upstream.will(FakeResponse(200, JSON, json.dumps(BATCH).encode()))
    params = {"model": f"@anthropic/{MODEL}", "max_tokens": max_tokens, "messages": [{"role": "user", "content": "Hi"}]}
    return world.call(
        "/v1/messages/batches", {"requests": [{"custom_id": str(n), "params": params} for n in range(count)]}, **headers
    )


def results(world, *pieces, key=OTHER):
    world.upstream.will(FakeResponse(200, [(b"content-type", b"application/x-jsonl")], *pieces))
    return world.call(RESULTS, method="GET", x_portkey_provider="@anthropic", key=key)


def charged(world):
    return [{one.limit: one.amount for one in record.charges} for record in world.records if record.charges]


def test_results_are_charged_once_to_the_key_that_created_the_batch():
    money, requests, tokens = budget(), budget("q", "requests", 10), budget("t", "tokens", 10_000)
    at_provider = budget("p", per_attempt=True)
    world = world_with(money, requests, tokens, target_limits=[at_provider])
    assert create(world).status == 200
    taken, reserved = used(world, money)
    assert taken == 0
    assert reserved > NANOS / 2
    body = GOOD + BAD + GOOD
    for _ in range(2):
        assert results(world, body).body == body
    assert charged(world) == [{"m": 2 * NANOS, "q": 2, "t": 2200, "p": 2 * NANOS}]
    assert [used(world, one) for one in (money, requests, tokens, at_provider)] == [
        (2 * NANOS, 0),
        (2, 0),
        (2200, 0),
        (2 * NANOS, 0),
    ]
    (record,) = [record for record in world.records if record.charges]
    assert (record.route, record.key_id, record.slug) == ("batch_results", "key_test", "anthropic")
    assert (record.cost.nanos, record.cost.status) == (2 * NANOS, "partially_priced")  # half is the custom, not stated
    assert record.grant


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_results_are_read_however_they_are_cut(size):
    money = budget()
    world = world_with(money)
    create(world)
    body = (GOOD + BAD + GOOD).removesuffix(b"\n")
    results(world, *[body[at : at + size] for at in range(0, len(body), size)])
    assert used(world, money) == (2 * NANOS, 0)


def test_a_download_that_breaks_off_is_charged_up_to_there_and_the_next_one_goes_on():
    money = budget()
    world = world_with(money)
    create(world)
    results(world, GOOD, GOOD[:50], Broken("gone"))
    assert used(world, money)[0] == NANOS
    results(world, GOOD + GOOD + GOOD)
    assert used(world, money) == (3 * NANOS, 0)
    assert [charge["m"] for charge in charged(world)] == [NANOS, 2 * NANOS]


def test_a_batch_that_nobody_knows_is_charged_to_who_reads_it():
    money = budget()
    world = world_with(money)
    results(world, GOOD, key=KEY)
    results(world, GOOD)
    assert used(world, money) == (NANOS, 0)


def test_a_key_that_is_gone_leaves_the_limits_of_the_provider():
    money, at_provider = budget(), budget("p", per_attempt=True)
    world = world_with(money, target_limits=[at_provider])
    create(world)
    snapshot = world.plane.snapshot
    rest = {digest: key for digest, key in snapshot.keys.items() if key.id == "key_other"}
    world.plane.snapshot = structs.replace(snapshot, keys=rest)
    results(world, GOOD)
    assert charged(world) == [{"p": NANOS}]


def test_what_is_charged_may_exceed_the_cap_since_it_is_spent():
    money = budget(cap=NANOS)
    world = world_with(money)
    workspace = world.plane.snapshot.workspace_of(None)
    asyncio.run(world.plane.batch_book.keep(structs.replace(OWNER, workspace_id=workspace.id)))
    results(world, GOOD + GOOD)
    assert used(world, money) == (2 * NANOS, 0)
    assert create(world).status == 412


def test_a_batch_is_refused_when_its_worst_case_is_more_than_is_left():
    money = budget(cap=DOLLAR)
    world = world_with(money)
    assert create(world, count=2, max_tokens=60_000).status == 200
    refused = create(world, count=3, max_tokens=60_000)
    assert (refused.status, refused.json()["error"]["type"]) == (412, "billing_error")
    assert len(world.upstream.sent) == 1


@pytest.mark.parametrize("max_tokens, field", [(10**11, "max_tokens"), (1e300, "max_tokens"), ("9", "max_tokens")])
def test_a_batch_with_a_request_that_has_no_bound_is_refused_by_its_path(max_tokens, field):
    money = budget(cap=DOLLAR)
    world = world_with(money)
    refused = create(world, count=2, max_tokens=max_tokens, will=False)
    assert refused.status == 400
    assert refused.json()["error"]["message"].startswith(f"requests[0].params.{field}: ")
    assert (world.upstream.sent, used(world, money)) == ([], (0, 0))


def test_what_a_batch_may_cost_stays_reserved_until_all_its_results_are_charged():
    money = budget(cap=DOLLAR)
    world = world_with(money)
    assert create(world, count=2, max_tokens=60_000).status == 200
    _, reserved = used(world, money)
    assert reserved > 2 * 60_000 * 7_500
    # another one does not fit beside it, which will clear
    beside = create(world, count=2, max_tokens=60_000, will=False)
    assert (beside.status, len(world.upstream.sent)) == (429, 1)
    # a download that breaks off is charged, and leaves the rest reserved
    results(world, GOOD, Broken("gone"))
    assert used(world, money) == (NANOS, reserved)
    results(world, GOOD + GOOD)
    assert used(world, money) == (2 * NANOS, 0)
    results(world, GOOD + GOOD)
    assert used(world, money) == (2 * NANOS, 0)


def test_a_batch_that_the_provider_refuses_or_that_nobody_remembers_reserves_nothing():
    money = budget(cap=DOLLAR)
    world = world_with(money)
    world.upstream.will(
        FakeResponse(400, JSON, b'{"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}')
    )
    params = {"model": f"@anthropic/{MODEL}", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    asked = {"requests": [{"custom_id": "a", "params": params}]}
    assert world.call("/v1/messages/batches", asked).status == 400
    assert used(world, money) == (0, 0)


def test_after_a_restart_in_memory_batches_reserve_again():
    money = budget(cap=DOLLAR)
    world = world_with(money)
    create(world, count=2, max_tokens=60_000)
    reserved = used(world, money)
    (owner,) = world.plane.batch_book._owners.values()
    fresh = MemoryCounters(world.plane.clock)
    now_s = world.plane.clock.unix()
    fresh.take_again(read_hold(owner.hold), now_s + 60)
    fresh.take_again(read_hold(owner.hold), now_s + 60)
    world.plane.counters = world.counters = fresh
    assert used(world, money) == reserved
    results(world, GOOD + GOOD)
    assert used(world, money) == (2 * NANOS, 0)


@pytest.mark.parametrize("unit", ["nanos", "tokens", "requests"])
def test_no_batch_is_created_when_a_budget_is_used_up(unit):
    limit = budget(unit=unit, cap=1)
    world = world_with(limit)
    grant = world.counters.owe("x-1", [Claim(limit)])
    world.counters.settle(grant, Spent(nanos=1, tokens=1, requests=1))
    assert create(world).status == 412
    file = {"input_file_id": "file_1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert world.call("/v1/batches", file, x_portkey_provider="@openai").status == 412
    assert world.upstream.sent == []


OF_FILE = {"input_file_id": "file_in", "endpoint": "/v1/chat/completions", "completion_window": "24h"}


def input_file(count, max_tokens):
    body = {"model": "gpt-4.1", "max_tokens": max_tokens, "messages": [{"role": "user", "content": "Hi"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    return b"".join(json.dumps({"custom_id": str(n), **line}).encode() + b"\n" for n in range(count))


OUTPUT = json.dumps(
    {
        "id": "r",
        "custom_id": "a",
        "response": {
            "status_code": 200,
            "body": {
                "id": "c",
                "object": "chat.completion",
                "model": "gpt-4.1",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
            },
        },
    }
).encode()
FAILED = json.dumps(
    {"custom_id": "b", "response": {"status_code": 429, "body": {"usage": {"prompt_tokens": 9}}}}
).encode()


@pytest.mark.parametrize("is_listed", [False, True])
def test_openais_results_are_charged_when_their_file_is_read(is_listed):
    money = budget()
    world = world_with(money)
    batch = {"id": "batch_1", "object": "batch", "status": "validating", "output_file_id": None}
    world.upstream.will(FakeResponse(200, [], input_file(1, 100)), FakeResponse(200, JSON, json.dumps(batch).encode()))
    assert world.call("/v1/batches", OF_FILE, x_portkey_provider="@openai").status == 200
    done = {**batch, "status": "completed", "output_file_id": "file_out"}
    shown = {"object": "list", "data": [done]} if is_listed else done
    for _ in range(2):
        world.upstream.will(FakeResponse(200, JSON, json.dumps(shown).encode()))
        path = "/v1/batches" if is_listed else "/v1/batches/batch_1"
        world.call(path, method="GET", x_portkey_provider="@openai", key=OTHER)
        world.upstream.will(FakeResponse(200, [], OUTPUT + b"\n" + FAILED + b"\n"))
        world.call("/v1/files/file_out/content", method="GET", x_portkey_provider="@openai", key=OTHER)
    assert charged(world) == [{"m": 1000 * 1_000 + 100 * 4_000}]
    assert used(world, money) == (1000 * 1_000 + 100 * 4_000, 0)


def test_a_batch_of_a_file_is_reserved_for_as_one_that_names_its_requests():
    money = budget()
    world = world_with(money)
    made = FakeResponse(200, JSON, b'{"id": "batch_1", "object": "batch"}')
    world.upstream.will(FakeResponse(200, [], input_file(2, 30_000)), made)
    assert world.call("/v1/batches", OF_FILE, x_portkey_provider="@openai").status == 200
    read, asked = world.upstream.sent
    assert (read.method, read.target, read.body) == ("GET", b"/v1/files/file_in/content", b"")
    assert json.loads(asked.body) == OF_FILE
    _, reserved = used(world, money)
    assert 2 * 30_000 * 4_000 < reserved < DOLLAR
    world.upstream.will(FakeResponse(200, [], input_file(20, 30_000)))
    assert world.call("/v1/batches", OF_FILE, x_portkey_provider="@openai").status == 412
    assert world.upstream.sent[-1].method == "GET", "nothing was created"
    assert used(world, money) == (0, reserved)


@pytest.mark.parametrize(
    "file, answer, words",
    [
        (OF_FILE, (200, b'{"body": {"model": "gpt-4.1"}}\n{"custom_id": "b"}\n'), "line 2 of the file has no body"),
        (OF_FILE, (200, b"\xff"), "line 1 of the file is no request"),
        (OF_FILE, (200, input_file(1, "many")), "input_file_id: line 1 of the file: max_tokens"),
        (OF_FILE, (404, b'{"error": {"message": "No such File object: file_in"}}'), "No such File object"),
        ({"endpoint": "/v1/chat/completions"}, None, "input_file_id: it must name a file"),
        ({**OF_FILE, "input_file_id": "../x"}, None, "input_file_id: it must name a file"),
    ],
)
def test_where_a_budget_holds_the_file_of_a_batch_must_be_read(file, answer, words):
    money = budget()
    world = world_with(money)
    if answer is not None:
        world.upstream.will(FakeResponse(answer[0], JSON, answer[1]))
    refused = world.call("/v1/batches", file, x_portkey_provider="@openai")
    assert refused.status == (answer[0] if answer and answer[0] != 200 else 400)
    assert words in refused.body.decode()
    assert all(request.method == "GET" for request in world.upstream.sent)
    assert used(world, money) == (0, 0)


@pytest.mark.parametrize(
    "coding, data, words",
    [
        (b"gzip", gzip.compress(input_file(1, 10)), None),
        (b"gzip", b"plain", "the file cannot be read: The provider's answer is not in the coding it declares"),
        (b"br", b"plain", "the file cannot be read: The provider's answer has a content coding that was not asked for"),
        (b"identity", b"x" * 999, "the file is larger than 500 bytes (limits.batch_bytes)"),
    ],
)
def test_a_file_in_a_content_coding_is_read_or_named(coding, data, words):
    world = world_with(budget())
    limits = structs.replace(world.plane.snapshot.limits, batch_bytes=500)
    world.plane.snapshot = structs.replace(world.plane.snapshot, limits=limits)
    made = FakeResponse(200, JSON, b'{"id": "batch_1", "object": "batch"}')
    world.upstream.will(FakeResponse(200, [(b"content-encoding", coding)], data), made)
    got = world.call("/v1/batches", OF_FILE, x_portkey_provider="@openai")
    assert got.status == (200 if words is None else 400)
    assert (words or "batch_1") in got.json().get("error", {"message": got.body.decode()})["message"]


def test_without_the_database_a_batch_is_created_and_results_wait(caplog):
    money = budget()
    world = world_with(money)

    async def away(*_):
        raise Unavailable("away")

    keep, charge = world.plane.batch_book.keep, world.plane.batch_book.charge
    world.plane.batch_book.keep = away
    assert create(world).status == 200
    assert "could not be kept" in caplog.text
    world.plane.batch_book.keep, world.plane.batch_book.charge = keep, away
    assert results(world, GOOD, key=KEY).body == GOOD
    assert used(world, money) == (0, 0)
    world.plane.batch_book.charge = charge
    results(world, GOOD, key=KEY)
    assert used(world, money) == (NANOS, 0)


def test_the_meter_takes_any_bytes_and_prices_only_what_has_usage():
    meter = ResultMeter(DIALECT, lambda model, usage: Cost(nanos=5))
    for data in (b"{", b"\n\n[1]\nnull\n", b'{"result": {"message": {"usage": {}}}}\n', GOOD, GOOD[:-1]):
        meter.feed(data)
    assert meter.lines == 5
    meter.close()
    meter.close()
    assert meter.lines == 6
    assert [meter.since(line)[0].nanos for line in (0, 4, 5, 6)] == [10, 10, 5, 0]
