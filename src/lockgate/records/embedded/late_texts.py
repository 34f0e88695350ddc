"""Searches over days that rows came late to, whose rows and texts may lie in different engines for a minute.

Such a search is answered in two steps: the texts of these days are looked through first, wherever they lie, and the
records that they belong to are added to the filter by their ids.
"""

from __future__ import annotations

from lockgate.records.embedded import sealed
from lockgate.records.embedded.duck import Duck
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import Contents
from lockgate.records.embedded.sqlite import reading
from lockgate.records.query.sql import DuckSpeech, Sql, SqliteSpeech
from lockgate.records.query.tree import AllOf, AnyOf, Compare, Node, Not, Text, any_of

_TIMEOUT_S = 10.0


def find_late_texts(node: Node, layout: Layout, duck: Duck, contents: Contents) -> Node:
    """Return the filter with the records that a text is found in on days with late rows."""
    late = [day for day, state in contents.days.items() if state == "late"]
    return _resolve(node, late, layout, duck, contents) if late else node


def _resolve(node: Node, late: list[int], layout: Layout, duck: Duck, contents: Contents) -> Node:
    match node:
        case Text(text):
            found: set[str] = set()
            for day in late:
                query = SqliteSpeech().text_ids(text)
                with reading(layout.day(day), _TIMEOUT_S) as connection:
                    found |= {row[0] for row in connection.execute(query.text, query.parameters)}
            files = [file for file in contents.of("previews") if file.day in late]
            if files:
                query = DuckSpeech().text_ids(text)
                table = sealed.table(layout.cold, files, sealed.PREVIEW_TYPES)
                head = f"WITH previews AS (SELECT * FROM {table}) "
                found |= {str(row[0]) for row in duck.rows(Sql(head + query.text, query.parameters))}
            return any_of(node, Compare("id", "in", tuple(sorted(found)))) if found else node
        case Not(child):
            return Not(_resolve(child, late, layout, duck, contents))
        case AllOf(children):
            return AllOf(tuple(_resolve(child, late, layout, duck, contents) for child in children))
        case AnyOf(children):
            return AnyOf(tuple(_resolve(child, late, layout, duck, contents) for child in children))
        case Compare():
            return node
