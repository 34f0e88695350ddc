"""Blocks that stand for uploaded files: which files they may be, and what is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.files import Files, StoredFile
from lockgate.simulator.anthropic.media import find_media_type
from lockgate.simulator.anthropic.seal import blocks_of

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_DOCUMENTS = ("application/pdf", "text/plain")


class Reference(NamedTuple):
    """A block that names a file, and where it stands."""

    kind: str
    """``image``, ``document`` or ``container_upload``."""
    file_id: str
    path: str


def find_references(blocks: Sequence[Mapping[str, Any]], path: str = "") -> Iterator[Reference]:
    """Return the references among blocks, also inside of tool results and documents."""
    for index, block in enumerate(blocks):
        where, kind = f"{path}{index}", block["type"]
        source = block.get("source")
        if kind == "container_upload":
            yield Reference(kind, block["file_id"], f"{where}.container_upload.file_id")
        elif kind in ("image", "document") and isinstance(source, Mapping) and source["type"] == "file":
            yield Reference(kind, source["file_id"], f"{where}.{kind}.source.file.file_id")
        elif kind == "document" and isinstance(source, Mapping) and isinstance(source.get("content"), list):
            yield from find_references(source["content"], f"{where}.document.source.content.content.")
        elif kind in ("tool_result", "web_fetch_tool_result") and isinstance(block.get("content"), list):
            yield from find_references(block["content"], f"{where}.{kind}.content.")


def check_references(messages: Sequence[Any], files: Files) -> dict[str, str]:
    """Return the names of all files that messages refer to. Raises :class:`ApiError` for one that does not fit."""
    names: dict[str, str] = {}
    for number, message in enumerate(messages):
        for reference in find_references(blocks_of(message), f"messages.{number}.content."):
            file = files.find(reference.file_id)
            _check(file, reference)
            names[file.id] = file.form.filename
    return names


def _check(file: StoredFile, reference: Reference) -> None:
    mime_type = file.form.mime_type
    if file.is_expired:
        raise ApiError(f"File {file.id} has expired", status=404, details={"error_code": "file_expired"})
    allowed = {"image": _IMAGES, "document": _DOCUMENTS}.get(reference.kind)
    if allowed is not None and mime_type not in allowed:
        raise ApiError(
            f"{reference.path}: files of type {mime_type} are not supported in `{reference.kind}` blocks. "
            f"Supported types: {', '.join(allowed)}"
        )
    if reference.kind == "image" and find_media_type(file.form.head) != mime_type:
        raise ApiError("Could not process image")
    if mime_type == "application/pdf" and reference.kind == "document" and b"%PDF-" not in file.form.head:
        raise ApiError(f"{reference.path}: The PDF specified was not valid.")
