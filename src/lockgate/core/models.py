"""A model in a list of models, whoever lists it."""

from __future__ import annotations

from msgspec import Raw, Struct


class ModelEntry(Struct, frozen=True, kw_only=True):
    """One model. ``created_at`` is in seconds since 1970, 0 when unknown; ``raw`` is the provider's own entry."""

    id: str
    created_at: int = 0
    display_name: str | None = None
    owned_by: str | None = None
    slug: str | None = None
    """The provider record that offers it, when the list is the gateway's own."""
    raw: Raw | None = None
