"""How commands work on the database and say what came of it: tables for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from lockgate.cli.options import give_up, state_folder
from lockgate.core.plain_text import printable
from lockgate.errors import GatewayError

if TYPE_CHECKING:
    from lockgate.app.office import Office, Reply
    from lockgate.core.limits import Drift

_WIDE = 200
"""Columns of a table that goes into a file or a pipe."""
_PAGE = 500


class Desk:
    """Performs operations, and gives up with their own words when they are refused."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def ask(self, method: str, path: str, body: object = None, **query: str | int | None) -> Reply:
        """Perform an operation and return its answer, also a refusal."""
        return self._office.ask(method, path, body, **query)

    def do(self, method: str, path: str, body: object = None, **query: str | int | None) -> dict[str, Any]:
        """Perform an operation that must be done. Gives up with its refusal."""
        reply = self.ask(method, path, body, **query)
        if not reply.is_done:
            give_up(reply.body["message"])
        return reply.body

    def check_budgets(self, *, repairs: bool) -> Sequence[Drift]:
        """Return how each budget's counter stands beside the ledger."""
        return self._office.check_budgets(repairs=repairs)

    def list(self, path: str, **query: str | int | None) -> list[dict[str, Any]]:
        """Return all entries of a list, page after page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.do("GET", path, page_size=_PAGE, current_page=len(found) // _PAGE, **query)
            found += page["data"]
            if len(found) >= page["total"] or not page["data"]:
                return found

    def one(self, path: str, name: str, noun: str, **query: str | int | None) -> dict[str, Any]:
        """Return the entry of a list with that id, slug or name. Gives up when there is none, or several."""
        entries = self.list(path, **query)
        found = [each for each in entries if name in (each["id"], each.get("slug"))]
        found = found or [each for each in entries if each["name"] == name]
        if len(found) > 1:
            ids = ", ".join(_distinct(each) for each in found[:5])
            give_up(f"there are {len(found)} {noun}s named {name!r}; say which one by its id: {ids}")
        if not found:
            give_up(f"there is no {noun} {name!r}")
        return found[0]

    def workspace_id(self, name: str | None) -> str | None:
        """Return the id of a workspace by its id, slug or name; None for none. Gives up when there is no such one."""
        if name is None:
            return None
        found: str = self.one("/admin/workspaces", name, "workspace")["id"]
        return found


def _distinct(entry: dict[str, Any]) -> str:
    """Return the id of an entry, and of a key what it looks like."""
    return f"{entry['id']} ({entry['key']})" if entry.get("key") else str(entry["id"])


@contextmanager
def desk(config: Path | None) -> Iterator[Desk]:
    """Open the database that a gateway with this configuration uses. Gives up when it cannot be opened."""
    from lockgate.app.office import Office

    try:
        office = Office(config_path=config, home=state_folder(), environment=os.environ)
    except GatewayError as error:
        give_up(str(error))
    with office:
        if office.is_new:
            typer.echo(f"note: a new database was made in {office.home}", err=True)
        try:
            yield Desk(office)
        except GatewayError as error:
            give_up(str(error))


def show_json(value: object) -> None:
    """Print JSON."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, nothing: str) -> None:
    """Print a table, or a sentence when it has no rows."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        typer.echo(nothing)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_one_line(cell)) for cell in row))
    _console(Console).print(table)


def show_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print names and values, one in a line."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        typer.echo(f"{name:<{width}}  {_one_line(value)}")


def _one_line(cell: object) -> str:
    """Return a cell as it may stand in a terminal: no line ends, and nothing that steers it."""
    text = "" if cell is None else str(cell)
    return printable(text, instead="\N{REPLACEMENT CHARACTER}") or "-"


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask before something is deleted; without a terminal it must have been said."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        give_up("this deletes something; add --yes to do it without being asked")
    typer.confirm(question, abort=True)


def _console(kind: Any) -> Any:
    return kind(highlight=False) if sys.stdout.isatty() else kind(width=_WIDE, highlight=False)
