import json

import pytest

from lockgate.core.limits import Budget, Rate, Refusal
from lockgate.dataplane.refusal import refusal_error
from lockgate.dialects.anthropic_messages import DIALECT as MESSAGES
from lockgate.dialects.openai_chat import DIALECT as CHAT
from lockgate.plan.policies import GROUP_SEPARATOR

DOLLAR = 10**9
RESET = 1_788_220_800  # 2026-09-01T00:00:00Z


def budget(scope="key", unit="nanos", cap=100 * DOLLAR):
    return Budget(id="l1", scope=scope, name="billing-bot", unit=unit, cap=cap)


def refused(limit, **more):
    fields = {
        "group": "",
        "reason": "spent",
        "asked": 0,
        "used": 0,
        "reserved": 0,
        "resets_at": RESET,
        "retry_after_s": None,
    }
    return refusal_error(Refusal(limit=limit, **{**fields, **more}))


def body(error, dialect=CHAT):
    return json.loads(dialect.write_error(error, request_id="r", provider=None))


def test_a_spent_budget_is_412_and_says_whose_how_much_and_until_when():
    error = refused(budget(), used=100_020_000_000, asked=DOLLAR)
    assert error.status == 412
    said = "Budget reached: key 'billing-bot' has used 100.02 USD of 100.00 USD; resets 2026-09-01T00:00:00Z"
    assert body(error) == {
        "status": "failure",
        "message": said,
        "error": {
            "message": said,
            "type": "budget_exceeded",
            "param": None,
            "code": "budget_exceeded",
            "limit": {
                "id": "l1",
                "scope": "key",
                "type": "cost",
                "credit_limit": 100,
                "used": 100.02,
                "reserved": 0,
                "remaining": 0,
                "asked": 1,
                "resets_at": "2026-09-01T00:00:00Z",
            },
        },
    }
    assert dict(error.headers) == {
        b"x-portkey-budget-scope": b"key",
        b"x-portkey-budget-limit": b"100",
        b"x-portkey-budget-used": b"100.02",
        b"x-portkey-budget-unit": b"usd",
        b"x-portkey-budget-reset": b"2026-09-01T00:00:00Z",
        b"x-should-retry": b"false",
    }


def test_messages_clients_get_anthropics_envelope():
    answer = body(refused(budget(), used=100 * DOLLAR), MESSAGES)
    assert (answer["type"], answer["error"]["type"], answer["error"]["code"]) == (
        "error",
        "billing_error",
        "budget_exceeded",
    )
    assert answer["error"]["limit"]["credit_limit"] == 100
    rate = Rate(id="r1", scope="key", name="k", unit="requests", cap=5)
    assert body(refused(rate, reason="rate", retry_after_s=3.2), MESSAGES)["error"]["type"] == "rate_limit_error"


def test_what_is_left_being_too_little_says_what_to_do():
    error = refused(budget(unit="tokens", cap=1000), used=900, asked=500)
    assert error.status == 412
    assert "has 100 tokens of 1000 tokens left, and this request may use 500 tokens" in error.message
    assert "max_tokens" in error.message


def test_a_budget_held_only_by_requests_under_way_is_429_and_clears_soon():
    error = refused(budget(), reason="reserved", used=0, reserved=100 * DOLLAR, retry_after_s=1.0)
    assert (error.status, error.code) == (429, "budget_reserved")
    assert dict(error.headers)[b"retry-after"] == b"1"
    assert b"x-should-retry" not in dict(error.headers)
    assert error.message.endswith("once requests under way are settled; try again")


def test_a_budget_held_by_batches_is_not_asked_again_in_seconds():
    error = refused(budget(), reason="reserved", used=0, reserved=100 * DOLLAR, retry_after_s=None)
    assert (error.status, error.code) == (429, "budget_reserved")
    headers = dict(error.headers)
    assert headers[b"x-should-retry"] == b"false"
    assert not {b"retry-after", b"retry-after-ms"} & set(headers)
    assert error.message.endswith("once batches have ended and their results are read, which may take hours")


@pytest.mark.parametrize("scope", ["workspace", "provider", "integration", "policy", "user"])
def test_of_shared_limits_the_numbers_stay_hidden(scope):
    error = refused(budget(scope=scope), used=42_424_242_424, asked=DOLLAR)
    text = error.message + json.dumps(error.limit) + str(error.headers)
    assert "42.4" not in text
    assert error.limit == {"scope": scope, "type": "cost", "resets_at": "2026-09-01T00:00:00Z"}


@pytest.mark.parametrize(
    "wait_s, expected",
    [
        (0.2, {b"retry-after": b"1", b"retry-after-ms": b"200"}),
        (59.5, {b"retry-after": b"60", b"retry-after-ms": b"59500"}),
        (64.0, {b"retry-after": b"60", b"retry-after-ms": b"60000"}),
        (None, {b"x-should-retry": b"false"}),
    ],
)
def test_a_rate_says_when_to_come_again(wait_s, expected):
    rate = Rate(id="r1", scope="key", name="k", unit="tokens", cap=200, window_s=60)
    error = refused(rate, reason="rate", used=200, retry_after_s=wait_s)
    assert (error.status, error.kind) == (429, "rate_limit_error")
    headers = dict(error.headers)
    assert headers.pop(b"x-portkey-ratelimit-scope") == b"key"
    assert headers.pop(b"x-portkey-ratelimit-limit") == b"200"
    assert headers.pop(b"x-portkey-ratelimit-remaining") == b"0"
    assert headers.pop(b"x-portkey-ratelimit-reset") == b"2026-09-01T00:00:00Z"
    assert headers == expected
    assert error.limit["unit"] == "rpm"


def test_a_minute_that_glides_says_how_long_it_takes_and_asks_sdks_to_wait_no_longer_than_they_would():
    rate = Rate(id="r1", scope="key", name="k", unit="requests", cap=5)
    error = refused(rate, reason="rate", used=5, asked=1, retry_after_s=64.0)
    assert error.message.endswith("; try again in 64 s")
    assert dict(error.headers)[b"retry-after"] == b"60"


@pytest.mark.parametrize("window_s", [3600, 86400, 604800])
@pytest.mark.parametrize("wait_s, is_worth_it", [(60.0, True), (61.0, False)])
def test_a_longer_window_is_waited_for_when_it_ends_within_a_minute(window_s, wait_s, is_worth_it):
    rate = Rate(id="r1", scope="key", name="k", unit="requests", cap=5, window_s=window_s)
    headers = dict(refused(rate, reason="rate", used=5, asked=1, retry_after_s=wait_s).headers)
    assert (b"retry-after" in headers, b"x-should-retry" in headers) == (is_worth_it, not is_worth_it)


def test_counters_that_do_not_answer_are_503():
    assert refused(budget(), reason="outage").status == 503


@pytest.mark.parametrize("scope, numbers", [("key", " of 500"), ("workspace", "")])
def test_a_request_that_asks_for_more_than_the_whole_limit_is_told_so(scope, numbers):
    rate = Rate(id="r1", scope=scope, name="k", unit="tokens", cap=500)
    error = refused(rate, reason="rate", asked=1010)
    assert error.status == 429
    assert error.message == (
        f"Rate limit too small: this request may use 1010 tokens, more than the whole limit{numbers} (rpm) of "
        f"{scope} 'k'; ask for fewer tokens (max_tokens) or raise the limit"
    )
    assert (b"x-should-retry", b"false") in error.headers
    assert b"retry-after" not in dict(error.headers)


@pytest.mark.parametrize(
    "limit, reason",
    [
        (budget(scope="policy"), "spent"),
        (budget(scope="policy"), "reserved"),
        (Rate(id="r1", scope="policy", name="billing-bot", unit="requests", cap=5), "rate"),
    ],
)
def test_a_limit_that_counts_by_groups_says_for_which_one(limit, reason):
    group = GROUP_SEPARATOR.join(["metadata._user:ann", "api_key:k1"])
    assert (
        "policy 'billing-bot' for metadata._user:ann, api_key:k1 " in refused(limit, reason=reason, group=group).message
    )
