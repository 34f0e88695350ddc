"""The audit log: who changed what, with what was there before and after."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Raw, Struct

from lockgate.entities.entity import NULL

AuditAction: TypeAlias = Literal[
    "create",
    "update",
    "delete",
    "restore",
    "rotate",
    "reset",
    "export",
    "reveal",
    "login",
    "approve",
    "apply",
    "import",
]


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One change. Each entry's digest covers the one before it, so a changed or missing entry shows."""

    sequence: int
    """From 1, without gaps."""
    at: datetime
    actor_kind: Literal["user", "api_key", "system"]
    actor_id: str | None
    organisation_id: str | None
    workspace_id: str | None
    action: AuditAction
    resource_type: str
    """The entity's class name in snake case: ``api_key``."""
    resource_id: str
    before: Raw = NULL
    """The entity as JSON, secrets masked; null for what is new."""
    after: Raw = NULL
    method: str | None = None
    uri: str | None = None
    request_id: str | None = None
    client_ip: str | None = None
    digest: str = ""
    """In hex."""
