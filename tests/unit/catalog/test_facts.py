"""Which row of the model table a name gets, and what operators can change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.catalog import FactRow, find_facts, load_facts, packaged_facts, packaged_rows
from lockgate.catalog.facts import MAX_CACHED_NAMES, _packaged

ALL_LEVELS = "low medium high xhigh max"


@pytest.mark.parametrize(
    "model, family",
    [
        ("claude-3-haiku-20240307", "claude-3"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3"),
        ("anthropic.claude-3-sonnet-20240229-v1:0:200k", "claude-3"),
        ("claude-3-5-sonnet-20241022", "claude-3-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5"),
        ("claude-3-7-sonnet-latest", "claude-3-7"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-sonnet-4@20250514", "claude-sonnet-4"),
        ("claude-sonnet-4-0", "claude-sonnet-4"),
        ("us.anthropic.claude-opus-4-20250514-v1:0", "claude-opus-4"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-sonnet-4-5", "claude-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-4-5"),
        ("claude-sonnet-4-5[1m]", "claude-4-5"),
        ("anthropic/claude-sonnet-4.5", "claude-4-5"),
        ("claude-haiku-4-5@20251001", "claude-4-5"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-4-5"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-4-5",
        ),
        ("publishers/anthropic/models/claude-opus-4-5@20251101", "claude-opus-4-5"),
        ("claude-opus-4-6@default", "claude-opus-4-6"),
        ("us-gov.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("claude-opus-4-7", "claude-opus-4-7"),
        ("claude-opus-4-8", "claude-opus-4-8"),
        ("claude-opus-5", "claude-opus-5"),
        ("claude-opus-5-20260601", "claude-opus-5"),
        ("claude-sonnet-5", "claude-sonnet-5"),
        ("claude-mythos-5", "claude-fable-5"),
        ("us.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-haiku-5-5", "claude-haiku-5-5"),
        ("claude-mythos-5-2", "claude-fable-5-1"),
        ("claude-sonnet-4-9", "newest-claude"),
        ("claude-opus-6", "newest-claude"),
        ("Claude-Something-New", "newest-claude"),
        ("gpt-4", "gpt-3.5"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o"),
        ("openai/gpt-4.1-mini", "gpt-4.1"),
        ("o3-mini-2025-01-31", "o-series"),
        ("o1", "o-series"),
        ("gpt-5", "gpt-5"),
        ("gpt-5-mini-2025-08-07", "gpt-5"),
        ("gpt-5-chat-latest", "gpt-4o"),
        ("gpt-5.1", "gpt-5.1"),
        ("gpt-5.1-2025-11-13", "gpt-5.1"),
        ("gpt-5.4-mini", "gpt-5.2"),
        ("my-deployment", "generic"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3", "generic"),
        ("mistral-large-latest", "generic"),
        ("", "generic"),
        ("-latest", "generic"),
    ],
)
def test_a_name_gets_the_row_of_its_family(model, family):
    assert find_facts(model).family == family


@pytest.mark.parametrize(
    "model, max_output, thinking, effort, sampling, prefill, forced, native_format",
    [
        ("claude-3-opus-20240229", 4096, "", "", "any", True, True, False),
        ("claude-3-5-haiku-20241022", 8192, "", "", "any", True, True, False),
        ("claude-3-7-sonnet-20250219", 64000, "enabled disabled", "", "any", True, True, False),
        ("claude-sonnet-4-0", 64000, "enabled disabled", "", "any", True, True, False),
        ("claude-opus-4-0", 32000, "enabled disabled", "", "any", True, True, False),
        ("claude-opus-4-1", 32000, "enabled disabled", "", "one", True, True, False),
        ("claude-haiku-4-5", 64000, "enabled disabled", "", "one", True, True, True),
        ("claude-opus-4-5", 64000, "enabled disabled", "low medium high", "one", True, True, True),
        ("claude-sonnet-4-6", 128000, "enabled adaptive disabled", "low medium high max", "one", False, True, True),
        ("claude-opus-4-6", 128000, "enabled adaptive disabled", "low medium high max", "one", False, True, True),
        ("claude-opus-4-8", 128000, "adaptive disabled", ALL_LEVELS, "none", False, True, True),
        ("claude-opus-5", 128000, "adaptive disabled", ALL_LEVELS, "none", False, True, True),
        ("claude-opus-5-5", 128000, "adaptive", ALL_LEVELS, "none", False, False, True),
        ("claude-sonnet-5-5", 128000, "adaptive between_tools", ALL_LEVELS, "none", False, False, True),
        ("claude-haiku-5-5", 128000, "adaptive disabled", ALL_LEVELS, "none", False, False, True),
        ("claude-fable-5-1", 128000, "adaptive", ALL_LEVELS, "none", False, False, True),
        ("claude-next", 128000, "adaptive", ALL_LEVELS, "none", False, False, True),
        ("gpt-4o", 16384, "", "", "any", True, True, True),
        ("gpt-5", 128000, "", "minimal low medium high", "none", True, True, True),
    ],
)
def test_rows_say_what_the_specification_says(
    model, max_output, thinking, effort, sampling, prefill, forced, native_format
):
    facts = find_facts(model)
    assert facts.max_output == max_output
    assert facts.thinking == tuple(thinking.split())
    assert facts.effort == tuple(effort.split())
    assert (facts.sampling, facts.has_prefill, facts.has_forced_tools) == (sampling, prefill, forced)
    assert facts.has_output_format is native_format


@pytest.mark.parametrize(
    "model, takes_them",
    [
        ("claude-opus-4-7", False),
        ("claude-opus-4-8", True),
        ("claude-sonnet-4-6", False),
        ("claude-opus-5", True),
        ("claude-haiku-5-5", True),
        ("claude-next", True),
        ("gpt-4o", False),
    ],
)
def test_system_messages_stand_among_the_turns_from_opus_4_8_on(model, takes_them):
    assert find_facts(model).has_system_turns is takes_them


@pytest.mark.parametrize(
    "model, is_fast",
    [("claude-opus-4-5", False), ("claude-opus-4-6", True), ("claude-opus-5-5", True), ("claude-sonnet-5", False)],
)
def test_opus_is_fast_capable_from_4_6_on(model, is_fast):
    assert find_facts(model).is_fast_capable is is_fast


def test_each_packaged_row_has_a_source_and_a_date():
    assert [row.family for row in _packaged().rows if not row.source or row.read_on is None] == []


def test_families_are_unique():
    families = [row.family for row in _packaged().rows]
    assert len(families) == len(set(families))


def test_an_operators_row_wins_over_ours():
    table = load_facts([FactRow(family="ours", names=("claude-sonnet-4-5",), like="claude-4-5", max_output=1000)])
    assert table.find("us.anthropic.claude-sonnet-4-5-20250929-v1:0").max_output == 1000
    assert table.find("claude-haiku-4-5").max_output == 64000


def test_an_operator_may_name_a_deployment_in_full():
    table = load_facts([FactRow(family="d", names=("team/Prod-Claude@7",), like="claude-opus-4-6")])
    assert table.find("team/Prod-Claude@7").thinking == ("enabled", "adaptive", "disabled")


def test_an_operators_rows_leave_the_packaged_table_alone():
    load_facts([FactRow(family="ours", names=("claude-*",), max_output=1)])
    assert find_facts("claude-haiku-4-5").max_output == 64000


@pytest.mark.parametrize(
    "row", [FactRow(family="x", names=("x",)), FactRow(family="x", names=("x",), like="no-such-row")]
)
def test_a_row_that_cannot_stand_is_refused(row):
    with pytest.raises(ValueError, match="'x'"):
        load_facts([row])


def test_memory_for_names_has_an_end():
    table = load_facts()
    for number in range(MAX_CACHED_NAMES + 10):
        table.find(f"model-{number}")
    assert len(table._found) <= MAX_CACHED_NAMES


@given(st.text(max_size=60))
def test_every_name_gets_a_row(model):
    assert find_facts(model).max_output > 0


def test_every_packaged_row_has_its_facts():
    families = packaged_facts().families
    assert [row.family for row in packaged_rows()] == list(families)
    assert all(facts.family == family for family, facts in families.items())
