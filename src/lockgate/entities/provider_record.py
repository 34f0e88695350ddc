"""Provider records: what ``@slug`` names in a workspace. Virtual keys are the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Raw

from lockgate.entities.entity import Entity
from lockgate.entities.limits import RateLimit, UsageLimit


class ProviderRecord(Entity, frozen=True, kw_only=True):
    """An integration under a name in a workspace, with limits of its own. The slug is unique in the workspace.
    ``exhausted`` and ``expired`` are derived."""

    workspace_id: str
    integration_id: str
    slug: str
    name: str
    note: str | None = None
    usage_limits: tuple[UsageLimit, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    expires_at: datetime | None = None
    settings: Mapping[str, Raw] = {}
    """``model_config`` of the wire, without secrets."""
    is_virtual_key: bool = False
    """Whether it was made as a virtual key, with a hidden integration of its own."""
    tags: tuple[str, ...] = ()
    last_reset_at: datetime | None = None
