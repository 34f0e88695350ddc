"""What answers tell of money to who asks for it: their cost, and what is left of budgets of the caller's own."""

import asyncio

import pytest

from lockgate.catalog.prices_cost import UNPRICED as NO_PRICE
from lockgate.core.limits import NO_GRANT, Claim, Demand
from lockgate.dataplane.told_cost import cost_headers, left_headers, left_of, wants_details
from lockgate.errors import CountersUnreachable
from tests.unit.dataplane.fakes import SSE, FakeResponse
from tests.unit.dataplane.test_purse import (
    ASK,
    BLOCK,
    DOLLAR,
    END,
    NANOS,
    REPLY,
    START,
    answer_of,
    budget,
    used,
    world_with,
)

ASKING = {"x_portkey_budget_details": "true"}


def money_of(answer):
    return {name: value for name, value in answer.headers.items() if "cost" in name or "budget" in name}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_whole_answer_tells_its_cost_and_what_is_left_of_the_keys_budget(path):
    world = world_with(budget("m"), budget("w", cap=DOLLAR // 10, scope="workspace"))
    world.upstream.will(answer_of(REPLY), answer_of(REPLY))
    for calls in (1, 2):
        answer = world.call(path, ASK, **ASKING)
        assert money_of(answer) == {
            "x-portkey-cost": "0.002262000",
            "x-portkey-cost-status": "priced",
            "x-portkey-budget-remaining": f"{(DOLLAR - calls * NANOS) / DOLLAR:.9f}",
            "x-portkey-budget-unit": "usd",
        }
    assert not any(b"budget-details" in name for request in world.upstream.sent for name, _ in request.headers)


def test_of_several_budgets_the_one_with_the_smallest_share_left_is_told():
    world = world_with(budget("m"), budget("t", "tokens", 1_000), budget("q", "requests", 500))
    world.upstream.will(answer_of(REPLY))
    found = money_of(world.call("/v1/messages", ASK, **ASKING))
    assert (found["x-portkey-budget-remaining"], found["x-portkey-budget-unit"]) == ("446", "tokens")


def test_without_a_budget_of_its_own_a_caller_sees_the_cost_only():
    world = world_with(target_limits=[budget("p", scope="provider", per_attempt=True)])
    world.upstream.will(answer_of(REPLY))
    assert money_of(world.call("/v1/messages", ASK, **ASKING)) == {
        "x-portkey-cost": "0.002262000",
        "x-portkey-cost-status": "priced",
    }


def test_a_stream_tells_what_is_left_beside_its_reservation_and_no_cost():
    limit = budget()
    world = world_with(limit)
    reserved = []

    async def look():
        usage = (await world.counters.usage([Claim(limit)]))[0]
        reserved.append(usage.reserved)

    world.upstream.will(FakeResponse(200, SSE, look, START, BLOCK + END))
    found = money_of(world.call("/v1/messages", {**ASK, "stream": True}, **ASKING))
    assert reserved[0] > 0
    assert found == {
        "x-portkey-budget-remaining": f"{(DOLLAR - reserved[0]) / DOLLAR:.9f}",
        "x-portkey-budget-unit": "usd",
    }


def test_no_price_no_cost():
    world = world_with(budget())
    world.upstream.will(answer_of(REPLY))
    answer = world.call("/v1/messages", {**ASK, "model": "@anthropic/claude-unheard-of"}, **ASKING)
    assert money_of(answer) == {
        "x-portkey-cost-status": "unpriced",
        "x-portkey-budget-remaining": "1.000000000",
        "x-portkey-budget-unit": "usd",
    }
    assert cost_headers(NO_PRICE) == [(b"x-portkey-cost-status", b"unpriced")]


def test_an_answer_from_the_cache_cost_nothing():
    assert cost_headers(None) == [(b"x-portkey-cost", b"0.000000000")]


def test_errors_and_free_calls_tell_nothing():
    limit = budget(cap=1)
    world = world_with(limit)
    refused = world.call("/v1/messages", ASK, **ASKING)
    assert refused.status == 412
    assert "x-portkey-cost" not in refused.headers
    world.upstream.will(answer_of({"input_tokens": 3}))
    counted = world.call("/v1/messages/count_tokens", ASK, **ASKING)
    assert (counted.status, money_of(counted)) == (200, {})
    assert used(world, limit) == (0, 0)


def test_counters_that_are_away_hide_what_is_left():
    class Away:
        async def usage(self, claims):
            raise CountersUnreachable("away")

    world = world_with()
    grant = asyncio.run(world.counters.reserve(Demand(claims=(Claim(budget()),), nanos=5)))
    assert asyncio.run(left_of(Away(), grant)) == ()
    assert asyncio.run(left_of(Away(), NO_GRANT)) == ()
    assert left_headers((), None) == []
    (left,) = asyncio.run(left_of(world.counters, grant))
    assert (left.amount, left.hold.amount) == (DOLLAR - 5, 5)


@pytest.mark.parametrize("value, wanted", [(b"true", True), (b"True", True), (b"false", False), (b"", False)])
def test_who_asks(value, wanted):
    assert wants_details({b"x-portkey-budget-details": value}) is wanted
    assert wants_details({}) is False
