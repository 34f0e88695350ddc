"""``lockgate keys``: the keys that open this gateway."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import typer

from lockgate.cli.amounts import (
    NONE,
    AlertOption,
    BudgetOption,
    RateOption,
    UnpricedOption,
    limits_of,
    shown_budget,
    shown_rates,
    shown_rules,
    shown_usage,
)
from lockgate.cli.desk import Desk, confirm, desk, show_fields, show_json, show_table
from lockgate.cli.options import ConfigOption, JsonOption, WorkspaceOption, give_up

_PERIODS = {"week": "weekly", "month": "monthly"}
_DAYS = re.compile(r"(\d{1,3})\s*d(?:ays?)?")

keys = typer.Typer(help="Manage the keys that open this gateway.", no_args_is_help=True)

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Name or id of the key.")]
ScopeOption = Annotated[
    list[str] | None, typer.Option("--scope", "-s", help="What it may do, such as completions.write; may be repeated.")
]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option("--provider", help='Slug of a provider that it may use; may be repeated; "all": every one.'),
]
MetadataOption = Annotated[
    list[str] | None, typer.Option("--metadata", "-m", help="NAME=VALUE that all its requests carry; may be repeated.")
]
ExpiresOption = Annotated[
    datetime | None, typer.Option("--expires", help="When it stops to open, in UTC, such as 2027-01-01.")
]
RotateOption = Annotated[
    str | None,
    typer.Option(
        "--rotate-every",
        help='How often it must get another text: week, month, or a number of days as 90d; "none": never. '
        "A text that is not replaced in time ends.",
    ),
]
EmailOption = Annotated[
    list[str] | None,
    typer.Option("--alert-email", help='Whom events about its budget name; may be repeated; "none": nobody.'),
]
SureOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


@keys.command("list")
def list_(config: ConfigOption = None, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the keys of all workspaces, or of one."""
    with desk(config) as at:
        found = at.list("/api-keys", workspace_id=at.workspace_id(workspace))
        slugs = {each["id"]: each["slug"] for each in at.list("/admin/workspaces")}
    if json:
        show_json(found)
        return
    show_table(
        ("name", "id", "key", "kind", "workspace", "state", "budget", "used", "rates", "source"),
        [
            (
                key["name"], key["id"], key["key"], key["type"], slugs.get(key["workspace_id"]), key["status"],
                shown_budget(key["usage_limits"]), shown_usage(key["usage"]), shown_rates(key["rate_limits"]),
                key["source"],
            )
            for key in found
        ],
        nothing="there are no keys",
    )  # fmt: skip


@keys.command()
def show(key: KeyArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show a key and how far its budget is used."""
    with desk(config) as at:
        found = at.do("GET", f"/api-keys/{_find(at, key)['id']}")
    show_json(found) if json else _show(found)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="A name to know it by.")],
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="A key that manages the organisation and calls no models.")
    ] = False,
    scope: ScopeOption = None,
    provider: ProviderOption = None,
    budget: BudgetOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    alert_email: EmailOption = None,
    rate: RateOption = None,
    metadata: MetadataOption = None,
    expires: ExpiresOption = None,
    rotate_every: RotateOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key and print its text, this once."""
    if admin and (budget or alert or on_unpriced):
        give_up("an admin key calls no models, so it has no budget; leave --budget, --alert and --on-unpriced out")
    body: dict[str, Any] = {"name": name, **limits_of(budget, rate, alert, on_unpriced)}
    body |= {**_fields(provider, metadata, expires), **_care(alert_email, rotate_every)}
    body["scopes"] = scope or (_admin_scopes() if admin else None)
    with desk(config) as at:
        if workspace is not None:
            body["workspace_id"] = at.workspace_id(workspace)
        made = at.do("POST", f"/api-keys/{'organisation' if admin else 'workspace'}/service", body)
        named = sum(each["name"] == name for each in at.list("/api-keys"))
    if named > 1:
        typer.echo(
            f"note: {named} keys are named {name!r} now; commands know this one by its id, {made['id']}", err=True
        )
    if json:
        show_json(made)
        return
    typer.echo(f"Key {name!r} was made. Its text, shown this once:\n\n  {made['key']}\n")


@keys.command()
def update(
    key: KeyArgument,
    config: ConfigOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    scope: ScopeOption = None,
    provider: ProviderOption = None,
    budget: BudgetOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    alert_email: EmailOption = None,
    rate: RateOption = None,
    metadata: MetadataOption = None,
    expires: ExpiresOption = None,
    rotate_every: RotateOption = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="Let it open for ever.")] = False,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it opens.")] = None,
    reset_usage: Annotated[bool, typer.Option("--reset-usage", help="Set what it has used to zero.")] = False,
    json: JsonOption = False,
) -> None:
    """Change a key; what is not given stays."""
    body: dict[str, Any] = {**_fields(provider, metadata, expires), **_care(alert_email, rotate_every)}
    body |= {field: value for field, value in (("name", name), ("scopes", scope)) if value}
    if never_expires:
        body["expires_at"] = None
    if enabled is not None:
        body["status"] = "active" if enabled else "disabled"
    if reset_usage:
        body["reset_usage"] = True
    with desk(config) as at:
        old = _find(at, key)
        body |= limits_of(budget, rate, alert, on_unpriced, old=[old["usage_limits"]] if old["usage_limits"] else ())
        at.do("PUT", f"/api-keys/{old['id']}", body)
        found = at.do("GET", f"/api-keys/{old['id']}")
    show_json(found) if json else _show(found)


@keys.command()
def rotate(
    key: KeyArgument,
    config: ConfigOption = None,
    overlap_min: Annotated[
        int | None, typer.Option("--overlap-min", min=30, help="How long the old text still opens, in minutes.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="End the old text now, as after a leak.")] = False,
    json: JsonOption = False,
) -> None:
    """Give a key another text, and print it, this once."""
    body: dict[str, Any] = {"revoke_previous": revoke}
    if overlap_min is not None:
        body["key_transition_period_ms"] = overlap_min * 60_000
    with desk(config) as at:
        made = at.do("POST", f"/api-keys/{_find(at, key)['id']}/rotate", body)
    if json:
        show_json(made)
        return
    until = made["key_transition_expires_at"]
    typer.echo(f"The new text of {key!r}, shown this once:\n\n  {made['key']}\n")
    typer.echo(f"The old one opens until {until}." if until else "The old one does not open any more.")


@keys.command()
def delete(key: KeyArgument, config: ConfigOption = None, yes: SureOption = False, json: JsonOption = False) -> None:
    """Delete a key: it opens nothing any more."""
    with desk(config) as at:
        found = _find(at, key)
        confirm(f"Delete the key {found['name']!r}?", is_sure=yes)
        answer = at.do("DELETE", f"/api-keys/{found['id']}")
    show_json(answer) if json else typer.echo(f"Key {found['name']!r} is deleted.")


def _find(at: Desk, name: str) -> dict[str, Any]:
    return at.one("/api-keys", name, "key")


def _fields(provider: list[str] | None, metadata: list[str] | None, expires: datetime | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if provider:
        body["providers"] = [] if provider == ["all"] else [slug.removeprefix("@") for slug in provider]
    if metadata:
        body["defaults"] = {"metadata": dict(_pair(each) for each in metadata)}
    if expires is not None:
        body["expires_at"] = expires.isoformat()
    return body


def _care(emails: list[str] | None, rotate_every: str | None) -> dict[str, Any]:
    """Return who is told of a key's budget, and how often it gets another text. Raises BadParameter."""
    body: dict[str, Any] = {}
    if emails:
        body["alert_emails"] = [] if emails == [NONE] else emails
    if rotate_every is not None:
        body["rotation_policy"] = _rotation(rotate_every.strip().lower())
    return body


def _rotation(text: str) -> dict[str, Any] | None:
    if text == NONE:
        return None
    if text in _PERIODS:
        return {"rotation_period": _PERIODS[text]}
    found = _DAYS.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"--rotate-every is week, month, a number of days as 90d, or none, not {text!r}")
    return {"rotation_period_days": int(found[1])}


def _shown_rotation(policy: dict[str, Any] | None) -> str:
    if policy is None:
        return "-"
    period = {"weekly": "week", "monthly": "month"}.get(policy["rotation_period"] or "")
    every = period or f"{policy['rotation_period_days']}d"
    return f"every {every}, next {policy['next_rotation_at']} ({policy['status']})"


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise typer.BadParameter(f"{text!r}: expected NAME=VALUE")
    return name, value


def _admin_scopes() -> list[str]:
    from lockgate.admin.scopes import ORGANISATION

    return sorted(ORGANISATION)


def _show(key: dict[str, Any]) -> None:
    show_fields(
        [
            ("name", key["name"]),
            ("id", key["id"]),
            ("key", key["key"]),
            ("kind", key["type"]),
            ("state", key["status"]),
            ("budget", shown_budget(key["usage_limits"])),
            ("budget rules", shown_rules(key["usage_limits"])),
            ("usage", shown_usage(key["usage"])),
            ("resets", key["next_usage_reset_at"]),
            ("rates", shown_rates(key["rate_limits"])),
            ("providers", ", ".join(key["providers"]) or "all"),
            ("scopes", ", ".join(key["scopes"])),
            ("metadata", ", ".join(f"{k}={v}" for k, v in (key["defaults"]["metadata"] or {}).items())),
            ("expires", key["expires_at"]),
            ("rotation", _shown_rotation(key["rotation_policy"])),
            ("alert emails", ", ".join(key["alert_emails"]) or "-"),
            ("source", key["source"]),
        ]
    )
