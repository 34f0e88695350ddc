"""Prices as Portkey's public models repository knows them: read from a copy of it once, kept as a compact extract.

Facts only: rates, from cents per unit to pico-dollars. Its ``default`` entries and prices of zero mean that nothing is
known, and are left out. Its regions become multipliers where they are uniform.
"""

from __future__ import annotations

import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from lockgate.catalog.prices import MODES, STANDARD, WIRE_NAMES, ModelPrices, Period, RateCard, Steps
from lockgate.core.money import rate_in_cents
from tools.files import ROOT

EXTRACT = ROOT / "tools" / "price_sources" / "portkey_models.json"
PROVIDERS = (
    "ai21",
    "anthropic",
    "azure-ai",
    "azure-openai",
    "bedrock",
    "cerebras",
    "cohere",
    "dashscope",
    "deepinfra",
    "deepseek",
    "fireworks-ai",
    "google",
    "groq",
    "lightning-ai",
    "minimax",
    "mistral-ai",
    "moonshot",
    "nebius",
    "novita-ai",
    "openai",
    "oracle",
    "perplexity-ai",
    "together-ai",
    "vertex-ai",
    "workers-ai",
    "x-ai",
    "z-ai",
    "zhipu",
)
UNITS = frozenset(
    {"web_search", "file_search", "search", "x_search", "code_execution", "enterprise_web_search", "maps"}
)
UNIFORM = Decimal("0.005")
DEAREST_WRITE = 2
PSEUDO = re.compile(r"-(gt|lte)-\d+k$")
"""Names that stand for a length of prompt, not for a model."""


class Extract(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What we keep of the repository."""

    source: str
    licence: str
    commit: str
    read_on: str
    providers: dict[str, dict[str, ModelPrices]]


def read_extract() -> Extract:
    """Return the extract that lies beside this file."""
    return msgspec.json.decode(EXTRACT.read_bytes(), type=Extract)


def write_extract(git_dir: Path, read_on: str) -> Extract:
    """Make the extract anew from a git directory of the repository."""
    commit = git(git_dir, "rev-parse", "HEAD").strip()
    providers = {}
    for name in PROVIDERS:
        models = json.loads(git(git_dir, "show", f"HEAD:pricing/{name}.json"), parse_float=Decimal)
        rows = {model: row for model in sorted(models) if (row := row_of(model, models[model])) is not None}
        providers[name] = rows
    extract = Extract(
        source="Portkey models repository, pricing/*.json",
        licence="MIT",
        commit=commit,
        read_on=read_on,
        providers=providers,
    )
    EXTRACT.write_bytes(lines_of(msgspec.to_builtins(extract)))
    return extract


def git(git_dir: Path, *words: str) -> str:
    """Run git on a directory without a work tree."""
    found = subprocess.run(["git", f"--git-dir={git_dir}", *words], capture_output=True, text=True, check=True)
    return found.stdout


def lines_of(document: dict[str, Any]) -> bytes:
    """Return JSON with one model a line, so that a change of a price is a line of a diff."""
    head = {name: value for name, value in document.items() if name != "providers"}
    lines = ["{"]
    lines += [f"{json.dumps(name)}:{json.dumps(value, sort_keys=True)}," for name, value in head.items()]
    lines.append('"providers":{')
    for index, (provider, models) in enumerate(document["providers"].items()):
        lines.append(f"{json.dumps(provider)}:{{")
        rows = [f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in models.items()]
        lines.append(",\n".join(rows))
        lines.append("}," if index + 1 < len(document["providers"]) else "}")
    return ("\n".join([*lines, "}}"]) + "\n").encode()


def row_of(model: str, entry: dict[str, Any]) -> ModelPrices | None:
    """Return a model's row; None when it has no price for text."""
    config = entry.get("pricing_config") or {}
    plain = card_of(config.get("pay_as_you_go") or {}, 0)
    if model == "default" or PSEUDO.search(model) or plain is None:
        return None
    modes: dict[str, Steps] = {STANDARD: (plain,)}
    batch = card_of(config.get("batch_config") or {}, 0)
    if batch is not None and is_cheaper(batch, plain):
        modes["batch"] = (batch,)
    custom = entry.get("custom_pricing") or {}
    starts = {tier: int(above) for above, tier in (custom.get("context_tier_map") or {}).items()}
    regions = custom.get("regions") or {}
    modes |= modes_of(regions.get("default") or {}, starts)
    if "batch" in modes and not is_cheaper(modes["batch"][0], modes[STANDARD][0]):
        del modes["batch"]
    return ModelPrices(periods=(Period(modes=modes, places=places_of(regions, modes, starts)),))


def is_cheaper(batch: RateCard, plain: RateCard) -> bool:
    """Tell whether a batch costs no more than the same call alone; where it does, a price stands in the wrong place."""
    return (batch.input or 0) <= (plain.input or 0) and (batch.output or 0) <= (plain.output or 0)


def modes_of(region: dict[str, Any], starts: dict[str, int]) -> dict[str, Steps]:
    """Return the steps of each execution mode of a region."""
    modes = {}
    for mode, body in (region.get("execution_modes") or {}).items():
        tiers = body.get("context_tiers") or {None: body}
        cards = []
        for tier, inner in tiers.items():
            card = card_of((inner.get("pricing_config") or {}).get("pay_as_you_go") or {}, starts.get(tier, 0))
            if card is not None:
                cards.append(card)
        if mode in MODES and cards and min(card.above for card in cards) == 0:
            modes[mode] = tuple(sorted(cards, key=lambda card: card.above))
    return modes


def places_of(regions: dict[str, Any], modes: dict[str, Steps], starts: dict[str, int]) -> dict[str, str]:
    """Return a multiplier for each place whose prices are all the same multiple of the default ones."""
    places: dict[str, str] = {}
    for names, region in regions.items():
        there = modes_of(region, starts).get(STANDARD)
        if names == "default" or there is None or len(there) != len(modes[STANDARD]):
            continue
        ratios = [
            Decimal(getattr(dear, part)) / Decimal(getattr(plain, part))
            for dear, plain in zip(there, modes[STANDARD], strict=True)
            for part in ("input", "output")
            if getattr(dear, part) and getattr(plain, part)
        ]
        if ratios and max(ratios) - min(ratios) <= UNIFORM and max(ratios) > 1 + UNIFORM:
            places |= {place.strip(): str(ratios[0].normalize()) for place in names.split(",")}
    return places


def card_of(prices: dict[str, Any], above: int) -> RateCard | None:
    """Return a card; None when text has no price. Cache rates far beyond the input's are slips: all of them go."""
    found = {ours: rate_of(prices.get(theirs)) for ours, theirs in WIRE_NAMES.items()}
    extra = prices.get("additional_units") or {}
    found["cache_write_1h"] = found["cache_write_1h"] or rate_of(extra.get("cache_write_1h"))
    found["input_audio"] = found["input_audio"] or rate_of(extra.get("request_audio_token"))
    found["output_audio"] = found["output_audio"] or rate_of(extra.get("response_audio_token"))
    found["reasoning"] = found["reasoning"] or rate_of(extra.get("thinking_token"))
    if not found["input"]:
        return None
    writes = max(found["cache_write"] or 0, found["cache_write_1h"] or 0)
    if (found["cache_read"] or 0) > found["input"] or writes > DEAREST_WRITE * found["input"]:
        found["cache_read"] = found["cache_write"] = found["cache_write_1h"] = None
    units = {name: rate for name in sorted(UNITS & set(extra)) if (rate := rate_of(extra[name]))}
    return RateCard(
        above=above,
        units=units,
        **{name: rate or None for name, rate in found.items() if name != "output"},
        output=found["output"] or 0,
    )


def rate_of(price: Any) -> int | None:
    """Return a price in cents as a rate; None when it is not there."""
    if not isinstance(price, dict) or not isinstance(price.get("price"), (int, Decimal)):
        return None
    return rate_in_cents(price["price"])
