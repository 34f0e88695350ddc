"""``lockgate workspaces``: the teams' parts of the organisation."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.amounts import (
    AlertOption,
    BudgetOption,
    RateOption,
    UnpricedOption,
    WhichOption,
    limits_of,
    merged_budgets,
    shown_budget,
    shown_rates,
    shown_usage,
)
from lockgate.cli.desk import confirm, desk, show_fields, show_json, show_table
from lockgate.cli.keys import SureOption
from lockgate.cli.options import ConfigOption, JsonOption

workspaces = typer.Typer(help="Manage workspaces: the teams' parts of the organisation.", no_args_is_help=True)

PlaceArgument = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Slug, id or name of the workspace.")]
_LIST = "/admin/workspaces"


@workspaces.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the workspaces."""
    with desk(config) as at:
        found = at.list(_LIST)
    if json:
        show_json(found)
        return
    show_table(
        ("slug", "name", "default", "members", "budgets", "used", "rates"),
        [
            (
                each["slug"], each["name"], "yes" if each["is_default"] else "", len(each["users"]),
                ", ".join(map(shown_budget, each["usage_limits"])), "; ".join(map(shown_usage, each["usage"])),
                shown_rates(each["rate_limits"]),
            )
            for each in found
        ],
        nothing="there are no workspaces",
    )  # fmt: skip


@workspaces.command()
def show(workspace: PlaceArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show a workspace."""
    with desk(config) as at:
        found = at.one(_LIST, workspace, "workspace")
    show_json(found) if json else _show(found)


@workspaces.command()
def create(
    name: Annotated[str, typer.Argument(help="A name to know it by.")],
    config: ConfigOption = None,
    slug: Annotated[str | None, typer.Option("--slug", help="How it is addressed; made from the name.")] = None,
    budget: BudgetOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    rate: RateOption = None,
    json: JsonOption = False,
) -> None:
    """Make a workspace."""
    body = {"name": name, **limits_of(budget, rate, alert, on_unpriced), **({"slug": slug} if slug else {})}
    with desk(config) as at:
        made = at.do("POST", _LIST, body)
    show_json(made) if json else typer.echo(f"Workspace {made['slug']} is there.")


@workspaces.command()
def update(
    workspace: PlaceArgument,
    config: ConfigOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "-b",
            help="Change the budget of the same unit and period, or add this one when there is none; other budgets "
            'stay. Such as 40/month, 100000tokens/week; "none" takes all budgets away.',
        ),
    ] = None,
    which: WhichOption = None,
    add_budget: Annotated[
        list[str] | None, typer.Option("--add-budget", help="One more budget beside the others; may be repeated.")
    ] = None,
    remove_budget: Annotated[
        list[str] | None,
        typer.Option(
            "--remove-budget", help="Take this budget away: its id, or as it is now, such as 40/month; may be repeated."
        ),
    ] = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    rate: RateOption = None,
    reset_usage: Annotated[bool, typer.Option("--reset-usage", help="Set what it has used to zero.")] = False,
    json: JsonOption = False,
) -> None:
    """Change a workspace; what is not given stays."""
    body: dict[str, Any] = ({"name": name} if name else {}) | ({"reset_usage": True} if reset_usage else {})
    with desk(config) as at:
        old = at.one(_LIST, workspace, "workspace")
        said = (budget, alert, on_unpriced)
        if said != (None, None, None) or which or add_budget or remove_budget:
            body["usage_limits"] = merged_budgets(
                old["usage_limits"], said, which=which, added=add_budget or (), removed=remove_budget or ()
            )
        body |= limits_of(None, rate)
        found = at.do("PUT", f"{_LIST}/{old['id']}", body)
    show_json(found) if json else _show(found)


@workspaces.command()
def delete(
    workspace: PlaceArgument,
    config: ConfigOption = None,
    force: Annotated[bool, typer.Option("--force", help="Delete what is in it as well.")] = False,
    yes: SureOption = False,
    json: JsonOption = False,
) -> None:
    """Delete a workspace."""
    with desk(config) as at:
        found = at.one(_LIST, workspace, "workspace")
        confirm(f"Delete the workspace {found['name']!r}?", is_sure=yes)
        answer = at.do("DELETE", f"{_LIST}/{found['id']}", {"name": found["name"], "force_delete": force})
    show_json(answer) if json else typer.echo(f"Workspace {found['slug']} is deleted.")


def _show(workspace: dict[str, Any]) -> None:
    show_fields(
        [
            ("slug", workspace["slug"]),
            ("id", workspace["id"]),
            ("name", workspace["name"]),
            ("budgets", ", ".join(f"{shown_budget(each)} (id {each['id']})" for each in workspace["usage_limits"])),
            ("usage", "; ".join(map(shown_usage, workspace["usage"]))),
            ("rates", shown_rates(workspace["rate_limits"])),
            ("members", ", ".join(f"{each['email']} ({each['role']})" for each in workspace["users"])),
        ]
    )
