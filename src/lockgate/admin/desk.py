"""What the control plane needs of the records: to read them, and to add what somebody hands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lockgate.core.capture import Capture
from lockgate.records.bodies.store import Bodies
from lockgate.records.exports.jobs import Exports
from lockgate.records.query.tree import Node
from lockgate.records.row import Row
from lockgate.records.store import Feedback, Receipt, RecordReader, Scope


class RecordDesk(Protocol):
    """The records of this gateway. All calls block."""

    @property
    def reader(self) -> RecordReader:
        """What lists, charts and traces ask."""
        ...

    def bodies_of(self, row: Row) -> Bodies | None:
        """Return what is kept of a record's bodies, None when nothing is. Raises OSError for damaged ones."""
        ...

    @property
    def exports(self) -> Exports:
        """The jobs that write records into files."""
        ...

    def offer(self, capture: Capture) -> None:
        """Keep bodies, without secrets, if there is room for them."""
        ...

    def append(self, data: bytes, record_id: str) -> None:
        """Put a record, as JSON text, into the journal. When this returns, it survives the end of the process."""
        ...

    def delete(self, where: Node, scope: Scope, *, reason: str, now_us: int) -> Receipt:
        """Hide records at once; the process that writes removes them from every file within seconds.

        Raises InvalidRequest for a filter that looks into texts, or selects everything.
        """
        ...

    def add_feedback(self, items: Sequence[Feedback]) -> None:
        """Keep feedback, all or none; the trace may be unknown."""
        ...

    def change_feedback(
        self,
        id: str,
        scope: Scope,
        *,
        now_us: int,
        value: int | None,
        weight: float | None,
        metadata: Mapping[str, str] | None,
    ) -> Feedback | None:
        """Change what is given; None: there is no such feedback."""
        ...
