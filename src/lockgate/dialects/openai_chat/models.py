"""Lists of models in OpenAI's shape, with the keys that Portkey's catalog adds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_text import decode_upstream, write_json
from lockgate.core.models import ModelEntry


class _Entry(Struct, frozen=True):
    id: str
    created: int | None = None
    owned_by: str | None = None


class _Page(Struct, frozen=True):
    data: list[Raw]


class _Written(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    object: str
    created: int
    owned_by: str
    slug: str | None = None
    canonical_slug: str | None = None
    display_name: str | None = None


_page_decoder = msgspec.json.Decoder(_Page)
_entry_decoder = msgspec.json.Decoder(_Entry)
_COMPLAINT = "The provider's list of models is not in OpenAI's shape"


def read_models(body: bytes) -> list[ModelEntry]:
    """Read a list of models. Raises Malformed."""
    return [_entry(raw) for raw in decode_upstream(_page_decoder, body, _COMPLAINT).data]


def write_models(entries: Sequence[ModelEntry]) -> bytes:
    """Write a complete list."""
    return write_json({"object": "list", "total": len(entries), "data": [_written(entry) for entry in entries]})


def write_model(entry: ModelEntry) -> bytes:
    """Write one model."""
    return write_json(_written(entry))


def _entry(raw: Raw) -> ModelEntry:
    entry = decode_upstream(_entry_decoder, raw, _COMPLAINT)
    return ModelEntry(id=entry.id, created_at=entry.created or 0, owned_by=entry.owned_by, raw=raw)


def _written(entry: ModelEntry) -> _Written:
    return _Written(
        id=f"@{entry.slug}/{entry.id}" if entry.slug else entry.id,
        object="model",
        created=entry.created_at,
        owned_by=entry.owned_by or "unknown",
        slug=entry.id if entry.slug else None,
        canonical_slug=entry.id if entry.slug else None,
        display_name=entry.display_name,
    )
