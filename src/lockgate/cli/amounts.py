"""Budgets and rates as people type them, ``40/month`` and ``60/min``, in the words of the API and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

_BUDGET = re.compile(r"\$?(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>usd|tokens)?(?:/(?P<period>\w+))?", re.IGNORECASE)
_ALERT = re.compile(r"\$?(?P<amount>\d+(?:\.\d+)?)")
_RATE = re.compile(r"(?P<amount>\d+)\s*(?P<unit>requests|tokens)?/(?P<window>\w+)", re.IGNORECASE)
_ONCE = re.compile(r"(?P<amount>\d+)\s*(?:at once|concurrent)", re.IGNORECASE)
_PERIODS = {"week": "weekly", "w": "weekly", "month": "monthly", "m": "monthly", "mo": "monthly"}
_DAYS = re.compile(r"(\d+)?d(?:ays?)?")
_WINDOWS = {
    "s": "rps", "sec": "rps", "second": "rps", "m": "rpm", "min": "rpm", "minute": "rpm", "h": "rph", "hour": "rph",
    "d": "rpd", "day": "rpd", "w": "rpw", "week": "rpw",
}  # fmt: skip
_SHOWN = {"rps": "s", "rpm": "min", "rph": "hour", "rpd": "day", "rpw": "week"}
NONE = "none"
_KEPT = (
    "alert_threshold", "alert_thresholds", "mode", "admission", "effective_from", "on_unpriced", "on_outage", "note",
)  # fmt: skip
"""What a budget says beside its amount and period, and goes on to say when those change."""
_PERIOD = ("periodic_reset", "periodic_reset_days", "reset_anchor")

WhichOption = Annotated[
    str | None,
    typer.Option("--which", help="Which of several budgets is meant: its id, or as it is now, such as 40/month."),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        "-b",
        help='Such as 40/month (dollars), 100/30d, 100000tokens/week, 250; "none": no budget.',
    ),
]
AlertOption = Annotated[
    str | None,
    typer.Option("--alert", help='Warn when so much of the budget is used, in its unit, such as 30; "none": do not.'),
]
UnpricedOption = Annotated[
    str | None,
    typer.Option(
        "--on-unpriced",
        help="What becomes of a request whose model has no price: allow (serve it) or block (refuse it).",
    ),
]
RateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rate", "-r", help='Such as 60/min, 200000tokens/min, 5concurrent; may be repeated; "none": no rate limit.'
    ),
]


def read_budget(text: str) -> dict[str, Any] | None:
    """Return ``usage_limits`` of the API, None for no budget. Raises BadParameter."""
    if text.strip().lower() == NONE:
        return None
    found = _BUDGET.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no budget; write it as 40/month, 100/30d or 100000tokens/week")
    is_tokens = (found["unit"] or "usd").lower() == "tokens"
    limit: dict[str, Any] = {"type": "tokens" if is_tokens else "cost", "credit_limit": Decimal(found["amount"])}
    period = (found["period"] or "").lower()
    days = _DAYS.fullmatch(period) if period else None
    if days is not None:
        limit["periodic_reset_days"] = int(days[1] or 1)
    elif period in _PERIODS:
        limit["periodic_reset"] = _PERIODS[period]
    elif period:
        raise typer.BadParameter(f"{period!r} is no period of a budget; write week, month or a number of days as 30d")
    return limit


def read_rates(texts: list[str]) -> list[dict[str, Any]]:
    """Return ``rate_limits`` of the API. Raises BadParameter."""
    return [] if [text.strip().lower() for text in texts] == [NONE] else [_read_rate(text) for text in texts]


def limits_of(
    budget: str | None,
    rates: list[str] | None,
    alert: str | None = None,
    on_unpriced: str | None = None,
    *,
    old: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return what a body says of limits: nothing of those that are not given. ``old`` are the budgets of now."""
    body: dict[str, Any] = {}
    if budget is not None or alert is not None or on_unpriced is not None:
        body["usage_limits"] = changed_budget(budget, alert, on_unpriced, old)
    if rates:
        body["rate_limits"] = read_rates(rates)
    return body


def changed_budget(
    budget: str | None, alert: str | None, on_unpriced: str | None, old: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """Return a budget as it is to be, what is not given as it was; None for no budget. Raises BadParameter."""
    limit = read_budget(budget) if budget is not None else None
    if budget is not None and limit is None:
        if alert is not None or on_unpriced is not None:
            raise typer.BadParameter("--alert and --on-unpriced belong to a budget, and there is to be none")
        return None
    before = next((each for each in old if limit is None or each["type"] == limit["type"]), None)
    if limit is None:
        if before is None:
            raise typer.BadParameter("--alert and --on-unpriced belong to a budget; give one with --budget")
        limit = {name: before[name] for name in ("type", "credit_limit", *_PERIOD) if before.get(name) is not None}
    kept = {name: before[name] for name in _KEPT if before.get(name) is not None} if before is not None else {}
    limit = {**kept, **limit}
    if alert is not None:
        limit["alert_threshold"] = _read_alert(alert)
    if on_unpriced is not None:
        limit["on_unpriced"] = _read_word(on_unpriced)
    return limit


def merged_budgets(
    old: Sequence[dict[str, Any]],
    said: tuple[str | None, str | None, str | None],
    *,
    which: str | None = None,
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the budgets of somebody who may have several. ``said``: amount and period, alert, models without a price.

    What is said is about the budget that ``which`` names, else about the one of its unit and period, and where there is
    none, it is a new one; without an amount it is about the only one. The others stay. Raises BadParameter.
    """
    found = list(old)
    for name in removed:
        found.remove(named_budget(found, name, "--remove-budget"))
    if said[0] is not None and read_budget(said[0]) is None:
        changed_budget(*said, old=found)  # refuses what makes no sense beside it
        found = []
    elif said != (None, None, None):
        meant = named_budget(found, which, "--which") if which is not None else _meant(found, said[0])
        asked = read_budget(said[0]) if said[0] is not None else None
        if meant is not None and asked is not None and asked["type"] != meant["type"]:
            raise typer.BadParameter("a budget keeps its unit; add another one, and remove this one")
        limit = changed_budget(*said, old=[meant] if meant is not None else [])
        assert limit is not None
        found = [limit if each is meant else each for each in found] + ([limit] if meant is None else [])
    elif which is not None:
        raise typer.BadParameter("--which says which budget to change; say how with --budget, --alert or --on-unpriced")
    for text in added:
        limit = read_budget(text)
        if limit is None:
            raise typer.BadParameter("--add-budget wants a budget; take one away with --remove-budget")
        found.append(limit)
    return found


def named_budget(old: Sequence[dict[str, Any]], name: str, option: str) -> dict[str, Any]:
    """Return the budget that an id names, or an amount with its period as it is shown. Raises BadParameter."""
    found = [each for each in old if each.get("id") == name]
    if not found and (asked := _read_quietly(name)) is not None:
        cap = asked["credit_limit"]
        found = [each for each in old if _same(each, asked) and Decimal(str(each["credit_limit"])) == cap]
    if len(found) != 1:
        what = "several budgets are" if found else "no budget is"
        raise typer.BadParameter(f"{option}: {what} {name!r}; there are: {_listed(old)}")
    return found[0]


def _meant(old: Sequence[dict[str, Any]], budget: str | None) -> dict[str, Any] | None:
    """Return the budget that a change is about, None: a new one."""
    asked = read_budget(budget) if budget is not None else None
    close = [each for each in old if asked is None or _same(each, asked)]
    if len(close) > 1:
        raise typer.BadParameter(f"which budget is meant? Say so with --which; there are: {_listed(old)}")
    return close[0] if close else None


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("type", "periodic_reset", "periodic_reset_days"))


def _listed(old: Sequence[dict[str, Any]]) -> str:
    texts = [f"{shown_budget(each).removeprefix('$').replace(' ', '')} (id {each['id']})" for each in old]
    return ", ".join(texts) or "none"


def _read_quietly(text: str) -> dict[str, Any] | None:
    try:
        return read_budget(text.replace(" ", ""))
    except typer.BadParameter:
        return None


def _read_alert(text: str) -> Decimal | None:
    if text.strip().lower() == NONE:
        return None
    found = _ALERT.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no amount to warn at; write it in the unit of the budget, such as 30")
    return Decimal(found["amount"])


def _read_word(text: str) -> str:
    word = text.strip().lower()
    if word not in ("allow", "block"):
        raise typer.BadParameter(f"--on-unpriced is allow or block, not {text!r}")
    return word


def shown_budget(limit: dict[str, Any] | None) -> str:
    """Return a budget of the API as people type it."""
    if limit is None:
        return "-"
    amount = limit["credit_limit"]
    text = f"${amount}" if limit["type"] == "cost" else f"{amount} {limit['type']}"
    if limit.get("periodic_reset_days"):
        return f"{text}/{limit['periodic_reset_days']}d"
    period = {"weekly": "week", "monthly": "month"}.get(limit.get("periodic_reset") or "")
    return f"{text}/{period}" if period else text


def shown_rules(limit: dict[str, Any] | None) -> str:
    """Return what a budget says beside its amount, as people type it."""
    if limit is None:
        return "-"
    mark = "$" if limit["type"] == "cost" else ""
    alert = limit.get("alert_threshold")
    rules = [f"warn at {mark}{alert}"] if alert is not None else []
    if limit.get("on_unpriced") == "block":
        rules.append("refuse models without a price")
    if limit.get("mode") == "soft":
        rules.append("refuse nothing")
    return ", ".join(rules) or "-"


def shown_rates(limits: list[dict[str, Any]] | None) -> str:
    """Return rate limits of the API as people type them."""
    return ", ".join(map(_shown_rate, limits or [])) or "-"


def shown_usage(usage: dict[str, Any] | None) -> str:
    """Return what is used, reserved and left of a budget."""
    if usage is None:
        return "-"
    mark = "$" if usage["type"] == "cost" else ""
    reserved = f"{mark}{usage['reserved']} reserved, " if usage["reserved"] else ""
    extra = f" ({mark}{usage['drift']} more used than the ledger has)" if "drift" in usage else ""
    return f"{mark}{usage['used']} used, {reserved}{mark}{usage['remaining']} left{extra}"


def _read_rate(text: str) -> dict[str, Any]:
    once = _ONCE.fullmatch(text.strip())
    if once is not None:
        return {"type": "concurrency", "unit": "max", "value": int(once["amount"])}
    found = _RATE.fullmatch(text.strip())
    window = _WINDOWS.get(found["window"].lower()) if found is not None else None
    if found is None or window is None:
        raise typer.BadParameter(f"{text!r} is no rate; write it as 60/min, 200000tokens/hour or 5concurrent")
    return {"type": (found["unit"] or "requests").lower(), "unit": window, "value": int(found["amount"])}


def _shown_rate(limit: dict[str, Any]) -> str:
    if limit["type"] == "concurrency":
        return f"{limit['value']} concurrent"
    unit = "" if limit["type"] == "requests" else f" {limit['type']}"
    return f"{limit['value']}{unit}/{_SHOWN[limit['unit']]}"
