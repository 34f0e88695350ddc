"""``lockgate logs import``: what ``lockgate logs export`` wrote, read back."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import structs

from lockgate.cli.desk import desk, show_json
from lockgate.cli.log_export import format_of
from lockgate.cli.log_options import archive, note_done, scope_of
from lockgate.cli.options import ConfigOption, JsonOption, give_up
from lockgate.cli.progress import progress
from lockgate.core.plain_text import printable
from lockgate.errors import ConfigError, InvalidRequest

if TYPE_CHECKING:
    from lockgate.app.importer import Importer, Report
    from lockgate.records.exports.writers import Format

_MAX_NOTE = 200
_INTERRUPTED = 130


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Exports: .jsonl, .csv (.gz too), .parquet; NAME.manifest.json stands for its parts.",
        ),
    ],
    config: ConfigOption = None,
    format: Annotated[
        str | None, typer.Option("--format", "-f", help="jsonl, csv or parquet. [default: by each file's ending]")
    ] = None,
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", "-w", help="Slug or id of the workspace they all become. [default: as they say]"),
    ] = None,
    keep_workspace: Annotated[
        bool, typer.Option("--keep-workspace", help="Take records of workspaces that are not here, as they are.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check the files; keep nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Bring records of exports back, with what the files hold of their bodies; records that are there stay as they are.

    A record that cannot be read is told and left out, and the command ends with 1. Budgets are not charged.
    """
    files, formats = _parts(files, format)
    scope = scope_of(workspace, config)
    owner = next(iter(scope.workspaces)) if scope.workspaces else None
    workspaces = None
    if owner is None and not keep_workspace:
        with desk(config) as office:
            workspaces = {str(each["id"]) for each in office.list("/admin/workspaces")}
    with archive(config, may_begin=True) as at:
        from lockgate.app.importer import Importer, with_sums
        from lockgate.plan.compile import compile_recording

        try:
            rules = compile_recording(at.settings).rules
        except ConfigError as error:
            give_up(str(error))
        importer = Importer(at, rules, workspace_id=owner, workspaces=workspaces, is_rehearsal=dry_run)
        reports = [
            _import(importer, path, each, is_rehearsal=dry_run) for path, each in zip(files, formats, strict=True)
        ]
        days = at.settings.days
    total = with_sums(reports)
    if total.new:
        note_done(config, "import", ", ".join(path.name for path in files)[:_MAX_NOTE])
    if json:
        show_json(
            {"files": [{"file": str(path), **_counts(one)} for path, one in zip(files, reports, strict=True)],
             "is_dry_run": dry_run, **_counts(total)}
        )  # fmt: skip
    else:
        typer.echo(_told(total, days, is_rehearsal=dry_run))
    for path, report in zip(files, reports, strict=True):
        for fault in report.faults:
            alike = f" ({fault.more} more like it)" if fault.more else ""
            typer.echo(f"{path}: {fault.place}: {printable(fault.message)}{alike}", err=True)
        told = sum(1 + fault.more for fault in report.faults)
        if report.refused > told:
            typer.echo(f"{path}: and {report.refused - told} more", err=True)
    if total.refused:
        raise typer.Exit(1)


def _parts(files: list[Path], format: str | None) -> tuple[list[Path], list[Format]]:
    """Return files with their formats, the checked parts of a manifest in its place. Gives up on what is missing."""
    from lockgate.records.exports.manifest import ENDING

    found: list[Path] = []
    formats: list[Format] = []
    for path in files:
        if str(path) == "-":
            path = Path("/dev/stdin")
        if path.name.endswith(ENDING):
            parts, its_format = _of_manifest(path)
            found += parts
            formats += [its_format] * len(parts)
            continue
        formats.append(format_of(format, path, option=str(path)))
        found.append(path)
    for path, its_format in zip(found, formats, strict=True):
        if path.is_dir():
            give_up(f"{path} is a folder; name the files in it")
        if not path.exists():
            give_up(f"there is no file {path}")
        if its_format == "parquet" and not path.is_file():
            give_up(f"{path}: Parquet is read from a file, not from a pipe")
    return found, formats


def _of_manifest(path: Path) -> tuple[list[Path], Format]:
    """Return the parts of a manifest. Gives up when one is not as it was written."""
    from lockgate.records.exports.manifest import check_parts, read_manifest
    from lockgate.records.imports.readers import count

    try:
        manifest = read_manifest(path)
        parts = check_parts(path.parent, manifest)
        with TemporaryDirectory(prefix="lockgate-") as temp, progress(f"checking {path.name}", manifest.rows) as done:
            rows = 0
            for part, file in zip(manifest.parts, parts, strict=True):
                found = count(file, manifest.format, Path(temp))
                if found != part.rows:
                    give_up(f"{path}: {part.name} has {found} records, not {part.rows}; nothing is imported")
                rows += found
                done(rows)
    except InvalidRequest as error:
        give_up(f"{path}: {printable(str(error))}; nothing is imported")
    except OSError as error:
        give_up(f"cannot read {path}: {error.strerror or error}")
    return parts, manifest.format


def _import(importer: Importer, path: Path, format: Format, *, is_rehearsal: bool) -> Report:
    again = "nothing is kept" if is_rehearsal else "what came before it is kept, and may be imported again"
    try:
        with progress(f"importing {path.name}", None) as done:
            return importer.run(path, format, done)
    except InvalidRequest as error:
        give_up(f"{path}: {printable(str(error))}; {again}")
    except OSError as error:
        give_up(f"cannot read {path}: {error.strerror or error}; {again}")
    except KeyboardInterrupt:
        typer.echo(f"{path}: stopped; {again}", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def _counts(report: Report) -> dict[str, object]:
    return {
        "read": report.read, "new": report.new, "known": report.known, "deleted": report.deleted,
        "refused": report.refused, "older_than_kept": report.old,
        "faults": [structs.asdict(fault) for fault in report.faults],
    }  # fmt: skip


def _told(total: Report, days: int, *, is_rehearsal: bool) -> str:
    if is_rehearsal:
        would = f"{total.new} records would be imported, {total.known} are there already"
        lines = [f"{would}, {total.refused} could not be read; nothing is kept"]
    else:
        lines = [f"{total.new} records are imported, {total.known} were there already"]
        if total.deleted:
            lines.append(f"{total.deleted} were deleted for good before, and stay so")
        if total.refused:
            lines.append(f"{total.refused} could not be read and are left out")
    if total.old:
        lines.append(
            f"{total.old} are older than the {days} days that records are kept (records.days) and go again soon"
        )
    return "\n".join(lines)
