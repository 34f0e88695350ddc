"""The packaged price book: current with its inputs, sane in itself, and in agreement with genai-prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data import providers
from msgspec import Raw

from lockgate.catalog.prices import MODES, PARTS
from lockgate.catalog.prices_book import packaged_prices
from lockgate.catalog.prices_cost import price
from lockgate.core.chat import Usage
from tools.price_book import BOOK, compile_book
from tools.price_genai import PROVIDERS, steps_of
from tools.price_portkey import read_extract

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
TABLE = packaged_prices()
TOLERANCE = Decimal("0.005")

DIFFERENCES: dict[tuple[str, str], str] = {}
"""Models whose price differs by more than half a percent from that of genai-prices, and why. Empty: there is none."""

ROWS = [(name, model, row) for name in TABLE.providers() for model, row in TABLE.models_of(name).items()]


def test_the_book_is_what_its_inputs_give():
    book, _ = compile_book()
    assert BOOK.read_bytes() == book, "run python -m tools.price_book, and raise the date in overlay.toml"


def test_every_row_is_in_order():
    for name, model, row in ROWS:
        where = (name, model)
        assert row.periods[0].since is None, where
        begins: list[object] = [period.since for period in row.periods[1:]]
        assert begins == sorted(set(begins), key=str), where
        for period in row.periods:
            assert "standard" in period.modes, where
            assert set(period.modes) <= set(MODES), where
            assert all(1 <= Decimal(factor) < 2 for factor in period.places.values()), where
            for steps in period.modes.values():
                lengths = [step.above for step in steps]
                assert lengths[0] == 0, where
                assert lengths == sorted(set(lengths)), where


def test_every_card_makes_sense():
    for name, model, row in ROWS:
        for period in row.periods:
            for step in (step for steps in period.modes.values() for step in steps):
                where = (name, model, step)
                assert step.input, where
                assert step.output is not None, where
                assert all((getattr(step, part) or 0) >= 0 for part in PARTS), where
                assert (step.cache_read or 0) <= 1.05 * step.input, where
        for step in row.periods[-1].modes["standard"]:
            where = (name, model, step)
            assert (step.cache_write or 0) <= 2.2 * step.input, where
            assert (step.cache_write_1h or 0) <= 2 * step.input, where


def test_every_alias_leads_to_a_row():
    for name in TABLE.providers():
        part = TABLE._provider(name)
        assert set(part.aliases.values()) <= set(part.models)
        assert not set(part.aliases) & set(part.models)


def test_the_extract_names_its_source_and_its_state():
    extract = read_extract()
    assert extract.licence == "MIT"
    assert len(extract.commit) == 40


USAGES = {
    "plain": (TheirUsage(input_tokens=504, output_tokens=500), Usage(input=504, output=500)),
    "cached": (
        TheirUsage(input_tokens=3627, cache_read_tokens=2000, cache_write_tokens=1123, output_tokens=500),
        Usage(input=504, cache_read=2000, cache_write=1123, output=500),
    ),
    "long": (
        TheirUsage(input_tokens=300_001, cache_read_tokens=1, output_tokens=70_000),
        Usage(input=300_000, cache_read=1, output=70_000),
    ),
    "an hour": (
        TheirUsage(
            input_tokens=3627,
            cache_write_tokens=1123,
            cache_write_1h_tokens=123,
            cache_read_tokens=2000,
            output_tokens=500,
        ),
        Usage(input=504, cache_read=2000, cache_write=1123, cache_write_1h=123, output=500),
    ),
}
CONTEXTS = {
    "standard": (None, {}),
    "batch": ({"processing": "batch"}, {"service_tier": "batch"}),
    "flex": ({"service_tier": "flex"}, {"service_tier": "flex"}),
    "priority": ({"service_tier": "priority"}, {"service_tier": "priority"}),
    "fast": ({"speed": "fast"}, {"extra": {"speed": Raw(b'"fast"')}}),
}


def models_of(name):
    provider = next(one for one in providers if one.id == PROVIDERS[name])
    return [(provider, model) for model in provider.models if steps_of(model.get_prices(NOW)) is not None]


def comparable(model, context, usage):
    """Tell whether genai-prices states a price for all that is asked; where it does not, it counts nothing."""
    prices = model.get_prices(NOW, context)
    if context and not any(variant.when == context for variant in model.price_variants or ()):
        return False
    parts = (("cache_read_mtok", usage.cache_read), ("cache_write_mtok", usage.cache_write))
    hour = (("cache_write_1h_mtok", usage.cache_write_1h),)
    return all(getattr(prices, key, None) is not None for key, count in (*parts, *hour) if count)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("kind", USAGES)
@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_prices_agree_with_genai_prices(name, kind, context):
    theirs, ours = USAGES[kind]
    their_context, our_usage = CONTEXTS[context]
    usage = Usage(**{**{f: getattr(ours, f) for f in Usage.__struct_fields__}, **our_usage})
    compared = 0
    for provider, model in models_of(name):
        if not comparable(model, their_context, usage):
            continue
        expected = model.calc_price(
            theirs, provider, genai_request_timestamp=NOW, price_context=their_context
        ).total_price
        found = Decimal(price(usage, TABLE.find(name, model.id, NOW.timestamp())).nanos) / 10**9
        compared += 1
        is_close = abs(found - expected) <= TOLERANCE * expected
        assert is_close is ((name, model.id) not in DIFFERENCES), (model.id, found, expected)
    if (name, context) in {("anthropic", "flex"), ("anthropic", "priority"), ("openai", "fast")} or (name, kind) == (
        "openai",
        "an hour",
    ):
        assert compared == 0
    else:
        assert compared > 0, "nothing was compared"
