"""What every entity has: an identity, an owner, a state, a version and its times.

Times are aware datetimes in UTC with whole milliseconds. A new entity is made without id, version and times: the store
fills them in and returns the entity as it is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

from msgspec import Raw, Struct

Status: TypeAlias = Literal["active", "disabled", "archived"]
"""``disabled`` is somebody's decision and can be undone by anybody who may write. ``archived`` is deletion: the row
stays readable for the records that point at it, and can be restored for a while."""

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of an entity that is not stored yet."""

NULL = Raw(b"null")
"""JSON that says nothing: the default of fields that hold any JSON."""


class Entity(Struct, frozen=True, kw_only=True):
    """The fields that the store owns; what an author writes into them is ignored, but for ``id`` and ``status``."""

    id: str = ""
    """UUID text. Given by the store where it is empty."""
    organisation_id: str = ""
    """The organisation that it belongs to; of an organisation its own id."""
    status: Status = "active"
    version: int = 0
    """Counts the writes, from 1; an update names the version that it read."""
    created_at: datetime = NEVER
    updated_at: datetime = NEVER
    archived_at: datetime | None = None
    created_by: str | None = None
    """The id of the user or key that made it; None: Lockgate itself."""
    updated_by: str | None = None


class Scope(Struct, frozen=True, kw_only=True):
    """What part of the store somebody sees. Everything outside of it does not exist for them."""

    organisation_id: str | None = None
    """None: everything, for Lockgate itself and its command line."""
    workspace_id: str | None = None
    """None: all workspaces of the organisation."""


EVERYTHING = Scope()


class Actor(Struct, frozen=True, kw_only=True):
    """Who changes something, and through what; it goes into the audit log."""

    kind: Literal["user", "api_key", "system"] = "system"
    id: str | None = None
    scope: Scope = EVERYTHING
    method: str | None = None
    """The HTTP method, None outside of a request; so are the rest."""
    uri: str | None = None
    """The path, without the query."""
    request_id: str | None = None
    client_ip: str | None = None


SYSTEM = Actor()
"""Lockgate itself: the first start, imports, files of the operator."""
