"""Workspaces in a filter by their slugs: records know them by ids, people by slugs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lockgate.records.query.matching import value_test
from lockgate.records.query.tree import AllOf, AnyOf, Compare, Node, Not, Text, any_of, walk

_COLUMN = "workspace_id"


def named_workspaces(node: Node) -> Iterator[str]:
    """Yield the workspaces that a filter names as they are, by id or slug."""
    for leaf in walk(node):
        if isinstance(leaf, Compare) and leaf.field == _COLUMN and leaf.op == "in":
            yield from map(str, leaf.values)


def has_workspaces(node: Node) -> bool:
    """Tell whether a filter asks for workspaces at all."""
    return any(isinstance(leaf, Compare) and leaf.field == _COLUMN for leaf in walk(node))


def with_workspace_ids(node: Node, ids: Mapping[str, str]) -> Node:
    """Return a filter that finds workspaces by their slugs too. ``ids`` are the ids by slug."""
    match node:
        case Compare() if node.field == _COLUMN and node.op != "exists":
            fits = value_test(node)
            found = tuple(sorted(id for slug, id in ids.items() if fits(slug)))
            return any_of(node, Compare(_COLUMN, "in", found)) if found else node
        case Compare() | Text():
            return node
        case Not(child):
            return Not(with_workspace_ids(child, ids))
        case AllOf(children):
            return AllOf(tuple(with_workspace_ids(child, ids) for child in children))
        case AnyOf(children):
            return AnyOf(tuple(with_workspace_ids(child, ids) for child in children))
