import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.core.billable import (
    MAX_COUNT,
    Billable,
    billable,
    has_counts,
    place_of,
    rounds_of,
    speed_of,
    total_tokens,
    units_of,
)
from lockgate.core.chat import Usage

COUNT = st.none() | st.integers(0, 10**7)
USAGE = st.builds(
    Usage,
    input=COUNT,
    output=COUNT,
    cache_read=COUNT,
    cache_write=COUNT,
    cache_write_1h=COUNT,
    reasoning=COUNT,
    input_audio=COUNT,
    output_audio=COUNT,
)


def extra(**members):
    return {name: Raw(text.encode()) for name, text in members.items()}


@given(USAGE)
def test_the_parts_are_disjoint_and_nothing_is_lost(usage):
    found = billable(usage)
    assert found.prompt == (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
    assert found.out_text + found.out_reasoning + found.out_audio == (usage.output or 0)
    assert all(getattr(found, name) >= 0 for name in Billable.__struct_fields__ if name.startswith(("in_", "out_")))


def test_writes_without_a_split_are_writes_of_five_minutes():
    assert billable(Usage(input=1, cache_write=7)) == Billable(in_uncached=1, in_cache_write_5m=7)


def test_audio_is_capped_at_what_the_cache_did_not_cover():
    found = billable(Usage(input=10, cache_read=90, input_audio=50, output=1))
    assert (found.in_uncached, found.in_audio, found.in_cache_read) == (0, 10, 90)


@pytest.mark.parametrize("name", ["input", "output", "cache_read", "cache_write", "cache_write_1h", "input_audio"])
@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1, 2**80])
def test_counts_that_cannot_be_are_refused(name, count):
    usage = Usage(**{"input": 1, "output": 1, name: count})
    found = billable(usage)
    if name == "input_audio" and count > 0:
        assert found is not None
        assert found.in_audio == 1
    else:
        assert found is None


@pytest.mark.parametrize(
    "usage, mode",
    [
        (Usage(), "standard"),
        (Usage(service_tier="standard"), "standard"),
        (Usage(service_tier="default"), "standard"),
        (Usage(service_tier="on_demand"), "standard"),
        (Usage(service_tier="batch"), "batch"),
        (Usage(service_tier="flex"), "flex"),
        (Usage(service_tier="priority"), "priority"),
        (Usage(extra=extra(speed='"fast"')), "fast"),
        (Usage(service_tier="standard", extra=extra(speed='"fast"')), "fast"),
        (Usage(service_tier="standard", extra=extra(speed='"standard"')), "standard"),
        (Usage(extra=extra(speed="7")), "standard"),
    ],
)
def test_the_mode_is_what_the_answer_says(usage, mode):
    assert billable(usage).mode == mode
    assert billable(usage, "batch").mode == "batch"


@pytest.mark.parametrize(
    "text, place",
    [('"us"', "us"), ('"global"', None), ('"not_available"', None), ('""', None), ("null", None), ("3", None)],
)
def test_the_place_is_where_the_answer_was_made(text, place):
    assert billable(Usage(extra=extra(inference_geo=text))).place == place


@pytest.mark.parametrize(
    "text, units",
    [
        ('{"web_search_requests":2,"web_fetch_requests":1}', {"web_search": 2, "web_fetch": 1}),
        ('{"web_search_requests":0}', {}),
        ('{"web_search_requests":"2","new_tool_requests":3}', {"new_tool_requests": 3}),
        ('{"web_search_requests":-2}', {}),
        ('{"web_search_requests":99999999999999999999}', {}),
        ("null", {}),
        ("[]", {}),
    ],
)
def test_uses_of_tools_are_units(text, units):
    usage = Usage(input=1, extra=extra(server_tool_use=text))
    assert dict(billable(usage).units) == dict(units_of(usage)) == units


def test_what_the_record_keeps_is_read_alike():
    usage = Usage(extra=extra(speed='"fast"', inference_geo='"us"'))
    assert (speed_of(usage), place_of(usage)) == ("fast", "us")
    assert (speed_of(Usage()), place_of(Usage())) == (None, None)


def test_no_counts_is_not_a_count_of_zero():
    assert not has_counts(Usage())
    assert has_counts(Usage(input=0))
    assert has_counts(Usage(output=0))


ITERATIONS = (
    '[{"type":"compaction","input_tokens":1800,"output_tokens":35,"cache_read_input_tokens":0,'
    '"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_5m_input_tokens":6,"ephemeral_1h_input_tokens":4}},'
    '{"type":"message","input_tokens":230,"output_tokens":10,"cache_read_input_tokens":0,'
    '"cache_creation_input_tokens":0,"model":null},'
    '{"type":"advisor_message","model":"claude-x","input_tokens":7,"output_tokens":3,"cache_read_input_tokens":0,'
    '"cache_creation_input_tokens":0}]'
)


def test_rounds_that_the_totals_leave_out_are_found():
    usage = Usage(input=230, output=10, extra=extra(iterations=ITERATIONS))
    compaction, advisor = rounds_of(usage)
    assert compaction.model is None
    assert compaction.counted == Billable(in_uncached=1800, in_cache_write_5m=6, in_cache_write_1h=4, out_text=35)
    assert (advisor.model, advisor.counted) == ("claude-x", Billable(in_uncached=7, out_text=3))
    assert total_tokens(usage) == 240 + 1845 + 10


@pytest.mark.parametrize("text", ["3", '[{"type":3}]', '[{"type":"compaction","input_tokens":-1}]'])
def test_rounds_that_make_no_sense_are_not_no_rounds(text):
    assert rounds_of(Usage(input=1, extra=extra(iterations=text))) is None
    assert rounds_of(Usage(input=1)) == ()


def test_all_tokens_of_a_plain_answer():
    assert total_tokens(Usage(input=1, cache_read=2, cache_write=3, output=4, reasoning=2)) == 10
    assert total_tokens(Usage()) == total_tokens(Usage(input=-5)) == 0


counts = st.none() | st.integers(-2, 50) | st.just(MAX_COUNT)


@given(st.builds(Usage, **dict.fromkeys(
    ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "input_audio", "output_audio"), counts
)))  # fmt: skip
def test_all_tokens_are_the_sum_of_the_parts(usage):
    counted = billable(usage)
    assert total_tokens(usage) == (counted.tokens if counted is not None else 0)
