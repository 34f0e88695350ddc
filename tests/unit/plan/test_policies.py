from datetime import UTC, datetime

import pytest
from msgspec import structs

from lockgate.entities import Condition, RateLimit, RatePolicy, UsageLimit, UsagePolicy
from lockgate.plan.policies import Policy, compile_policies

NOW = datetime(2026, 8, 21, tzinfo=UTC)
USAGE = UsagePolicy(
    id="p", organisation_id="o", workspace_id="w", name="per person", limit=UsageLimit(id="l", cap=25), created_at=NOW
)
RATE = RatePolicy(
    id="q", organisation_id="o", workspace_id="w", name="slow", limit=RateLimit(id="r", cap=1), created_at=NOW
)
SCENE = {
    "api_key": "k1",
    "provider": "claude-prod",
    "model": "@claude-prod/claude-sonnet-5-5",
    "metadata._user": "maria",
    "metadata.empty": "",
}


def met(*conditions):
    policy = compile_policies([structs.replace(USAGE, conditions=conditions)], [], NOW)[0]
    return policy.claim(SCENE) is not None


def when(key, *values, is_excluded=False):
    return Condition(key=key, values=values, is_excluded=is_excluded)


@pytest.mark.parametrize(
    "conditions, is_met",
    [
        ((), True),
        ((when("api_key", "k1"),), True),
        ((when("api_key", "k2", "k1"),), True),
        ((when("api_key", "k2"),), False),
        ((when("api_key", "k1"), when("provider", "other")), False),
        ((when("metadata._user", "*"),), True),
        ((when("metadata.empty", "*"),), True),
        ((when("metadata.absent", "*"),), False),
        ((when("metadata._user", "*"), when("metadata._user", "ci-bot", is_excluded=True)), True),
        ((when("metadata._user", "maria", is_excluded=True),), False),
        ((when("metadata.absent", "x", is_excluded=True),), True),
        ((when("model", "@claude-prod/*"),), True),
        ((when("model", "@claude-prod/claude-sonnet-5-5"),), True),
        ((when("model", "@claude/*"),), False),
    ],
)
def test_which_requests_a_policy_is_about(conditions, is_met):
    assert met(*conditions) is is_met


@pytest.mark.parametrize(
    "group_by, group",
    [
        ((), ""),
        (("metadata._user",), "metadata._user:maria"),
        (("metadata._user", "api_key"), "metadata._user:maria|api_key:k1"),
        (("metadata.team",), "metadata.team:(not set)"),
    ],
)
def test_each_group_has_a_counter_of_its_own_also_the_one_without_a_value(group_by, group):
    policy = compile_policies([structs.replace(USAGE, group_by=group_by)], [], NOW)[0]
    assert policy.claim(SCENE).group == group


def test_policies_about_targets_hold_for_each_attempt():
    about_model = structs.replace(USAGE, conditions=(when("model", "*"),))
    by_provider = structs.replace(RATE, group_by=("provider",))
    assert [
        policy.limit.per_attempt for policy in compile_policies([USAGE, about_model], [RATE, by_provider], NOW)
    ] == [
        False,
        True,
        False,
        True,
    ]


def test_rates_come_first_and_what_is_not_in_force_is_left_out():
    later = structs.replace(USAGE, limit=UsageLimit(id="l2", cap=1, effective_from=datetime(2027, 1, 1, tzinfo=UTC)))
    off = structs.replace(RATE, status="disabled")
    tools = structs.replace(RATE, target="mcp_tools")
    policies = compile_policies([USAGE, later], [RATE, off, tools], NOW)
    assert [policy.limit.id for policy in policies] == ["r", "l"]
    assert all(isinstance(policy, Policy) for policy in policies)
