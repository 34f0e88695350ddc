"""``DELETE /logs``: the records of a person, or of a query, for good, with a receipt.

Source: observability specification, section 1.8.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.record_filters import workspace_ids
from lockgate.admin.record_scope import desk_of, reader_of, scope_of
from lockgate.errors import InvalidRequest, NotFound
from lockgate.records.query.language import parse
from lockgate.records.query.tree import Compare, all_of
from lockgate.records.query.workspaces import with_workspace_ids
from lockgate.records.store import Receipt

_MICRO = 1_000_000
_ACCESS = needs("workspaces.update", keys=("organisation", "service"))
"""Of whoever may change the workspace itself: what is deleted nobody brings back."""


class DeletionQuery(Struct, frozen=True, kw_only=True):
    """Which records; one of ``end_user`` and ``query`` must be there, and both must hold."""

    end_user: str | None = None
    """``_user`` of the metadata."""
    query: str | None = None
    """A line of the search box, with conditions on fields only: a text would find what it is in by chance."""
    workspace_id: str | None = None
    """Whose records, by id or slug; a key of the organisation may name several with commas, or ``*``, all of them."""
    reason: str = "asked for"
    """Stands in the receipt for good, so it should name nobody."""

    ignorable: ClassVar[frozenset[str]] = frozenset()
    """A misspelt condition would delete more than was meant, as would an empty one."""
    is_exact: ClassVar[bool] = True


class Deletion(Struct, frozen=True, kw_only=True):
    """The receipt of a deletion. Records are hidden at once, and out of every file of the store within seconds."""

    id: str
    reason: str
    created_us: int
    is_done: bool
    finished_us: int | None
    rows_hidden: int
    rows_removed: int
    bodies_removed: int
    files_rewritten: int
    object: str = "log_deletion"


def delete(call: Call[Nothing, DeletionQuery]) -> Deletion:
    """Delete records with their bodies, texts and feedback."""
    query, desk = call.query, desk_of(call)
    if query.end_user is None and not (query.query or "").strip():
        raise InvalidRequest("Say which records: end_user, or a query", path="end_user")
    scope = scope_of(call, query.workspace_id)
    now_us = int(call.now.timestamp() * _MICRO)
    where = with_workspace_ids(parse(query.query or "", now_us=now_us), workspace_ids(call))
    if query.end_user is not None:
        where = all_of(where, Compare("end_user", "in", (query.end_user,)))
    receipt = desk.delete(where, scope, reason=query.reason, now_us=now_us)
    desk.exports.wake()
    places = sorted(scope.workspaces or ())
    with call.change() as tx:
        for place in places:
            tx.note("delete", "logs", receipt.id, workspace_id=place)
    return _shown(receipt)


def show(call: Call[Nothing, Nothing]) -> Deletion:
    """Show the receipt of a deletion. Its id was told to who asked for it, and cannot be guessed."""
    id = call.parameters["id"]
    receipt = next((found for found in reader_of(call).receipts() if found.id == id), None)
    if receipt is None:
        raise NotFound(f"There is no deletion {id[:100]}", wire_code="AB02")
    return _shown(receipt)


def _shown(receipt: Receipt) -> Deletion:
    return Deletion(**{name: getattr(receipt, name) for name in Receipt.__struct_fields__})


ENDPOINTS = (
    Endpoint(
        method="DELETE", path="/logs", access=_ACCESS, summary="Delete records of a person or a query for good",
        query=DeletionQuery, reply=Deletion, handler=delete,
    ),
    Endpoint(
        method="GET", path="/logs/deletions/{id}", access=_ACCESS, summary="Show the receipt of a deletion of records",
        reply=Deletion, handler=show,
    ),
)  # fmt: skip
