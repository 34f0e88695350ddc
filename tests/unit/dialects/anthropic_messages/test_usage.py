"""Counts are read in disjoint parts and written as Anthropic's clients expect them."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from lockgate.core.chat import Usage
from lockgate.core.json_text import ABSENT
from lockgate.dialects.anthropic_messages.usage import read_usage, write_usage
from lockgate.errors import Malformed


def read(**fields):
    return read_usage(Raw(msgspec.json.encode(fields)))


def test_cache_tokens_are_apart_from_input():
    assert read(
        input_tokens=3,
        cache_creation_input_tokens=2066,
        cache_read_input_tokens=7,
        cache_creation={"ephemeral_5m_input_tokens": 18, "ephemeral_1h_input_tokens": 2048},
        output_tokens=80,
        output_tokens_details={"thinking_tokens": 9},
        service_tier="standard",
    ) == Usage(
        input=3, output=80, cache_read=7, cache_write=2066, cache_write_1h=2048, reasoning=9, service_tier="standard"
    )


def test_a_split_without_a_sum_is_summed():
    assert read(cache_creation={"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}).cache_write == 3


def test_further_keys_are_carried_and_nulls_are_not():
    usage = read(input_tokens=1, server_tool_use={"web_search_requests": 1}, inference_geo=None, speed="fast")
    assert usage.extra == {"server_tool_use": Raw(b'{"web_search_requests":1}'), "speed": Raw(b'"fast"')}


@pytest.mark.parametrize("raw", [ABSENT, Raw(b"null"), Raw(b"{}")])
def test_no_usage_is_no_knowledge(raw):
    assert read_usage(raw) == Usage()


@pytest.mark.parametrize("raw", [Raw(b"[]"), Raw(b'{"input_tokens":"5"}'), Raw(b"5")])
def test_a_wrong_shape_is_malformed(raw):
    with pytest.raises(Malformed):
        read_usage(raw)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input=1, output=2, cache_read=0, cache_write=0),
        Usage(input=1, output=2, cache_read=3, cache_write=9, cache_write_1h=4, reasoning=1, service_tier="priority"),
        Usage(input=0, output=0, cache_read=0, cache_write=0, extra={"iterations": Raw(b"[]")}),
    ],
)
def test_what_is_written_reads_the_same(usage):
    assert read_usage(Raw(msgspec.json.encode(write_usage(usage)))) == usage


@pytest.mark.parametrize("tier, expected", [("default", "standard"), ("batch", "batch"), ("flex", None), (None, None)])
def test_only_anthropics_tiers_are_written(tier, expected):
    assert write_usage(Usage(service_tier=tier)).get("service_tier") == expected


def test_unknown_counts_are_zero():
    assert write_usage(Usage()) == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
    }
