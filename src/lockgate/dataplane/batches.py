"""Batches: ``/v1/messages/batches`` in Anthropic's shape, ``/v1/batches`` in OpenAI's.

Where client and provider speak the same dialect bytes pass as they are, but for two things that only we can know:
slugs in the models of a new batch, and the address at which the client finds the results.
Source: Anthropic integration specification, section 6.4.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import Raw, Struct, structs

from lockgate.core.batches import BatchRequest, write_hold
from lockgate.core.body import NOTHING, model_name, peek
from lockgate.core.http import UpstreamRequest
from lockgate.core.limits import NO_GRANT, Grant
from lockgate.dataplane import encoding
from lockgate.dataplane.auth import Caller
from lockgate.dataplane.batch_results import admit_batch, charger_for, owner_of
from lockgate.dataplane.exchange import MULTIPLE_CHOICES
from lockgate.dataplane.headers import header_in, relayed_headers
from lockgate.dataplane.public_url import public_url
from lockgate.dataplane.relay_body import relay_body
from lockgate.dataplane.stored import ID, MAX_ID, StoredExchange
from lockgate.dialects import BatchReader, Dialect, Written
from lockgate.errors import Conflict, InvalidRequest, Malformed, ModelNotAllowed, Unavailable, Unsupported
from lockgate.plan.resolve import Choice, split_model

T = TypeVar("T")

_log = logging.getLogger("lockgate.batches")

_JSON = b"application/json"
_JSONL = b"application/x-jsonl"
_RESULTS = "/v1/messages/batches/{}/results"
_QUERY_NAMES = {"after": "after_id", "before": "before_id", "limit": "limit"}
_IN_A_THREAD_BYTES = 256 * 1024
"""Bodies from here on are read in a thread, so that others are served meanwhile."""


class _Input(Struct, frozen=True):
    input_file_id: str | None = None


class _Line(Struct, frozen=True):
    body: Raw = NOTHING


class _Noted(Struct, frozen=True):
    id: str | None = None
    output_file_id: str | None = None
    data: list[_Noted] = []


_read_input = msgspec.json.Decoder(_Input).decode
_read_line = msgspec.json.Decoder(_Line).decode
_read_noted = msgspec.json.Decoder(_Noted).decode


def _noted(data: bytes) -> list[_Noted]:
    found = _read_noted(data)
    return [found, *found.data]


class Batches(StoredExchange):
    """A call about batches."""

    kind = "batches"
    _body: bytes | None = None
    """What the client sent, once it is read."""
    _grant: Grant = NO_GRANT
    """What is reserved for a new batch."""
    _is_held: bool = False
    """Whether the reservation goes on when the call is over."""

    async def serve(self, caller: Caller) -> None:
        """Create a batch, or pass a call about batches on."""
        limits = self.snapshot.limits
        is_new = self.method == "POST" and not self.id
        limit = (limits.batch_bytes, "limits.batch_bytes") if is_new else (limits.body_bytes, "limits.body_bytes")
        if self._body is None:
            self._body = await self.client.read_body(*limit)
            self.ledger.received(len(self._body))
        body = self._body
        if is_new:
            await self._create(caller, body)
            return
        choice = self.choose(caller, self.signals(caller))
        if self.action in ("results", "output"):
            await self._results(choice)
            return
        path = self.endpoint(choice).path + "".join("/" + part for part in (self.id, self.action) if part)
        dialect = self._dialect(choice)
        written = Written(body=body, headers=dialect.client_headers(self.headers))
        request = self.prepare(choice, path, query=self._query_for(dialect), written=written)
        await self._ask(choice, request, dialect)

    def _dialect(self, choice: Choice) -> Dialect:
        """Return the provider's dialect. Raises Unsupported when its batches cannot be shown to this client."""
        self.endpoint(choice)
        dialect = self.plane.dialects[choice.target.provider.dialect]
        if dialect is not self.dialect and (dialect.batch_reader is None or self.dialect.batch_writer is None):
            raise Unsupported(f"Batches of this shape are not supported by {choice.target.provider.name}")
        return dialect

    def _query_for(self, dialect: Dialect) -> bytes:
        query = self._query()[1:]
        if dialect is self.dialect:
            return query
        pairs = parse_qsl(query.decode("latin-1"))
        return urlencode([(_QUERY_NAMES[name], value) for name, value in pairs if name in _QUERY_NAMES]).encode()

    # ---- a new batch

    async def _create(self, caller: Caller, body: bytes) -> None:
        signals = self.signals(caller)
        if self.has_provider(signals):
            choice = self.choose(caller, signals)
            reader = self._dialect(choice).batch_reader
        elif self.dialect.batch_reader is not None or b'"requests"' in body:
            reader = next(d.batch_reader for d in self.plane.dialects.values() if d.batch_reader)
        else:
            reader = None
        if reader is None:
            choice = self.choose(caller, signals)
            written = Written(body=body, headers=self.dialect.client_headers(self.headers))
            await self._admit_file(choice, body)
        else:
            choice, written = await self._write(caller, body, reader)
        try:
            dialect = self._dialect(choice)
            self.ledger.prepared(written)
            request = self.prepare(choice, self.endpoint(choice).path, query=self._query_for(dialect), written=written)
            await self._ask(choice, request, dialect)
        finally:
            if not self._is_held:
                # nobody remembers that there is such a batch
                self.plane.counters.release(self._grant)

    async def _admit_file(self, choice: Choice, body: bytes) -> None:
        """Reserve for a batch whose requests are in a file at the provider, which is read where a budget holds."""
        self._grant = await admit_batch(self, choice, ())
        if not self._grant.holds:
            return
        self.plane.counters.release(self._grant)
        self._grant = NO_GRANT
        data = await self._input_file(choice, body)
        bodies = await _run(len(data), lambda: _requests_in(data))
        _check_models(choice, [model for _, model in bodies])
        self._grant = await admit_batch(self, choice, bodies)

    async def _input_file(self, choice: Choice, body: bytes) -> bytes:
        """Read the file that a new batch names. Raises what the provider says, and InvalidRequest with the path."""
        try:
            id = _read_input(body).input_file_id
        except (msgspec.MsgspecError, UnicodeDecodeError):
            id = None
        files, limit = choice.target.provider.files, self.snapshot.limits.batch_bytes
        if not id or not ID.fullmatch(id) or len(id) > MAX_ID or files is None:
            raise _unread("it must name a file of the provider's")
        request = self.prepare(choice, f"{files.path}/{id}/content", method="GET")
        response = await self.plane.upstream.send(request)
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, self._dialect(choice))
            data = await response.read(limit)
        except Malformed:
            raise _unread(f"the file is larger than {limit} bytes (limits.batch_bytes)") from None
        finally:
            response.close()
        try:
            return encoding.decode(data, header_in(response.headers, b"content-encoding"))
        except Malformed as error:
            raise _unread(f"the file cannot be read: {error.message}") from None

    async def _write(self, caller: Caller, body: bytes, reader: BatchReader) -> tuple[Choice, Written]:
        """Find the one provider that all requests name, reserve, and write the models as the provider knows them."""
        requests = await _run(len(body), lambda: reader.read_requests(body))
        self.ledger.model_asked = requests[0].model
        split = [split_model(self.workspace, request.model) for request in requests]
        signals = self.signals(caller)
        _check_slugs([slug for slug, _ in split], requests, is_named=self.has_provider(signals))
        first = next((request.model for request, (slug, _) in zip(requests, split, strict=True) if slug), None)
        choice = self.choose(caller, structs.replace(signals, model=first or requests[0].model))
        models = [model for _, model in split]
        _check_models(choice, models)
        bodies = [(request.params, model) for request, model in zip(requests, models, strict=True)]
        self._grant = await admit_batch(self, choice, bodies)
        try:
            return choice, await _run(len(body), lambda: reader.write_requests(body, requests, models, self.headers))
        except BaseException:
            self.plane.counters.release(self._grant)
            raise

    # ---- answers

    async def _ask(self, choice: Choice, request: UpstreamRequest, dialect: Dialect) -> None:
        self.client.watch()
        response = await self.send(request)
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, dialect)
            data = await self.read_whole(response)
            self.note(choice, data)
            await self._note_owners(choice, data)
            await self.reply(response.status, self._shown(data, dialect), _JSON, relayed_headers(response.headers))
        finally:
            response.close()

    async def _note_owners(self, choice: Choice, data: bytes) -> None:
        """Remember who created a batch, and in which file its results are."""
        try:
            if self.method == "POST" and not self.id:
                found = _read_noted(data)
                if found.id:
                    hold = None if self._grant.is_blind else write_hold(self._grant)
                    await self.plane.batch_book.keep(structs.replace(owner_of(self, choice, found.id), hold=hold))
                    self._is_held = hold is not None
                return
            for noted in _noted(data):
                if noted.id and noted.output_file_id:
                    owner = structs.replace(owner_of(self, choice, noted.id), file_id=noted.output_file_id)
                    await self.plane.batch_book.keep(owner)
        except (Unavailable, msgspec.MsgspecError):
            _log.error("who created a batch could not be kept; its results are charged to who reads them")

    def _shown(self, data: bytes, dialect: Dialect) -> bytes:
        """Return an answer as the client's dialect has it."""
        reader, writer = dialect.batch_reader, self.dialect.batch_writer
        if self.is_byte_path:
            return reader.point_results(data, self._url_of) if reader is not None else data
        assert reader is not None
        assert writer is not None
        if self.id or self.method == "POST":
            return writer.write_batch(reader.read_batch(data))
        return writer.write_batches(reader.read_batches(data))

    def _url_of(self, id: str) -> str:
        scheme = self.client.scope.get("scheme", "http")
        return public_url(self.snapshot, self.headers, scheme) + _RESULTS.format(quote(id, safe=""))

    # ---- results

    async def _results(self, choice: Choice) -> None:
        """Stream the results from the provider's own address, whatever address a batch says."""
        dialect = self._dialect(choice)
        if dialect.batch_reader is None:
            raise Unsupported(f"{choice.target.provider.name} keeps results as a file: read the batch's output_file_id")
        path = f"{self.endpoint(choice).path}/{self.id}"
        tap = await charger_for(self, choice, self.id)
        self.client.watch()
        if self.action == "output" and not await self._has_ended(choice, path, dialect.batch_reader):
            return
        response = await self.send(self.prepare(choice, path + "/results"))
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, dialect)
            if self.action == "output":
                others = [pair for pair in response.headers if pair[0] != b"content-type"]
                response.headers = [(b"content-type", _JSONL), *others]
            await relay_body(self, response, tap)
        finally:
            response.close()

    async def _has_ended(self, choice: Choice, path: str, reader: BatchReader) -> bool:
        """Ask how far the batch has come; when it has not ended, that is the answer."""
        response = await self.send(self.prepare(choice, path))
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, self._dialect(choice))
            batch = reader.read_batch(await self.read_whole(response))
        finally:
            response.close()
        if batch.status != "ended":
            raise Conflict(f"batch {self.id} has not finished: {batch.status}")
        return True


def _requests_in(data: bytes) -> list[tuple[bytes, str | None]]:
    """Return the requests of an input file with their models. Raises InvalidRequest for a line that is none."""
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            body = bytes(_read_line(line).body)
            if not body:
                raise _unread(f"line {number} of the file has no body")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise _unread(f"line {number} of the file is no request") from None
        try:
            found.append((body, model_name(peek(body))))
        except InvalidRequest as error:
            raise _unread(f"line {number} of the file: {error.message}") from None
    return found


def _unread(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"input_file_id: {why}; where a budget holds, what a batch may cost must be known before", path="input_file_id"
    )


def _check_slugs(slugs: Sequence[str | None], requests: Sequence[BatchRequest], *, is_named: bool) -> None:
    """Raise InvalidRequest when two requests name different providers, or one names none and no header does."""
    given = [slug for slug in slugs if slug is not None]
    if not given:
        return
    for index, slug in enumerate(slugs):
        if slug == given[0] or (slug is None and is_named):
            continue
        path = f"requests[{index}].params.model"
        raise InvalidRequest(
            f"{path}: all requests of a batch go to one provider, but this one names "
            f"{'@' + slug if slug else 'none'} and another one @{given[0]}",
            path=path,
        )


def _check_models(choice: Choice, models: Sequence[str | None]) -> None:
    target = choice.target
    for index, model in enumerate(models):
        if model is not None and not target.allows(model):
            path = f"requests[{index}].params.model"
            raise ModelNotAllowed(f"{path}: model {model} is not allowed for @{target.slug}", path=path)


async def _run(size_bytes: int, work: Callable[[], T]) -> T:
    """Do pure work on a body, in a thread when it is large."""
    return work() if size_bytes < _IN_A_THREAD_BYTES else await asyncio.to_thread(work)
