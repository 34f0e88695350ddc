from decimal import Decimal

import msgspec
import pytest

from lockgate.catalog.prices import Multipliers, RateCard
from lockgate.catalog.prices_book import PriceTerms, packaged_prices
from lockgate.catalog.prices_terms import (
    card_of,
    in_cents,
    in_dollars_per_million,
    pricing_answer,
    read_multipliers,
    read_pricing_config,
)
from lockgate.core.money import rate_per_million as usd

NOW_S = 1_795_900_000.0


def test_a_price_is_in_cents_per_token():
    stated = read_pricing_config(
        b'{"type":"static","pay_as_you_go":{"request_token":{"price":0.0003},"response_token":{"price":0.0015},'
        b'"cache_read_input_token":{"price":3e-5},"additional_units":{"cache_write_1h":{"price":0.0006},'
        b'"web_search":{"price":1}}},"batch_config":{"request_token":{"price":0.00015},"response_token":{"price":0.00075}}}'
    )
    assert stated.terms.card == RateCard(
        input=usd(3), output=usd(15), cache_read=usd("0.3"), cache_write_1h=usd(6), units={"web_search": 10**10}
    )
    assert stated.terms.batch == RateCard(input=usd("1.5"), output=usd("7.5"))
    assert stated.warnings == ()


def test_a_price_may_be_in_dollars_per_million_tokens_while_units_stay_in_cents():
    stated = read_pricing_config(
        b'{"unit":"usd_per_million_tokens","pay_as_you_go":{"request_token":{"price":3},"response_token":{"price":15},'
        b'"additional_units":{"cache_write_1h":{"price":6},"web_search":{"price":1}}}}'
    )
    assert stated.terms.card == RateCard(
        input=usd(3), output=usd(15), cache_write_1h=usd(6), units={"web_search": 10**10}
    )


def test_dollars_taken_for_cents_are_warned_of():
    stated = read_pricing_config(b'{"pay_as_you_go":{"request_token":{"price":3},"response_token":{"price":0.1}}}')
    assert stated.warnings == ("request_token: 30000 dollars per million tokens; the unit is cents per token",)


@pytest.mark.parametrize(
    "text, fault",
    [
        (b"[]", "pricing_config: "),
        (b"{}", "pricing_config.pay_as_you_go: give"),
        (b'{"type":"dynamic"}', "pricing_config.type"),
        (b'{"currency":"EUR"}', "pricing_config.currency"),
        (b'{"unit":"dollars"}', "pricing_config.unit"),
        (b'{"pay_as_you_go":{"request_token":{"price":-1}}}', "pricing_config.pay_as_you_go.request_token.price"),
        (b'{"pay_as_you_go":{"request_token":{"price":"x"}}}', "pricing_config.pay_as_you_go.request_token.price"),
        (b'{"pay_as_you_go":{"request_token":{}}}', "pricing_config.pay_as_you_go.request_token.price"),
        (b'{"pay_as_you_go":{"request_token":3}}', "pricing_config.pay_as_you_go.request_token.price"),
        (b'{"pay_as_you_go":{"request_tokens":{"price":1}}}', "pricing_config.pay_as_you_go.request_tokens"),
        (b'{"pay_as_you_go":{"additional_units":{"web_search":{"price":-1}}}}', "additional_units.web_search.price"),
        (b'{"pay_as_you_go":{"additional_units":3}}', "pricing_config.pay_as_you_go.additional_units"),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_its_path(text, fault):
    with pytest.raises(ValueError, match=fault.replace(".", r"\.")):
        read_pricing_config(text)


def test_multipliers_go_by_name_and_null_clears():
    found = read_multipliers(
        b'{"multiplier":{"default":0.9,"request_token":0.85,"response":1.05,"cache_read_input_token":null,'
        b'"image":{"default":2},"additional_units":{"web_search":0.5,"cache_write_1h":0.8,"maps":null}}}'
    )
    assert found == Multipliers(
        default=Decimal("0.9"),
        parts={
            "input": Decimal("0.85"),
            "output": Decimal("1.05"),
            "web_search": Decimal("0.5"),
            "cache_write_1h": Decimal("0.8"),
        },
    )
    assert read_multipliers(b"{}") == read_multipliers(b'{"multiplier":{"default":null}}') == Multipliers()


@pytest.mark.parametrize(
    "text",
    [
        b"3",
        b'{"multiplier":{"default":-1}}',
        b'{"multiplier":{"default":"0.9"}}',
        b'{"multiplier":{"default":1001}}',
        b'{"multiplier":{"default":0.0000000001}}',
        b'{"multiplier":{"tokens":1}}',
        b'{"multiplier":{"additional_units":1}}',
    ],
)
def test_multipliers_that_cannot_be_are_refused(text):
    with pytest.raises(ValueError, match="pricing_adjustments"):
        read_multipliers(text)


def test_floats_of_toml_are_taken_as_they_are_written():
    assert card_of({"input": 0.3, "output": 1.1}, {"web_search": 0.01}) == RateCard(
        input=300_000, output=1_100_000, units={"web_search": 10**10}
    )
    with pytest.raises(ValueError, match="input: "):
        card_of({"input": float("nan")}, {})
    with pytest.raises(ValueError, match="units: "):
        card_of({}, {"web_search": 1e9})


def test_the_public_price_is_the_one_of_the_specification():
    answer = msgspec.json.decode(
        msgspec.json.encode(pricing_answer(packaged_prices(), "anthropic", "claude-sonnet-4-5", NOW_S))
    )
    assert answer["pay_as_you_go"] == {
        "request_token": {"price": 0.0003},
        "response_token": {"price": 0.0015},
        "cache_write_input_token": {"price": 0.000375},
        "cache_read_input_token": {"price": 0.00003},
        "additional_units": {"cache_write_1h": {"price": 0.0006}, "web_search": {"price": 1}},
    }
    assert answer["currency"] == "USD"
    assert answer["batch_config"]["request_token"] == {"price": 0.00015}
    assert answer["lockgate"]["source"] == "book"
    assert answer["lockgate"]["price_book_version"] == packaged_prices().version
    assert answer["lockgate"]["usd_per_million_tokens"]["request_token"] == 3


def test_the_public_price_of_an_unknown_model_is_none():
    assert pricing_answer(packaged_prices(), "anthropic", "claude-sonnet-4-5-house", NOW_S) is None
    assert pricing_answer(packaged_prices(), "nobody", "claude-sonnet-4-5", NOW_S, PriceTerms()) is None


def test_numbers_are_written_digit_for_digit():
    card = RateCard(input=1, output=10**10)
    assert msgspec.json.encode(in_cents(card)) == (
        b'{"request_token":{"price":0.0000000001},"response_token":{"price":1}}'
    )
    assert msgspec.json.encode(in_dollars_per_million(card)) == b'{"request_token":0.000001,"response_token":10000}'
