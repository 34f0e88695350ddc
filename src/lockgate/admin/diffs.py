"""What is different between two JSON texts: by path, and as lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType


class Difference(Struct, frozen=True, kw_only=True):
    """One place that differs. ``before`` is missing for what was added, ``after`` for what was removed."""

    path: str
    """Dotted, such as ``targets.0.weight``; empty for the whole."""
    kind: Literal["added", "removed", "changed"]
    before: Raw | UnsetType = UNSET
    after: Raw | UnsetType = UNSET


def differences(before: str, after: str) -> list[Difference]:
    """Return the places that differ, in the order of the texts. The order of keys does not count."""
    return list(_compare("", _decode(before), _decode(after)))


def unified(before: str, after: str, names: tuple[str, str]) -> str:
    """Return the difference as the lines of a patch, of the texts written with one value on a line."""
    old, new = (_pretty(text).splitlines() for text in (before, after))
    return "\n".join(difflib.unified_diff(old, new, names[0], names[1], lineterm=""))


def _compare(path: str, before: object, after: object) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _compare_objects(path, cast("dict[str, Any]", before), cast("dict[str, Any]", after))
    elif isinstance(before, list) and isinstance(after, list):
        old = {str(at): value for at, value in enumerate(before)}
        yield from _compare_objects(path, old, {str(at): value for at, value in enumerate(after)})
    elif type(before) is not type(after) or before != after:
        yield Difference(path=path, kind="changed", before=_raw(before), after=_raw(after))


def _compare_objects(path: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys((*before, *after)):
        below = f"{path}.{key}" if path else key
        if key not in after:
            yield Difference(path=below, kind="removed", before=_raw(before[key]))
        elif key not in before:
            yield Difference(path=below, kind="added", after=_raw(after[key]))
        else:
            yield from _compare(below, before[key], after[key])


def _decode(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _pretty(text: str) -> str:
    try:
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return text


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
