"""The Files API: metadata and pages of both generations, and a form that has the parts that it takes.

Source: Anthropic integration specification, section 6.3; addendum of November 2026, section 2.4.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from lockgate.core.files import FilePage, StoredFile
from lockgate.core.json_text import decode_upstream, given
from lockgate.core.multipart import FormReader, PartEnd, PartHead
from lockgate.dialects import FileForm
from lockgate.dialects.anthropic_messages.batches import seconds_of
from lockgate.errors import InvalidRequest

_MAX_FIELD_BYTES = 1024
_LIFE = "expires_in_seconds"
_FIELDS = {"purpose": "", "expires_after[anchor]": "", "expires_after[seconds]": _LIFE, _LIFE: _LIFE}
"""Parts that are read, and under which name they go on."""
_UNKNOWN_TYPE = b"application/octet-stream"
_TYPES = {
    "pdf": b"application/pdf",
    "txt": b"text/plain",
    "md": b"text/markdown",
    "csv": b"text/csv",
    "json": b"application/json",
    "png": b"image/png",
    "jpg": b"image/jpeg",
    "jpeg": b"image/jpeg",
    "gif": b"image/gif",
    "webp": b"image/webp",
    "docx": b"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": b"application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
"""By extension: the kind of block that may hold a file depends on its type."""


class _File(Struct, frozen=True):
    id: str
    filename: str = ""
    mime_type: str | None = None
    size_bytes: int = 0
    created_at: str | None = None
    expires_at: str | None = None
    downloadable: bool | None = None
    scope: Raw = Raw(b"")


class _Page(Struct, frozen=True):
    data: list[_File]
    next_page: str | None = None
    last_id: str | None = None
    has_more: bool | None = None


_file_decoder = msgspec.json.Decoder(_File)
_page_decoder = msgspec.json.Decoder(_Page)
_COMPLAINT = "The provider's file is not in Anthropic's shape"


def read_file(body: bytes) -> StoredFile:
    """Read one file's metadata. Raises Malformed."""
    return _file(decode_upstream(_file_decoder, body, _COMPLAINT))


def read_files(body: bytes) -> FilePage:
    """Read a page, whichever of the two shapes it has. Raises Malformed."""
    page = decode_upstream(_page_decoder, body, _COMPLAINT)
    following: tuple[tuple[str, str], ...] | None = None
    if page.next_page:
        following = (("page", page.next_page),)
    elif page.has_more and page.last_id:
        following = (("after_id", page.last_id),)
    return FilePage(data=tuple(_file(file) for file in page.data), next_query=following)


def _file(file: _File) -> StoredFile:
    return StoredFile(
        id=file.id,
        filename=file.filename,
        mime_type=file.mime_type,
        size_bytes=file.size_bytes,
        created_at=seconds_of(file.created_at) or 0,
        expires_at=seconds_of(file.expires_at),
        is_downloadable=bool(file.downloadable),
        scope=Raw(bytes(file.scope)) if bytes(file.scope) and given(file.scope) is not None else None,
    )


class Form:
    """Writes another client's upload as this API wants it: the part ``file``, and how long it is kept."""

    def __init__(self, boundary: bytes, new_boundary: bytes) -> None:
        self.purpose: str | None = None
        self.dropped: list[str] = []
        self._reader = FormReader(boundary)
        self._boundary = new_boundary
        self._part: PartHead | None = None
        self._value = b""
        self._has_file = False

    def feed(self, data: bytes) -> bytes:
        """Return what goes on of these bytes. Raises InvalidRequest for what is no form."""
        return b"".join(self._take(event) for event in self._reader.feed(data))

    def close(self) -> bytes:
        """Return the end of the form. Raises InvalidRequest when there is no complete file in it."""
        self._reader.close()
        if not self._has_file:
            raise InvalidRequest("file: this part is required", path="file")
        return b"--%b--\r\n" % self._boundary

    def _take(self, event: PartHead | bytes | PartEnd) -> bytes:
        if isinstance(event, PartHead):
            self._part, self._value = event, b""
            return self._open(event) if event.name == "file" else b""
        part = self._part
        assert part is not None
        if part.name == "file":
            return event if isinstance(event, bytes) else b"\r\n"
        if isinstance(event, bytes):
            self._value = (self._value + event)[: _MAX_FIELD_BYTES + 1]
            return b""
        return self._finish(part.name)

    def _open(self, part: PartHead) -> bytes:
        if self._has_file:
            raise InvalidRequest("file: this part was given twice", path="file")
        self._has_file = True
        head = b"--%b\r\nContent-Disposition: %b\r\nContent-Type: %b\r\n\r\n"
        return head % (self._boundary, part.disposition, _type_of(part))

    def _finish(self, name: str) -> bytes:
        """Take a part that is no file."""
        if name not in _FIELDS:
            self.dropped.append(name)
            return b""
        if len(self._value) > _MAX_FIELD_BYTES:
            raise InvalidRequest(f"{name}: this part is too long", path=name)
        if name == "purpose":
            self.purpose = self._value.decode("utf-8", "replace")
        if not _FIELDS[name]:
            return b""
        head = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        return head % (self._boundary, _FIELDS[name].encode(), self._value)


def _type_of(part: PartHead) -> bytes:
    given_type = part.content_type or _UNKNOWN_TYPE
    if given_type.partition(b";")[0].strip().lower() != _UNKNOWN_TYPE:
        return given_type
    extension = (part.filename or "").rpartition(".")[2].lower()
    return _TYPES.get(extension, given_type)


class Files:
    """The functions above in one place."""

    read_file = staticmethod(read_file)
    read_files = staticmethod(read_files)

    def form(self, boundary: bytes, new_boundary: bytes) -> FileForm:
        """Return what rewrites an upload."""
        return Form(boundary, new_boundary)
