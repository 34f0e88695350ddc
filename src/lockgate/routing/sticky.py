"""Sticky load balancing: what makes two requests the same caller's, and who was given to whom.

Source: gateway protocol specification, section 4.5.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from math import log

import msgspec
from msgspec import Raw, Struct

from lockgate.core.json_text import object_keys
from lockgate.routing.scene import Scene

DEFAULT_TTL_S = 3600.0
MAX_ASSIGNMENTS = 100_000
"""How many assignments one process keeps; the oldest is forgotten first."""

_ROOTS = ("metadata", "params", "headers", "url")


class Field(Struct, frozen=True):
    """Where one of the values is found."""

    root: str
    names: tuple[str, ...]


class Sticky(Struct, frozen=True, kw_only=True):
    """Which values make a caller, and how long it stays. ``owner`` and ``path`` name the config and the node."""

    fields: tuple[Field, ...]
    ttl_s: float
    owner: str
    path: str

    def key(self, scene: Scene) -> str | None:
        """Return the caller's key, None when the request has none of the values."""
        values = [_value(field, scene) for field in self.fields]
        if all(value is None for value in values):
            return None
        return sha256(_write([scene.tenant, self.owner, self.path, values])).hexdigest()


def draw(key: str, index: int, weight: float) -> float:
    """Return a caller's lot for one child: the highest wins, each child as often as its share of the weights.

    When a child comes or goes, only those move whose highest lot it has, or had.
    """
    digest = sha256(f"{key}:{index}".encode()).digest()
    fraction = (int.from_bytes(digest[:7], "big") + 1) / (2**56 + 1)
    return weight / -log(fraction)


def read_field(text: str) -> Field:
    """Read a path such as ``metadata.user_id``; without a root it is one into the body."""
    root, _, rest = text.partition(".")
    if root not in _ROOTS or not rest:
        return Field("params", tuple(text.split(".")))
    return Field(root, tuple(rest.split(".")) if root == "params" else (rest,))


def _value(field: Field, scene: Scene) -> object:
    name = field.names[0]
    match field.root:
        case "metadata":
            return scene.metadata.get(name)
        case "headers":
            return scene.headers.get(name.lower())
        case "url":
            return scene.path if name == "pathname" else None
        case _:
            return _inside(scene.params.get(name), field.names[1:])


def _inside(value: Raw | None, names: tuple[str, ...]) -> object:
    """Follow names into a value; what is not there, and null, is None."""
    for name in names:
        if value is None:
            return None
        value = object_keys(value).get(name)
    if value is None:
        return None
    try:
        return msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return None


class Assignments:
    """The assignments of one process, each for a fixed time from its beginning."""

    def __init__(self, most: int = MAX_ASSIGNMENTS) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def get(self, key: str, now_s: float) -> int | None:
        """Return the child that is kept for a key."""
        index, until_s = self._kept.get(key, (None, 0.0))
        return index if now_s < until_s else None

    def keep(self, key: str, index: int, ttl_s: float, now_s: float, *, is_replacing: bool = False) -> int:
        """Keep a choice and return the one that counts: an earlier one, unless it is to be replaced."""
        earlier = self.get(key, now_s)
        if earlier is not None and not is_replacing:
            return earlier
        self._kept.pop(key, None)
        self._kept[key] = (index, now_s + ttl_s)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return index


_write = msgspec.json.Encoder(order="sorted").encode
