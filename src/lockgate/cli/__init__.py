"""The command line: arguments and environment in, ``lockgate.app`` does the work. Errors are one sentence."""

from __future__ import annotations

from lockgate.cli.backups import backup, restore
from lockgate.cli.budgets import budgets
from lockgate.cli.keys import keys
from lockgate.cli.log_delete import delete, deletions
from lockgate.cli.log_export import export as log_export
from lockgate.cli.log_import import import_
from lockgate.cli.log_tail import tail
from lockgate.cli.logs import logs
from lockgate.cli.options import state_folder as state_folder
from lockgate.cli.providers import providers
from lockgate.cli.replay import replay
from lockgate.cli.routes import routes
from lockgate.cli.secrets import secrets
from lockgate.cli.serve import banner as banner
from lockgate.cli.serve import cli as cli
from lockgate.cli.state import apply, export
from lockgate.cli.workspaces import workspaces

for _group, _name in (
    (keys, "keys"),
    (providers, "providers"),
    (budgets, "budgets"),
    (workspaces, "workspaces"),
    (routes, "routes"),
    (logs, "logs"),
    (secrets, "secrets"),
):
    cli.add_typer(_group, name=_name)
cli.command()(apply)
cli.command()(export)
cli.command()(replay)
cli.command()(backup)
cli.command()(restore)
logs.command("export")(log_export)
logs.command("import")(import_)
logs.command()(tail)
logs.command()(delete)
logs.command()(deletions)


def main() -> None:
    """Entry point of the ``lockgate`` command."""
    cli()
