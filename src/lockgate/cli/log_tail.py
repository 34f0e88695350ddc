"""``lockgate logs tail``: records as they arrive."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import structs

from lockgate.cli.log_cells import DEFAULT_COLUMNS, Column, one_line
from lockgate.cli.log_options import QueryArgument, WhoseOption, archive, selection
from lockgate.cli.logs import ColumnsOption, read_columns
from lockgate.cli.options import ConfigOption

if TYPE_CHECKING:
    from lockgate.app.archive import Archive
    from lockgate.records.store import Entry, PageQuery

_AT_ONCE = 200
_WIDTHS = {"time": 23, "model": 24, "slug": 10, "cost": 10, "duration": 8, "key_name": 10}
"""What is usual, so that lines need not move."""


def tail(
    query: QueryArgument = "",
    config: ConfigOption = None,
    workspace: WhoseOption = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=1000, help="How many old ones to begin with.")] = 10,
    columns: ColumnsOption = DEFAULT_COLUMNS,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object in each line.")] = False,
) -> None:
    """Follow records as requests end, of all processes that write into the state folder, until Ctrl-C."""
    shown = read_columns(columns)
    asked = selection(query, workspace=workspace, config=config)
    lines = Lines(shown)
    with archive(config) as at:
        try:
            if not json:
                typer.echo(lines.head())
            for entries, skipped in _arriving(at, asked, last):
                for entry in entries:
                    typer.echo(_json(entry) if json else lines.line(entry))
                if skipped:
                    typer.echo(f"... and {skipped} more that are not shown; narrow the query", err=True)
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise SystemExit(0) from None
        except BrokenPipeError:
            sys.stdout = None
            raise SystemExit(0) from None


class Lines:
    """Lines of a table that nobody knows the end of: a column is as wide as its widest cell so far."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._widths = [max(len(column.name), _WIDTHS.get(column.name, 0)) for column in columns]

    def head(self) -> str:
        """Return the names of the columns."""
        return self._line([column.name for column in self._columns])

    def line(self, entry: Entry) -> str:
        """Return a record."""
        return self._line([one_line(column.read(entry)) or "-" for column in self._columns])

    def _line(self, cells: Sequence[str]) -> str:
        self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)).rstrip()


def _arriving(at: Archive, query: PageQuery, last: int) -> Iterator[tuple[Sequence[Entry], int]]:
    """Yield the last records, the oldest first, then what arrives, each once, and how many were passed by."""
    from lockgate.records.store import Entry

    # the tail begins before the page is read: what arrives in between is in both, and shown once
    tails = at.follow(structs.replace(query, limit=_AT_ONCE), threading.Event().wait)
    old = at.reader.page(structs.replace(query, limit=last)).entries[::-1] if last else ()
    if old:
        yield old, 0
    known = {entry.row.id for entry in old}
    for tail in tails:
        yield [Entry(row) for row in tail.rows if row.id not in known], tail.skipped


def _json(entry: Entry) -> str:
    from lockgate.records.plain import plain

    return msgspec.json.encode(plain(entry.row)).decode()
