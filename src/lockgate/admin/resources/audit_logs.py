"""``/audit-logs``: who changed what, and what was there before and after. Secrets are masked in all of it.

Source: control-plane specification, section 6.5.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Raw, Struct

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing
from lockgate.admin.paging import PageQuery, window
from lockgate.admin.times import write_time
from lockgate.entities import AuditEntry
from lockgate.errors import Forbidden

_DONE = 200
"""An entry is written when a change is committed, so every one of them was answered so."""
_EQUAL = ("method", "uri", "request_id", "resource_type", "resource_id", "action", "client_ip")
"""Filters that are fields of an entry."""


class AuditQuery(PageQuery, frozen=True, kw_only=True):
    """Which entries."""

    start_time: datetime | None = None
    end_time: datetime | None = None
    organisation_id: str | None = None
    workspace_id: str | None = None
    method: str | None = None
    uri: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    user_type: Literal["user", "api_key", "system"] | None = None
    response_status_code: int | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    action: str | None = None
    client_ip: str | None = None
    country: str | None = None


class AuditRecord(Struct, frozen=True, kw_only=True):
    """One change."""

    timestamp: str
    method: str | None
    uri: str | None
    request_id: str | None
    request_body: str
    """What the change led to, as JSON text."""
    query_params: dict[str, str]
    request_headers: dict[str, str]
    user_id: str | None
    """The user's or the key's id, None for the gateway itself."""
    user_type: str
    organisation_id: str | None
    workspace_id: str | None
    response_status_code: int
    resource_type: str
    resource_id: str
    action: str
    client_ip: str | None
    country: str | None
    before: Raw
    after: Raw
    sequence: int
    """From 1, without gaps."""
    digest: str
    """Covers the entry and the digest of the one before it."""


class AuditPage(Struct, frozen=True, kw_only=True):
    """A page of the audit log, the newest first, under both names by which clients look for it."""

    total: int
    records: list[AuditRecord]
    data: list[AuditRecord]
    object: str = "list"


def list_(call: Call[Nothing, AuditQuery]) -> AuditPage:
    """List the changes of the organisation."""
    query, page = call.query, window(call.query, default=50, most=100)
    own = call.principal.organisation_id
    if query.organisation_id not in (None, own):
        raise Forbidden("The key belongs to another organisation", path="organisation_id", wire_code="AB03")
    if query.country is not None or query.response_status_code not in (None, _DONE):
        return AuditPage(total=0, records=[], data=[])
    filters: dict[str, Any] = {name: value for name in _EQUAL if (value := getattr(query, name)) is not None}
    if query.user_id is not None:
        filters["actor_id"] = query.user_id
    if query.user_type is not None:
        filters["actor_kind"] = query.user_type
    with call.view() as view:
        if query.workspace_id is not None:
            filters["workspace_id"] = call.workspace(view, query.workspace_id).id
        entries, total = view.audit_entries(
            page=page.number, size=page.size, since=query.start_time, until=query.end_time, **filters
        )
    records = [_record(entry) for entry in entries]
    return AuditPage(total=total, records=records, data=records)


def _record(entry: AuditEntry) -> AuditRecord:
    return AuditRecord(
        timestamp=write_time(entry.at),
        method=entry.method,
        uri=entry.uri,
        request_id=entry.request_id,
        request_body=bytes(entry.after).decode(),
        query_params={},
        request_headers={},
        user_id=entry.actor_id,
        user_type=entry.actor_kind,
        organisation_id=entry.organisation_id,
        workspace_id=entry.workspace_id,
        response_status_code=_DONE,
        resource_type=entry.resource_type,
        resource_id=entry.resource_id,
        action=entry.action,
        client_ip=entry.client_ip,
        country=None,
        before=entry.before,
        after=entry.after,
        sequence=entry.sequence,
        digest=entry.digest,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/audit-logs",
        access=needs("audit_logs.list", keys=("organisation",)),
        summary="List what was changed, by whom",
        query=AuditQuery,
        reply=AuditPage,
        handler=list_,
    ),
)
