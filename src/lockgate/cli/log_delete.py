"""``lockgate logs delete`` and ``deletions``: records that must go, and the receipts of it."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from lockgate.cli.desk import confirm, show_fields, show_json, show_table
from lockgate.cli.keys import SureOption
from lockgate.cli.log_cells import shown_moment
from lockgate.cli.log_options import QueryArgument, WhoseOption, archive, note_done, selection
from lockgate.cli.options import ConfigOption, JsonOption, give_up

if TYPE_CHECKING:
    from lockgate.records.query.tree import Node
    from lockgate.records.store import Receipt

_WAIT_S = 180.0
"""A gateway that runs applies deletions every minute."""


def delete(
    query: QueryArgument = "",
    config: ConfigOption = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Everything of an end user (_user of the metadata).")
    ] = None,
    workspace: WhoseOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Stands in the receipt; name nobody.")] = "asked for",
    yes: SureOption = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until they are out of every file. Hidden they are at once.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Delete records with their bodies, texts and feedback for good, and print the receipt. Sums stay."""
    if not query.strip() and user is None:
        give_up("say which records: --user NAME, or a query")
    asked = selection(query, workspace=workspace, config=config)
    where = _with_user(asked.filter, user)
    with archive(config) as at:
        count = at.reader.count(msgspec.structs.replace(asked, filter=where))
        whose = f" of {user!r}" if user is not None else ""
        confirm(f"Delete {count} records{whose} for good?", is_sure=yes)
        receipt = at.delete(where, asked.scope, reason=reason)
        note_done(config, "delete", receipt.id)
        if wait:
            if sys.stderr.isatty():
                typer.echo(
                    f"{receipt.rows_hidden} records are hidden; they are being removed from the files ...", err=True
                )
            receipt = at.apply_deletion(receipt.id, threading.Event().wait, timeout_s=_WAIT_S)
    show_json(receipt) if json else _show(receipt)
    if wait and not receipt.is_done:
        give_up("the records are hidden, but not yet out of the files; look again with: lockgate logs deletions")


def deletions(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the receipts of deletions, the newest first."""
    with archive(config) as at:
        found = at.reader.receipts()
    if json:
        show_json(found)
        return
    show_table(
        ("id", "asked", "done", "hidden", "removed", "bodies", "files", "reason"),
        [
            (
                each.id, shown_moment(each.created_us), _done(each), each.rows_hidden, each.rows_removed,
                each.bodies_removed, each.files_rewritten, each.reason,
            )
            for each in found
        ],
        nothing="nothing was ever deleted",
    )  # fmt: skip


def _with_user(where: Node, user: str | None) -> Node:
    from lockgate.records.query.tree import Compare, all_of

    return where if user is None else all_of(where, Compare("end_user", "in", (user,)))


def _show(receipt: Receipt) -> None:
    show_fields(
        [
            ("receipt", receipt.id),
            ("reason", receipt.reason),
            ("asked", shown_moment(receipt.created_us)),
            ("done", _done(receipt)),
            ("records hidden", receipt.rows_hidden),
            ("records removed", receipt.rows_removed),
            ("bodies removed", receipt.bodies_removed),
            ("files rewritten", receipt.files_rewritten),
        ]
    )


def _done(receipt: Receipt) -> str:
    return shown_moment(receipt.finished_us) if receipt.finished_us is not None else "not yet"
