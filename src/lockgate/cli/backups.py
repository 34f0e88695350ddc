"""``lockgate backup`` and ``lockgate restore``: copies of a state folder that can be opened again."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.cli.desk import show_json
from lockgate.cli.log_options import archive
from lockgate.cli.options import ConfigOption, JsonOption, give_up, state_folder
from lockgate.cli.progress import progress
from lockgate.errors import GatewayError

if TYPE_CHECKING:
    from lockgate.app.backups import Copied
    from lockgate.config import Document
    from lockgate.records.backup import Progress

_Copy = Callable[["Progress"], "Copied"]


def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the copy goes; an empty folder, or none yet.")
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Copy database, what budgets have used, and records with bodies and feedback, while the gateway runs.

    The master key is not in it: keep it elsewhere.
    """
    from lockgate.app.backups import back_up

    document = _document(config)
    was_there = folder.exists()
    if document.records.enabled:
        with archive(config):
            # what the last gateway left in the journal is shipped now
            pass

    def copy(told: Progress) -> Copied:
        home = state_folder().absolute()
        return back_up(home, folder.absolute(), document=document, environment=os.environ, progress=told)

    try:
        made = _run("copying", copy, f"cannot copy {state_folder()} to {folder}")
    except SystemExit:
        if not was_there:
            # what is not whole must not be taken for a copy
            shutil.rmtree(folder, ignore_errors=True)
        raise
    _tell(made, f"{state_folder()} is copied to {folder}", as_json=json)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What lockgate backup made.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put a copy into a state folder with which no gateway has run yet."""
    from lockgate.app.backups import restore as put_back

    document, home = _document(config), state_folder().absolute()

    def copy(told: Progress) -> Copied:
        return put_back(folder.absolute(), home, document=document, environment=os.environ, progress=told)

    made = _run("restoring", copy, f"cannot restore {folder}")
    _tell(made, f"{folder} is restored into {home}", as_json=json)


def _document(config: Path | None) -> Document:
    from lockgate.store.config_file import ConfigFile

    try:
        return ConfigFile(config or Path("lockgate.toml"), is_required=config is not None).read()
    except GatewayError as error:
        give_up(str(error))


def _run(what: str, copy: _Copy, trouble: str) -> Copied:
    try:
        with progress(what, None) as bar:
            return copy(bar)
    except GatewayError as error:
        give_up(f"{trouble}: {error}")
    except (OSError, sqlite3.Error) as error:
        give_up(f"{trouble}: {getattr(error, 'strerror', None) or error}")


def _tell(made: Copied, sentence: str, *, as_json: bool) -> None:
    if as_json:
        told = {"files": made.files, "size_bytes": made.size_bytes, "seconds": round(made.seconds, 3)}
        show_json({**told, "remarks": list(made.remarks)})
        return
    typer.echo(f"{sentence}: {made.files} files, {made.size_bytes} bytes")
    for remark in made.remarks:
        typer.echo(f"! {remark}.")
