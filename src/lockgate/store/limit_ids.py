"""Ids for limits: a counter is known by its limit's id, so each limit gets one before it is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from lockgate.entities import GlobalAccess, RateLimit, UsageLimit

S = TypeVar("S", bound=Struct)


def identified(entity: S, make_id: Callable[[], str]) -> S:
    """Return an entity whose limits without an id have one, wherever in it they stand."""
    changed: dict[str, object] = {}
    for name in entity.__struct_fields__:
        value = getattr(entity, name)
        new: object = value
        if isinstance(value, UsageLimit | RateLimit):
            new = _one(value, make_id)
        elif isinstance(value, tuple) and any(isinstance(item, UsageLimit | RateLimit) for item in value):
            new = tuple(_one(item, make_id) for item in value)
        elif isinstance(value, GlobalAccess):
            new = identified(value, make_id)
        if new is not value:
            changed[name] = new
    return msgspec.structs.replace(entity, **changed) if changed else entity


def _one(limit: UsageLimit | RateLimit, make_id: Callable[[], str]) -> UsageLimit | RateLimit:
    return limit if limit.id else msgspec.structs.replace(limit, id=make_id())
