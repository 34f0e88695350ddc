from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.catalog.prices import STANDARD, ModelRates, Multipliers, Period, RateCard
from lockgate.catalog.prices_book import PriceTerms, packaged_prices
from lockgate.catalog.prices_cost import UNPRICED, Cost, price, worst_case
from lockgate.core.chat import Usage
from lockgate.core.limits import MAX_AMOUNT
from lockgate.core.money import nanos_of, rate_per_million

NOW_S = 1_795_900_000.0  # 2026-11-28
SONNET = packaged_prices().find("anthropic", "claude-sonnet-4-5-20250929", NOW_S)
FIRST = Usage(input=504, output=500)
CACHED = Usage(input=504, output=500, cache_read=2000, cache_write=1123, cache_write_1h=123)


def extra(**members):
    return {name: Raw(text.encode()) for name, text in members.items()}


def contract(**settings):
    terms = PriceTerms(multipliers=Multipliers(**settings))
    return packaged_prices().find("anthropic", "claude-sonnet-4-5", NOW_S, terms)


@pytest.mark.parametrize(
    "usage, dollars",
    [
        (FIRST, "0.009012"),
        (CACHED, "0.0141"),
        (Usage(input=504, output=500, extra=extra(server_tool_use='{"web_search_requests":2}')), "0.029012"),
        (Usage(input=504, output=500, service_tier="batch"), "0.004506"),
    ],
)
def test_vectors_of_the_specification(usage, dollars):
    cost = price(usage, SONNET)
    assert cost.nanos == nanos_of(dollars)
    assert cost.status == "priced"


def test_vector_of_the_specification_with_a_contract():
    rates = contract(default=Decimal("0.9"), parts={"input": Decimal("0.85")})
    assert price(FIRST, rates).nanos == nanos_of("0.0080352")
    assert price(FIRST, rates).multiplier == "0.9"


@pytest.mark.parametrize("wrong", ["0.01382325", "0.023469"])
def test_hours_are_not_priced_as_minutes_and_nothing_is_counted_twice(wrong):
    assert price(CACHED, SONNET).nanos != nanos_of(wrong)


def test_parts_say_what_was_paid_for():
    cost = price(CACHED, SONNET)
    assert cost.parts == {
        "in_uncached": nanos_of("0.001512"),
        "in_cache_read": nanos_of("0.0006"),
        "in_cache_write_5m": nanos_of("0.00375"),
        "in_cache_write_1h": nanos_of("0.000738"),
        "out_text": nanos_of("0.0075"),
    }
    assert cost.version == packaged_prices().version
    assert (cost.source, cost.mode, cost.multiplier) == ("book", "standard", None)


def test_thinking_is_named_and_costs_what_output_costs():
    cost = price(Usage(input=504, output=500, reasoning=300), SONNET)
    assert cost.nanos == nanos_of("0.009012")
    assert (cost.parts["out_text"], cost.parts["out_reasoning"]) == (nanos_of("0.003"), nanos_of("0.0045"))
    assert cost.status == "priced"


@pytest.mark.parametrize(
    "usage, model, dollars",
    [
        (Usage(input=10**6, output=10**6, extra=extra(inference_geo='"us"')), "claude-opus-4-8", "33"),
        (Usage(input=10**6, output=10**6, extra=extra(inference_geo='"global"')), "claude-opus-4-8", "30"),
        (Usage(input=10**6, output=10**6, extra=extra(speed='"fast"')), "claude-opus-4-8", "60"),
        (Usage(input=10**6, output=10**6, extra=extra(speed='"fast"', inference_geo='"us"')), "claude-opus-4-8", "66"),
        (Usage(input=200_000, output=1000), "claude-sonnet-4-5", "0.615"),
        (Usage(input=1000, cache_read=199_001, output=1000), "claude-sonnet-4-5", "0.1479006"),
    ],
)
def test_what_the_answer_says_chooses_the_price(usage, model, dollars):
    rates = packaged_prices().find("anthropic", model, NOW_S)
    assert price(usage, rates).nanos == nanos_of(dollars)
    assert price(usage, rates).status == "priced"


@pytest.mark.parametrize(
    "usage, rates",
    [
        (FIRST, None),
        (Usage(), SONNET),
        (Usage(cache_read=3), SONNET),
        (Usage(input=-1, output=5), SONNET),
        (Usage(input=10**12, output=5), SONNET),
    ],
)
def test_what_cannot_be_priced_is_unpriced_and_never_free(usage, rates):
    assert price(usage, rates) == UNPRICED == Cost(nanos=0, status="unpriced")


def rates_of(card, **settings):
    return ModelRates(Period(modes={STANDARD: (card,)}), model="m", source="operator", version="v", **settings)


def usd(dollars):
    return rate_per_million(dollars)


@pytest.mark.parametrize(
    "usage, card, status, dollars",
    [
        (FIRST, RateCard(input=usd(3), output=usd(15)), "priced", "0.009012"),
        (CACHED, RateCard(input=usd(3), output=usd(15)), "partially_priced", "0.01875"),
        (FIRST, RateCard(input=usd(3)), "partially_priced", "0.001512"),
        (Usage(output=5), RateCard(input=usd(3)), "unpriced", "0"),
        (FIRST, RateCard(input=0, output=0), "free", "0"),
        (Usage(input=0, output=0), RateCard(input=usd(3), output=usd(15)), "free", "0"),
        (
            Usage(input=1, output=1, service_tier="flex"),
            RateCard(input=usd(3), output=usd(15)),
            "partially_priced",
            "0.000018",
        ),
        (
            Usage(input=100, input_audio=100, output=0),
            RateCard(input=usd(3), output=usd(15)),
            "partially_priced",
            "0.0003",
        ),
        (
            Usage(input=1, output=0, extra=extra(server_tool_use='{"web_search_requests":1}')),
            RateCard(input=usd(3), output=usd(15)),
            "partially_priced",
            "0.000003",
        ),
        (
            Usage(input=1, output=0, extra=extra(server_tool_use='{"web_fetch_requests":9}')),
            RateCard(input=usd(3), output=usd(15)),
            "priced",
            "0.000003",
        ),
    ],
)
def test_the_status_says_how_far_to_trust_the_amount(usage, card, status, dollars):
    cost = price(usage, rates_of(card))
    assert (cost.status, cost.nanos) == (status, nanos_of(dollars))
    assert price(usage, rates_of(card), is_estimated=True).status == "estimated"


def test_results_of_a_batch_are_priced_as_such_whatever_they_say():
    assert price(FIRST, SONNET, mode="batch").nanos == nanos_of("0.004506")


def test_an_amount_beyond_all_bounds_is_unpriced():
    rates = rates_of(RateCard(input=10**18, output=0))
    assert price(Usage(input=10**11, output=0), rates) == UNPRICED


COUNTS = st.integers(0, 10**6)
RATE = st.none() | st.integers(0, 10**9)
CARDS = st.builds(
    RateCard,
    input=RATE,
    output=RATE,
    cache_read=RATE,
    cache_write=RATE,
    cache_write_1h=RATE,
    reasoning=RATE,
    input_audio=RATE,
    output_audio=RATE,
    units=st.dictionaries(st.sampled_from(["web_search", "maps"]), st.integers(0, 10**11)),
)
FACTORS = st.builds(
    Multipliers,
    default=st.decimals(0, 10, places=9),
    parts=st.dictionaries(st.sampled_from(["input", "output", "web_search"]), st.decimals(0, 10, places=9)),
)
MODE = st.sampled_from(["standard", "batch", "priority"])


@st.composite
def priced(draw):
    cards = draw(st.lists(CARDS, min_size=1, max_size=2))
    steps = tuple(
        RateCard(**{**{f: getattr(card, f) for f in RateCard.__struct_fields__}, "above": 1000 * index})
        for index, card in enumerate(cards)
    )
    modes = {STANDARD: steps} | ({"batch": (draw(CARDS),)} if draw(st.booleans()) else {})
    period = Period(modes=modes, places=draw(st.sampled_from([{}, {"us": "1.1"}])))
    return ModelRates(period, model="m", source="book", version="v", multipliers=draw(FACTORS))


@st.composite
def usages(draw):
    searches = draw(st.integers(0, 5))
    return Usage(
        input=draw(COUNTS),
        output=draw(COUNTS),
        cache_read=draw(st.none() | COUNTS),
        cache_write=draw(st.none() | COUNTS),
        cache_write_1h=draw(st.none() | COUNTS),
        reasoning=draw(st.none() | COUNTS),
        input_audio=draw(st.none() | COUNTS),
        output_audio=draw(st.none() | COUNTS),
        service_tier=draw(MODE),
        extra=extra(
            server_tool_use=f'{{"web_search_requests":{searches}}}',
            inference_geo=draw(st.sampled_from(['"us"', '"global"'])),
        ),
    )


@given(usages(), priced())
def test_an_amount_is_the_sum_of_its_parts_and_never_negative(usage, rates):
    cost = price(usage, rates)
    assert cost.nanos == sum(cost.parts.values())
    assert all(amount >= 0 for amount in cost.parts.values())
    assert cost.nanos <= MAX_AMOUNT
    assert (cost.status == "free") <= (cost.nanos == 0)
    assert (cost.status == "unpriced") <= (cost.nanos == 0)


@given(usages(), priced(), st.integers(0, 1000), st.booleans())
def test_the_worst_case_is_never_below_the_price(usage, rates, more, has_cache_markers):
    if not has_cache_markers:
        usage = Usage(
            input=usage.input, output=usage.output, cache_read=usage.cache_read, service_tier=usage.service_tier
        )
    prompt = (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
    worst = worst_case(
        rates,
        input_tokens=prompt + more,
        max_output_tokens=(usage.output or 0) + more,
        has_cache_markers=has_cache_markers,
        units={"web_search": 5},
        modes=(usage.service_tier or STANDARD,),
        has_audio=True,
    )
    assert worst >= price(usage, rates).nanos


def test_models_that_write_their_cache_unasked_are_reserved_for_it():
    card = RateCard(input=usd(4), output=usd(20), cache_read=usd("0.4"), cache_write=usd(5))
    worst = worst_case(rates_of(card), input_tokens=10**6, max_output_tokens=0, has_cache_markers=False)
    assert worst >= price(Usage(input=0, output=0, cache_write=10**6), rates_of(card)).nanos


def test_markers_make_the_dearest_write_count():
    plain = worst_case(SONNET, input_tokens=1000, max_output_tokens=0, has_cache_markers=False)
    marked = worst_case(SONNET, input_tokens=1000, max_output_tokens=0, has_cache_markers=True)
    assert nanos_of("0.003") <= plain < nanos_of("0.0031")
    assert nanos_of("0.006") <= marked < nanos_of("0.0061")


def test_the_window_bounds_what_cannot_be_bounded_otherwise():
    whole = worst_case(SONNET, input_tokens=10**9, max_output_tokens=0, has_cache_markers=False)
    assert whole == worst_case(SONNET, input_tokens=SONNET.window, max_output_tokens=0, has_cache_markers=False)


def test_a_place_that_is_certain_need_not_be_the_dearest():
    rates = packaged_prices().find("anthropic", "claude-opus-4-8", NOW_S)
    anywhere = worst_case(rates, input_tokens=10**5, max_output_tokens=10**4)
    assert anywhere > worst_case(rates, input_tokens=10**5, max_output_tokens=10**4, place="global")


COMPACTION = (
    '{"type":"compaction","input_tokens":180000,"output_tokens":3500,"cache_read_input_tokens":0,'
    '"cache_creation_input_tokens":0}'
)
ADVICE = (
    '{"type":"advisor_message","model":"claude-opus-4-8","input_tokens":1000,"output_tokens":100,'
    '"cache_read_input_tokens":0,"cache_creation_input_tokens":0}'
)


def other(model):
    return packaged_prices().find("anthropic", model, NOW_S)


@pytest.mark.parametrize(
    "iterations, find_other, dollars, status",
    [
        (f"[{COMPACTION}]", None, "0.6765", "priced"),
        (f"[{COMPACTION},{COMPACTION}]", None, "1.269", "priced"),
        (f"[{ADVICE}]", other, "0.0915", "priced"),
        (f"[{ADVICE}]", None, "0.084", "partially_priced"),
        ("7", None, "0.084", "partially_priced"),
        ("[]", None, "0.084", "priced"),
    ],
)
def test_rounds_on_the_side_are_paid_for_too(iterations, find_other, dollars, status):
    usage = Usage(input=23_000, output=1_000, extra=extra(iterations=iterations))
    cost = price(usage, SONNET, find_other=find_other)
    assert (cost.nanos, cost.status) == (nanos_of(dollars), status)
    assert cost.nanos == sum(cost.parts.values())
    assert ("advisor" in cost.parts) is (find_other is not None)


def test_a_round_on_the_side_does_not_make_the_prompt_longer():
    usage = Usage(input=150_000, output=0, extra=extra(iterations=f"[{COMPACTION}]"))
    assert price(usage, SONNET).parts["in_uncached"] == nanos_of("0.99")
