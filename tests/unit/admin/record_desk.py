"""The records of a plane: a real store in a folder, opened when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lockgate.core.capture import Capture
from lockgate.records.bodies.store import Bodies, BodyStore
from lockgate.records.embedded.writer import EmbeddedStore
from lockgate.records.exports.export import DEFAULT_LIMITS
from lockgate.records.exports.jobs import Exports
from lockgate.records.query.tree import Node
from lockgate.records.row import Row
from lockgate.records.store import Feedback, Receipt, Scope


class LazyDesk:
    """Implements ``admin.desk.RecordDesk``; what is handed in as text stays in ``appended``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.appended: list[bytes] = []
        self.offered: list[Capture] = []
        self.now_us = 0
        self.part_limits = DEFAULT_LIMITS

    @cached_property
    def store(self) -> EmbeddedStore:
        """Where rows are."""
        return EmbeddedStore(self._folder)

    @cached_property
    def exports(self) -> Exports:
        """Jobs, on which only tests work."""
        made = Exports(
            self._folder / "exports", self.store, self.bodies_of, lambda: self.now_us, limits=self.part_limits
        )
        made.create()
        return made

    @property
    def reader(self) -> EmbeddedStore:
        """The same."""
        return self.store

    def bodies_of(self, row: Row) -> Bodies | None:
        """Return what ``keep`` was given."""
        return self.bodies.get(row.id, row.started_us)

    @cached_property
    def bodies(self) -> BodyStore:
        """Where bodies are."""
        return BodyStore(self.store.layout)

    def append(self, data: bytes, record_id: str) -> None:
        """Take a record."""
        self.appended.append(data)

    def offer(self, capture: Capture) -> None:
        """Take bodies."""
        self.offered.append(capture)

    def delete(self, where: Node, scope: Scope, *, reason: str, now_us: int) -> Receipt:
        """Hide records."""
        return self.store.delete_where(where, scope, reason=reason, now_us=now_us)

    def add_feedback(self, items: Sequence[Feedback]) -> None:
        """Keep feedback."""
        self.store.add_feedback(items)

    def change_feedback(self, id: str, scope: Scope, **changes: Any) -> Feedback | None:
        """Change feedback."""
        return self.store.change_feedback(id, scope, **changes)

    def close(self) -> None:
        """Close what was opened."""
        if "store" in self.__dict__:
            self.store.close()
