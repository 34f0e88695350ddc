"""``lockgate logs export``: all records of a query into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from lockgate.cli.desk import show_json
from lockgate.cli.log_options import QueryArgument, SinceOption, UntilOption, WhoseOption, archive, selection
from lockgate.cli.options import ConfigOption, JsonOption, give_up
from lockgate.cli.progress import progress
from lockgate.errors import InvalidRequest

if TYPE_CHECKING:
    from lockgate.records.exports.export import Exported, Source
    from lockgate.records.exports.items import Column
    from lockgate.records.exports.writers import Format
    from lockgate.records.store import PageQuery

_ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


def export(
    query: QueryArgument = "",
    config: ConfigOption = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="jsonl, csv or parquet. [default: by the file's ending, or jsonl]"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; .gz at its end compresses it. [default: print it]"),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    workspace: WhoseOption = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Columns and meta.KEY, with commas; all of the record when left out."),
    ] = None,
    bodies: Annotated[bool, typer.Option("--bodies", help="With what is kept of requests and answers.")] = False,
    json: JsonOption = False,
) -> None:
    """Write all records of a query, the oldest first, as JSON lines, CSV or Parquet, however many they are."""
    chosen = format_of(format, output)
    wanted = _columns(columns, bodies=bodies)
    asked = selection(query, since=since, until=until, workspace=workspace, config=config)
    with archive(config) as at:
        from lockgate.records.exports.export import Source

        source = Source(at.reader, at.bodies_of)
        if output is None or str(output) == "-":
            _print(source, asked, wanted, chosen)
            return
        made = _write(source, asked, wanted, chosen, output)
    if json:
        show_json(
            {"file": str(output), "format": chosen, "rows": made.rows, "size_bytes": made.size_bytes,
             "sha256": made.sha256, "query": query, "since": since, "until": until,
             "columns": [column.name for column in wanted]}
        )  # fmt: skip
        return
    typer.echo(f"{made.rows} records are in {output} ({made.size_bytes} bytes, SHA-256 {made.sha256})")


def _write(source: Source, query: PageQuery, columns: tuple[Column, ...], format: Format, output: Path) -> Exported:
    from lockgate.records.exports.export import export_to_file

    total = source.reader.count(query) if sys.stderr.isatty() else None
    try:
        with progress("exporting", total) as done:
            return export_to_file(source, query, columns, output, format, progress=done)
    except OSError as error:
        give_up(f"cannot write {output}: {error.strerror or error}; nothing was changed")


def _print(source: Source, query: PageQuery, columns: tuple[Column, ...], format: Format) -> None:
    from lockgate.records.exports.export import export_to

    if format == "parquet":
        give_up("Parquet cannot be printed; name a file with --output")
    stdout: BinaryIO = sys.stdout.buffer
    try:
        export_to(source, query, columns, stdout, format)
        stdout.flush()
    except BrokenPipeError:
        # who reads has enough; what Python would still flush at its end goes nowhere
        sys.stdout = None
        raise SystemExit(0) from None


def format_of(format: str | None, output: Path | None, *, option: str = "--output") -> Format:
    """Return a format by its name, else by the ending of a file. Gives up when neither says one."""
    from lockgate.records.exports.writers import FORMATS

    if format is None:
        name = output.name.removesuffix(".gz") if output is not None else ""
        ending = Path(name).suffix
        format = _ENDINGS.get(ending) if ending else "jsonl"
        if format is None:
            give_up(f"{option}: no format belongs to {ending}; say one with --format: {', '.join(FORMATS)}")
    found = next((each for each in FORMATS if each == format), None)
    if found is None:
        give_up(f"--format: {format!r} is none of {', '.join(FORMATS)}")
    if found == "parquet" and output is not None and output.suffix == ".gz":
        give_up(f"{option}: Parquet is compressed already; leave out .gz")
    return found


def _columns(names: str | None, *, bodies: bool) -> tuple[Column, ...]:
    from lockgate.records.exports import items

    chosen = [name.strip() for name in names.split(",") if name.strip()] if names else list(items.DEFAULT)
    chosen += [name for name in items.BODIES if bodies and name not in chosen]
    try:
        return items.columns_of(chosen)
    except InvalidRequest as error:
        give_up(f"--columns: {error}")
