"""The endpoints of the Files API, in the shape of today and in that of 2025, which a beta header asks for."""

from __future__ import annotations

import re
from urllib.parse import quote

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.files import Files, StoredFile, Upload, files_of, write_file
from lockgate.simulator.anthropic.headers import read_scope
from lockgate.simulator.anthropic.paging import Query, cut_page, read_limit, read_query
from lockgate.simulator.anthropic.replies import Call, fail, send_bytes, send_json
from lockgate.simulator.dice import Dice
from lockgate.simulator.provider import Reply
from lockgate.simulator.shapes import Scope

BETA = "files-api-2025-04-14"
"""The flag that asks for the shape of 2025."""
_MOST_IDS = 100
_OLD_KEYS = frozenset(("after_id", "before_id", "limit", "scope_id", "beta"))
_NEW_KEYS = frozenset(("ids", "limit", "page", "scope_id", "beta"))
_CURSOR = re.compile(r"page_(\d{1,12})x([0-9A-Za-z]{16})")


def upload_file(call: Call) -> Reply:
    """``POST /v1/files``."""
    scope = read_scope(call.request)
    upload = call.request.sink
    if not isinstance(upload, Upload):
        raise ApiError("content-type: header must be multipart/form-data")
    form = upload.finish()
    orders = call.read_orders(text=form.filename)
    failed = fail(orders, call)
    return failed or send_json(_write(files_of(call.world).add(form), scope), call, orders)


def list_files(call: Call) -> Reply:
    """``GET /v1/files``."""
    scope = read_scope(call.request)
    query = read_query(call.request.query)
    known = _OLD_KEYS if BETA in scope.betas else _NEW_KEYS
    for key in query:
        if key not in known:
            raise ApiError(f"{key}: Extra inputs are not permitted")
    files = [] if "scope_id" in query else files_of(call.world).newest()
    if BETA in scope.betas:
        shown = cut_page(files, query, lambda file: _write(file, scope)).write()
    else:
        page, next_page = _cut_new_page(files, query, call.world.seed)
        shown = {"data": [_write(file, scope) for file in page], "next_page": next_page}
    return send_json(shown, call, call.read_orders())


def get_file(call: Call) -> Reply:
    """``GET /v1/files/{id}``."""
    scope = read_scope(call.request)
    return send_json(_write(_files(call).find(call.id), scope), call, call.read_orders())


def delete_file(call: Call) -> Reply:
    """``DELETE /v1/files/{id}``."""
    read_scope(call.request)
    file = _files(call).find(call.id)
    orders = call.read_orders()
    failed = fail(orders, call)
    if failed is None:
        _files(call).delete(file.id)
    return failed or send_json({"id": file.id, "type": "file_deleted"}, call, orders)


def download_file(call: Call) -> Reply:
    """``GET /v1/files/{id}/content``."""
    read_scope(call.request)
    file = _files(call).find(call.id)
    if not file.is_downloadable:
        details = {"error_code": "file_not_downloadable"}
        raise ApiError(f"File {file.id} is not downloadable", details=details)
    if file.is_expired:
        raise ApiError(f"File {file.id} has expired", status=404, details={"error_code": "file_expired"})
    if file.content is None:
        raise ApiError("simulator: the bytes of this file were not kept", status=500)
    orders = call.read_orders()
    name = file.form.filename
    plain = "".join(letter if " " <= letter <= "~" else "_" for letter in name).replace("\\", "_")
    headers = (
        ("content-type", file.form.mime_type),
        ("content-disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"),
    )
    return fail(orders, call) or send_bytes(file.content, headers, call, orders.fault)


def _files(call: Call) -> Files:
    return files_of(call.world)


def _write(file: StoredFile, scope: Scope) -> dict[str, object]:
    return write_file(file, has_scope=BETA in scope.betas)


def _cut_new_page(files: list[StoredFile], query: Query, seed: int) -> tuple[list[StoredFile], str | None]:
    ids = dict.fromkeys(query.get("ids", ()))
    if ids and ("page" in query or "limit" in query):
        raise ApiError("ids: may not be combined with `page` or `limit`")
    if len(ids) > _MOST_IDS:
        raise ApiError(f"ids: List should have at most {_MOST_IDS} items after validation, not {len(ids)}")
    if ids:
        return [file for file in files if file.id in ids], None
    limit = read_limit(query)
    cursor = query.get("page", [""])[0]
    rest = [file for file in files if file.sequence < _read_cursor(cursor, seed)] if cursor else files
    page = rest[:limit]
    return page, _write_cursor(page[-1].sequence, seed) if len(rest) > limit else None


def _write_cursor(sequence: int, seed: int) -> str:
    return f"page_{sequence}x{Dice(seed, 'page', sequence).letters(16)}"


def _read_cursor(cursor: str, seed: int) -> int:
    match = _CURSOR.fullmatch(cursor)
    if match is None or _write_cursor(int(match.group(1)), seed) != cursor:
        raise ApiError("page: Invalid page cursor")
    return int(match.group(1))
