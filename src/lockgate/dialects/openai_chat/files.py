"""Files of other dialects as OpenAI's file objects. Source: Anthropic integration specification, section 6.3."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.core.files import StoredFile
from lockgate.core.json_text import write_json

_PURPOSE = "assistants"
"""What a file is for, when whoever uploaded it said nothing or is not here to say it."""


def write_file(file: StoredFile, purpose: str | None) -> bytes:
    """Write one file."""
    return write_json(_written(file, purpose))


def write_files(files: Sequence[StoredFile], *, has_more: bool) -> bytes:
    """Write a page of files."""
    return write_json(
        {
            "object": "list",
            "data": [_written(file, None) for file in files],
            "first_id": files[0].id if files else None,
            "last_id": files[-1].id if files else None,
            "has_more": has_more,
        }
    )


def write_deleted(id: str) -> bytes:
    """Say that a file is gone."""
    return write_json({"id": id, "object": "file", "deleted": True})


def _written(file: StoredFile, purpose: str | None) -> dict[str, object]:
    written: dict[str, object] = {
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": purpose or _PURPOSE,
        "status": "processed",
        "mime_type": file.mime_type,
        "downloadable": file.is_downloadable,
    }
    if file.scope is not None:
        written["scope"] = file.scope
    return written


class Files:
    """The functions above in one place."""

    write_file = staticmethod(write_file)
    write_files = staticmethod(write_files)
    write_deleted = staticmethod(write_deleted)
