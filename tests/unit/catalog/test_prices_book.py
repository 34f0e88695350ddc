from datetime import UTC, datetime
from decimal import Decimal

import pytest

from lockgate.catalog.prices import Multipliers, RateCard
from lockgate.catalog.prices_book import (
    MAX_CACHED,
    ModelTerms,
    PriceTable,
    PriceTerms,
    load_prices,
    packaged_prices,
)
from lockgate.core.money import rate_per_million as usd

BOOK = b"""{"version":"2026-01-01-x","same_as":{"twin":"acme"},"providers":{"acme":{
"aliases":{"alpha":"a"},
"models":{
"a":{"periods":[{"modes":{"standard":[{"input":1,"output":2}]}},
  {"since":"2026-03-01","modes":{"standard":[{"input":10,"output":20}]}},
  {"since":"2026-05-01","modes":{"standard":[{"input":100,"output":200}]}}],"window":1000},
"global.b.c-v1:0":{"periods":[{"modes":{"standard":[{"input":5,"output":5}]}}]},
"b.c":{"periods":[{"modes":{"standard":[{"input":6,"output":6}]}}]},
"dated-2024-05-13":{"periods":[{"modes":{"standard":[{"input":7,"output":7}]}}]},
"dated":{"periods":[{"modes":{"standard":[{"input":8,"output":8}]}}]}
}}}}"""
NOW_S = datetime(2026, 11, 28, tzinfo=UTC).timestamp()


def table(operator=None):
    return PriceTable(lambda: BOOK, operator)


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "model, found, rate, place",
    [
        ("a", "a", 100, None),
        ("alpha", "a", 100, None),
        ("alpha-20250101", "a", 100, None),
        ("global.b.c-v1:0", "global.b.c-v1:0", 5, "global"),
        ("us.b.c-v1:0", "b.c", 6, "us"),
        ("arn:aws:bedrock:us-east-1:1:foundation-model/b.c-v1:0", "b.c", 6, None),
        ("dated-2024-05-13", "dated-2024-05-13", 7, None),
        ("dated-2024-08-06", "dated", 8, None),
    ],
)
def test_a_model_is_found_by_its_documented_names(model, found, rate, place):
    rates = table().find("acme", model, NOW_S)
    assert (rates.model, rates.card().input, rates.place) == (found, rate, place)
    assert table().find("twin", model, NOW_S).model == found


@pytest.mark.parametrize("model", ["a-house", "A", "alph", "alphabet", "b", "", "c"])
@pytest.mark.parametrize("provider", ["acme", "unknown"])
def test_an_invented_name_is_unpriced(provider, model):
    assert table().find(provider, model, NOW_S) is None


@pytest.mark.parametrize(
    "moment, rate",
    [
        ("2020-01-01T00:00:00", 1),
        ("2026-02-28T23:59:59", 1),
        ("2026-03-01T00:00:00", 10),
        ("2026-04-30T23:59:59", 10),
        ("2026-05-01T00:00:00", 100),
    ],
)
def test_the_time_of_the_request_chooses_the_period_in_any_order_of_asking(moment, rate):
    found = table()
    for other in ("2026-05-02", "2026-01-01", "2026-04-01"):
        found.find("acme", "a", day(other))
        assert found.find("acme", "a", day(moment)).card().input == rate


def test_an_answer_is_kept_while_it_holds():
    found = table()
    assert found.find("acme", "a", NOW_S) is found.find("acme", "a", NOW_S + 1)


def test_names_that_clients_invent_do_not_fill_the_memory():
    found = table()
    for number in range(MAX_CACHED + 10):
        found.find("acme", f"x{number}", NOW_S)
    assert len(found._found) <= MAX_CACHED


CARD = RateCard(input=usd(1), output=usd(2))


def test_the_operators_price_beats_the_book_and_covers_dated_names():
    rates = table({("acme", "a"): CARD}).find("acme", "a-20250101", NOW_S)
    assert (rates.source, rates.card()) == ("operator", CARD)
    assert rates.version.startswith("stated-")


def test_the_integrations_price_beats_all():
    terms = PriceTerms(models={"a": ModelTerms(card=RateCard(input=7, output=7))})
    rates = table({("acme", "a"): CARD}).find("acme", "a", NOW_S, terms)
    assert (rates.source, rates.card().input) == ("integration", 7)


@pytest.mark.parametrize(
    "terms, source, rate",
    [
        (ModelTerms(base_model="a", is_custom=True), "base_model", 100),
        (ModelTerms(base_model="gone", is_custom=True), None, None),
        (ModelTerms(is_custom=True), None, None),
        (ModelTerms(), "book", 7),
    ],
)
def test_a_custom_model_has_the_price_of_its_base_or_none(terms, source, rate):
    found = table().find("acme", "dated-2024-05-13", NOW_S, PriceTerms(models={"dated-2024-05-13": terms}))
    assert (found and found.source, found and found.card().input) == (source, rate)


def test_a_contract_changes_stated_prices_too_and_belongs_to_one_target():
    terms = PriceTerms(multipliers=Multipliers(default=Decimal("0.5")), models={"m": ModelTerms(card=CARD)})
    found = table()
    for model in ("m", "a"):
        assert found.find("acme", model, NOW_S, terms).multipliers.default == Decimal("0.5")
    assert found.find("acme", "a", NOW_S).multipliers.default == 1


def test_the_place_of_a_target_is_for_models_without_a_geography():
    terms = PriceTerms(place="eu-west-1")
    assert table().find("acme", "a", NOW_S, terms).place == "eu-west-1"
    assert table().find("acme", "us.b.c", NOW_S, terms).place == "us"


@pytest.mark.parametrize(
    "provider, model, dollars",
    [
        ("anthropic", "claude-opus-4-8", 5),
        ("claude-platform-aws", "claude-opus-4-8", 5),
        ("bedrock", "us.anthropic.claude-opus-4-8-v1:0", "5.5"),
        ("bedrock", "global.anthropic.claude-opus-4-8-v1:0", 5),
        ("bedrock", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.6"),
        ("vertex-ai", "claude-opus-4-5@20251101", 5),
        ("azure-openai", "gpt-4o-2024-08-06", "2.5"),
        ("openai", "gpt-4o-2024-05-13", 5),
        ("openai", "gpt-4o-2024-08-06", "2.5"),
        ("openai", "gpt-5", "1.25"),
        ("google", "gemini-2.5-pro", "1.25"),
        ("groq", "llama-3.3-70b-versatile", "0.59"),
        ("deepseek", "deepseek-chat", None),
    ],
)
def test_the_packaged_book_knows_what_we_serve(provider, model, dollars):
    rates = packaged_prices().find(provider, model, NOW_S)
    assert rates is not None
    if dollars is not None:
        assert rates.card().input == usd(dollars)


@pytest.mark.parametrize("model", ["claude-sonnet-4-5-house", "claude-sonnet", "gpt-5-turbo", "claude-sonnet-4-2025"])
def test_the_packaged_book_prices_no_invented_name(model):
    assert all(packaged_prices().find(p, model, NOW_S) is None for p in packaged_prices().providers())


def test_without_prices_of_an_operator_there_is_one_table():
    assert load_prices({}) is packaged_prices()
    assert load_prices({("anthropic", "claude-opus-6"): CARD}).find("anthropic", "claude-opus-6", NOW_S) is not None


def test_rows_can_be_listed():
    assert "claude-sonnet-4-5" in packaged_prices().models_of("anthropic")
    assert packaged_prices().models_of("nobody") == {}
    assert packaged_prices().prices_of("anthropic", "claude-sonnet-4-5-20250929").window == 1_000_000
    assert packaged_prices().version.startswith("2026-11-28-")
