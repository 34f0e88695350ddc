"""Message Batches: requests cut free of what only we understand, and addresses of results turned to ourselves.

Nothing else of a body changes: each request is a Messages body that the provider judges when it comes to it.
Source: Anthropic integration specification, section 6.4; Anthropic Python SDK 2.12.0, ``types/messages``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from lockgate.core.batches import Batch, BatchPage, BatchRequest, BatchStatus
from lockgate.core.body import Peek, bad_body, model_name, peek, splice_model, too_deep
from lockgate.core.json_edit import Edit, read_items, read_members
from lockgate.core.json_text import decode_upstream, write_json
from lockgate.dialects import Written
from lockgate.dialects.anthropic_messages.forward import body_betas, header_betas, request_headers
from lockgate.errors import InvalidRequest, Unsupported

_BETAS = frozenset({"betas", "anthropic_beta"})


class _Create(Struct, frozen=True):
    requests: Raw = Raw(b"")
    input_file_id: Raw = Raw(b"")


class _Item(Struct, frozen=True):
    params: Raw = Raw(b"")


class _Counts(Struct, frozen=True):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(Struct, frozen=True):
    id: str
    processing_status: BatchStatus
    created_at: str
    request_counts: _Counts = _Counts()
    expires_at: str | None = None
    ended_at: str | None = None
    cancel_initiated_at: str | None = None
    results_url: str | None = None


class _Page(Struct, frozen=True):
    data: list[_Batch]
    has_more: bool = False


_read_create = msgspec.json.Decoder(_Create).decode
_read_list = msgspec.json.Decoder(list[Raw]).decode
_read_item = msgspec.json.Decoder(_Item).decode
_read_any = msgspec.json.Decoder(Raw).decode
_read_text = msgspec.json.Decoder(str | None).decode
_batch_decoder = msgspec.json.Decoder(_Batch)
_page_decoder = msgspec.json.Decoder(_Page)
_COMPLAINT = "The provider's batch is not in Anthropic's shape"


# ---- what a client sends


def read_requests(body: bytes) -> list[BatchRequest]:
    """Find the requests of a new batch. Raises InvalidRequest for what is no list of objects with ``params``."""
    try:
        created = _read_create(body)
    except msgspec.MsgspecError as error:
        raise bad_body(error, len(body)) from None
    except RecursionError:
        raise too_deep() from None
    requests = bytes(created.requests)
    try:
        items = _read_list(requests)
    except msgspec.MsgspecError:
        if bytes(created.input_file_id) not in (b"", b"null"):
            raise _no_file() from None
        raise InvalidRequest("requests: expected a list of requests", path="requests") from None
    if not items:
        raise InvalidRequest("requests: a batch needs at least one request", path="requests")
    at = _offset(body, requests, 0, "requests")
    found = []
    for index, item in enumerate(items):
        at = body.index(bytes(item), at)  # between two items of a list are only a comma and space
        found.append(_read_request(body, bytes(item), at, index))
        at += len(item)
    return found


def _no_file() -> Unsupported:
    return Unsupported(
        "input_file_id: is not supported for Claude, whose batches take no file; send requests, a list of objects with "
        "custom_id and params, where params is the body of a call of /v1/messages",
        path="input_file_id",
    )


def _read_request(body: bytes, item: bytes, at: int, index: int) -> BatchRequest:
    path = f"requests[{index}]"
    try:
        params = bytes(_read_item(item).params)
    except msgspec.MsgspecError:
        raise InvalidRequest(f"{path}: expected an object", path=path) from None
    if not params.startswith(b"{"):
        raise InvalidRequest(f"{path}.params: expected an object", path=f"{path}.params")
    seen = _peek(params, f"{path}.params")
    return BatchRequest(start=at + _offset(item, params, 0, "params"), params=params, model=model_name(seen))


def _peek(params: bytes, path: str) -> Peek:
    try:
        seen = peek(params)
        model_name(seen)
    except InvalidRequest as error:
        inside = f"{path}.{error.path}" if error.path else path
        message = error.message.removeprefix(f"{error.path}: ")
        raise InvalidRequest(f"{inside}: {message}", path=inside) from None
    return seen


def _offset(data: bytes, value: bytes, at: int, key: str) -> int:
    """Find where the value of an object's last member of a name stands; the slow way only where it stands twice."""
    found = data.find(value, at)
    if data.find(value, found + 1) < 0:
        return found
    return [member.value for member in read_members(data) if member.key == key][-1]


def write_requests(
    body: bytes, requests: Sequence[BatchRequest], models: Sequence[str | None], client: Mapping[bytes, bytes]
) -> Written:
    """Name the models as the provider knows them, and move betas from the requests to the header."""
    betas = list(header_betas(client))
    edit = Edit(body)
    for index, (request, model) in enumerate(zip(requests, models, strict=True)):
        params, path = request.params, f"requests[{index}].params"
        seen = _peek(params, path)
        if model is not None and model != request.model:
            params = splice_model(params, seen, model)
        if bytes(seen.betas) or bytes(seen.anthropic_beta):
            betas += [*body_betas("anthropic_beta", seen.anthropic_beta), *body_betas("betas", seen.betas)]
            params = _without_betas(params)
        if params is not request.params:
            edit.replace(request.start, request.start + len(request.params), params)
    return Written(body=edit.apply(), headers=request_headers(betas, client))


def _without_betas(params: bytes) -> bytes:
    members = read_members(params)
    edit = Edit(params)
    edit.remove(members, {index for index, member in enumerate(members) if member.key in _BETAS})
    return edit.apply()


# ---- what a provider answers


def point_results(body: bytes, url_of: Callable[[str], str]) -> bytes:
    """Put ``url_of(id)`` in the place of every ``results_url`` of a batch, or of a page of them.

    What is not JSON stays as it is.
    """
    try:
        _read_any(body)
    except (msgspec.MsgspecError, RecursionError):
        return body
    if not body.lstrip().startswith(b"{"):
        return body
    edit = Edit(body)
    for member in read_members(body, len(body) - len(body.lstrip())):
        if member.key == "data" and body[member.value : member.value + 1] == b"[":
            for item in read_items(body, member.value):
                if body[item.start : item.start + 1] == b"{":
                    _point(edit, body, item.start, url_of)
    _point(edit, body, len(body) - len(body.lstrip()), url_of)
    return edit.apply()


def _point(edit: Edit, body: bytes, at: int, url_of: Callable[[str], str]) -> None:
    members = read_members(body, at)
    texts = [body[member.value : member.end] for member in members if member.key == "id"]
    if not texts or not texts[-1].startswith(b'"'):
        return
    id = _read_text(texts[-1]) or ""
    for member in members:
        if member.key == "results_url" and body[member.value : member.end] != b"null":
            edit.replace(member.value, member.end, write_json(url_of(id)))


def read_batch(body: bytes) -> Batch:
    """Read one batch. Raises Malformed."""
    return _batch(decode_upstream(_batch_decoder, body, _COMPLAINT))


def read_batches(body: bytes) -> BatchPage:
    """Read a page of batches. Raises Malformed."""
    page = decode_upstream(_page_decoder, body, _COMPLAINT)
    return BatchPage(data=tuple(_batch(batch) for batch in page.data), has_more=page.has_more)


def _batch(batch: _Batch) -> Batch:
    counts = batch.request_counts
    return Batch(
        id=batch.id,
        status=batch.processing_status,
        created_at=seconds_of(batch.created_at) or 0,
        expires_at=seconds_of(batch.expires_at),
        ended_at=seconds_of(batch.ended_at),
        canceled_at=seconds_of(batch.cancel_initiated_at),
        processing=counts.processing,
        succeeded=counts.succeeded,
        errored=counts.errored,
        canceled=counts.canceled,
        expired=counts.expired,
        results_url=batch.results_url,
    )


def seconds_of(text: str | None) -> int | None:
    """Return a time in seconds since 1970, None for what is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else None
    except ValueError:
        return None


class Batches:
    """The functions above in one place."""

    read_requests = staticmethod(read_requests)
    write_requests = staticmethod(write_requests)
    point_results = staticmethod(point_results)
    read_batch = staticmethod(read_batch)
    read_batches = staticmethod(read_batches)
