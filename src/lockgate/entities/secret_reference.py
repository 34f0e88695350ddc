"""Secret references: where a secret is kept that Lockgate does not store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Raw

from lockgate.entities.entity import Entity


class SecretReference(Entity, frozen=True, kw_only=True):
    """A place in a vault, the environment or a file. The slug is unique in the organisation."""

    name: str
    slug: str
    description: str | None = None
    manager: Literal["aws_sm", "azure_kv", "hashicorp_vault", "env", "file"]
    settings: Mapping[str, Raw] = {}
    """``auth_config`` of the wire without its secrets; each value is JSON. Secrets are stored under
    ``auth_config.NAME``."""
    masks: Mapping[str, str] = {}
    """Secret fields that are stored, each with what may be shown. Written by the store."""
    secret_path: str
    secret_key: str | None = None
    allow_all_workspaces: bool = True
    allowed_workspaces: tuple[str, ...] = ()
    """Ids; only when not all are allowed."""
    tags: tuple[str, ...] = ()
