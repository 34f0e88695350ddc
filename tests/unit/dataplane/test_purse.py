"""Budgets and rates around an exchange: what goes out, what is charged, what comes back."""

import asyncio
import json

import pytest
from msgspec import structs

from lockgate.core.limits import Budget, Claim, Rate
from lockgate.core.upper_bound import upper_bound_tokens
from lockgate.entities import Condition
from lockgate.errors import Broken, TimedOut
from lockgate.plan.keys import digest_of
from lockgate.plan.policies import Policy
from tests.unit.dataplane.fakes import JSON, KEY, SSE, FakeResponse, World

DOLLAR = 10**9
MODEL = "claude-sonnet-4-5"
ASK = {"model": f"@anthropic/{MODEL}", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 504, "output_tokens": 50},
}
NANOS = 504 * 3_000 + 50 * 15_000
"""What the reply costs: 3 and 15 dollars per million tokens."""


def budget(id="b", unit="nanos", cap=DOLLAR, scope="key", **more):
    return Budget(id=id, scope=scope, name="n", unit=unit, cap=cap, **more)


def rate(id="r", unit="requests", cap=2, **more):
    return Rate(id=id, scope="key", name="n", unit=unit, cap=cap, **more)


def world_with(*limits, target_limits=(), policies=(), models=None):
    world = World()
    snapshot = world.plane.snapshot
    claims = tuple(Claim(limit) for limit in limits)
    keys = {digest: structs.replace(key, claims=claims) for digest, key in snapshot.keys.items()}
    workspace = snapshot.workspace_of(None)
    targets = {
        slug: structs.replace(target, claims=tuple(Claim(limit) for limit in target_limits))
        for slug, target in workspace.targets.items()
    }
    workspace = structs.replace(workspace, targets=targets, policies=tuple(policies))
    world.plane.snapshot = structs.replace(snapshot, keys=keys, workspaces={workspace.id: workspace})
    return world


def used(world, limit, group=""):
    found = asyncio.run(world.counters.usage([Claim(limit, group)]))[0]
    return found.used, found.reserved


def answer_of(value, status=200):
    return FakeResponse(status, JSON, json.dumps(value).encode())


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_what_a_reply_cost_is_charged_to_every_limit_and_stands_in_the_record(path):
    money, tokens, requests = budget("m"), budget("t", "tokens", 10_000), budget("q", "requests", 5)
    at_provider = budget("p", scope="provider", per_attempt=True)
    world = world_with(money, tokens, requests, target_limits=[at_provider])
    world.upstream.will(answer_of(REPLY))
    assert world.call(path, ASK).status == 200
    assert [used(world, limit) for limit in (money, tokens, requests, at_provider)] == [
        (NANOS, 0),
        (554, 0),
        (1, 0),
        (NANOS, 0),
    ]
    record = world.record
    assert (record.cost.nanos, record.cost.status) == (NANOS, "priced")
    assert record.cost.parts == {"in_uncached": 504 * 3_000, "out_text": 50 * 15_000}
    assert {charge.limit: charge.amount for charge in record.charges} == {"m": NANOS, "t": 554, "q": 1, "p": NANOS}
    assert record.grant


def test_without_limits_nothing_is_reserved_but_the_cost_is_known():
    world = world_with()
    world.upstream.will(answer_of(REPLY))
    world.call("/v1/messages", ASK)
    assert (world.record.cost.nanos, world.record.charges, world.record.grant) == (NANOS, (), "")


def worst(body):
    from lockgate.core.body import peek

    data = json.dumps({**body, "model": MODEL}).encode()
    return upper_bound_tokens(data, peek(data)) * 3_000 + body["max_tokens"] * 15_000


def test_a_request_that_may_cost_more_than_is_left_is_not_sent():
    limit = budget(cap=worst(ASK) // 2)
    world = world_with(limit)
    answer = world.call("/v1/messages", ASK)
    assert (answer.status, answer.json()["error"]["type"]) == (412, "billing_error")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-portkey-budget-scope"] == "key"
    assert answer.headers["x-portkey-gateway-exception"] == "true"
    assert world.upstream.sent == []
    assert used(world, limit) == (0, 0)
    assert (world.record.status, world.record.error, world.record.charges) == (412, "budget_exceeded", ())
    assert world.record.cost is None


def test_a_refusal_by_one_limit_leaves_no_trace_in_the_others():
    requests, money = budget("q", "requests", 5), budget("m", cap=1)
    per_minute = rate(cap=5)
    world = world_with(per_minute, requests, money)
    assert world.call("/v1/chat/completions", ASK).status == 412
    assert [used(world, limit) for limit in (per_minute, requests, money)] == [(0, 0), (0, 0), (0, 0)]


def test_a_rate_refuses_what_is_too_much_and_says_when_to_come_again():
    world = world_with(rate(cap=2, window_s=1))
    world.upstream.will(answer_of(REPLY), answer_of(REPLY))
    assert [world.call("/v1/messages", ASK).status for _ in range(2)] == [200, 200]
    answer = world.call("/v1/messages", ASK)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["limit"]["unit"] == "rps"
    assert len(world.upstream.sent) == 2


@pytest.mark.parametrize(
    "path, method", [("/v1/models", "GET"), ("/v1/files", "GET"), ("/v1/messages/count_tokens", "POST")]
)
def test_rates_of_requests_hold_for_calls_that_cost_nothing_budgets_do_not(path, method):
    world = world_with(rate(cap=0), budget(cap=0))
    assert world.call(path, ASK if method == "POST" else b"", method=method).status == 429
    world = world_with(rate(cap=1), budget(cap=0))
    world.upstream.will(answer_of({"input_tokens": 3, "data": [], "object": "list"}))
    world.upstream.will(*[answer_of({"data": []})] * 4)
    assert (
        world.call(path, ASK if method == "POST" else b"", method=method, x_portkey_provider="@anthropic").status == 200
    )
    assert (
        world.call(path, ASK if method == "POST" else b"", method=method, x_portkey_provider="@anthropic").status == 429
    )


@pytest.mark.parametrize(
    "failure", [Broken("gone"), FakeResponse(500, JSON, b'{"type":"error","error":{"type":"api_error","message":"m"}}')]
)
def test_an_error_of_the_provider_costs_nothing_and_gives_everything_back(failure):
    limit, requests = budget(), budget("q", "requests", 5)
    world = world_with(limit, requests)
    world.upstream.will(failure)
    assert world.call("/v1/messages", ASK).status >= 500
    assert (used(world, limit), used(world, requests)) == ((0, 0), (0, 0))
    assert world.record.charges == ()


def event(**fields):
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


START = event(
    type="message_start", message={**REPLY, "content": [], "usage": {"input_tokens": 504, "output_tokens": 1}}
)
BLOCK = event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTA = event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "word " * 20})
END = (
    event(type="content_block_stop", index=0)
    + event(type="message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 50})
    + event(type="message_stop")
)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_stream_costs_what_its_last_usage_says(path):
    limit = budget()
    world = world_with(limit)
    world.upstream.will(FakeResponse(200, SSE, START + BLOCK + DELTA + END))
    world.call(path, {**ASK, "stream": True})
    assert used(world, limit) == (NANOS, 0)
    assert world.record.cost.status == "priced"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("is_left", [True, False])
def test_a_stream_that_is_cut_costs_what_came_by_our_estimate(path, is_left):
    limit = budget()
    world = world_with(limit)
    leaving = []

    async def leave():
        leaving[0]()
        await asyncio.sleep(3600)

    pieces = [START + BLOCK, DELTA, DELTA, leave if is_left else Broken("gone")]
    world.upstream.will(FakeResponse(200, SSE, *pieces))
    world.call(path, {**ASK, "stream": True}, leave=leaving.append)
    spent, reserved = used(world, limit)
    assert reserved == 0
    assert 504 * 3_000 + 40 * 15_000 <= spent <= 504 * 3_000 + 100 * 15_000
    assert world.record.cost.status == "estimated"
    assert world.record.cost.nanos == spent


def test_a_client_that_leaves_before_the_answer_pays_for_what_it_asked():
    limit = budget()
    world = world_with(limit)
    leaving = []

    async def leave():
        leaving[0]()
        await asyncio.sleep(3600)

    world.upstream.will(leave)
    world.call("/v1/messages", {**ASK, "messages": [{"role": "user", "content": "x" * 3600}]}, leave=leaving.append)
    spent, reserved = used(world, limit)
    assert reserved == 0
    assert 1000 * 3_000 <= spent <= 1200 * 3_000
    assert world.record.is_client_gone


def test_a_model_without_a_price_costs_an_unknown_amount_never_zero_in_disguise():
    world = world_with(budget())
    world.upstream.will(answer_of({**REPLY, "model": "claude-unheard-of"}))
    assert world.call("/v1/messages", {**ASK, "model": "@anthropic/claude-unheard-of"}).status == 200
    assert world.record.cost.status == "unpriced"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_of_a_model_without_a_price_says_so(path, is_stream):
    world = world_with(budget())
    world.upstream.will(FakeResponse(200, SSE, START, BLOCK + END) if is_stream else answer_of(REPLY))
    answer = world.call(path, {**ASK, "model": "@anthropic/claude-unheard-of", "stream": is_stream})
    assert answer.status == 200
    assert ("x-portkey-cost-status", "unpriced") in answer.headers.items()
    assert world.record.cost.status == "unpriced"


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_of_a_model_with_a_price_says_nothing_of_money_unasked(is_stream):
    world = world_with(budget())
    world.upstream.will(FakeResponse(200, SSE, START, BLOCK + END) if is_stream else answer_of(REPLY))
    answer = world.call("/v1/messages", {**ASK, "stream": is_stream})
    assert answer.status == 200
    assert not [name for name in answer.headers if "cost" in name or "budget" in name]


STRICT = budget("s", scope="workspace", blocks_unpriced=True)


@pytest.mark.parametrize(
    "world",
    [
        world_with(budget(), STRICT),
        world_with(target_limits=[STRICT]),
        world_with(policies=[Policy(limit=STRICT, conditions=(), group_by=())]),
    ],
    ids=["caller", "target", "policy"],
)
def test_a_budget_at_any_level_may_refuse_models_without_a_price(world):
    answer = world.call("/v1/messages", {**ASK, "model": "@anthropic/claude-unheard-of"})
    assert (answer.status, answer.headers["x-portkey-cost-status"]) == (412, "unpriced")
    assert "has no price, and a budget of workspace 'n' serves only models" in answer.json()["error"]["message"]
    assert world.upstream.sent == []


def test_a_model_that_the_provider_may_go_on_to_needs_a_price_too():
    world = world_with(STRICT)
    answer = world.call("/v1/messages", {**ASK, "fallbacks": [{"model": "claude-unheard-of"}]})
    assert (answer.status, world.upstream.sent) == (412, [])


def test_policies_count_for_each_value_of_what_they_group_by():
    limit = budget("pol", "requests", 1, scope="policy")
    policy = Policy(
        limit=limit,
        conditions=(Condition(key="model", values=("@anthropic/*",)),),
        group_by=("metadata._user",),
    )
    world = world_with(policies=[policy])
    world.upstream.will(*[answer_of(REPLY) for _ in range(3)])
    for user, status in (("maria", 200), ("maria", 412), ("kim", 200)):
        assert world.call("/v1/messages", ASK, x_portkey_metadata=json.dumps({"_user": user})).status == status
    assert world.call("/v1/messages", ASK).status == 200
    assert world.call("/v1/messages", ASK).status == 412
    assert used(world, limit, "metadata._user:maria") == (1, 0)
    assert world.records[0].charges[0].group == "metadata._user:maria"


def test_several_answers_and_the_providers_tools_are_reserved_for():
    few = {**ASK, "model": "@openai/gpt-4.1", "messages": [{"role": "user", "content": "Hi"}]}
    limit = budget(cap=3_000_000)
    assert world_with(limit).call("/v1/chat/completions", {**few, "n": 64}).status == 412
    searching = {**ASK, "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}
    world = world_with(budget(cap=30_000_000))
    assert world.call("/v1/messages", searching).status == 412


def test_reservations_of_long_answers_are_kept_alive():
    limit = budget()
    world = world_with(limit)

    async def wait():
        assert len(world.plane.grants) == 1
        world.plane.renew_grants()

    world.upstream.will(FakeResponse(200, SSE, START, wait, BLOCK + END))
    world.call("/v1/messages", {**ASK, "stream": True})
    assert world.plane.grants == set()


def test_metadata_of_workspace_and_key_win_over_the_request():
    world = world_with()
    snapshot = world.plane.snapshot
    key = structs.replace(snapshot.keys[digest_of(KEY)], metadata={"team": "key", "own": "key"})
    workspace = structs.replace(snapshot.workspace_of(None), metadata={"team": "workspace"})
    world.plane.snapshot = structs.replace(snapshot, keys={digest_of(KEY): key}, workspaces={workspace.id: workspace})
    world.upstream.will(answer_of(REPLY))
    world.call("/v1/messages", ASK, x_portkey_metadata='{"team":"request","more":"request"}', baggage="b=1")
    assert world.record.metadata == {"team": "workspace", "own": "key", "more": "request", "b": "1"}
    assert (world.record.key_name, world.record.workspace_id) == ("test", "default")


def drain_deadline(world):
    async def passes():
        world.plane.is_draining = True
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    return passes


async def never():
    await asyncio.sleep(3600)


LONG = [{"role": "user", "content": "x" * 3600}]


@pytest.mark.parametrize("how", ["the drain deadline", "the client's time limit"])
@pytest.mark.parametrize("is_answering", [False, True])
def test_a_call_that_we_cut_costs_what_it_asked(how, is_answering):
    limit = budget()
    world = world_with(limit)
    cut = drain_deadline(world) if how == "the drain deadline" else never
    world.upstream.will(FakeResponse(200, JSON, cut) if is_answering else cut)
    headers = {} if how == "the drain deadline" else {"x_portkey_request_timeout": "20"}
    assert world.call("/v1/messages", {**ASK, "messages": LONG}, **headers).status in (408, 503)
    spent, reserved = used(world, limit)
    assert reserved == 0
    assert 1000 * 3_000 <= spent <= 1200 * 3_000
    assert world.record.cost.status == "estimated"
    assert world.record.cost.nanos == spent


def test_an_attempt_that_ran_out_of_time_is_charged_beside_the_one_that_answered():
    limit = budget()
    world = world_with(limit)
    world.upstream.will(never, answer_of(REPLY))
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": "@anthropic", "request_timeout": 20}, {"provider": "@anthropic"}],
    }
    body = {**ASK, "model": MODEL, "messages": LONG}
    assert world.call("/v1/messages", body, x_portkey_config=json.dumps(config)).status == 200
    spent, reserved = used(world, limit)
    assert reserved == 0
    assert NANOS + 1000 * 3_000 <= spent <= NANOS + 1200 * 3_000
    assert world.record.cost.nanos == spent


def test_a_provider_that_keeps_silent_costs_nothing():
    limit = budget()
    world = world_with(limit)
    world.upstream.will(TimedOut("silent", phase="first_byte"))
    assert world.call("/v1/messages", ASK).status == 408
    assert used(world, limit) == (0, 0)


CHAT = {"model": "@openai/gpt-4.1", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("more", [{"n": 10_000}, {"n": 100.0}, {"best_of": 100}, {"max_tokens": -1}])
@pytest.mark.parametrize("unit, cap", [("nanos", DOLLAR // 100), ("tokens", 9_000)])
def test_whatever_a_server_may_read_as_more_answers_is_reserved(more, unit, cap):
    limit = budget("m", unit, cap)
    world = world_with(limit)
    assert world.call("/v1/chat/completions", {**CHAT, **more}).status == 412
    assert world.upstream.sent == []
    assert used(world, limit) == (0, 0)


@pytest.mark.parametrize(
    "path, body, field",
    [
        ("/v1/chat/completions", {**CHAT, "n": "100"}, "n"),
        ("/v1/chat/completions", {**CHAT, "n": 10**12}, "n"),
        ("/v1/chat/completions", {**CHAT, "max_tokens": 10**11}, "max_tokens"),
        ("/v1/chat/completions", {**CHAT, "max_tokens": 1e300}, "max_tokens"),
        ("/v1/chat/completions", {**ASK, "max_tokens": 10**11}, "max_tokens"),
        ("/v1/messages", {**ASK, "max_tokens": 10**11}, "max_tokens"),
        ("/v1/messages", {**ASK, "max_tokens": 1e18}, "max_tokens"),
    ],
)
@pytest.mark.parametrize("limit", [budget(), budget("t", "tokens", 10**9), rate(unit="tokens", cap=1000)])
def test_what_has_no_bound_is_refused_where_limits_hold(path, body, field, limit):
    world = world_with(limit)
    answer = world.call(path, body)
    assert answer.status == 400
    assert answer.json()["error"]["message"].startswith(field)
    assert world.upstream.sent == []


def test_a_member_that_comes_twice_is_refused_where_limits_hold_and_passes_where_none_does():
    body = json.dumps(CHAT).encode().replace(b'"max_tokens"', b'"max_tokens": 9000, "max_tokens"')
    world = world_with(budget())
    answer = world.call("/v1/chat/completions", body)
    assert (answer.status, answer.json()["error"]["param"]) == (400, "max_tokens")
    assert world.upstream.sent == []
    free = world_with()
    free.upstream.will(answer_of({"id": "c", "choices": [], "usage": {}}))
    assert free.call("/v1/chat/completions", body).status == 200
    assert free.upstream.sent[0].body == body.replace(b"@openai/", b"")


def test_sound_is_reserved_at_its_own_price():
    limit = budget(cap=DOLLAR // 100)
    body = {**CHAT, "model": "@openai/gpt-4o-audio-preview", "max_tokens": 20}
    world = world_with(limit)
    world.upstream.will(answer_of({"id": "c", "choices": [], "usage": {}}))
    plain = world.call("/v1/chat/completions", body).status
    sound = world.call("/v1/chat/completions", {**body, "modalities": ["text", "audio"]}).status
    assert (plain, sound) == (200, 412)
    assert len(world.upstream.sent) == 1
