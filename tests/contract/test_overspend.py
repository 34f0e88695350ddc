"""The tool that tries to overrun budgets notices what it is there to notice."""

from __future__ import annotations

import json
import random

import pytest

from tools.overspend.books import HEAD, Ledger, Row, check_calls, check_simulator, outcomes, rows
from tools.overspend.stage import Key, Limit
from tools.overspend.storm import Call, check_refusal, plan

LIMIT = Limit(id="b", level="key first", unit="cost", cap=1000)
KEY = Key(id="k", text="secret")


def row(**more):
    return Row(**{"limit": LIMIT, "group": "", "used": 900, "reserved": 0, "charged": 900, **more})


@pytest.mark.parametrize(
    "changed, words",
    [
        ({}, []),
        ({"used": 1000, "charged": 1000}, []),
        ({"used": 1001, "charged": 1001}, ["1001 is used of 1000", "1001 was charged of 1000"]),
        ({"used": 899}, ["the counter says 899, the journals say 900"]),
        ({"reserved": 1}, ["1 is still reserved"]),
    ],
)
def test_a_budget_at_rest_is_below_its_cap_equal_to_the_journals_and_reserves_nothing(changed, words):
    assert row(**changed).problems == [f"key first: {text}" for text in words]


def test_what_only_the_journals_know_has_a_row_too():
    found = rows({"b": LIMIT}, {("b", "x"): (5, 1)}, Ledger(charged={("b", "x"): 5, ("b", "y"): 7}))
    assert [(one.group, one.used, one.reserved, one.charged) for one in found] == [("x", 5, 1, 5), ("y", 0, 0, 7)]
    assert [len(one.line()) for one in found] == [len(HEAD)] * 2


def call(**more):
    fields = {"path": "/v1/messages", "headers": {}, "body": b"", "is_stream": False, "leaves_after_s": None}
    return Call(**{"number": 1, "key": KEY, **fields, **more})


def test_an_answer_without_a_record_is_missed():
    refused = call(outcome="refused")
    found = check_calls([call(outcome="answered", request_id="1-2"), refused], Ledger())
    assert found == ["1 answered calls have no record"]
    assert check_calls([refused], Ledger()) == ["no call was answered"]
    assert "no budget was ever used up" in check_calls([], Ledger())
    assert outcomes([refused, refused]) == "2 refused"


def test_a_provider_that_answered_less_than_we_say_is_missed():
    assert check_simulator({"completed": 3}, Ledger(answered=3)) == []
    assert check_simulator({"completed": 2}, Ledger(answered=3)) != []


REFUSAL = {
    "type": "error",
    "error": {"type": "billing_error", "message": "m", "limit": {"scope": "key", "resets_at": None}},
}
HEADERS = {"x-should-retry": "false"}


@pytest.mark.parametrize(
    "path, status, headers, error, is_good",
    [
        ("/v1/messages", 412, HEADERS, {}, True),
        ("/v1/messages", 412, {}, {}, False),
        ("/v1/messages", 412, HEADERS, {"type": "budget_exceeded"}, False),
        ("/v1/messages", 412, HEADERS, {"limit": None}, False),
        ("/v1/messages", 412, HEADERS, {"limit": {"scope": "key"}}, False),
        ("/v1/messages", 412, HEADERS, {"limit": {"scope": "moon", "resets_at": None}}, False),
        ("/v1/chat/completions", 412, HEADERS, {"type": "budget_exceeded"}, True),
        ("/v1/chat/completions", 429, {"retry-after": "1"}, {"type": "rate_limit_error"}, True),
        ("/v1/chat/completions", 429, {}, {"type": "rate_limit_error"}, False),
    ],
)
def test_a_refusal_of_another_shape_is_noticed(path, status, headers, error, is_good):
    body = json.dumps({**REFUSAL, "error": {**REFUSAL["error"], **error}}).encode()
    assert (check_refusal(path, status, headers, body) == []) is is_good


def test_the_same_seed_plans_the_same_calls_of_every_kind():
    def planned(seed):
        return plan(300, [KEY], random.Random(seed), leaving=0.1, failing=0.1)

    calls = planned(1)
    assert calls == planned(1)
    assert calls != planned(2)
    assert {(one.path, one.is_stream) for one in calls} == {
        (path, is_stream) for path in ("/v1/messages", "/v1/chat/completions") for is_stream in (True, False)
    }
    assert 0 < sum(one.leaves_after_s is not None for one in calls) < 100
    assert 0 < sum(one.leaves_inside for one in calls) < 100
    assert any("x-portkey-config" in one.headers for one in calls)
    assert any(b'"n": 2' in one.body for one in calls)
