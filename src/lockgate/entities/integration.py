"""Integrations: a credential for a provider, which models it offers, and which workspaces may use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Raw, Struct

from lockgate.entities.entity import NULL, Entity
from lockgate.entities.limits import RateLimit, UsageLimit


class SecretMapping(Struct, frozen=True, kw_only=True):
    """A field whose secret is kept elsewhere."""

    target_field: str
    """``key``, or ``configurations.NAME``."""
    secret_reference_id: str
    secret_key: str | None = None
    """Which value of a secret that holds several; None: the one that the reference names."""
    value_format: Literal["string", "json"] = "string"


class GlobalAccess(Struct, frozen=True, kw_only=True):
    """What workspaces that are made later get."""

    is_enabled: bool = False
    usage_limits: tuple[UsageLimit, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()


class Integration(Entity, frozen=True, kw_only=True):
    """A credential for a provider. Provider, workspace and slug are fixed at creation; the slug is unique in the
    organisation.

    The credential and other secret fields are not in here: they are handed to the store beside it, under the names of
    ``secret_fields``, and ``masks`` tells which ones there are.
    """

    name: str
    slug: str
    provider: str
    """One of the names in the provider reference: ``anthropic``."""
    workspace_id: str | None = None
    """None: the organisation's, shared out by WorkspaceAccess. Else seen in that workspace only."""
    description: str | None = None
    configurations: Mapping[str, Raw] = {}
    """The provider's settings that are no secrets, by their names on the wire; each value is JSON."""
    references: Mapping[str, str] = {}
    """Secret fields that are read elsewhere when a snapshot is compiled: ``{"key": "env:NAME"}`` or ``file:PATH``."""
    masks: Mapping[str, str] = {}
    """Secret fields that are stored, each with what may be shown. Written by the store."""
    secret_mappings: tuple[SecretMapping, ...] = ()
    allow_all_models: bool = True
    """True: every model but the disabled entries; False: the enabled entries only."""
    pricing_adjustments: Raw = NULL
    global_access: GlobalAccess = GlobalAccess()
    usage_limits: tuple[UsageLimit, ...] = ()
    """Over all workspaces together."""
    rate_limits: tuple[RateLimit, ...] = ()
    is_hidden: bool = False
    """Made for one virtual key, and not listed beside the others."""
    tags: tuple[str, ...] = ()


class IntegrationModel(Entity, frozen=True, kw_only=True):
    """What is special about a model of an integration. The slug is unique in the integration. Deleting one deletes
    the row: a built-in model is then as it was."""

    integration_id: str
    slug: str
    name: str | None = None
    is_enabled: bool = True
    is_custom: bool = False
    is_finetune: bool = False
    base_model_slug: str | None = None
    """The model whose dialect and facts a custom one has."""
    configurations: Mapping[str, Raw] = {}
    """``custom_host`` and other settings that are no secrets; each value is JSON."""
    references: Mapping[str, str] = {}
    """As of an integration."""
    masks: Mapping[str, str] = {}
    """As of an integration."""
    pricing: Raw = NULL
    """The price that holds here, as it stands on the wire, in cents for a token."""
    capabilities: tuple[str, ...] = ()
    context_window: int | None = None
    max_output_tokens: int | None = None
    deprecated_at: str | None = None


class WorkspaceAccess(Entity, frozen=True, kw_only=True):
    """A workspace's leave to use an integration of the organisation. The limits count over all the providers of that
    workspace that use it. Deleting one deletes the row."""

    integration_id: str
    workspace_id: str
    is_enabled: bool = True
    usage_limits: tuple[UsageLimit, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
