"""The organisation: whose gateway this is. One is made at the first start."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw, Struct

from lockgate.entities.entity import NULL, Entity
from lockgate.entities.limits import RateLimit, UsageLimit
from lockgate.entities.recording import RecordingChoice


class OrganisationDefaults(Struct, frozen=True, kw_only=True):
    """What holds for all workspaces that say nothing else."""

    metadata: Mapping[str, str] = {}
    config_id: str | None = None
    input_guardrails: tuple[str, ...] = ()
    output_guardrails: tuple[str, ...] = ()
    recording: RecordingChoice | None = None


class Organisation(Entity, frozen=True, kw_only=True):
    """The root of all that is stored."""

    name: str
    slug: str
    defaults: OrganisationDefaults = OrganisationDefaults()
    settings: Mapping[str, bool | int | str | None] = {}
    """Switches by their names on the wire."""
    key_metadata_schema: Raw = NULL
    """JSON Schema for the metadata of keys."""
    workspace_metadata_schema: Raw = NULL
    """JSON Schema for the metadata of workspaces."""
    api_key_max_ttl_s: int | None = None
    """Longest life of an API key, in seconds; None: keys may live for ever."""
    api_key_max_transition_s: int | None = None
    """Longest overlap of a rotation, in seconds."""
    usage_limits: tuple[UsageLimit, ...] = ()
    """Over all workspaces together."""
    rate_limits: tuple[RateLimit, ...] = ()
    denied_export_fields: tuple[str, ...] = ()
    block_inline_config: bool = False
    """Whether requests may only use what is saved."""
