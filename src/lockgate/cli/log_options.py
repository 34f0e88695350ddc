"""What commands on records share: which of them are meant, and how a mistake in a query is shown."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.cli.desk import desk
from lockgate.cli.options import give_up, state_folder
from lockgate.core.plain_text import printable
from lockgate.errors import BadFilter, GatewayError

if TYPE_CHECKING:
    from lockgate.app.archive import Archive
    from lockgate.entities import AuditAction
    from lockgate.records.query.tree import Node
    from lockgate.records.store import PageQuery, Scope

QueryArgument = Annotated[
    str, typer.Argument(metavar="[QUERY]", help="Such as 'status>=500 model:claude* cost>0.05 \"refund policy\"'.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="From when on: 90s, 15m, 24h, 7d, or 2026-11-22T09:30 in UTC.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Until when, in the same ways.")]
WhoseOption = Annotated[
    str | None, typer.Option("--workspace", "-w", help="Slug or id of a workspace; all of them when left out.")
]
_AGO = re.compile(r"^\d+(?:\.\d+)?(?:s|m|h|d)$")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|default$")
_WINDOW = 70


@contextmanager
def archive(config: Path | None, *, may_begin: bool = False) -> Iterator[Archive]:
    """Open the records of the state folder. Gives up when there are none, and with what is refused of them."""
    from lockgate.app.archive import Archive

    try:
        opened = Archive(state_folder(), config_path=config, may_begin=may_begin)
    except GatewayError as error:
        give_up(str(error))
    try:
        yield opened
    except GatewayError as error:
        give_up(str(error))
    finally:
        opened.close()


def selection(
    query: str, *, since: str | None = None, until: str | None = None, workspace: str | None, config: Path | None
) -> PageQuery:
    """Return what a query and options select. Gives up when one of them is wrong, and shows where."""
    from lockgate.records.query.language import parse
    from lockgate.records.row import FAR_FUTURE_US
    from lockgate.records.store import PageQuery

    now_us = time.time_ns() // 1000
    try:
        where = parse(query, now_us=now_us)
    except BadFilter as error:
        give_up(f"{_without_place(error)}\n{pointed_at(query, error.start, error.end)}")
    from_us = moment_of(since, "--since", now_us) if since else 0
    to_us = moment_of(until, "--until", now_us) if until else FAR_FUTURE_US
    if from_us >= to_us:
        give_up("--since is not before --until")
    where = _with_workspace_ids(where, config)
    return PageQuery(scope=scope_of(workspace, config), filter=where, from_us=from_us, to_us=to_us)


def _with_workspace_ids(where: Node, config: Path | None) -> Node:
    """Return a filter that finds workspaces by their slugs too. Gives up when it names one that is not there."""
    from lockgate.config.converting import nearest
    from lockgate.records.query.workspaces import has_workspaces, named_workspaces, with_workspace_ids

    if not has_workspaces(where):
        return where
    with desk(config) as at:
        ids = {each["slug"]: each["id"] for each in at.list("/admin/workspaces")}
    for name in named_workspaces(where):
        # the id of one that is deleted still has records
        if name not in ids and name not in ids.values() and not _ID.match(name):
            hint = nearest(name, ids) or f"; there are: {', '.join(sorted(ids))}"
            give_up(f"workspace:{name}: there is no such workspace{hint}")
    return with_workspace_ids(where, ids)


def moment_of(text: str, option: str, now_us: int) -> int:
    """Return a moment in microseconds: so long ago, or a date. Gives up when it is neither."""
    from lockgate.records.query.fields import read_moment

    try:
        return read_moment(f"-{text}" if _AGO.match(text) else text, now_us)
    except ValueError:
        give_up(
            f"{option}: {text!r} is neither a time ago such as 15m, 24h or 7d nor a moment such as 2026-11-22T09:30"
        )


def scope_of(workspace: str | None, config: Path | None) -> Scope:
    """Return whose records are meant: a workspace's, else everybody's."""
    from lockgate.records.store import ALL, Scope

    if workspace is None:
        return ALL
    with desk(config) as at:
        return Scope(workspaces=frozenset({at.one("/admin/workspaces", workspace, "workspace")["id"]}))


def note_missing(at: Archive, query: PageQuery) -> None:
    """Tell of what was lost with a damaged file, where a query asks for its time."""
    from lockgate.records.embedded.sealed_healing import told

    for missing in at.reader.missing():
        if missing.to_us >= query.from_us and missing.from_us < query.to_us:
            typer.echo(f"note: {told(missing)}", err=True)


def note_done(config: Path | None, action: AuditAction, id: str) -> None:
    """Write into the audit log what was done to records; it is done whether or not that can be written."""
    from lockgate.app.office import Office

    try:
        with Office(config_path=config, home=state_folder(), environment=os.environ) as office:
            office.note(action, "logs", id)
    except GatewayError as error:
        typer.echo(f"note: this is not in the audit log: {error}", err=True)


def pointed_at(text: str, start: int, end: int) -> str:
    """Return the part of a query around a mistake, with a line below that points at it."""
    first = max(0, min(start, len(text)) - _WINDOW // 2)
    shown = printable(text[first : first + _WINDOW])
    length = max(1, min(end, first + _WINDOW) - start)
    return f"  {shown}\n  {' ' * (start - first)}{'^' * length}"


def _without_place(error: BadFilter) -> str:
    return str(error).removesuffix(f" (characters {error.start} to {error.end})")
