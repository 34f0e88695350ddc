"""Files: ``/v1/files`` in Anthropic's shape for clients that send ``anthropic-version``, else in OpenAI's.

Nothing is read whole: an upload goes on while it arrives, as fast as the slower side allows, and is therefore sent
once. Where client and provider speak the same dialect, all bytes stay as they are.
Source: Anthropic integration specification, section 6.3; addendum of November 2026, section 2.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct, structs

from lockgate.core.files import StoredFile
from lockgate.core.http import Headers, UpstreamRequest
from lockgate.core.multipart import boundary_of
from lockgate.dataplane.auth import Caller
from lockgate.dataplane.batch_results import Charger
from lockgate.dataplane.exchange import MULTIPLE_CHOICES
from lockgate.dataplane.headers import relayed_headers
from lockgate.dataplane.relay_body import relay_body
from lockgate.dataplane.stored import StoredExchange
from lockgate.dialects import Dialect, FileForm, FileReader, FileWriter
from lockgate.errors import InvalidRequest, Unsupported
from lockgate.plan.resolve import Choice

_JSON = b"application/json"
_SETTING = "limits.file_bytes"
_PAGE_FILES = 1000
_MAX_PAGES = 500
"""More than a workspace can hold; a provider that never comes to an end is not followed for ever."""


class Files(StoredExchange):
    """A call about files."""

    kind = "files"

    @property
    def is_repeatable(self) -> bool:
        """An upload goes on while it arrives, so it cannot be sent again."""
        return self.method != "POST"

    async def serve(self, caller: Caller) -> None:
        """Upload, list, show, delete or download."""
        choice = self.choose(caller, self.signals(caller))
        path = self.endpoint(choice).path
        dialect = self.plane.dialects[choice.target.provider.dialect]
        if not self.is_byte_path and (dialect.file_reader is None or self.dialect.file_writer is None):
            raise Unsupported(f"Files of this shape are not supported by {choice.target.provider.name}")
        if self.method == "POST":
            await self._upload(choice, path, dialect)
            return
        self.ledger.received(0)
        self.client.watch()
        if self.action:
            await self._download(choice, f"{path}/{self.id}/{self.action}", dialect)
        elif self.id or self.is_byte_path:
            path = f"{path}/{self.id}" if self.id else path
            query = self._query()[1:] if self.is_byte_path else b""
            await self._ask(choice, self.prepare(choice, path, query=query), dialect)
        else:
            await self._list(choice, path, dialect)

    # ---- up

    async def _upload(self, choice: Choice, path: str, dialect: Dialect) -> None:
        limit = self.snapshot.limits.file_bytes
        size_bytes = self.client.check_declared(limit, _SETTING)
        content_type = self.headers.get(b"content-type", b"")
        stream, form = self._body(limit, asyncio.current_task()), None
        if not self.is_byte_path:
            assert dialect.file_reader is not None
            boundary = b"lockgate-" + self.request_id.encode("ascii")
            form = dialect.file_reader.form(boundary_of(content_type), boundary)
            stream, size_bytes = _rewritten(stream, form), None
            content_type = b"multipart/form-data; boundary=" + boundary
        self.ledger.received(0)
        request = self.prepare(choice, path, query=self._query()[1:] if self.is_byte_path else b"")
        headers = [pair for pair in request.headers if pair[0] != b"content-type"]
        if content_type:
            headers.append((b"content-type", content_type))
        request = structs.replace(request, headers=headers, stream=stream, stream_bytes=size_bytes)
        await self._ask(choice, request, dialect, form)

    async def _body(self, limit_bytes: int, task: asyncio.Task[Any] | None) -> AsyncIterator[bytes]:
        """Yield the client's body; from its end on, the client is watched."""
        async for data in self.client.stream_body(limit_bytes, _SETTING):
            self.ledger.bytes_in += len(data)
            yield data
        self.client.watch(task)

    async def _ask(
        self, choice: Choice, request: UpstreamRequest, dialect: Dialect, form: FileForm | None = None
    ) -> None:
        response = await self.send(request)
        if form is not None:
            self.ledger.dropped = tuple(form.dropped)
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, dialect)
            data = await self.read_whole(response)
            self.note(choice, data)
            shown = data if self.is_byte_path else self._shown(data, dialect, form.purpose if form else None)
            await self.reply(response.status, shown, _JSON, relayed_headers(response.headers))
        finally:
            response.close()

    def _shown(self, data: bytes, dialect: Dialect, purpose: str | None) -> bytes:
        reader, writer = self._translators(dialect)
        if self.method == "DELETE":
            return writer.write_deleted(self.id)
        return writer.write_file(reader.read_file(data), purpose)

    def _translators(self, dialect: Dialect) -> tuple[FileReader, FileWriter]:
        reader, writer = dialect.file_reader, self.dialect.file_writer
        assert reader is not None
        assert writer is not None
        return reader, writer

    # ---- down

    async def _download(self, choice: Choice, path: str, dialect: Dialect) -> None:
        """Stream a file's content, whatever it is."""
        request = self.prepare(choice, path, query=self._query()[1:] if self.is_byte_path else b"")
        headers = [pair for pair in request.headers if pair[0] != b"accept"]
        headers.append((b"accept", self.headers.get(b"accept", b"*/*")))
        owner = await self.plane.batch_book.find_by_file(self.workspace.id, self.id)
        tap = Charger(self, choice, owner) if owner is not None else None
        response = await self.send(structs.replace(request, headers=headers))
        try:
            if response.status >= MULTIPLE_CHOICES:
                raise await self.rejected(response, dialect)
            await relay_body(self, response, tap)
        finally:
            response.close()

    # ---- lists

    async def _list(self, choice: Choice, path: str, dialect: Dialect) -> None:
        """Walk through the provider's pages until the client's one is full: their cursors are no ids."""
        reader, writer = self._translators(dialect)
        asked = _Asked.read(self._query()[1:])
        query = (("limit", str(_PAGE_FILES)), *asked.passed)
        files: list[StoredFile] = []
        headers: Headers = []
        for _ in range(_MAX_PAGES):
            request = self.prepare(choice, path, query=urlencode(query).encode())
            response = await self.send(request)
            try:
                if response.status >= MULTIPLE_CHOICES:
                    raise await self.rejected(response, dialect)
                headers = response.headers
                page = reader.read_files(await self.read_whole(response))
            finally:
                response.close()
            files += page.data
            if page.next_query is None or asked.is_full(files):
                break
            query = (("limit", str(_PAGE_FILES)), *page.next_query, *asked.passed)
        shown, has_more = asked.cut(files)
        await self.reply(200, writer.write_files(shown, has_more=has_more), _JSON, relayed_headers(headers))


class _Asked(Struct, frozen=True, kw_only=True):
    """Which part of a list a client wants."""

    after: str | None = None
    before: str | None = None
    limit: int | None = None
    passed: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, query: bytes) -> _Asked:
        """Read a query. Raises InvalidRequest for a limit that is none."""
        given = dict(parse_qsl(query.decode("latin-1")))
        limit = given.get("limit")
        if limit is not None and not (limit.isascii() and limit.isdigit() and int(limit[:9]) > 0):
            raise InvalidRequest("limit: expected a number from 1", path="limit")
        passed = tuple((name, given[name]) for name in ("scope_id",) if name in given)
        return cls(
            after=given.get("after"),
            before=given.get("before"),
            limit=int(limit[:9]) if limit else None,
            passed=passed,
        )

    def is_full(self, files: list[StoredFile]) -> bool:
        """Tell whether more files would change nothing."""
        if self.before is not None:
            return any(file.id == self.before for file in files)
        return self.limit is not None and len(self._behind(files)) > self.limit

    def cut(self, files: list[StoredFile]) -> tuple[list[StoredFile], bool]:
        """Return the part, and whether there is more in the direction that the client goes."""
        if self.before is not None:
            end = next((at for at, file in enumerate(files) if file.id == self.before), 0)
            start = max(0, end - self.limit) if self.limit is not None else 0
            return files[start:end], start > 0
        rest = self._behind(files)
        return rest[: self.limit], self.limit is not None and len(rest) > self.limit

    def _behind(self, files: list[StoredFile]) -> list[StoredFile]:
        if self.after is None:
            return files
        at = next((at for at, file in enumerate(files) if file.id == self.after), len(files))
        return files[at + 1 :]


async def _rewritten(stream: AsyncIterator[bytes], form: FileForm) -> AsyncIterator[bytes]:
    """Yield a form as the provider wants it while it arrives."""
    async for data in stream:
        yield form.feed(data)
    yield form.close()
