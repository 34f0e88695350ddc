"""``lockgate budgets``: the budgets of keys, providers and workspaces, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lockgate.cli.amounts import (
    AlertOption,
    UnpricedOption,
    WhichOption,
    changed_budget,
    merged_budgets,
    named_budget,
    read_budget,
    shown_budget,
    shown_rules,
    shown_usage,
)
from lockgate.cli.desk import Desk, confirm, desk, show_fields, show_json, show_table
from lockgate.cli.keys import SureOption
from lockgate.cli.options import ConfigOption, JsonOption, give_up
from lockgate.core.limits import Drift
from lockgate.dataplane.refusal import amount, unit_name

budgets = typer.Typer(help="See and set the budgets of keys, providers and workspaces.", no_args_is_help=True)

OwnerArgument = Annotated[
    str,
    typer.Argument(
        metavar="OWNER", help="key:NAME or key:ID, provider:SLUG, provider:WORKSPACE/SLUG or workspace:SLUG."
    ),
]
AmountArgument = Annotated[
    str,
    typer.Argument(metavar="BUDGET", help="Such as 40/month (dollars; at least 0.01), 100/30d or 100000tokens/week."),
]
_KINDS = ("key", "provider", "workspace")


class Owner:
    """Somebody who may have a budget: what it is, where it is changed, and its limits as the API shows them."""

    def __init__(self, kind: str, name: str, path: str, entry: dict[str, Any]) -> None:
        self.kind, self.name, self.path, self.entry = kind, name, path, entry

    @property
    def limits(self) -> list[dict[str, Any]]:
        """Its budgets; a workspace may have several."""
        given = self.entry["usage_limits"]
        return given if isinstance(given, list) else [given] if given is not None else []

    @property
    def usages(self) -> list[dict[str, Any]]:
        """How far they are used."""
        given = self.entry["usage"]
        return given if isinstance(given, list) else [given] if given is not None else []

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each budget for JSON and tables."""
        usages: list[dict[str, Any] | None] = [*self.usages, *([None] * len(self.limits))]
        return [
            {"owner": f"{self.kind}:{self.name}", "owner_id": self.entry["id"], "budget": limit, "usage": usage}
            for limit, usage in zip(self.limits, usages, strict=False)
        ]


@budgets.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List all budgets and how far they are used."""
    with desk(config) as at:
        found = [row for owner in _owners(at) for row in owner.rows]
    if json:
        show_json(found)
        return
    show_table(
        ("owner", "id", "budget", "usage", "resets"),
        [
            (
                row["owner"], row["owner_id"], shown_budget(row["budget"]), shown_usage(row["usage"]),
                row["budget"]["next_usage_reset_at"],
            )
            for row in found
        ],
        nothing="there are no budgets; set one with: lockgate budgets create key:NAME 40/month",
    )  # fmt: skip


@budgets.command()
def show(owner: OwnerArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show somebody's budget and how far it is used."""
    with desk(config) as at:
        found = _find(at, owner)
    if json:
        show_json(found.rows)
        return
    if not found.limits:
        typer.echo(f"{owner} has no budget")
    for row in found.rows:
        show_fields(
            [
                ("owner", row["owner"]),
                ("budget", shown_budget(row["budget"])),
                ("id", row["budget"]["id"]),
                ("rules", shown_rules(row["budget"])),
                ("usage", shown_usage(row["usage"])),
                ("resets", row["budget"]["next_usage_reset_at"]),
            ]
        )


@budgets.command()
def create(
    owner: OwnerArgument,
    budget: AmountArgument,
    config: ConfigOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    json: JsonOption = False,
) -> None:
    """Give somebody a budget who has none."""
    with desk(config) as at:
        found = _find(at, owner)
        if found.limits:
            give_up(f"{owner} has a budget of {shown_budget(found.limits[0])}; change it with: lockgate budgets update")
        _set(at, found, (budget, alert, on_unpriced), owner, as_json=json)


@budgets.command()
def update(
    owner: OwnerArgument,
    budget: Annotated[
        str | None,
        typer.Argument(
            metavar="[BUDGET]",
            help="As it is to be; as it is when left out. One of another unit or period is one more of a workspace; "
            "--which changes a period.",
        ),
    ] = None,
    config: ConfigOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    which: WhichOption = None,
    json: JsonOption = False,
) -> None:
    """Change somebody's budget; what is used of it stays used, unless its period changes; what is not given stays."""
    with desk(config) as at:
        _set(at, _find(at, owner), (budget, alert, on_unpriced), owner, which=which, as_json=json)


@budgets.command()
def reset(owner: OwnerArgument, config: ConfigOption = None) -> None:
    """Set what somebody has used to zero."""
    with desk(config) as at:
        found = _find(at, owner)
        at.do("PUT", found.path, {"reset_usage": True})
    typer.echo(f"What {owner} has used is set to zero.")


@budgets.command()
def delete(
    owner: OwnerArgument, config: ConfigOption = None, which: WhichOption = None, yes: SureOption = False
) -> None:
    """Take somebody's budget away, or with --which one of several: nothing limits the spending any more."""
    with desk(config) as at:
        found = _find(at, owner)
        if which is not None:
            gone = named_budget(found.limits, which, "--which")
            confirm(f"Take the budget {shown_budget(gone)} of {owner} away?", is_sure=yes)
            at.do("PUT", found.path, {"usage_limits": [each for each in found.limits if each is not gone] or None})
            typer.echo(f"{owner} has no budget of {shown_budget(gone)} any more.")
            return
        confirm(f"Let {owner} spend without a budget?", is_sure=yes)
        at.do("PUT", found.path, {"usage_limits": None})
    typer.echo(f"{owner} has no budget any more.")


@budgets.command()
def check(
    config: ConfigOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Charge counters on a server what they lack; nothing is taken away.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare what the counters of all budgets say with what the journal's records were charged.

    A gateway does so when it starts and every hour. Ends with 1 when a difference of more than a hundredth or of more
    than a dollar is left.
    """
    with desk(config) as at:
        found = at.check_budgets(repairs=repair)
    rows = [_checked(one) for one in found]
    if json:
        show_json(rows)
    else:
        show_table(
            ("budget", "group", "unit", "counted", "ledger", "difference", "verdict"),
            [tuple(row[name] for name in ("budget", "group", "unit", "counted", "ledger", "difference", "verdict"))
             for row in rows],
            nothing="there are no budgets",
        )  # fmt: skip
    if any(one.matters and not one.is_made_up for one in found):
        raise typer.Exit(1)


def _checked(drift: Drift) -> dict[str, Any]:
    """Return a budget's check for JSON and tables; amounts of money are dollars."""
    limit, missing = drift.limit, drift.missing
    verdict = "ok" if not missing else "small"
    if drift.booked is None:
        verdict = "not in the ledger yet"
    elif drift.is_made_up:
        verdict = "made up for"
    elif drift.matters:
        verdict = "counter lacks" if missing > 0 else "counter has too much"
    return {
        "budget": f"{limit.scope}:{limit.name}",
        "budget_id": limit.id,
        "group": drift.group or None,
        "unit": unit_name(limit),
        "counted": amount(limit, drift.counted),
        "ledger": None if drift.booked is None else amount(limit, drift.booked),
        "difference": amount(limit, missing) if missing >= 0 else -amount(limit, -missing),
        "verdict": verdict,
    }


def _set(
    at: Desk,
    found: Owner,
    said: tuple[str | None, str | None, str | None],
    owner: str,
    *,
    as_json: bool,
    which: str | None = None,
) -> None:
    """Put a budget in place; ``said`` are amount and period, threshold, and what becomes of models without a price."""
    if said == (None, None, None):
        give_up("what is to change? Give a budget such as 60/month, --alert or --on-unpriced")
    if said[0] is not None and read_budget(said[0]) is None:
        give_up("to take a budget away: lockgate budgets delete")
    if found.kind == "workspace":
        limits = merged_budgets(found.limits, said, which=which)
    else:
        if which is not None:
            named_budget(found.limits, which, "--which")
        limits = [limit for limit in [changed_budget(*said, old=found.limits)] if limit is not None]
    at.do("PUT", found.path, {"usage_limits": limits})
    changed = _find(at, owner)
    if as_json:
        show_json(changed.rows)
        return
    for row in changed.rows:
        typer.echo(f"{row['owner']}: {shown_budget(row['budget'])}, {shown_usage(row['usage'])}")


def _find(at: Desk, text: str) -> Owner:
    kind, found, name = text.partition(":")
    if not found or kind not in _KINDS or not name:
        give_up(f"{text!r} is nobody; write key:NAME, provider:SLUG or workspace:SLUG")
    if kind == "key":
        entry = at.one("/api-keys", name, "key")
        return Owner(kind, entry["name"], f"/api-keys/{entry['id']}", entry)
    if kind == "workspace":
        entry = at.one("/admin/workspaces", name, "workspace")
        return Owner(kind, entry["slug"], f"/admin/workspaces/{entry['id']}", entry)
    workspace, _, slug = name.rpartition("/")
    entry = at.do("GET", f"/providers/{slug.removeprefix('@')}", workspace_id=at.workspace_id(workspace or None))
    return Owner(kind, name, f"/providers/{entry['id']}", entry)


def _owners(at: Desk) -> Iterator[Owner]:
    """Return everybody who has a budget."""
    for workspace in at.list("/admin/workspaces"):
        yield Owner("workspace", workspace["slug"], "", workspace)
        for provider in at.list("/providers", workspace_id=workspace["id"]):
            yield Owner("provider", f"{workspace['slug']}/{provider['slug']}", "", provider)
    for key in at.list("/api-keys"):
        yield Owner("key", key["name"], "", key)
