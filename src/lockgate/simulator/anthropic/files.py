"""The files that callers have uploaded: how an upload is read, what is kept of it, and how a file is shown."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec import Struct

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.times import write_time
from lockgate.simulator.dice import Dice
from lockgate.simulator.multipart import MultipartDecoder, MultipartError, PartEnd, PartStart, read_boundary
from lockgate.simulator.provider import World

MAX_FILE_BYTES = 500 * 1024 * 1024
"""Source: Anthropic documentation, "Files API", storage limits; so is the next."""
MAX_STORED_BYTES = 500 * 1024 * 1024 * 1024
ID_PATTERN = "^file_[a-zA-Z0-9_-]+$"
DOWNLOADABLE = ("generated-", "expired-")
"""A file whose name begins like this counts as made by a tool, so it can be downloaded."""
EXPIRED = "expired-"
"""A file whose name begins like this has expired."""

_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
_MIME_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)
_HEAD_BYTES = 1024
_MOST_NUMBER_BYTES = 20
_LEAST_LIFE_S = 3600
_MOST_LIFE_S = 7_776_000
_EXTENSIONS = {
    "application/json": ".json",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
}


class Form(NamedTuple):
    """A complete upload."""

    filename: str
    mime_type: str
    size_bytes: int
    sha256: str
    head: bytes
    """The first bytes, by which a format is known."""
    content: bytes | None
    """None: too large to be kept."""
    life_s: int | None


class StoredFile(Struct, frozen=True, kw_only=True):
    """A file and, as far as there is room, its bytes."""

    id: str
    sequence: int
    """Files are numbered from 1 in the order of their uploads."""
    form: Form
    content: bytes | None

    @property
    def is_downloadable(self) -> bool:
        """Whether the API would give its bytes back."""
        return self.form.filename.startswith(DOWNLOADABLE)

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.form.filename.startswith(EXPIRED)


class Upload:
    """Reads a form as it arrives. It holds no more bytes of the file than it may keep."""

    def __init__(self, content_type: str, *, keep_bytes: int) -> None:
        self._error: ApiError | None = None
        self._keep_bytes = keep_bytes
        self._seen: set[str] = set()
        self._part: PartStart | None = None
        self._file: PartStart | None = None
        self._content = bytearray()
        self._number = b""
        self._head = b""
        self._size = 0
        self._digest = sha256()
        self._decoder = MultipartDecoder(b"-")
        try:
            self._decoder = MultipartDecoder(read_boundary(content_type))
        except MultipartError as error:
            self._error = ApiError(f"content-type: {error}")

    def feed(self, data: bytes) -> None:
        """Take the next piece; once something is wrong, the rest is not looked at."""
        if self._error is not None:
            return
        try:
            for event in self._decoder.feed(data):
                self._take(event)
        except MultipartError as error:
            self._error = ApiError(f"The request body is not a valid form: {error}")
        except ApiError as error:
            self._error = error

    def finish(self) -> Form:
        """Return what was uploaded. Raises :class:`ApiError`."""
        if self._error is not None:
            raise self._error
        try:
            self._decoder.close()
        except MultipartError as error:
            raise ApiError(f"The request body is not a valid form: {error}") from error
        if self._file is None:
            raise ApiError("file: Field required")
        mime_type = _read_mime_type(self._file.content_type)
        return Form(
            filename=read_filename(self._file.filename, mime_type),
            mime_type=mime_type,
            size_bytes=self._size,
            sha256=self._digest.hexdigest(),
            head=self._head,
            content=bytes(self._content) if self._size <= self._keep_bytes else None,
            life_s=_read_life(self._number) if "expires_in_seconds" in self._seen else None,
        )

    def _take(self, event: PartStart | bytes | PartEnd) -> None:
        if isinstance(event, PartStart):
            self._open(event)
        elif isinstance(event, bytes) and self._part is not None:
            if self._part.name == "file":
                self._add(event)
            else:
                self._number = (self._number + event)[: _MOST_NUMBER_BYTES + 1]

    def _open(self, part: PartStart) -> None:
        if part.name not in ("file", "expires_in_seconds"):
            raise ApiError(f"{part.name}: Extra inputs are not permitted")
        if part.name in self._seen:
            raise ApiError(f"{part.name}: may be given only once")
        self._seen.add(part.name)
        self._part = part
        if part.name == "file":
            self._file = part

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_FILE_BYTES:
            self._content.clear()
            raise ApiError(f"File size exceeds the maximum of {MAX_FILE_BYTES} bytes", status=413)
        self._digest.update(data)
        if len(self._head) < _HEAD_BYTES:
            self._head = (self._head + data)[:_HEAD_BYTES]
        if self._size <= self._keep_bytes:
            self._content += data
        else:
            self._content.clear()


def read_filename(given: str | None, mime_type: str) -> str:
    """Return the name a file is kept under. Raises :class:`ApiError` for one that is not allowed."""
    name = re.split(r"[\\/]", given or "")[-1]
    if not name:
        return f"unnamed{_EXTENSIONS.get(mime_type, '')}"
    if len(name) > 255:
        raise ApiError("file: filename must have at most 255 characters")
    if _FORBIDDEN.search(name):
        raise ApiError("file: filename contains forbidden characters")
    return name


def _read_mime_type(given: str | None) -> str:
    if given is None:
        return "application/octet-stream"
    mime_type = given.partition(";")[0].strip().lower()
    if not _MIME_TYPE.fullmatch(mime_type):
        raise ApiError("file: the content type of the part is not a valid media type")
    return mime_type


def _read_life(number: bytes) -> int:
    if not number.isdigit() or len(number) > _MOST_NUMBER_BYTES:
        raise ApiError("expires_in_seconds: Input should be a valid integer, unable to parse string as an integer")
    life_s = int(number)
    if life_s < _LEAST_LIFE_S:
        raise ApiError(f"expires_in_seconds: Input should be greater than or equal to {_LEAST_LIFE_S}")
    if life_s > _MOST_LIFE_S:
        raise ApiError(f"expires_in_seconds: Input should be less than or equal to {_MOST_LIFE_S}")
    return life_s


class Files:
    """All files of one world; bytes are kept only within a bound."""

    def __init__(self, seed: int, *, keep_bytes: int) -> None:
        self._seed = seed
        self._keep_bytes = keep_bytes
        self._kept_bytes = 0
        self._stored_bytes = 0
        self._sequence = 0
        self._files: dict[str, StoredFile] = {}

    def add(self, form: Form) -> StoredFile:
        """Store an upload. Raises :class:`ApiError` when the account is full."""
        if self._stored_bytes + form.size_bytes > MAX_STORED_BYTES:
            details = {"error_code": "storage_quota_exceeded"}
            raise ApiError("File storage quota exceeded. Delete files to free up space.", details=details)
        self._sequence += 1
        has_room = self._kept_bytes + form.size_bytes <= self._keep_bytes
        file = StoredFile(
            id=f"file_011C{Dice(self._seed, 'file', self._sequence, form.sha256).letters(20)}",
            sequence=self._sequence,
            form=form._replace(content=None),
            content=form.content if has_room else None,
        )
        self._stored_bytes += form.size_bytes
        self._kept_bytes += len(file.content or b"")
        self._files[file.id] = file
        return file

    def find(self, id: str) -> StoredFile:
        """Return a file. Raises :class:`ApiError` when there is none with this id."""
        if not re.fullmatch(ID_PATTERN, id):
            raise ApiError(f"file_id: String should match pattern '{ID_PATTERN}'")
        file = self._files.get(id)
        if file is None:
            raise ApiError(f"File not found: {id}", status=404)
        return file

    def delete(self, id: str) -> StoredFile:
        """Forget a file. Raises :class:`ApiError` when there is none with this id."""
        file = self.find(id)
        del self._files[id]
        self._stored_bytes -= file.form.size_bytes
        self._kept_bytes -= len(file.content or b"")
        return file

    def newest(self) -> list[StoredFile]:
        """Return all files, the newest first."""
        return list(reversed(self._files.values()))


def files_of(world: World) -> Files:
    """Return the files of a world."""
    files: Files | None = world.memory.get("anthropic.files")
    if files is None:
        files = Files(world.seed, keep_bytes=world.settings.keep_file_bytes)
        world.memory["anthropic.files"] = files
    return files


def write_file(file: StoredFile, *, has_scope: bool) -> dict[str, Any]:
    """Return a file as the API shows it; only the shape of 2025 has a scope."""
    shown: dict[str, Any] = {
        "type": "file",
        "id": file.id,
        "filename": file.form.filename,
        "mime_type": file.form.mime_type,
        "size_bytes": file.form.size_bytes,
        "created_at": write_time(file.sequence),
        "downloadable": file.is_downloadable,
        "expires_at": None if file.form.life_s is None else write_time(file.sequence + file.form.life_s),
    }
    return {**shown, "scope": None} if has_scope else shown


def write_stored(file: StoredFile) -> dict[str, Any]:
    """Return a file as the control API shows it."""
    digest = {"sha256": file.form.sha256, "is_kept": file.content is not None}
    return {**write_file(file, has_scope=False), **digest}
