"""``lockgate secrets``: what encrypts the credentials in the database."""

from __future__ import annotations

import os

import typer

from lockgate.cli.options import ConfigOption, give_up, state_folder
from lockgate.errors import ConfigError, GatewayError

secrets = typer.Typer(help="The encryption of stored credentials.", no_args_is_help=True, rich_markup_mode=None)


@secrets.command()
def rotate(config: ConfigOption = None) -> None:
    """Encrypt with a new master key, while gateways run; then the old one may go.

    With the key in a file, a new one is made. With LOCKGATE_MASTER_KEY, that is the new one, and
    LOCKGATE_MASTER_KEY_PREVIOUS the old one. docs/how-to/rotate-the-master-key.md says it step by step.
    """
    from pathlib import Path

    from lockgate.store.config_file import ConfigFile
    from lockgate.store.directory import open_directory
    from lockgate.store.master_key import PREVIOUS_VARIABLE, VARIABLE
    from lockgate.store.probe import probe_database
    from lockgate.store.rotation import rotate_master_key

    home = state_folder()
    try:
        file = ConfigFile(config or Path("lockgate.toml"), is_required=config is not None)
        url = file.read().database.url
        probed = probe_database(url, os.environ, home)
        if not probed.is_there:
            raise ConfigError(f"there is no database {probed.shown}, so there is nothing to encrypt")
        directory = open_directory(url=url, home=home, environment=os.environ)
        try:
            count = rotate_master_key(directory, home, os.environ)
        finally:
            directory.close()
    except GatewayError as error:
        give_up(str(error))
    keys = f"{count} data key{'' if count == 1 else 's'}"
    typer.echo(
        f"{keys} and with them all stored credentials are encrypted with the new master key; none needs the old."
    )
    if os.environ.get(VARIABLE):
        typer.echo(f"Remove {PREVIOUS_VARIABLE} from all gateways, and keep {VARIABLE} where it is safe.")
    else:
        typer.echo(f"The new one is in {home / 'master.key'}: keep a copy where it is safe, apart from the database.")
