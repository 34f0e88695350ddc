"""Policies: limits on the requests that meet conditions, counted for each value by which they group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from lockgate.entities.entity import Entity
from lockgate.entities.limits import RateLimit, UsageLimit


class Condition(Struct, frozen=True, kw_only=True):
    """A request meets it when the value under ``key`` is one of ``values``."""

    key: str
    """``api_key``, ``provider``, ``model``, ``metadata.NAME`` and so on."""
    values: tuple[str, ...]
    is_excluded: bool = False
    """Whether it is met by all other values instead."""


class UsagePolicy(Entity, frozen=True, kw_only=True):
    """A budget for each group of requests."""

    workspace_id: str
    name: str
    description: str | None = None
    conditions: tuple[Condition, ...] = ()
    group_by: tuple[str, ...] = ()
    limit: UsageLimit
    value_resets: Mapping[str, datetime] = {}
    """When the counter of a group's value was set to zero by hand."""


class RatePolicy(Entity, frozen=True, kw_only=True):
    """A rate limit for each group of requests."""

    workspace_id: str
    name: str
    description: str | None = None
    conditions: tuple[Condition, ...] = ()
    group_by: tuple[str, ...] = ()
    limit: RateLimit
    target: Literal["llm", "mcp_tools"] = "llm"
