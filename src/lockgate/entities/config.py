"""Saved routing configs. What is in one is read and compiled elsewhere; here it is a text with a name."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from lockgate.entities.entity import Entity


class Config(Entity, frozen=True, kw_only=True):
    """A config under a slug, which is unique in the organisation. Each write makes a version, known by the entity's
    own ``version``. Workspace and slug are fixed at creation."""

    workspace_id: str
    slug: str
    name: str
    text: str
    """JSON. Where it holds secrets, they are masked in here and the whole text is stored as a secret."""
    secret_field: str | None = None
    """The name of that secret; None: ``text`` is the whole."""
    providers: tuple[str, ...] = ()
    """The slugs of the provider records that it names."""
    version_id: str = ""
    """The id of the newest version. Written by the store."""


class ConfigVersion(Struct, frozen=True, kw_only=True):
    """What a config was after one write. Never changed."""

    id: str
    config_id: str
    number: int
    """The config's ``version`` after that write; deletion and the like leave gaps."""
    name: str
    text: str
    secret_field: str | None = None
    created_at: datetime
    created_by: str | None = None
