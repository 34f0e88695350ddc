from datetime import date
from decimal import Decimal

import pytest

from lockgate.catalog.prices import ModelRates, Multipliers, Period, RateCard
from lockgate.core.money import rate_per_million as usd


def made(*cards, **settings):
    modes = settings.pop("modes", {})
    places = settings.pop("places", {})
    period = Period(modes={"standard": cards, **modes}, places=places, since=date(2026, 1, 1))
    return ModelRates(period, model="m", source="book", version="v", **settings)


PLAIN = RateCard(input=usd(3), output=usd(15))
SHORT = RateCard(input=usd(3), output=usd(15), cache_read=usd("0.3"))
LONG = RateCard(above=200_000, input=usd(6), output=usd("22.5"), cache_read=usd("0.6"))


def per_million(rates, name):
    value = getattr(rates, name)
    return None if value is None else Decimal(value) / rates.scale / 1000


@pytest.mark.parametrize(
    "card, name, dollars, is_guess",
    [
        (PLAIN, "cache_read", 3, True),
        (PLAIN, "cache_write", 3, True),
        (PLAIN, "cache_write_1h", 6, True),
        (PLAIN, "reasoning", 15, False),
        (PLAIN, "input_audio", 3, True),
        (PLAIN, "output_audio", 15, True),
        (RateCard(input=usd(3), output=usd(15), cache_write=usd("3.75")), "cache_write_1h", 6, True),
        (RateCard(input=usd(3), output=usd(15), cache_write=usd(3)), "cache_write_1h", 3, True),
        (SHORT, "cache_read", Decimal("0.3"), False),
        (RateCard(input=usd(1), output=usd(2), reasoning=usd(5)), "reasoning", 5, False),
        (RateCard(output=usd(2)), "input", None, False),
        (RateCard(input=usd(2)), "output", None, False),
    ],
)
def test_a_missing_rate_follows_from_another(card, name, dollars, is_guess):
    rates = made(card).rates("standard", None, 1)
    assert per_million(rates, name) == dollars
    assert (name in rates.guessed) is is_guess


@pytest.mark.parametrize("prompt, dollars", [(0, 3), (200_000, 3), (200_001, 6), (10**7, 6)])
def test_the_length_of_the_prompt_prices_the_whole_request(prompt, dollars):
    rates = made(SHORT, LONG).rates("standard", None, prompt)
    assert per_million(rates, "input") == dollars
    assert per_million(rates, "output") == (15 if dollars == 3 else Decimal("22.5"))


def test_a_batch_without_a_price_costs_half_and_says_so():
    rates = made(SHORT).rates("batch", None, 1)
    assert (per_million(rates, "input"), per_million(rates, "output")) == (Decimal("1.5"), Decimal("7.5"))
    assert not rates.is_mode_known


def test_a_batch_with_a_price_costs_that():
    modes = {"batch": (RateCard(input=usd(2), output=usd(9)),)}
    rates = made(SHORT, modes=modes).rates("batch", None, 1)
    assert per_million(rates, "input") == 2
    assert rates.is_mode_known


@pytest.mark.parametrize("mode", ["flex", "priority", "fast"])
def test_any_other_mode_without_a_price_costs_the_standard_price_and_says_so(mode):
    rates = made(SHORT).rates(mode, None, 1)
    assert per_million(rates, "input") == 3
    assert not rates.is_mode_known


def test_units_keep_their_price_in_every_mode_and_place():
    card = RateCard(input=usd(3), output=usd(15), units={"web_search": 10**10})
    found = made(card, places={"us": "1.1"})
    for mode, place in (("standard", None), ("batch", None), ("standard", "us")):
        rates = found.rates(mode, place, 1)
        assert Decimal(rates.units["web_search"]) / rates.scale == 10_000_000


def test_a_place_multiplies_tokens_and_an_unknown_place_does_not():
    found = made(SHORT, places={"us": "1.1"})
    assert per_million(found.rates("standard", "us", 1), "input") == Decimal("3.3")
    assert per_million(found.rates("standard", "mars", 1), "input") == 3


def test_the_targets_own_place_counts_where_the_answer_names_none():
    found = made(SHORT, places={"us": "1.1", "eu": "1.2"}, place="eu")
    assert per_million(found.rates("standard", None, 1), "input") == Decimal("3.6")
    assert per_million(found.rates("standard", "us", 1), "input") == Decimal("3.3")


def test_a_contracts_factors_are_exact_and_go_by_name():
    factors = Multipliers(default=Decimal("0.9"), parts={"input": Decimal("0.123456789"), "web_search": Decimal(0)})
    card = RateCard(input=usd(3), output=usd(15), units={"web_search": 10**10, "maps": 10**9})
    rates = made(card, multipliers=factors).rates("standard", None, 1)
    assert per_million(rates, "input") == Decimal("0.370370367")
    assert per_million(rates, "output") == Decimal("13.5")
    assert rates.units["web_search"] == 0
    assert Decimal(rates.units["maps"]) / rates.scale == 900_000


def test_names_of_modes_and_places_that_clients_invent_take_no_memory():
    found = made(SHORT)
    for number in range(100):
        found.rates(f"mode{number}", f"place{number}", number)
    assert len(found._rates) == 1


def test_ceilings_are_those_of_all_lengths_and_all_places():
    found = made(SHORT, LONG, places={"us": "1.1"})
    plain = {"has_cache_markers": False, "has_audio": False}
    everywhere = found.ceilings("standard", None, **plain)
    assert [one.above for one in everywhere] == [0, 200_000, 0, 200_000]
    assert found.ceilings("standard", None, **plain) is everywhere
    in_us = found.ceilings("standard", "us", **plain)
    assert [one.above for one in in_us] == [0, 200_000]
    prices = [one.prompt / one.scale for one in everywhere]
    assert prices[2:] == pytest.approx([1.1 * price for price in prices[:2]])
    assert [one.prompt / one.scale for one in in_us] == prices[2:]
