"""``/logs/exports``: jobs that write records into files, all that a filter selects, however many.

A job is made, changed while it waits, started, and fetched by links that hold for a quarter of an hour: one for each
part and one for the manifest of several parts. It survives a restart: what was under way begins again. Results are
kept for 30 days. ``requested_data`` are Portkey's names (``id``,
``trace_id``, ``created_at``, ``request``, ``response``, ``is_success``, ``ai_org``, ``ai_model``, ``req_units``,
``res_units``, ``total_units``, ``request_url``, ``cost`` in cents, ``cost_currency``, ``response_time`` in
milliseconds, ``response_status_code``, ``mode``, ``config``, ``prompt_slug``, ``metadata``), the columns of records,
and ``meta.KEY``.
Source: control-plane specification, section 6.3.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from lockgate.admin.access import PUBLIC, needs
from lockgate.admin.call import Call
from lockgate.admin.endpoint import Endpoint, Nothing, Streamed
from lockgate.admin.log_content import VIEW_CONTENT, may_see_content
from lockgate.admin.record_filters import MICRO, workspace_ids
from lockgate.admin.record_scope import EVERY_WORKSPACE, desk_of, reader_of, scope_of
from lockgate.admin.times import write_time
from lockgate.entities import Organisation
from lockgate.errors import Forbidden, InvalidRequest, NotFound
from lockgate.records.exports.book import WAITING, Job
from lockgate.records.exports.items import needs_bodies
from lockgate.records.exports.jobs import LINK_S, NO_RESULT, Exports, check_filters, selected
from lockgate.records.exports.portkey import DEFAULT, FIELDS, denied_by, fields_of
from lockgate.records.exports.writers import Format
from lockgate.records.query.workspaces import named_workspaces
from lockgate.records.slots import moment
from lockgate.records.store import Scope

_ACCESS = needs("logs.export")
_PIECE_BYTES = 256 * 1024
_TYPES = {"jsonl": b"application/x-ndjson", "csv": b"text/csv; charset=utf-8", "parquet": b"application/octet-stream"}


class ExportBody(Struct, frozen=True, kw_only=True):
    """What to write. Of a change, what is left out stays."""

    workspace_id: str | None = None
    """Whose records, by id or slug; a key of the organisation may say ``*``, all of them. Fixed once it is made."""
    filters: dict[str, Any] | UnsetType = UNSET
    """Portkey's filters by name, ``query`` (a line of the search box), ``page_size`` with ``current_page``."""
    requested_data: Annotated[list[str], Meta(max_length=200)] | UnsetType = UNSET
    """Names of fields, in their order; when left out, all of Portkey's but request and response."""
    description: Annotated[str, Meta(max_length=2000)] | UnsetType | None = UNSET
    format: Format | UnsetType = UNSET
    """``jsonl`` when left out."""
    gzip: bool | UnsetType = UNSET
    """Whether jsonl and csv are compressed; parquet always is."""


class Made(Struct, frozen=True, kw_only=True):
    """A job, and how many records it selects now."""

    id: str
    total: int
    object: str = "export"


class Told(Struct, frozen=True, kw_only=True):
    """What was done."""

    message: str
    object: str = "export"


class ShownJob(Struct, frozen=True, kw_only=True):
    """A job: ``draft``, ``in_progress``, ``success``, ``failed`` or ``stopped``."""

    id: str
    organisation_id: str
    workspace_id: str
    filters: dict[str, Any]
    requested_data: list[str]
    status: str
    description: str | None
    format: str
    gzip: bool
    created_at: str
    last_updated_at: str
    created_by: str
    total_records: int
    exported_records: int
    """How many are written."""
    parts: int
    """Of how many parts the result is; of a failed export, how many are whole."""
    size_bytes: int | None
    """Of all parts."""
    sha256: str | None
    """Of a result in one part."""
    error: str | None
    object: str = "export"


class Jobs(Struct, frozen=True, kw_only=True):
    """The jobs that the caller may see, the newest first."""

    total: int
    data: list[ShownJob]
    object: str = "list"


class PartLink(Struct, frozen=True, kw_only=True):
    """Where a part of the result is, for whoever has the link."""

    name: str
    signed_url: str
    rows: int
    size_bytes: int | None
    sha256: str | None


class Link(Struct, frozen=True, kw_only=True):
    """Where the result is, for whoever has the link."""

    signed_url: str
    """Of the first part, which is all of it unless ``signed_urls`` has more."""
    url: str
    expires_at: str
    size_bytes: int | None
    """Of the first part."""
    sha256: str | None
    """Of the first part."""
    signed_urls: list[PartLink]
    """All parts in their order: a new one begins after 1,000,000 records or 1 GB before compression."""
    manifest_url: str | None
    """What lists several parts; a failed export has none."""


class Restrictions(Struct, frozen=True, kw_only=True):
    """Which fields may be asked for."""

    denied_fields: list[str]
    allowed_fields: list[str]


class JobsQuery(Struct, frozen=True, kw_only=True):
    """Whose jobs."""

    workspace_id: str | None = None
    """By id or slug; ``*`` for those of all workspaces."""


class LinkQuery(Struct, frozen=True, kw_only=True):
    """The proof of a link."""

    expires: int = 0
    signature: str = ""
    part: int = 1
    """Which part; 0: the manifest."""


def create(call: Call[ExportBody, Nothing]) -> Made:
    """Make a job."""
    body, exports = call.body, _exports(call)
    now_us = int(call.now.timestamp() * MICRO)
    scope = scope_of(call, body.workspace_id)
    assert scope.workspaces is not None
    (workspace,) = scope.workspaces if len(scope.workspaces) == 1 else (EVERY_WORKSPACE,)
    job = Job(
        id=f"exp_{secrets.token_hex(12)}", organisation_id=call.principal.organisation_id, workspace_id=workspace,
        created_by=_creator(call), created_us=now_us, updated_us=now_us, fields=DEFAULT,
    )  # fmt: skip
    job = _changed(call, job, scope)
    exports.book.add(job)
    return Made(id=job.id, total=job.total)


def update(call: Call[ExportBody, Nothing]) -> Made:
    """Change a job that waits."""
    job = _job(call)
    changed = _changed(call, job, _scope(call, job))
    names = (
        "filters",
        "fields",
        "description",
        "format",
        "is_gzipped",
        "total",
        "workspaces",
        "api_keys",
        "updated_us",
    )
    kept = _exports(call).book.change(job.id, WAITING, **{name: getattr(changed, name) for name in names})
    if kept is None:
        raise InvalidRequest(f"The export is {job.status}; only one that waits can be changed", path="id")
    return Made(id=job.id, total=kept.total)


def list_(call: Call[Nothing, JobsQuery]) -> Jobs:
    """List jobs."""
    principal, given = call.principal, call.query.workspace_id
    workspace: str | None = None
    if given != EVERY_WORKSPACE or not principal.is_organisations:
        with call.view() as view:
            workspace = call.workspace(view, given).id
    found = _exports(call).book.list(principal.organisation_id, workspace)
    shown = [_shown(job) for job in found if _is_seen(call, job)]
    return Jobs(total=len(shown), data=shown)


def show(call: Call[Nothing, Nothing]) -> ShownJob:
    """Show a job and how far it is."""
    return _shown(_job(call))


def start(call: Call[Nothing, Nothing]) -> Told:
    """Start a job. It holds what the caller may see at this moment."""
    job, exports = _job(call), _exports(call)
    scope, now_us = _scope(call, job), int(call.now.timestamp() * MICRO)
    _check_fields(call, job.fields, scope)
    total = _count(call, structs.replace(job, **_scope_fields(scope)))
    started = exports.book.change(
        job.id, WAITING, status="in_progress", done=0, total=total, error=None, until_us=now_us, updated_us=now_us,
        **NO_RESULT, **_scope_fields(scope),
    )  # fmt: skip
    if started is None:
        raise InvalidRequest(f"The export is {job.status} and cannot be started; make a new one", path="id")
    exports.wake()
    return Told(message="Export started")


def cancel(call: Call[Nothing, Nothing]) -> Told:
    """Stop a job."""
    job = _job(call)
    now_us = int(call.now.timestamp() * MICRO)
    if _exports(call).book.change(job.id, ("draft", "in_progress"), status="stopped", updated_us=now_us) is None:
        raise InvalidRequest(f"The export is {job.status}; there is nothing to stop", path="id")
    return Told(message="Export stopped")


def delete(call: Call[Nothing, Nothing]) -> None:
    """Forget a job and its result."""
    job, exports = _job(call), _exports(call)
    exports.remove(job)


def download(call: Call[Nothing, Nothing]) -> Link:
    """Give links to the result; of an export that failed, to its parts that are whole."""
    job, exports = _job(call), _exports(call)
    if job.status != "success" and not (job.status == "failed" and job.parts):
        raise InvalidRequest(f"The export is {job.status}; there is a result when it is success", path="id")
    expires_s = int(call.now.timestamp()) + LINK_S
    links = [
        PartLink(
            name=part.name, signed_url=_url(call, job, expires_s, number), rows=part.rows, size_bytes=part.size_bytes,
            sha256=part.sha256,
        )
        for number, part in enumerate(exports.parts_of(job), 1)
    ]  # fmt: skip
    first = links[0]
    return Link(
        signed_url=first.signed_url, url=first.signed_url, expires_at=write_time(moment(expires_s * MICRO)),
        size_bytes=first.size_bytes, sha256=first.sha256, signed_urls=links,
        manifest_url=_url(call, job, expires_s, 0) if job.manifest is not None else None,
    )  # fmt: skip


def _url(call: Call[Any, Any], job: Job, expires_s: int, part: int) -> str:
    proof = f"expires={expires_s}&signature={_exports(call).sign(job.id, expires_s, part)}"
    which = "" if part == 1 else f"&part={part}"
    return f"{call.public_url()}/v1/logs/exports/{job.id}/file?{proof}{which}"


def fetch(call: Call[Nothing, LinkQuery]) -> Streamed:
    """Send the result to whoever has a link."""
    id, query, exports = call.parameters["id"], call.query, _exports(call)
    if not exports.is_signed(id, query.expires, query.signature, query.part):
        raise Forbidden("The link is wrong or has expired; ask for a new one", wire_code="AB03")
    job = exports.book.get(id)
    path = exports.path_of(job, query.part) if job is not None else None
    if job is None or path is None or not path.exists():
        raise NotFound("The result of this export is gone", wire_code="AB02")
    name = path.name.encode("ascii")
    content_type = b"application/gzip" if path.suffix == ".gz" else _TYPES[job.format]
    if query.part == 0:
        content_type = b"application/json"
    headers = (
        (b"content-disposition", b'attachment; filename="%b"' % name),
        (b"content-length", b"%d" % path.stat().st_size),
    )
    return Streamed(content_type=content_type, chunks=_pieces(path), headers=headers)


def restrictions(call: Call[Nothing, Nothing]) -> Restrictions:
    """Show which fields may be asked for."""
    denied = _denied(call)
    is_denied = denied_by(denied)
    return Restrictions(denied_fields=list(denied), allowed_fields=[name for name in FIELDS if not is_denied(name)])


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


def _exports(call: Call[Any, Any]) -> Exports:
    return desk_of(call).exports


def _denied(call: Call[Any, Any]) -> tuple[str, ...]:
    with call.view() as view:
        return view.get(Organisation, call.principal.organisation_id).denied_export_fields


def _creator(call: Call[Any, Any]) -> str:
    key = call.principal.key
    return key.user or key.id


def _is_seen(call: Call[Any, Any], job: Job) -> bool:
    """Whether the caller may see a job: its organisation's, its workspace's, of people only their own."""
    principal = call.principal
    if job.organisation_id != principal.organisation_id:
        return False
    if principal.is_organisations:
        return True
    is_own = principal.kind != "workspace-user" or job.created_by == _creator(call)
    return job.workspace_id == principal.workspace.id and is_own


def _job(call: Call[Any, Any]) -> Job:
    id = call.parameters["id"]
    job = _exports(call).book.get(id)
    if job is None or not _is_seen(call, job):
        raise NotFound(f"There is no export {id[:100]}", wire_code="AB02")
    return job


def _scope(call: Call[Any, Any], job: Job) -> Scope:
    return scope_of(call, job.workspace_id)


def _scope_fields(scope: Scope) -> dict[str, tuple[str, ...] | None]:
    return {
        "workspaces": tuple(sorted(scope.workspaces or ())),
        "api_keys": None if scope.api_keys is None else tuple(sorted(scope.api_keys)),
    }


def _changed(call: Call[ExportBody, Nothing], job: Job, scope: Scope) -> Job:
    """Return a job with what a body says, checked and counted."""
    body = call.body
    changes: dict[str, object] = dict(_scope_fields(scope))
    if body.filters is not UNSET:
        check_filters(body.filters)
        changes["filters"] = body.filters
    if body.requested_data is not UNSET:
        changes["fields"] = tuple(dict.fromkeys(body.requested_data)) or DEFAULT
    if body.description is not UNSET:
        changes["description"] = body.description
    if body.format is not UNSET:
        changes["format"] = body.format
    if body.gzip is not UNSET:
        changes["is_gzipped"] = body.gzip
    changed = structs.replace(job, updated_us=int(call.now.timestamp() * MICRO), **changes)
    _check_fields(call, changed.fields, scope)
    return structs.replace(changed, total=_count(call, changed))


def _check_fields(call: Call[Any, Any], fields: tuple[str, ...], scope: Scope) -> None:
    """Raises InvalidRequest for a field that is none, Forbidden for content that the caller may not see."""
    if not needs_bodies(fields_of(fields, _denied(call))):
        return
    call.require(VIEW_CONTENT)
    if not all(may_see_content(call, workspace) for workspace in scope.workspaces or ()):
        raise Forbidden(
            "A workspace does not show the content of its requests to keys of the organisation; leave out request "
            "and response, or name other workspaces",
            path="requested_data",
            wire_code="AB03",
        )


def _count(call: Call[Any, Any], job: Job) -> int:
    query, reader = selected(job, reader_of(call))
    ids = workspace_ids(call)
    for name in named_workspaces(query.filter):
        if name in ids:
            where = "filters.query"
            raise InvalidRequest(f"{where}: name the workspace {name} by its id: workspace:{ids[name]}", path=where)
    return reader.count(query)


def _shown(job: Job) -> ShownJob:
    return ShownJob(
        id=job.id, organisation_id=job.organisation_id, workspace_id=job.workspace_id, filters=dict(job.filters),
        requested_data=list(job.fields), status=job.status, description=job.description, format=job.format,
        gzip=job.is_gzipped, created_at=write_time(moment(job.created_us)),
        last_updated_at=write_time(moment(job.updated_us)), created_by=job.created_by, total_records=job.total,
        exported_records=job.done, parts=len(job.parts) or int(job.file is not None), size_bytes=job.size_bytes,
        sha256=job.sha256, error=job.error,
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="POST", path="/logs/exports", access=_ACCESS, summary="Make an export of records",
        body=ExportBody, reply=Made, handler=create,
    ),
    Endpoint(
        method="GET", path="/logs/exports", access=_ACCESS, summary="List exports",
        query=JobsQuery, reply=Jobs, handler=list_,
    ),
    Endpoint(
        method="GET", path="/logs/exports/field-restrictions", access=_ACCESS,
        summary="Show which fields may be exported", reply=Restrictions, handler=restrictions,
    ),
    Endpoint(
        method="GET", path="/logs/exports/{id}", access=_ACCESS, summary="Show an export and how far it is",
        reply=ShownJob, handler=show,
    ),
    Endpoint(
        method="PUT", path="/logs/exports/{id}", access=_ACCESS, summary="Change an export that waits",
        body=ExportBody, reply=Made, handler=update,
    ),
    Endpoint(
        method="DELETE", path="/logs/exports/{id}", access=_ACCESS, summary="Forget an export and its result",
        handler=delete,
    ),
    Endpoint(
        method="POST", path="/logs/exports/{id}/start", access=_ACCESS, summary="Start an export",
        reply=Told, handler=start,
    ),
    Endpoint(
        method="POST", path="/logs/exports/{id}/cancel", access=_ACCESS, summary="Stop an export",
        reply=Told, handler=cancel,
    ),
    Endpoint(
        method="GET", path="/logs/exports/{id}/download", access=_ACCESS,
        summary="Give links to the parts of an export's result", reply=Link, handler=download,
    ),
    Endpoint(
        method="GET", path="/logs/exports/{id}/file", access=PUBLIC, summary="Send an export's result, by its link",
        query=LinkQuery, handler=fetch,
    ),
)  # fmt: skip
