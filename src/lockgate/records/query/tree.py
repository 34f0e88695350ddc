"""The filter tree: what every list, chart, export, tail and deletion selects by. Plain data that can be stored.

Nothing in a tree is SQL. Nodes are made through ``fields``, which checks names and kinds of values.
A comparison with a value that is absent is false; its negation is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

Value: TypeAlias = str | int | float | bool
Op: TypeAlias = Literal[
    "in", "lt", "le", "gt", "ge", "contains", "starts", "ends", "matches", "exists", "has_any", "has_all"
]


class Compare(Struct, frozen=True, tag="compare"):
    """A column against values. ``in``: equal to one of them. The others but ``has_*`` take one, ``exists`` none."""

    field: str
    op: Op
    values: tuple[Value, ...] = ()
    key: str | None = None
    """Of ``metadata``: which key."""


class Text(Struct, frozen=True, tag="text"):
    """Rows whose previews, bodies' text or error messages hold this text, whatever the case of its letters."""

    text: str


class Not(Struct, frozen=True, tag="not"):
    """Rows that the child does not select."""

    child: Node


class AllOf(Struct, frozen=True, tag="all"):
    """Rows that each child selects; without children all rows."""

    children: tuple[Node, ...] = ()


class AnyOf(Struct, frozen=True, tag="any"):
    """Rows that some child selects; without children none."""

    children: tuple[Node, ...] = ()


Node: TypeAlias = Compare | Text | Not | AllOf | AnyOf
EVERYTHING = AllOf()
NOTHING = AnyOf()


def all_of(*nodes: Node) -> Node:
    """Return the rows that all nodes select, as flat a tree as possible."""
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.children if isinstance(node, AllOf) else (node,))
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat))


def any_of(*nodes: Node) -> Node:
    """Return the rows that some node selects."""
    return nodes[0] if len(nodes) == 1 else AnyOf(nodes)


def walk(node: Node) -> Iterator[Compare | Text]:
    """Yield the leaves."""
    match node:
        case Compare() | Text():
            yield node
        case Not(child):
            yield from walk(child)
        case AllOf(children) | AnyOf(children):
            for child in children:
                yield from walk(child)


_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Node] = msgspec.json.Decoder(Node).decode


def write_tree(node: Node) -> bytes:
    """Return a tree as JSON, for saved views and tombstones."""
    return _encode(node)


def read_tree(data: bytes) -> Node:
    """Return the tree of JSON that ``write_tree`` wrote. Raises msgspec.ValidationError."""
    return _decode(data)
