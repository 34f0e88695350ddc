"""Finish reasons, usage and tiers in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chat import Usage
from lockgate.dialects.openai_chat.vocabulary import finish_reason, read_usage, stop_reason, write_tier, write_usage
from tests.unit.dialects.openai_chat.samples import raw, shape

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
    "compaction": "stop",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
    "a word of next year": "stop",
}


@pytest.mark.parametrize("stop", FINISH)
def test_strict_clients_see_openais_words_alone(stop):
    assert finish_reason(stop, has_tool=True, is_strict=True) == FINISH[stop]


@pytest.mark.parametrize("stop", FINISH)
def test_other_clients_see_the_providers_own_word(stop):
    assert finish_reason(stop, has_tool=True, is_strict=False) == stop


def test_a_missing_reason_is_a_stop():
    assert finish_reason(None, has_tool=False, is_strict=True) == "stop"
    assert finish_reason(None, has_tool=False, is_strict=False) == "stop"


def test_tool_calls_need_a_call_that_the_client_can_see():
    assert finish_reason("tool_use", has_tool=False, is_strict=True) == "stop"


STOP = {
    "stop": "end_turn",
    "eos": "end_turn",
    None: "end_turn",
    "": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "safety": "refusal",
    "a word of next year": "end_turn",
    "pause_turn": "pause_turn",
    "end_turn": "end_turn",
}


@pytest.mark.parametrize("finish", STOP)
def test_a_providers_word_is_read(finish):
    assert stop_reason(finish, has_tool=False) == STOP[finish]


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "tool_use"),
        (None, "tool_use"),
        ("tool_calls", "tool_use"),
        ("length", "max_tokens"),
        ("safety", "refusal"),
    ],
)
def test_a_tool_call_counts_whatever_the_provider_says(finish, stop):
    assert stop_reason(finish, has_tool=True) == stop


USAGES = {
    "plain": ({"prompt_tokens": 60, "completion_tokens": 30, "total_tokens": 90}, {"input": 60, "output": 30}),
    "cached": (
        {
            "prompt_tokens": 60,
            "completion_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 40},
        },
        {"input": 20, "output": 30, "cache_read": 40},
    ),
    "cached and written": (
        {
            "prompt_tokens": 60,
            "completion_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 15},
        },
        {"input": 5, "output": 30, "cache_read": 40, "cache_write": 15},
    ),
    "more cached than there is": (
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}},
        {"input": 0, "output": 1, "cache_read": 9},
    ),
    "reasoning": (
        {"prompt_tokens": 5, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 7}},
        {"input": 5, "output": 9, "reasoning": 7},
    ),
    "audio": (
        {
            "prompt_tokens": 60,
            "completion_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 12},
            "completion_tokens_details": {"audio_tokens": 25, "reasoning_tokens": 0},
        },
        {"input": 20, "output": 30, "cache_read": 40, "input_audio": 12, "output_audio": 25, "reasoning": 0},
    ),
    "a gateway that hands Anthropic's usage on": (
        {
            "prompt_tokens": 60,
            "completion_tokens": 30,
            "cache_creation_input_tokens": 18,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 8},
            "server_tool_use": {"web_search_requests": 2},
            "speed": "fast",
            "inference_geo": "us",
        },
        {
            "input": 42,
            "output": 30,
            "cache_write": 18,
            "cache_write_1h": 8,
            "extra": {"server_tool_use": {"web_search_requests": 2}, "speed": "fast", "inference_geo": "us"},
        },
    ),
    "a split of the cache that makes no sense": (
        {"prompt_tokens": 5, "completion_tokens": 9, "cache_creation": "much"},
        {"input": 5, "output": 9},
    ),
    "null details": (
        {"prompt_tokens": 5, "completion_tokens": 9, "prompt_tokens_details": None},
        {"input": 5, "output": 9},
    ),
    "another gateway": (
        {"prompt_tokens": 50, "completion_tokens": 9, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10},
        {"input": 20, "output": 9, "cache_read": 20, "cache_write": 10},
    ),
    "DeepSeek": (
        {"prompt_tokens": 50, "completion_tokens": 9, "prompt_cache_hit_tokens": 20},
        {"input": 30, "output": 9, "cache_read": 20},
    ),
}


@pytest.mark.parametrize("name", USAGES)
def test_usage_is_read_in_disjoint_parts(name):
    wire, found = USAGES[name]
    assert shape(read_usage(raw(wire))) == {"_": "Usage", **found}


@pytest.mark.parametrize("wire", [None, {}, "x", [], {"prompt_tokens": "many"}])
def test_usage_that_makes_no_sense_is_none(wire):
    assert read_usage(raw(wire)) is None


def test_usage_is_written_with_the_whole_prompt():
    usage = Usage(input=3, output=80, cache_read=7, cache_write=2066, cache_write_1h=2048, reasoning=11)
    assert write_usage(usage, is_strict=True) == {
        "prompt_tokens": 2076,
        "completion_tokens": 80,
        "total_tokens": 2156,
        "prompt_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 2066},
        "completion_tokens_details": {"reasoning_tokens": 11},
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 2066,
    }


def test_finer_usage_is_for_clients_beyond_openais_fields():
    usage = Usage(
        input=3,
        output=8,
        cache_write=18,
        cache_write_1h=8,
        service_tier="priority",
        extra={"server_tool_use": raw({"web_search_requests": 1}), "prompt_tokens": raw(0)},
    )
    wire = write_usage(usage, is_strict=False)
    assert wire["cache_creation"] == {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 8}
    assert wire["service_tier"] == "priority"
    assert wire["server_tool_use"] == raw({"web_search_requests": 1})
    assert wire["prompt_tokens"] == 21
    assert {"cache_creation", "service_tier", "server_tool_use"}.isdisjoint(write_usage(usage, is_strict=True))


def test_without_a_cache_its_fields_are_absent():
    wire = write_usage(Usage(input=412, output=27), is_strict=True)
    assert wire == {
        "prompt_tokens": 412,
        "completion_tokens": 27,
        "total_tokens": 439,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def test_unknown_usage_is_not_invented():
    assert write_usage(Usage(), is_strict=True) is None


@pytest.mark.parametrize(
    ("tier", "written"),
    [("standard", "default"), ("priority", "priority"), ("batch", None), (None, None), ("flex", "flex")],
)
def test_a_tier_is_written_in_openais_words(tier, written):
    assert write_tier(Usage(service_tier=tier)) == written


def test_openais_default_tier_is_the_standard_one():
    assert read_usage(raw({"prompt_tokens": 1}), "default").service_tier == "standard"


COUNT = st.integers(0, 10**9)


@given(COUNT, COUNT, COUNT, COUNT, st.none() | COUNT)
def test_usage_survives_writing_and_reading(fresh, output, read, written, reasoning):
    usage = Usage(input=fresh, output=output, cache_read=read, cache_write=written, reasoning=reasoning)
    assert read_usage(raw(write_usage(usage, is_strict=True))) == usage
