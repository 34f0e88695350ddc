"""docs/reference/prices.md, from the packaged price book."""

from __future__ import annotations

import tomllib
from decimal import Decimal

import msgspec

from lockgate.catalog.prices import PARTS, STANDARD, ModelPrices, Period, RateCard
from lockgate.catalog.prices_book import packaged_prices
from lockgate.catalog.prices_terms import plain
from lockgate.core.money import rate_as_per_million
from tools.docstrings import cell
from tools.price_book import OVERLAY, Overlay, compile_book
from tools.price_portkey import read_extract

HEAD = """\
# Prices

Each answer is priced when it ends: what the provider says was used, times a rate. Money is whole nano-dollars; each
part is rounded once, half to even, and the cost is the sum of its parts.

## Which price counts

The first of these that knows the model, with its whole card:

1. the price that the integration states for the model;
2. for a custom model, the price of the model that it is based on, if it says so;
3. `[prices]` of the [configuration](configuration.md#pricesname);
4. the price book, version `{version}`;
5. none: the request is **unpriced**. That is a state of its own and never a cost of zero.

Then the integration's multipliers: the factor of the part, else `default`, else 1. They also apply to stated prices.

A model is looked up by its exact id, then without an ARN or a publisher's path, without `us.`, `eu.`, `global.` and
the like of Bedrock, without a version (`-v1:0`, `-latest`) and without a date. Nothing else is taken off: a name that
is not in the book is unpriced, however similar.

```toml
[prices."anthropic/claude-opus-6"]
input = 4
output = 20
cache_read = 0.2
units = {{ web_search = 0.01 }}
```

## A price of your own

`PUT /v1/integrations/SLUG/models` takes a `pricing_config` for each model. Its parts are `request_token`,
`response_token`, `cache_read_input_token`, `cache_write_input_token`, `reasoning_token`, `request_audio_token` and
`response_audio_token`, each with a `price` for one token in **US cents**: 0.0003 cents a token are 3 dollars a million.
`additional_units` holds `cache_write_1h`, and what one use of a tool costs, in cents. `batch_config` holds the parts of
batches, which else cost half. One of `request_token` and `response_token` has to be there.

```json
{{
  "models": [
    {{
      "slug": "house-model",
      "is_custom": true,
      "pricing_config": {{
        "type": "static",
        "pay_as_you_go": {{
          "request_token": {{"price": 0.0003}},
          "response_token": {{"price": 0.0015}},
          "cache_read_input_token": {{"price": 0.00003}},
          "additional_units": {{"web_search": {{"price": 1}}}}
        }},
        "batch_config": {{"request_token": {{"price": 0.00015}}, "response_token": {{"price": 0.00075}}}}
      }}
    }},
    {{
      "slug": "house-model-mini",
      "is_custom": true,
      "pricing_config": {{
        "unit": "usd_per_million_tokens",
        "pay_as_you_go": {{"request_token": {{"price": 0.25}}, "response_token": {{"price": 2}}}}
      }}
    }}
  ]
}}
```

## How a price is chosen

- By the **mode** in which the provider says it answered: `standard`, `batch`, `flex`, `priority`, `fast`. A batch
  without a price of its own costs half. Any other mode without one costs the standard price.
- By the **length of the prompt**, cached parts included: above a step, the whole request has the higher price.
- By the **place** where it was computed, where that matters: the provider's word, else the region of the target.
- By the **day** of the request (UTC).

A missing rate follows from another: reading the cache, writing it and audio cost what other input costs, writing for
an hour twice the input, thinking what other output costs.

Rounds that a provider samples on the side and leaves out of its totals (compactions, advisors) are priced as well.

| status | meaning |
|---|---|
| `priced` | every part by a stated rate |
| `partially_priced` | some part by a rate that stands in for its own, or by none |
| `estimated` | the provider did not say what was used; the counts are ours |
| `unpriced` | no price is known, or the counts make no sense; the cost is 0 and says nothing |
| `free` | the stated rates come to nothing |

## What is reserved

Before a request is sent, the most that it can cost is reserved: as many input tokens as its text has bytes, at the
highest rate that input can have (that of an hour's cache write when the request marks what to cache), and all output
tokens that it allows. Images count by the largest that the provider accepts, PDFs a token a byte. Stored files,
documents by URL, remote tools and threads are input that the request does not hold: they count as the model's whole
window.

What a provider's own tools bring into the prompt has no bound that is known before. For each use that the request
allows, one more round over the prompt and a result of ordinary size are reserved; the settlement charges what was used.

"""

SHOWN = ("anthropic", "openai")
COLUMNS = {
    "input": "input",
    "output": "output",
    "cache_read": "cache read",
    "cache_write": "cache write",
    "cache_write_1h": "for an hour",
}
SHORT = {"input": "input", "output": "output"}


def prices_page() -> str:
    """Return the page."""
    table = packaged_prices()
    parts = [HEAD.format(version=table.version)]
    parts += [provider_section(name) for name in SHOWN]
    parts.append(others())
    parts.append(sources())
    return "".join(parts)


def provider_section(name: str) -> str:
    """Return the table of one provider: the newest period of each model."""
    rows = packaged_prices().models_of(name)
    lines = [f"## Models of `{name}`\n\nDollars per million tokens, of the newest period.\n\n"]
    lines.append(f"| model | prompt | {' | '.join(COLUMNS.values())} | modes, places and units |\n|{'---|' * 8}\n")
    for model in sorted(rows):
        lines += model_rows(model, rows[model])
    return "".join([*lines, "\n"])


def model_rows(model: str, row: ModelPrices) -> list[str]:
    """Return one row for each step of a model's standard price."""
    period, lines = row.periods[-1], []
    for step in period.modes[STANDARD]:
        length = f"above {step.above:_}" if step.above else "any" if len(period.modes[STANDARD]) == 1 else "short"
        rates = [dollars(getattr(step, part)) for part in COLUMNS]
        lines.append(f"| `{model}` | {length} | {' | '.join(rates)} | {notes(row, period, step)} |\n")
    return lines


def notes(row: ModelPrices, period: Period, step: RateCard) -> str:
    """Say what else there is to a step."""
    if step.above:
        return ""
    found = [
        f"{mode} {'/'.join(dollars(getattr(steps[0], part)) for part in SHORT)}"
        for mode, steps in period.modes.items()
        if mode != STANDARD
    ]
    factors: dict[str, list[str]] = {}
    for place, factor in period.places.items():
        factors.setdefault(factor, []).append(place)
    found += [f"times {factor} in {' '.join(places)}" for factor, places in factors.items()]
    found += [f"{name} {plain(Decimal(rate) / 10**12)} each" for name, rate in sorted(step.units.items())]
    further = [part for part in PARTS if part not in COLUMNS and getattr(step, part) is not None]
    found += [f"{part} {dollars(getattr(step, part))}" for part in further]
    if len(row.periods) > 1 and period.since:
        found.append(f"since {period.since.isoformat()}")
    return cell("; ".join(found))


def dollars(rate: int | None) -> str:
    """Return a rate in dollars per million, a dash for none."""
    return "-" if rate is None else plain(rate_as_per_million(rate))


def others() -> str:
    """Say which other providers the book knows."""
    table = packaged_prices()
    rows = "".join(f"| `{name}` | {len(table.models_of(name))} |\n" for name in table.providers() if name not in SHOWN)
    return f"## Other providers\n\n| provider | models |\n|---|---|\n{rows}\n"


def sources() -> str:
    """Say where the prices come from, and where the sources disagree."""
    overlay = msgspec.convert(tomllib.loads(OVERLAY.read_text()), Overlay)
    extract = read_extract()
    _, disputes = compile_book()
    rows = "".join(
        f"| {cell(row.source)} | {', '.join(f'`{name}`' for name in row.providers)} | {row.read_on.isoformat()} |\n"
        for row in overlay.rows
    )
    disputed = "".join(f"| {cell(line.partition(': ')[0])} | {cell(line.partition(': ')[2])} |\n" for line in disputes)
    return f"""\
## Sources

The book is compiled from `genai-prices`, from Portkey's public models repository as of {extract.read_on} (commit
`{extract.commit[:12]}`) and from our own rows, which win:

| source | providers | read on |
|---|---|---|
{rows}
Where both foreign sources know a model and disagree about its plain price by more than half a percent, `genai-prices`
counts, which names the day and the page of each price. Input and output in dollars per million tokens:

| model | the book, and the other source |
|---|---|
{disputed}"""
