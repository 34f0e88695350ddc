"""``/admin/organisation/defaults``: what holds for all workspaces that say nothing else, and how far they may go.

Source: control-plane specification, section 2.2.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from lockgate.admin.access import needs
from lockgate.admin.call import Call
from lockgate.admin.changes import given
from lockgate.admin.endpoint import Answer, Endpoint, Nothing
from lockgate.admin.metadata import MetadataBody, read_schema_body, write_metadata, write_schema
from lockgate.admin.recording import RecordingBody, read_recording, write_recording
from lockgate.admin.times import write_time
from lockgate.entities import Organisation, OrganisationDefaults
from lockgate.errors import InvalidRequest

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Names: TypeAlias = Annotated[list[Name], Meta(max_length=100)]
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=10**10)]

_WORKSPACES = "defaults.config_id"
"""Where a workspace's body names a default config."""


class OrganisationDefaultsPatch(Struct, frozen=True, kw_only=True):
    """What changes: what is missing stays, null clears."""

    metadata: MetadataBody | UnsetType | None = UNSET
    config_id: Name | UnsetType | None = UNSET
    input_guardrails: Names | UnsetType | None = UNSET
    output_guardrails: Names | UnsetType | None = UNSET
    recording: RecordingBody | UnsetType | None = UNSET
    block_inline_config: bool | UnsetType | None = UNSET
    api_key_max_ttl_s: Seconds | UnsetType | None = UNSET
    api_key_max_transition_s: Seconds | UnsetType | None = UNSET
    key_metadata_schema: dict[str, Any] | UnsetType | None = UNSET
    """JSON Schema of the metadata that keys of workspaces must carry, together with their workspace's: ``properties``
    of type string with ``enum``, ``const``, ``pattern``, lengths and ``default``, ``required``,
    ``additionalProperties``. Looked at when a key is made, or its metadata changed."""
    workspace_metadata_schema: dict[str, Any] | UnsetType | None = UNSET
    """The same for workspaces."""
    denied_export_fields: Names | UnsetType | None = UNSET
    """Fields that no export may hold, such as ``request``."""


class OrganisationDefaultsView(Struct, frozen=True, kw_only=True):
    """The defaults."""

    organisation_id: str
    metadata: dict[str, str] | None
    config_id: str | None
    input_guardrails: list[str]
    output_guardrails: list[str]
    recording: RecordingBody | None
    block_inline_config: bool
    """Whether requests may only use what is saved."""
    api_key_max_ttl_s: int | None
    """The longest life of an API key, in seconds."""
    api_key_max_transition_s: int | None
    """The longest overlap of a rotation, in seconds."""
    key_metadata_schema: Raw | None
    workspace_metadata_schema: Raw | None
    denied_export_fields: list[str]
    last_updated_at: str
    object: str = "organisation-defaults"


def retrieve(call: Call[Nothing, Nothing]) -> Answer:
    """Show the defaults."""
    with call.view() as view:
        organisation = view.get(Organisation, call.principal.organisation_id)
    return Answer(body=_view(organisation), version=organisation.version)


def update(call: Call[OrganisationDefaultsPatch, Nothing]) -> Answer:
    """Change the defaults, and show them."""
    try:
        with call.change() as tx:
            organisation = tx.get(Organisation, call.principal.organisation_id)
            version = call.expect(organisation)
            organisation = tx.update(_patched(call.body, organisation), expected_version=version)
    except InvalidRequest as error:
        if error.path != _WORKSPACES:
            raise
        # the organisation's default is told as the workspaces', which take it over
        raise InvalidRequest(error.message.removeprefix("defaults."), path="config_id") from None
    return Answer(body=_view(organisation), version=organisation.version)


def _patched(body: OrganisationDefaultsPatch, organisation: Organisation) -> Organisation:
    old = organisation.defaults
    block = body.block_inline_config
    return msgspec.structs.replace(
        organisation,
        defaults=OrganisationDefaults(
            metadata=old.metadata if body.metadata is UNSET else (body.metadata or {}),
            config_id=given(body.config_id, old.config_id),
            input_guardrails=_names(body.input_guardrails, old.input_guardrails),
            output_guardrails=_names(body.output_guardrails, old.output_guardrails),
            recording=read_recording(body.recording, old.recording),
        ),
        block_inline_config=organisation.block_inline_config if block is UNSET else block is True,
        api_key_max_ttl_s=given(body.api_key_max_ttl_s, organisation.api_key_max_ttl_s),
        api_key_max_transition_s=given(body.api_key_max_transition_s, organisation.api_key_max_transition_s),
        key_metadata_schema=read_schema_body(
            body.key_metadata_schema, organisation.key_metadata_schema, "key_metadata_schema"
        ),
        workspace_metadata_schema=read_schema_body(
            body.workspace_metadata_schema, organisation.workspace_metadata_schema, "workspace_metadata_schema"
        ),
        denied_export_fields=_names(body.denied_export_fields, organisation.denied_export_fields),
    )


def _names(asked: list[str] | UnsetType | None, old: tuple[str, ...]) -> tuple[str, ...]:
    return old if isinstance(asked, UnsetType) else tuple(asked or ())


def _view(organisation: Organisation) -> OrganisationDefaultsView:
    defaults = organisation.defaults
    return OrganisationDefaultsView(
        organisation_id=organisation.id,
        metadata=write_metadata(defaults.metadata),
        config_id=defaults.config_id,
        input_guardrails=list(defaults.input_guardrails),
        output_guardrails=list(defaults.output_guardrails),
        recording=write_recording(defaults.recording),
        block_inline_config=organisation.block_inline_config,
        api_key_max_ttl_s=organisation.api_key_max_ttl_s,
        api_key_max_transition_s=organisation.api_key_max_transition_s,
        key_metadata_schema=write_schema(organisation.key_metadata_schema),
        workspace_metadata_schema=write_schema(organisation.workspace_metadata_schema),
        denied_export_fields=list(organisation.denied_export_fields),
        last_updated_at=write_time(organisation.updated_at),
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/admin/organisation/defaults",
        access=needs("organisation_settings.read", keys=("organisation",)),
        summary="Show what holds for all workspaces",
        reply=OrganisationDefaultsView,
        handler=retrieve,
    ),
    Endpoint(
        method="PUT",
        path="/admin/organisation/defaults",
        access=needs("organisation_settings.update", keys=("organisation",)),
        summary="Change what holds for all workspaces",
        body=OrganisationDefaultsPatch,
        reply=OrganisationDefaultsView,
        handler=update,
    ),
)
