"""``lockgate replay``: a recorded request, sent again and compared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.cli.desk import show_json
from lockgate.cli.log_options import archive
from lockgate.cli.options import JsonOption, give_up

if TYPE_CHECKING:
    from lockgate.app.archive import Archive
    from lockgate.app.replaying import Answered
    from lockgate.records.bodies.store import Bodies
    from lockgate.records.comparing import Side
    from lockgate.records.replay import Again
    from lockgate.records.row import Row

_KEY_VARIABLE = "LOCKGATE_API_KEY"
_KEY_REFUSED = (401, 403)
_BAD_REQUEST = 400


def replay(
    id: Annotated[str, typer.Argument(metavar="ID", help="Of a record, or of the answer or trace it belongs to.")],
    target: Annotated[
        str | None, typer.Option("--target", help="Ask another one: @slug, or @slug/model. [default: as it was]")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", help="Through another config: the slug of a saved one, or JSON. [default: as it was]"),
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, max=100, help="How often.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    allow_redacted: Annotated[
        bool, typer.Option("--allow-redacted", help="Also when something was taken out of the kept body.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option("--url", envvar="LOCKGATE_URL", help="The gateway. [default: where the configuration says]"),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", envvar=_KEY_VARIABLE, help="A key that opens it.", show_envvar=True, show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", envvar="LOCKGATE_CONFIG", help="Configuration file. [default: lockgate.toml, if there]"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send a recorded request through the gateway again, byte for byte, and compare what comes of it.

    The exit status is 1 where a request that was answered well is not any more, however often it is sent.
    """
    from lockgate.records.replay import Wish, prepare

    with archive(file) as at:
        row, bodies = _find(at, id)
        again = prepare(row, bodies, Wish(target=target, config=config, allows_redacted=allow_redacted))
        # what can be prepared has them
        assert bodies is not None
        place = url or _gateway_url(file)
        if dry_run:
            _tell_request(row, again, place, as_json=json)
            return
        if not key:
            give_up(
                f"a key that opens the gateway is needed: --key or {_KEY_VARIABLE}; make one with: lockgate keys create"
            )
        from lockgate.app.replaying import replay as send
        from lockgate.app.replaying import stored_side

        found = send(at, row, again, url=place, key=key, times=times)
        if found[0].status in _KEY_REFUSED and row.status_code not in _KEY_REFUSED:
            give_up(f"the gateway at {place} refused the key: {found[0].answer.decode('utf-8', 'replace')[:300]}")
        _report(row, again, stored_side(row, bodies), found, as_json=json)
        if (row.status_code or 0) < _BAD_REQUEST and all(one.status >= _BAD_REQUEST for one in found):
            raise typer.Exit(1)


def _find(at: Archive, id: str) -> tuple[Row, Bodies | None]:
    entry, rows = at.find(id)
    if entry is None and not rows:
        give_up(f"there is no record with the id {id!r}")
    if entry is None:
        give_up(f"{len(rows)} records belong to {id!r}; say which one by its own id: lockgate logs show {id}")
    return entry.row, at.bodies_of(entry.row)


def _gateway_url(path: Path | None) -> str:
    """Return where the gateway listens, as far as environment and configuration say."""
    from lockgate.store.config_file import ConfigFile

    server = ConfigFile(path or Path("lockgate.toml"), is_required=path is not None).read().server
    host = os.environ.get("LOCKGATE_HOST") or server.host
    port = os.environ.get("LOCKGATE_PORT") or server.port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # only to be connected to
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tell_request(row: Row, again: Again, url: str, *, as_json: bool) -> None:
    sent: Mapping[str, object] = {
        "replay_of": row.id, "method": again.method, "url": url + again.path, "headers": again.headers,
        "body_bytes": len(again.body), "body_sha256": hashlib.sha256(again.body).hexdigest(),
        "is_exact": again.is_exact,
    }  # fmt: skip
    if as_json:
        show_json(sent)
        return
    from lockgate.cli.log_cells import one_line

    typer.echo(f"{again.method} {url}{again.path}")
    for name, value in again.headers:
        typer.echo(one_line(f"  {name}: {value}"))
    typer.echo(f"  and your key, a trace of its own, and x-lockgate-replay-of: {row.id}")
    typer.echo(f"  body: {len(again.body)} bytes, SHA-256 {sent['body_sha256']}, {_exactness(again)}")
    typer.echo("Nothing was sent.")


def _exactness(again: Again) -> str:
    return (
        "byte for byte as the client sent it"
        if again.is_exact
        else "NOT as the client sent it: something was taken out"
    )


def _report(row: Row, again: Again, stored: Side, found: Sequence[Answered], *, as_json: bool) -> None:
    from lockgate.cli import replay_text
    from lockgate.records.comparing import answer_diff

    sides = [answered.side for answered in found]
    diffs = [answer_diff(stored.answer, side.answer) for side in sides]
    if as_json:
        show_json(replay_text.report_json(row, again, stored, found, diffs))
        return
    sent = f"{len(again.body)} bytes, {_exactness(again)}"
    typer.echo(replay_text.report(row, sent, stored, found, diffs))
