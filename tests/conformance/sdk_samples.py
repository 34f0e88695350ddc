"""Makes values of the SDK's response types, with every member set: what a provider may send, by the SDK's own word."""

from __future__ import annotations

import datetime
import types
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pydantic


def samples(hint: Any, name: str = "value") -> list[Any]:
    """Return values that together show every arm of every union in a type; members that may lack are there."""
    origin = get_origin(hint)
    if origin is typing.Annotated:
        return samples(get_args(hint)[0], name)
    if origin in (typing.Union, types.UnionType):
        arms = [arm for arm in get_args(hint) if arm is not type(None)]
        return [value for arm in arms for value in samples(arm, name)]
    if origin is typing.Literal:
        return [get_args(hint)[0]]
    if origin is list:
        return [[value] for value in samples(get_args(hint)[0], name)]
    if origin is dict:
        return [{"key": value} for value in samples(get_args(hint)[1], name)]
    if isinstance(hint, type) and issubclass(hint, pydantic.BaseModel):
        return list(_models(hint))
    return [_plain(hint, name)]


def _models(kind: type[pydantic.BaseModel]) -> Iterator[dict[str, Any]]:
    """Yield as many objects as the member with the most arms has."""
    members = {
        field.alias or name: samples(field.annotation, f"{name} é☂ \\ {kind.__name__}")
        for name, field in kind.model_fields.items()
    }
    for number in range(max(len(values) for values in members.values())):
        yield {name: values[number % len(values)] for name, values in members.items()}


def _plain(hint: Any, name: str) -> Any:
    if hint is str:
        return name
    if hint is bool:
        return True
    if hint is int:
        return 7
    if hint is float:
        return 0.5
    if hint is datetime.datetime:
        return "2026-11-22T10:00:00Z"
    if hint in (object, Any):
        return {"deep": [1, {"é": None}]}
    raise TypeError(f"no sample for {hint!r}")
