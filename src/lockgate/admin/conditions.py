"""Conditions and groups of policies on the wire.

One condition there is ``{key, value, excludes}``, both a text or a list; inside, what must be met and what must not are
two. Source: control-plane specification, section 3.7.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from lockgate.entities import Condition
from lockgate.errors import InvalidRequest

Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Texts: TypeAlias = Annotated[list[Text], Meta(max_length=200)]

ANY = "*"
METADATA = "metadata."
_COMMON = frozenset(
    {"api_key", "virtual_key", "provider", "config", "prompt", "model", "organisation_id", "workspace_id"}
)
USAGE_KEYS = _COMMON
RATE_KEYS = _COMMON | {"endpoint_type"}
TOOL_KEYS = frozenset({"api_key", "workspace_id", "mcp_server", "mcp_tool"})


class ConditionBody(Struct, frozen=True, kw_only=True):
    """What a request must be like."""

    key: Text
    value: Text | Texts | None = None
    """One of these; ``*`` for any, which needs the key to be there."""
    excludes: Text | Texts | None = None
    """None of these."""


class GroupKey(Struct, frozen=True, kw_only=True):
    """By what requests are counted apart."""

    key: Text


class ConditionView(Struct, frozen=True, kw_only=True):
    """A condition as we write it."""

    key: str
    value: str | list[str]
    excludes: str | list[str] | None = None


ConditionsBody: TypeAlias = Annotated[list[ConditionBody], Meta(max_length=50)]
GroupsBody: TypeAlias = Annotated[list[GroupKey | Text], Meta(max_length=10)]


def read_conditions(given: Sequence[ConditionBody], keys: Collection[str]) -> tuple[Condition, ...]:
    """Return the conditions to store. Raises InvalidRequest for a key that policies of this kind do not know."""
    found: list[Condition] = []
    for i, body in enumerate(given):
        path = f"conditions[{i}].key"
        key = body.key
        _check_key(key, keys, path)
        values, excludes = _texts(body.value), _texts(body.excludes)
        if not values:
            values = (ANY,)
        found.append(Condition(key=key, values=values))
        if excludes:
            found.append(Condition(key=key, values=excludes, is_excluded=True))
    return tuple(found)


def write_conditions(conditions: Sequence[Condition]) -> list[ConditionView]:
    """Return conditions for the wire."""
    views: list[ConditionView] = []
    for condition in conditions:
        value = _shown(condition.values)
        last = views[-1] if views else None
        if not condition.is_excluded:
            views.append(ConditionView(key=condition.key, value=value))
        elif last is not None and last.key == condition.key and last.excludes is None:
            views[-1] = ConditionView(key=last.key, value=last.value, excludes=value)
        else:
            views.append(ConditionView(key=condition.key, value=ANY, excludes=value))
    return views


def read_groups(given: Sequence[GroupKey | str], keys: Collection[str]) -> tuple[str, ...]:
    """Return the keys by which a policy groups. Raises InvalidRequest."""
    names = tuple(dict.fromkeys(each.key if isinstance(each, GroupKey) else each for each in given))
    for i, name in enumerate(names):
        _check_key(name, keys, f"group_by[{i}].key")
    return names


def write_groups(names: Sequence[str]) -> list[GroupKey]:
    """Return groups for the wire."""
    return [GroupKey(key=name) for name in names]


def _check_key(key: str, keys: Collection[str], path: str) -> None:
    if key in keys or (key.startswith(METADATA) and len(key) > len(METADATA)):
        return
    raise InvalidRequest(f"{path}: must be one of {', '.join(sorted(keys))}, metadata.NAME", path=path)


def _texts(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _shown(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
