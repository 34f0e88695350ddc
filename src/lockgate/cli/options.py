"""What all commands share: options, where the state lives, and how a command gives up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="LOCKGATE_CONFIG", help="Configuration file. [default: lockgate.toml, if there]"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers it.")]
WorkspaceOption = Annotated[
    str | None,
    typer.Option("--workspace", "-w", help="Slug, id or name of the workspace; the default one when left out."),
]


def state_folder() -> Path:
    """Where the state lives: LOCKGATE_HOME, else ``.lockgate`` in a checkout, else the platform's data folder."""
    given = os.environ.get("LOCKGATE_HOME")
    if given:
        return Path(given).expanduser()
    if Path("pyproject.toml").exists() and Path("src/lockgate").is_dir():
        return Path(".lockgate")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "lockgate"


def give_up(message: str) -> NoReturn:
    """End with one sentence and exit status 1."""
    typer.echo(f"lockgate: {message}", err=True)
    raise SystemExit(1)
