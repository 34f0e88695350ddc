"""Configs held against recorded requests: what a record knows is what decisions see."""

import json

import pytest

from lockgate.app.rehearsing import rehearse
from tests.unit.records.rows import row
from tests.unit.routing.configs import routes_of

PAIR = [{"name": "a", "provider": "@a"}, {"name": "b", "provider": "@b"}]


def when(query):
    strategy = {"mode": "conditional", "conditions": [{"query": query, "then": "b"}], "default": "a"}
    return {"strategy": strategy, "targets": PAIR}


def chosen(config, **changes):
    """Return who would get one request."""
    found = rehearse(routes_of(config), [row(1, endpoint="chat", **changes)])
    assert found.requests == 1
    (share,) = found.shares
    return share.provider


@pytest.mark.parametrize(
    "query, changes, provider",
    [
        ({"metadata.team": "x"}, {"metadata": {"team": "x"}}, "@b"),
        ({"metadata.team": "x"}, {"metadata": {"team": "y"}}, "@a"),
        ({"params.model": "@p/m"}, {"request_model": "@p/m"}, "@b"),
        ({"params.stream": True}, {"is_stream": True}, "@b"),
        ({"params.stream": True}, {}, "@a"),
        ({"url.pathname": "/v1/chat/completions"}, {}, "@b"),
        ({"url.pathname": "/chat/completions"}, {"path": "/v1/chat/completions"}, "@b"),
        ({"params.max_tokens": {"$gt": 0}}, {}, "@a"),
    ],
)
def test_conditions_see_what_a_record_holds(query, changes, provider):
    assert chosen(when(query), **changes) == provider


def test_what_records_do_not_hold_is_named():
    inner = {
        "strategy": {
            "mode": "loadbalance",
            "sticky": {"enabled": True, "hash_fields": ["metadata.u", "user", "headers.x"]},
        },
        "targets": PAIR,
    }
    config = when({"$or": [{"params.max_tokens": 1}, {"params.model": "m"}]})
    config["targets"] = [{**PAIR[0]}, {**inner, "name": "b"}]
    assert rehearse(routes_of(config), []).unknown == ("headers.x", "params.max_tokens", "params.user")


def test_metadata_of_the_config_is_weaker_than_the_records():
    config = when({"metadata.team": "x"}) | {"metadata": {"team": "x"}}
    assert chosen(config) == "@b"
    assert chosen(config, metadata={"team": "y"}) == "@a"


def test_a_router_that_has_nobody_to_offer_is_a_share_of_its_own():
    parked = {"strategy": {"mode": "loadbalance"}, "targets": [{"provider": "@a", "weight": 0}]}
    (share,) = rehearse(routes_of(parked), [row(1, endpoint="messages")]).shares
    assert (share.provider, share.moved) == ("", 0)
    assert "weights" in json.dumps(share.because)


def test_shares_add_up_and_tell_who_would_move():
    rows = [row(number, endpoint="chat", provider_slug="a", total_tokens=3) for number in range(200)]
    halves = {"strategy": {"mode": "loadbalance"}, "targets": PAIR}
    found = rehearse(routes_of(halves), [*rows, row(999, endpoint="files")])
    assert found.requests == sum(share.requests for share in found.shares) == 200
    assert sum(share.tokens for share in found.shares) == 600
    assert sum(share.cost_nano for share in found.shares) == sum(range(200))
    assert {share.provider: share.moved for share in found.shares} == {
        "@a": 0,
        "@b": next(share.requests for share in found.shares if share.provider == "@b"),
    }
    assert all(60 < share.requests < 140 for share in found.shares)
