"""``lockgate providers``: what ``@slug`` names, with its credential and limits."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate.cli.amounts import (
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
from lockgate.cli.keys import SureOption
from lockgate.cli.options import ConfigOption, JsonOption, WorkspaceOption, give_up

providers = typer.Typer(help="Manage providers: what @slug names, with credential and limits.", no_args_is_help=True)

SlugArgument = Annotated[str, typer.Argument(metavar="SLUG", help="As in @SLUG/model.")]
CredentialOption = Annotated[
    str | None,
    typer.Option(
        "--key", help="The credential: env:NAME or file:/PATH to read it each time, or - to type or pipe it in."
    ),
]
HostOption = Annotated[
    str | None, typer.Option("--host", help="Where the API is, when not at the provider's own address.")
]


_NOTHING = (
    "there are no providers here; a gateway without any serves @anthropic and @openai by its simulator, and those of "
    "the credentials in its environment; make one with: lockgate providers create SLUG --type anthropic --key -"
)


@providers.command("list")
def list_(config: ConfigOption = None, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the providers of a workspace."""
    with desk(config) as at:
        found = at.list("/providers", workspace_id=at.workspace_id(workspace))
    if json:
        show_json(found)
        return
    show_table(
        ("slug", "provider", "state", "budget", "used", "rates", "source"),
        [
            (
                f"@{each['slug']}", each["ai_provider_name"], each["trouble"] or each["status"],
                shown_budget(each["usage_limits"]), shown_usage(each["usage"]), shown_rates(each["rate_limits"]),
                each["source"],
            )
            for each in found
        ],
        nothing=_NOTHING,
    )  # fmt: skip


@providers.command()
def show(
    slug: SlugArgument, config: ConfigOption = None, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Show a provider and how far its budget is used."""
    with desk(config) as at:
        found = _get(at, slug, workspace)
    show_json(found) if json else _show(found)


@providers.command()
def create(
    slug: SlugArgument,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    type: Annotated[
        str | None, typer.Option("--type", "-t", help="Which provider: a name of the provider reference.")
    ] = None,
    key: CredentialOption = None,
    host: HostOption = None,
    integration: Annotated[
        str | None, typer.Option("--integration", help="Use the credential of this integration instead.")
    ] = None,
    budget: BudgetOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    rate: RateOption = None,
    json: JsonOption = False,
) -> None:
    """Make a provider in a workspace, with a credential of its own or that of an integration."""
    slug = slug.removeprefix("@")
    limits = limits_of(budget, rate, alert, on_unpriced)
    if (type is None) == (integration is None):
        give_up("give either --type, with --key, or --integration")
    with desk(config) as at:
        workspace = at.workspace_id(workspace)
        place = {"workspace_id": workspace} if workspace is not None else {}
        if integration is not None:
            body = {"name": slug, "slug": slug, "integration_id": integration, **limits, **place}
            at.do("POST", "/providers", body)
        else:
            _create_with_credential(at, slug, type or "", _credential(key), host, limits, workspace)
        found = _get(at, slug, workspace)
    show_json(found) if json else typer.echo(f"Provider @{slug} is there; call it as @{slug}/MODEL.")


@providers.command()
def update(
    slug: SlugArgument,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    key: CredentialOption = None,
    host: HostOption = None,
    budget: BudgetOption = None,
    alert: AlertOption = None,
    on_unpriced: UnpricedOption = None,
    rate: RateOption = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it serves.")] = None,
    reset_usage: Annotated[bool, typer.Option("--reset-usage", help="Set what it has used to zero.")] = False,
    json: JsonOption = False,
) -> None:
    """Change a provider; what is not given stays. A new key holds for all that share its integration."""
    body: dict[str, Any] = {}
    if enabled is not None:
        body["status"] = "active" if enabled else "disabled"
    if reset_usage:
        body["reset_usage"] = True
    with desk(config) as at:
        found = _get(at, slug, workspace)
        budgets = [found["usage_limits"]] if found["usage_limits"] else ()
        body |= limits_of(budget, rate, alert, on_unpriced, old=budgets)
        if body or (key is None and host is None):
            at.do("PUT", f"/providers/{found['id']}", body, workspace_id=found["workspace_id"])
        if key is not None or host is not None:
            changed: dict[str, Any] = {"key": _credential(key)} if key is not None else {}
            changed |= {"configurations": {"custom_host": host}} if host is not None else {}
            _do(at, "PUT", f"/integrations/{found['integration_id']}", changed)
        found = _get(at, slug, workspace)
    show_json(found) if json else _show(found)


@providers.command("test")
def try_(
    slug: SlugArgument,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    model: Annotated[str | None, typer.Option("--model", help="A model to ask for one token.")] = None,
    json: JsonOption = False,
) -> None:
    """Try a provider's credential with one cheap call from this machine."""
    with desk(config) as at:
        found = _get(at, slug, workspace)
        if found["integration_id"] is None:
            give_up(f"@{slug.removeprefix('@')} comes from {found['source']}; only stored credentials can be tried")
        result = at.do("POST", f"/integrations/{found['integration_id']}/test", {"model": model} if model else {})
    if json:
        show_json(result)
    else:
        typer.echo(_in_options(result["message"]))
        if result["provider_message"]:
            typer.echo(f"The provider said: {result['provider_message']}")
    if not result["ok"]:
        raise SystemExit(1)


@providers.command()
def delete(
    slug: SlugArgument,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    force: Annotated[bool, typer.Option("--force", help="Delete it though keys or policies name it.")] = False,
    yes: SureOption = False,
    json: JsonOption = False,
) -> None:
    """Delete a provider; with it goes a credential that no other provider uses."""
    with desk(config) as at:
        found = _get(at, slug, workspace)
        confirm(f"Delete the provider @{found['slug']}?", is_sure=yes)
        answer = at.do(
            "DELETE", f"/providers/{found['id']}", {"force_delete": force}, workspace_id=found["workspace_id"]
        )
        _drop_lone_integration(at, found)
    show_json(answer) if json else typer.echo(f"Provider @{found['slug']} is deleted.")


def _create_with_credential(
    at: Desk, slug: str, type: str, key: str, host: str | None, limits: dict[str, Any], workspace: str | None
) -> None:
    """Make an integration of the workspace with its provider; both or none stay."""
    home = workspace or next(each["id"] for each in at.list("/admin/workspaces") if each["is_default"])
    body: dict[str, Any] = {"name": slug, "slug": slug, "ai_provider_id": type, "key": key, "workspace_id": home}
    if host is not None:
        body["configurations"] = {"custom_host": host}
    made = _do(at, "POST", "/integrations", body)
    if not limits:
        return
    reply = at.ask("PUT", f"/providers/{slug}", limits, workspace_id=home)
    if not reply.is_done:
        at.do("DELETE", f"/integrations/{made['id']}", {"force_delete": True})
        give_up(reply.body["message"])


def _drop_lone_integration(at: Desk, provider: dict[str, Any]) -> None:
    """Delete the integration of a deleted provider when it was made with it and nobody else uses it."""
    reply = at.ask("GET", f"/integrations/{provider['integration_id']}")
    if not reply.is_done or reply.body["workspace_id"] is None or reply.body["slug"] != provider["slug"]:
        return
    if at.do("GET", f"/integrations/{reply.body['id']}/usages")["total"] == 0:
        at.do("DELETE", f"/integrations/{reply.body['id']}")


def _credential(key: str | None) -> str:
    """Return a credential that is typed, piped in or kept elsewhere; never one from the command line itself."""
    if key is None and not sys.stdin.isatty():
        give_up("--key is missing: env:NAME, file:/PATH, or - to pipe it in")
    if key in (None, "-"):
        text = typer.prompt("Credential", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
        return str(text).strip()
    if key is None or not key.startswith(("env:", "file:")):
        give_up("a credential on the command line would be seen by others; use --key -, env:NAME or file:/PATH")
    scheme, _, place = key.partition(":")
    if scheme == "env" and not os.environ.get(place):
        typer.echo(f"note: {place} is not set here; the gateway must find it in its environment", err=True)
    if scheme == "file" and not Path(place).is_file():
        typer.echo(f"note: there is no file {place} here; the gateway must find it where it runs", err=True)
    return key


def _do(at: Desk, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do what options have said. Gives up with the refusal, in their words."""
    reply = at.ask(method, path, body)
    if not reply.is_done:
        give_up(_in_options(reply.body["message"]))
    return reply.body


def _in_options(message: str) -> str:
    """Return a message of the API in which a field has the name of the option that says it."""
    return message.replace("custom_host", "--host").replace("custom host", "--host")


def _get(at: Desk, slug: str, workspace: str | None) -> dict[str, Any]:
    return at.do("GET", f"/providers/{slug.removeprefix('@')}", workspace_id=at.workspace_id(workspace))


def _show(provider: dict[str, Any]) -> None:
    show_fields(
        [
            ("slug", f"@{provider['slug']}"),
            ("id", provider["id"]),
            ("provider", provider["ai_provider_name"]),
            ("integration", provider["integration_id"]),
            ("state", provider["status"]),
            ("trouble", provider["trouble"]),
            ("budget", shown_budget(provider["usage_limits"])),
            ("budget rules", shown_rules(provider["usage_limits"])),
            ("usage", shown_usage(provider["usage"])),
            ("rates", shown_rates(provider["rate_limits"])),
            ("expires", provider["expires_at"]),
            ("source", provider["source"]),
        ]
    )
