"""``lockgate routes``: what routing configs would do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from msgspec import structs

from lockgate.cli.desk import show_table
from lockgate.cli.log_cells import shown_money
from lockgate.cli.log_options import QueryArgument, SinceOption, UntilOption, WhoseOption, archive, selection
from lockgate.cli.options import ConfigOption
from lockgate.errors import GatewayError, InvalidConfig, InvalidRequest

if TYPE_CHECKING:
    from lockgate.app.archive import Archive
    from lockgate.app.rehearsing import Rehearsal
    from lockgate.records.row import Row
    from lockgate.records.store import PageQuery

routes = typer.Typer(help="See what routing configs would do.", no_args_is_help=True)
_MOST_STATUS = 599
_MOST_REASONS = 5


@routes.callback()
def group() -> None:
    """See what routing configs would do."""


@routes.command()
def explain(
    context: typer.Context,
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="A JSON file, JSON text, or the slug of a saved config, with @ and a version."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", envvar="LOCKGATE_CONFIG", help="Configuration file. [default: lockgate.toml, if there]"
        ),
    ] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", help="Slug or id of the workspace; the default one when left out.")
    ] = None,
    path: Annotated[str, typer.Option("--path", help="The request's path.")] = "/v1/chat/completions",
    body: Annotated[
        str | None, typer.Option("--body", help="The request's body: a JSON file, JSON text, or - to read it.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The body's model, when it names none.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", help="NAME=VALUE of the metadata; may be repeated.")
    ] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="NAME:VALUE; may be repeated.")] = None,
    status: Annotated[
        list[int] | None,
        typer.Option("--status", "-s", help="What each try might end with, 0: a lost connection; may be repeated."),
    ] = None,
    roll: Annotated[
        float, typer.Option("--roll", help="What the dice of a load balancer show, from 0 to below 1.")
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which target a config would choose for a request and what would follow if it failed. Nothing is sent.

    Ends with 1 when no target can be chosen, or one names a provider that is not there.
    """
    import msgspec

    from lockgate.app.explain_text import write_explanation
    from lockgate.app.offline import explain_offline, offline_snapshot
    from lockgate.plan.explain import described_of

    try:
        described = described_of(
            path=path,
            headers=_pairs(header or [], ":", "--header"),
            metadata=_pairs(metadata or [], "=", "--metadata"),
            body=_read(body, "--body") if body is not None else None,
            model=model,
            roll=_checked(roll),
        )
        text = _read(config, "CONFIG").decode("utf-8", "replace") if _is_text(config) else config
        snapshot = offline_snapshot(file, os.environ, context.obj())
        explained = explain_offline(text, described, _statuses(status), snapshot=snapshot, workspace=workspace)
    except InvalidConfig as error:
        _give_up("; ".join(f"{fault.path}: {fault.what}" if fault.path else fault.what for fault in error.faults))
    except GatewayError as error:
        _give_up(str(error))
    typer.echo(msgspec.json.format(msgspec.json.encode(explained)).decode() if json else write_explanation(explained))
    if explained.target is None or explained.missing_providers:
        raise SystemExit(1)


@routes.command()
def rehearse(
    context: typer.Context,
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="A JSON file, JSON text, or the slug of a saved config, with @ and a version."
        ),
    ],
    query: QueryArgument = "",
    file: ConfigOption = None,
    since: SinceOption = "7d",
    until: UntilOption = None,
    workspace: WhoseOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the dice of load balancers.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell who would have served the recorded requests of the last week under a config. Nothing is sent.

    Ends with 1 when a target names a provider that is not there.
    """
    import msgspec

    from lockgate.app.offline import offline_routes, offline_snapshot
    from lockgate.app.rehearsing import rehearse as rehearse_rows
    from lockgate.plan.explain import missing_records

    asked = selection(query, since=since, until=until, workspace=workspace, config=file)
    try:
        text = _read(config, "CONFIG").decode("utf-8", "replace") if _is_text(config) else config
        snapshot = offline_snapshot(file, os.environ, context.obj())
        place, compiled = offline_routes(text, snapshot, workspace)
    except InvalidConfig as error:
        _give_up("; ".join(f"{fault.path}: {fault.what}" if fault.path else fault.what for fault in error.faults))
    except GatewayError as error:
        _give_up(str(error))
    with archive(file) as at:
        found = rehearse_rows(compiled, _rows(at, asked), missing=missing_records(compiled, place), seed=seed)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        _show_rehearsal(found)
    if found.missing_providers:
        raise SystemExit(1)


def _show_rehearsal(found: Rehearsal) -> None:
    show_table(
        ["target", "provider", "requests", "share", "from others", "tokens", "cost", "because"],
        [
            [
                share.path,
                share.provider,
                share.requests,
                f"{100 * share.requests / found.requests:.1f} %",
                share.moved,
                share.tokens,
                shown_money(share.cost_nano),
                "; ".join(f"{why}: {count}" for why, count in list(share.because.items())[:_MOST_REASONS]),
            ]
            for share in found.shares
        ],
        nothing="there are no such records of model calls",
    )
    for name in found.unknown:
        typer.echo(f"records do not hold {name}: it counted as missing", err=True)
    for name in found.missing_providers:
        typer.echo(f"missing {name}: there is no such provider, so what its target got would have failed", err=True)


def _rows(at: Archive, asked: PageQuery) -> Iterator[Row]:
    """Yield all rows that are selected."""
    from lockgate.records.store import MAX_PAGE

    cursor: str | None = None
    while True:
        page = at.reader.page(structs.replace(asked, limit=MAX_PAGE, cursor=cursor))
        for entry in page.entries:
            yield entry.row
        cursor = page.next_cursor
        if cursor is None:
            return


def _is_text(config: str) -> bool:
    """Tell whether an argument is a config itself, or the file that holds one; else it is a slug."""
    return config.lstrip().startswith("{") or Path(config).is_file() or config.endswith(".json")


def _read(argument: str, what: str) -> bytes:
    """Return what an argument says, holds or names. Raises InvalidRequest."""
    if argument.lstrip().startswith("{"):
        return argument.encode("utf-8", "surrogateescape")
    try:
        return sys.stdin.buffer.read() if argument == "-" else Path(argument).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{what}: cannot read {argument}: {error.strerror}") from None


def _pairs(arguments: list[str], between: str, what: str) -> dict[str, str]:
    pairs = {}
    for argument in arguments:
        name, found, value = argument.partition(between)
        if not found or not name.strip():
            raise InvalidRequest(f"{what}: expected NAME{between}VALUE, got {argument!r}")
        pairs[name.strip()] = value.strip()
    return pairs


def _statuses(given: list[int] | None) -> tuple[int, ...] | None:
    for status in given or ():
        if status and not 100 <= status <= _MOST_STATUS:
            raise InvalidRequest(f"--status: must be 0 or a status from 100 to 599, got {status}")
    return tuple(given) if given else None


def _checked(roll: float) -> float:
    if not 0 <= roll < 1:
        raise InvalidRequest(f"--roll: must be from 0 to below 1, got {roll:g}")
    return roll


def _give_up(message: str) -> NoReturn:
    typer.echo(f"lockgate: {message}", err=True)
    raise SystemExit(1)
