"""Lists of models in Anthropic's shape. Source: Anthropic Python SDK 2.12.0, ``types/model_info.py``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_text import decode_upstream, write_json
from lockgate.core.models import ModelEntry


class _Entry(Struct, frozen=True):
    id: str
    display_name: str | None = None
    created_at: str | None = None


class _Page(Struct, frozen=True):
    data: list[Raw]


class _Written(Struct, frozen=True, kw_only=True):
    id: str
    type: str = "model"
    display_name: str
    created_at: str
    lifecycle: str = "active"


_page_decoder = msgspec.json.Decoder(_Page)
_entry_decoder = msgspec.json.Decoder(_Entry)
_COMPLAINT = "The provider's list of models is not in Anthropic's shape"


def read_models(body: bytes) -> list[ModelEntry]:
    """Read a page of models. Raises Malformed."""
    return [_entry(raw) for raw in decode_upstream(_page_decoder, body, _COMPLAINT).data]


def write_models(entries: Sequence[ModelEntry]) -> bytes:
    """Write a complete list; there is never a second page."""
    data = [_written(entry) for entry in entries]
    page = {
        "data": data,
        "has_more": False,
        "first_id": data[0].id if data else None,
        "last_id": data[-1].id if data else None,
    }
    return write_json(page)


def write_model(entry: ModelEntry) -> bytes:
    """Write one model."""
    return write_json(_written(entry))


def _entry(raw: Raw) -> ModelEntry:
    entry = decode_upstream(_entry_decoder, raw, _COMPLAINT)
    return ModelEntry(
        id=entry.id,
        created_at=_seconds(entry.created_at),
        display_name=entry.display_name,
        owned_by="anthropic",
        raw=raw,
    )


def _written(entry: ModelEntry) -> _Written:
    created = datetime.fromtimestamp(entry.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"@{entry.slug}/{entry.id}" if entry.slug else entry.id
    return _Written(id=name, display_name=entry.display_name or entry.id, created_at=created)


def _seconds(text: str | None) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp()) if text else 0
    except ValueError:
        return 0
