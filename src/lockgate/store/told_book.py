"""What was told once: whoever writes an id down first tells it, of all processes and machines with one database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, insert, select

from lockgate.store.directory import Directory
from lockgate.store.tables import told

LIFETIME = timedelta(days=90)
"""How long it is remembered; longer than anything is told about one and the same thing."""


class ToldBook:
    """The book of one database. To be called in a thread."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def first(self, ids: Sequence[str]) -> set[str]:
        """Write ids down; return those that nobody had written down before. Raises Unavailable."""
        with self._directory.read() as view:
            known = set(view.connection.scalars(select(told.c.id).where(told.c.id.in_(ids))))
        if known.issuperset(ids):
            return set()
        with self._directory.change() as tx:
            tx.connection.execute(delete(told).where(told.c.at <= tx.now - LIFETIME))
            known = set(tx.connection.scalars(select(told.c.id).where(told.c.id.in_(ids))))
            new = sorted(set(ids) - known)
            if new:
                tx.connection.execute(insert(told), [{"id": id, "at": tx.now} for id in new])
        return set(new)
