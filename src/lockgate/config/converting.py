"""Converting parsed values to a type, with everything that is wrong in them rather than the first thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from difflib import get_close_matches
from typing import Generic, TypeVar, get_args

import msgspec
from msgspec import Struct

from lockgate.core.plain_words import complaint_of

_T = TypeVar("_T")
_UNKNOWN = re.compile(r"^object contains unknown field `(?P<name>[^`]*)`$")
_ONE_OF = "must be one of "


class Flaw(Struct, frozen=True):
    """One thing that is wrong."""

    keys: tuple[str, ...]
    """What leads there: names, and numbers of items."""
    what: str


class Converted(Struct, Generic[_T], frozen=True):
    """A value of the type, None when something is wrong."""

    value: _T | None
    flaws: tuple[Flaw, ...] = ()


def convert_all(value: object, kind: type[_T], *, strict: bool = True) -> Converted[_T]:
    """Convert a value. What is at fault is left out to find what else is; what is missing only for that reason is not
    told."""
    value, flaws, gone = deepcopy(value), list[Flaw](), set[tuple[str, ...]]()
    while True:
        try:
            converted = msgspec.convert(value, kind, strict=strict)
        except msgspec.ValidationError as error:
            keys, what, is_missing = _complaint(error, kind, value)
            if not (is_missing and keys in gone):
                flaws.append(Flaw(keys, what))
            # of what lacks something nothing more can be said
            left = _without(value, keys[:-1] if is_missing else keys)
            if left is None:
                return Converted(None, tuple(flaws))
            gone.add(left)
        else:
            return Converted(None if flaws else converted, tuple(flaws))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` for a name that nobody knows, "" when nothing is near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _complaint(error: msgspec.ValidationError, kind: object, value: object) -> tuple[tuple[str, ...], str, bool]:
    """Return the keys that lead to a fault, what is wrong there, and whether something is missing."""
    complaint = complaint_of(error, kind if isinstance(kind, type) else object)
    keys = tuple(re.findall(r"[A-Za-z0-9_-]+", complaint.path))
    unknown = _UNKNOWN.match(complaint.what)
    if unknown:
        return (*keys, unknown["name"]), _unknown_key(kind, keys, unknown["name"]), False
    what, found = complaint.what, _at(value, keys)
    if what.startswith(_ONE_OF) and isinstance(found, str):
        what += nearest(found, what.removeprefix(_ONE_OF).split(", "))
    return keys, what, complaint.is_missing


def _unknown_key(kind: object, path: tuple[str, ...], name: str) -> str:
    for step in path:
        kind = next(structs_in(_fields(kind).get(step)), kind)
    known = sorted(_fields(kind))
    return f"unknown key{nearest(name, known) or ';'} known here: {', '.join(known)}"


def _at(value: object, keys: tuple[str, ...]) -> object:
    """Return what stands under keys and numbers of items; None where nothing does."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _without(value: object, keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """Take out the last of the keys that is one of a table, and return the keys to it; None when there is none."""
    for end in range(len(keys), 0, -1):
        table = _at(value, keys[: end - 1])
        if isinstance(table, dict) and keys[end - 1] in table:
            del table[keys[end - 1]]
            return keys[:end]
    return None


def _fields(kind: object) -> dict[str, object]:
    """The fields of a Struct by name; nothing for other types."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def structs_in(kind: object) -> Iterator[type[Struct]]:
    """Yield the Structs that an annotation speaks of, inside lists and unions too."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
    for part in get_args(kind):
        yield from structs_in(part)
