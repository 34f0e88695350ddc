"""``lockgate logs``: the records of requests, searched and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer
from msgspec import structs

from lockgate.cli.desk import show_json, show_table
from lockgate.cli.log_cells import DEFAULT_COLUMNS, Column, columns_of, one_line
from lockgate.cli.log_options import (
    QueryArgument,
    SinceOption,
    UntilOption,
    WhoseOption,
    archive,
    note_missing,
    scope_of,
    selection,
)
from lockgate.cli.options import ConfigOption, JsonOption, give_up
from lockgate.errors import InvalidRequest

if TYPE_CHECKING:
    from lockgate.app.archive import Archive
    from lockgate.records.row import Row
    from lockgate.records.store import Entry, PageQuery, SortField

logs = typer.Typer(help="Search, follow, export and delete the records of requests.", no_args_is_help=True)
_SORTS = ("started_us", "duration_us", "cost_nano", "total_tokens", "ttft_us", "overhead_us")
_MOST_CHOICES = 20

ColumnsOption = Annotated[
    str,
    typer.Option(
        "--columns", help="What to show: fields of filters, meta.KEY, request_preview, response_preview; with commas."
    ),
]


@logs.callback()
def group() -> None:
    """Search, follow, export and delete the records of requests."""


@logs.command()
def search(
    query: QueryArgument = "",
    config: ConfigOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    workspace: WhoseOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    sort: Annotated[str, typer.Option("--sort", help="By time, duration, cost, tokens, ttft or overhead.")] = "time",
    ascending: Annotated[bool, typer.Option("--ascending", help="The oldest or smallest first.")] = False,
    columns: ColumnsOption = DEFAULT_COLUMNS,
    json: JsonOption = False,
) -> None:
    """Find records, the newest first. The language of queries is in docs/how-to/filter-records.md."""
    shown = read_columns(columns)
    asked = selection(query, since=since, until=until, workspace=workspace, config=config)
    asked = structs.replace(asked, sort=_sort(sort), is_ascending=ascending)
    with archive(config) as at:
        entries, next_cursor = _pages(at, asked, limit)
        note_missing(at, asked)
    if json:
        from lockgate.records.plain import plain

        show_json({"object": "list", "data": [plain(entry.row) for entry in entries], "next_cursor": next_cursor})
        return
    show_table(
        [column.name for column in shown],
        [[one_line(column.read(entry)) for column in shown] for entry in entries],
        nothing="there are no such records",
    )
    if next_cursor is not None:
        typer.echo(f"there are more than {limit}; see more with --limit, or narrow the query", err=True)


@logs.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="Of a record, response, trace, span, session or request.")],
    config: ConfigOption = None,
    workspace: WhoseOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the record, and below bodies what is kept.")
    ] = False,
) -> None:
    """Show a record: its attempts, where its time went, tokens, cost and what is kept of its bodies."""
    scope = scope_of(workspace, config)
    with archive(config) as at:
        entry, rows = at.find(id, scope)
        if entry is None and not rows:
            give_up(
                f"there is no record with the id {id!r}, nor one that belongs to a trace, response or request of it"
            )
        if entry is None:
            _choose(rows, id, as_json=json)
            return
        bodies = at.bodies_of(entry.row)
    if json:
        from lockgate.cli.log_json import record_json

        show_json(record_json(entry, bodies))
        return
    from lockgate.cli.log_pages import record_page
    from lockgate.records.replay import why_no_bodies

    typer.echo(record_page(entry, bodies, why_no_bodies(entry.row)))


def read_columns(columns: str) -> Sequence[Column]:
    """Return the columns of an option. Gives up when one of them is none."""
    try:
        found = columns_of(columns)
    except InvalidRequest as error:
        give_up(f"--columns: {error}")
    return found or columns_of(DEFAULT_COLUMNS)


def _sort(name: str) -> SortField:
    from lockgate.records.query.fields import find_field

    field = find_field(name)
    if field is None or field.column not in _SORTS:
        give_up(f"--sort: {name!r} is none of time, duration, cost, tokens, ttft, overhead")
    return cast("SortField", field.column)


def _pages(at: Archive, query: PageQuery, limit: int) -> tuple[list[Entry], str | None]:
    from lockgate.records.store import MAX_PAGE

    found: list[Entry] = []
    cursor: str | None = None
    while len(found) < limit:
        size = min(MAX_PAGE, limit - len(found))
        page = at.reader.page(structs.replace(query, limit=size, cursor=cursor))
        found += page.entries
        cursor = page.next_cursor
        if cursor is None:
            break
    return found, cursor


def _choose(rows: Sequence[Row], id: str, *, as_json: bool) -> None:
    """Several records have an id, as those of a trace do: list them."""
    if as_json:
        from lockgate.records.plain import plain

        show_json({"object": "list", "data": [plain(row) for row in rows], "next_cursor": None})
        return
    from lockgate.cli.log_pages import moment_line

    typer.echo(f"{len(rows)} records belong to {id}; show one by its own id:")
    for row in rows[:_MOST_CHOICES]:
        typer.echo(f"  {moment_line(row)}")
    if len(rows) > _MOST_CHOICES:
        typer.echo(f"  and {len(rows) - _MOST_CHOICES} more: lockgate logs search 'trace:{id}'")
