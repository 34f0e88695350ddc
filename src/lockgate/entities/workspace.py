"""Workspaces, and who is a member of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from lockgate.entities.entity import Entity
from lockgate.entities.limits import RateLimit, UsageLimit
from lockgate.entities.recording import RecordingChoice

WorkspaceRole: TypeAlias = Literal["admin", "manager", "member"]


class WorkspaceDefaults(Struct, frozen=True, kw_only=True):
    """What holds for the requests of a workspace."""

    metadata: Mapping[str, str] = {}
    """Wins over what a key or a request says under the same name."""
    config_id: str | None = None
    user_api_key_config: str | None = None
    input_guardrails: tuple[str, ...] = ()
    output_guardrails: tuple[str, ...] = ()
    recording: RecordingChoice | None = None


class Workspace(Entity, frozen=True, kw_only=True):
    """A team's part of an organisation: nothing inside it is seen from another. Slug and name are unique in it."""

    name: str
    slug: str
    description: str | None = None
    icon: str | None = None
    is_default: bool = False
    """Of one workspace in an organisation, which cannot be deleted."""
    defaults: WorkspaceDefaults = WorkspaceDefaults()
    usage_limits: tuple[UsageLimit, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    security_settings: Mapping[str, bool] = {}
    """Who sees and writes what, by the names on the wire; what is not named has its documented default."""
    settings: Mapping[str, int] = {}
    """``debug_log``, ``user_api_key_ttl`` and so on, by their names on the wire."""
    creation_source: str = "api"


class Member(Entity, frozen=True, kw_only=True):
    """A user's place in a workspace. Removing one deletes the row: nothing points at it."""

    workspace_id: str
    user_id: str
    role: WorkspaceRole = "member"
