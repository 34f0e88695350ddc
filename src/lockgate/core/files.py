"""Files that a provider keeps, as anybody sees them."""

from __future__ import annotations

from msgspec import Raw, Struct


class StoredFile(Struct, frozen=True, kw_only=True):
    """One file. Times are in seconds since 1970."""

    id: str
    filename: str
    mime_type: str | None = None
    size_bytes: int = 0
    created_at: int = 0
    expires_at: int | None = None
    is_downloadable: bool = False
    scope: Raw | None = None
    """To whom it belongs, in the provider's own words."""


class FilePage(Struct, frozen=True, kw_only=True):
    """A page of files, newest first. ``next_query`` finds the page behind it, None behind the last one."""

    data: tuple[StoredFile, ...]
    next_query: tuple[tuple[str, str], ...] | None = None
