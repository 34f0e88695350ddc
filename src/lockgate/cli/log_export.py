"""``lockgate logs export``: all records of a query into a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from lockgate.cli.desk import show_json
from lockgate.cli.log_options import (
    QueryArgument,
    SinceOption,
    UntilOption,
    WhoseOption,
    archive,
    note_missing,
    selection,
)
from lockgate.cli.options import ConfigOption, JsonOption, give_up
from lockgate.cli.progress import progress
from lockgate.errors import GatewayError, InvalidRequest

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
    flatten: Annotated[
        bool, typer.Option("--flatten-metadata", help="Each key of the metadata in a column of its own, meta.KEY.")
    ] = False,
    manifest: Annotated[
        bool, typer.Option("--manifest", help="Write NAME.manifest.json beside one file too, not only beside parts.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write all records of a query, the oldest first, as JSON lines, CSV or Parquet, however many they are.

    After 1,000,000 records or 1 GB a new part begins: NAME.00001.jsonl and so on, with NAME.manifest.json.
    """
    chosen = format_of(format, output)
    is_printed = output is None or str(output) == "-"
    if manifest and is_printed:
        give_up("--manifest: name a file with --output")
    wanted = _columns(columns, bodies=bodies)
    asked = selection(query, since=since, until=until, workspace=workspace, config=config)
    with archive(config) as at:
        from lockgate.records.exports.export import Source

        source = Source(at.reader, at.bodies_of)
        note_missing(at, asked)
        if flatten:
            wanted = _flat(source, asked, wanted)
        if output is None or is_printed:
            _print(source, asked, wanted, chosen)
            return
        made = _write(source, asked, wanted, chosen, output, text=query, with_manifest=manifest)
    if json:
        shown = {
            "file": str(output), "format": chosen, "rows": made.rows, "size_bytes": made.size_bytes,
            "sha256": made.sha256, "query": query, "since": since, "until": until,
            "columns": [column.name for column in wanted],
        }  # fmt: skip
        show_json(shown if made.manifest is None else {**shown, "parts": made.parts, "manifest": made.manifest})
        return
    typer.echo(_told(made, output))


def _told(made: Exported, output: Path) -> str:
    if len(made.parts) == 1:
        beside = f"; {made.manifest} beside it says so" if made.manifest is not None else ""
        return f"{made.rows} records are in {output} ({made.size_bytes} bytes, SHA-256 {made.sha256}){beside}"
    first, last = output.with_name(made.parts[0].name), made.parts[-1].name
    return (
        f"{made.rows} records are in {len(made.parts)} parts, {first} to {last} ({made.size_bytes} bytes); "
        f"{made.manifest} lists them"
    )


def _write(
    source: Source, query: PageQuery, columns: tuple[Column, ...], format: Format, output: Path, *, text: str,
    with_manifest: bool,
) -> Exported:  # fmt: skip
    from lockgate.records.exports.export import export_to_file
    from lockgate.records.exports.manifest import Part, asked_of

    whole: list[Part] = []
    total = source.reader.count(query) if sys.stderr.isatty() else None
    try:
        with progress("exporting", total) as done:
            return export_to_file(
                source, query, columns, output, format, progress=done, placed=whole.append,
                asked=asked_of(query, text), with_manifest=with_manifest,
            )  # fmt: skip
    except (OSError, GatewayError) as error:
        if not whole and isinstance(error, GatewayError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        left = "nothing was changed"
        if whole:
            left = f"{len(whole)} parts are whole and stay, {whole[0].name} to {whole[-1].name}; there is no manifest"
        give_up(f"cannot write {output}: {reason}; {left}")


def _flat(source: Source, query: PageQuery, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns with those of all keys that the records' metadata have in place of ``metadata``."""
    from lockgate.records.exports.items import flattened

    with progress("looking for keys of metadata", None) as done:
        keys: set[str] = set()
        rows = 0
        for batch in source.reader.scan(query):
            keys.update(*(entry.row.metadata for entry in batch))
            rows += len(batch)
            done(rows)
    return flattened(columns, sorted(keys))


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
