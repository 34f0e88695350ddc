"""Metadata that an operator attaches to keys and workspaces: short texts by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, UnsetType

from lockgate.entities.entity import NULL
from lockgate.plan.metadata_schema import read_schema

MetadataBody: TypeAlias = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=128)], Annotated[str, Meta(max_length=128)]], Meta(max_length=64)
]
"""Values are text of at most 128 characters. Source: control-plane specification, section 7.6."""


def completed(schema: Raw, metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Return the metadata of something new with the defaults of the organisation's schema."""
    return metadata if schema == NULL else read_schema(msgspec.json.decode(schema), "schema").completed(metadata)


def read_schema_body(given: Mapping[str, Any] | UnsetType | None, old: Raw, path: str) -> Raw:
    """Return the schema that holds after a change. Raises InvalidRequest for one that is none or says too much."""
    if isinstance(given, UnsetType):
        return old
    if given is None:
        return NULL
    read_schema(given, path)
    return Raw(msgspec.json.encode(given))


def write_schema(schema: Raw) -> Raw | None:
    """Return a schema for the wire, None when there is none."""
    return None if schema == NULL else schema


def write_metadata(metadata: Mapping[str, str]) -> dict[str, str] | None:
    """Return metadata for the wire, None when there is none."""
    return dict(metadata) or None
