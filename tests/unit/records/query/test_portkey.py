from __future__ import annotations

import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.query.portkey import KNOWN, read_parameters
from lockgate.records.query.tree import EVERYTHING, AllOf, AnyOf, Compare
from lockgate.records.row import FAR_FUTURE_US

AT = 1_800_000_000_000_000


@pytest.mark.parametrize(
    "parameters, node",
    [
        ({}, EVERYTHING),
        ({"page_size": 50, "unknown": "x", "cost_min": "", "configs": [], "trace_id": None}, EVERYTHING),
        ({"cost_min": "2.5"}, Compare("cost_nano", "ge", (25_000_000,))),
        ({"cost_max": 1}, Compare("cost_nano", "le", (10_000_000,))),
        ({"total_units_min": "10"}, Compare("total_tokens", "ge", (10,))),
        ({"prompt_token_max": 7}, Compare("input_tokens", "le", (7,))),
        ({"completion_token_min": 7}, Compare("output_tokens", "ge", (7,))),
        ({"weighted_feedback_min": "-1.5"}, Compare("feedback_average", "ge", (-1.5,))),
        ({"status_code": "200, 429"}, Compare("status_code", "in", (200, 429))),
        ({"status_code": [500, "503"]}, Compare("status_code", "in", (500, 503))),
        ({"virtual_keys": "@a,b"}, Compare("provider_slug", "in", ("a", "b"))),
        ({"cache_status": "HIT,Semantic Hit,refresh"}, Compare("cache_status", "in", ("hit", "semantic_hit", "refreshed"))),
        ({"ai_model": "gpt-5"}, Compare("model", "in", ("gpt-5",))),
        (
            {"ai_org_model": "openai__gpt-5,anthropic__"},
            AnyOf((AllOf((Compare("provider", "in", ("openai",)), Compare("model", "in", ("gpt-5",)))), Compare("provider", "in", ("anthropic",)))),
        ),
        ({"metadata": '{"team":"search","n":5,"ok":true}'}, AllOf((
            Compare("metadata", "in", ("search",), "team"), Compare("metadata", "in", ("5",), "n"), Compare("metadata", "in", ("true",), "ok"),
        ))),
        ({"metadata": {"team": ["a", "b"]}}, Compare("metadata", "in", ("a", "b"), "team")),
        ({"trace_id": "a,b", "prompt_slug": "p"}, AllOf((Compare("prompt_slug", "in", ("p",)), Compare("trace_id", "in", ("a", "b"))))),
    ],
    ids=str,
)  # fmt: skip
def test_what_each_parameter_selects(parameters, node):
    assert read_parameters(parameters).filter == node


@pytest.mark.parametrize(
    "parameters, low, high",
    [
        ({}, 0, FAR_FUTURE_US),
        ({"time_of_generation_min": "2027-01-15T08:00:00Z"}, AT, FAR_FUTURE_US),
        ({"time_of_generation_max": "2027-01-15T08:00:00+00:00"}, 0, AT),
        ({"time_of_generation_max": "2027-01-15T09:00:00 01:00"}, 0, AT),
        ({"created_at": {"gte": "2027-01-15T08:00:00Z", "lte": "2027-01-15T08:00:00Z"}}, AT, AT),
    ],
    ids=str,
)
def test_ranges_of_time(parameters, low, high):
    found = read_parameters(parameters)
    assert (found.from_us, found.to_us) == (low, high)


@pytest.mark.parametrize(
    "name, value",
    [("cost_min", "x"), ("cost_max", "1e400"), ("status_code", "abc"), ("metadata", "{"), ("metadata", "[1]"),
     ("time_of_generation_min", "soon"), ("time_of_generation_max", 5), ("trace_id", "a," * 20_000)],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_refused_by_name(name, value):
    with pytest.raises(InvalidRequest) as caught:
        read_parameters({name: value})
    assert caught.value.path == name


def test_a_caller_may_handle_parameters_itself():
    assert read_parameters({"workspace_slug": "*"}, skip=frozenset({"workspace_slug"})).filter == EVERYTHING


def test_the_list_of_parameters_is_complete():
    assert {"time_of_generation_min", "total_units_max", "metadata", "weighted_feedback_max", "span_id"} <= KNOWN
