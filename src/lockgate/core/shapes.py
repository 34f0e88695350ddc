"""Finds the keys of a JSON value that no shape knows, so that what is lost can be named.

Belongs here: how shapes are compared with values. Does not belong here: which keys an API has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Raw, Struct

from lockgate.core.json_text import list_items, object_keys, text_of

_NOTHING = frozenset({b"null", b"[]", b"{}", b'""'})
"""Values that say nothing, as clients send them that write out every field."""


class Shape(Struct, frozen=True):
    """The keys that an object may have, and what stands below some of them."""

    fields: frozenset[str]
    below: Mapping[str, AnyShape] = {}


AnyShape: TypeAlias = Shape | Mapping[str, Shape]
"""One shape, or one for each ``type``; objects of other types are not looked into."""


def shape_of(*structs: type[Struct], below: Mapping[str, AnyShape] | None = None) -> Shape:
    """Return the shape of an object that holds the fields of these Structs."""
    return Shape(frozenset(name for struct in structs for name in struct.__struct_fields__), below or {})


def name_lost(raw: Raw, shape: AnyShape, path: str, found: dict[str, None], *, has_places: bool = True) -> None:
    """Add to ``found`` the paths of keys that a shape lacks, with places in lists unless told otherwise."""
    items = list_items(raw)
    if items:
        for at, item in enumerate(items):
            _look(item, shape, f"{path}[{at}]" if has_places else path, found, has_places)
    else:
        _look(raw, shape, path, found, has_places)


def _look(raw: Raw, shape: AnyShape, path: str, found: dict[str, None], has_places: bool) -> None:
    keys = object_keys(raw)
    known = shape if isinstance(shape, Shape) else shape.get(text_of(keys.get("type")) or "")
    if known is None or (not known.below and keys.keys() <= known.fields):
        return
    for name, value in keys.items():
        if name in known.below:
            name_lost(value, known.below[name], f"{path}.{name}", found, has_places=has_places)
        elif name not in known.fields and bytes(value) not in _NOTHING:
            found[f"{path}.{name}"] = None
