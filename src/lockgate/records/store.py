"""The contract of a record store. ``embedded`` keeps it on one machine; the suite in ``tests/contract/records`` holds
any engine to it.

Every reading call takes a :class:`Scope`: there is no way to ask without saying whose rows may be seen. Points in time
are microseconds since 1970-01-01 UTC; ranges include their start and exclude their end. Calls block.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from lockgate.errors import InvalidRequest
from lockgate.records.query.tree import EVERYTHING, Compare, Node, Value, all_of
from lockgate.records.row import FAR_FUTURE_US, Preview, Row
from lockgate.records.sketch import Sketch

MAX_PAGE = 1000
_REQUEST_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
SortField: TypeAlias = Literal["started_us", "duration_us", "cost_nano", "total_tokens", "ttft_us", "overhead_us"]


class Scope(Struct, frozen=True):
    """Whose rows may be seen. None: all."""

    workspaces: frozenset[str] | None = None
    api_keys: frozenset[str] | None = None
    """For roles that see only what their own keys did."""

    def narrow(self, node: Node) -> Node:
        """Return the filter within this scope."""
        parts: list[Node] = []
        if self.workspaces is not None:
            parts.append(Compare("workspace_id", "in", tuple(sorted(self.workspaces))))
        if self.api_keys is not None:
            parts.append(Compare("api_key_id", "in", tuple(sorted(self.api_keys))))
        return all_of(*parts, node) if parts else node

    def admits(self, row: Row) -> bool:
        """Whether a row may be seen."""
        return (self.workspaces is None or row.workspace_id in self.workspaces) and (
            self.api_keys is None or row.api_key_id in self.api_keys
        )


ALL = Scope()
"""For administrators of the whole gateway."""


class PageQuery(Struct, frozen=True, kw_only=True):
    """A page of a list: newest first unless it says otherwise; ties are broken by id, so that no row is lost."""

    scope: Scope
    filter: Node = EVERYTHING
    from_us: int = 0
    to_us: int = FAR_FUTURE_US
    limit: int = 50
    cursor: str | None = None
    """``next_cursor`` of the page before; the other members must be the same."""
    sort: SortField = "started_us"
    is_ascending: bool = False


class Entry(Struct, frozen=True):
    """A row of a list with what previews are kept of it."""

    row: Row
    preview: Preview | None = None


class Page(Struct, frozen=True):
    """Rows, and how to go on; None: that was all."""

    entries: tuple[Entry, ...]
    next_cursor: str | None = None


class Tail(Struct, frozen=True):
    """Rows that arrived since, the oldest first, and where to go on."""

    rows: tuple[Row, ...]
    position: str
    skipped: int = 0
    """How many more there were than were asked for."""


class AggregateSpec(Struct, frozen=True, kw_only=True):
    """What to sum up: measures of rows, by up to two dimensions, in slots of time.

    A dimension is a column, or ``metadata.KEY``; None stands for rows without it. ``step_us`` 0: no slots. Slots begin
    at multiples of it since 1970, so 900 seconds fit the days of every time zone.
    """

    scope: Scope
    filter: Node = EVERYTHING
    from_us: int
    to_us: int
    dimensions: tuple[str, ...] = ()
    step_us: int = 0
    measures: tuple[str, ...] = ()
    """Of ``aggregate.MEASURES``; none named: all."""
    sketches: tuple[str, ...] = ()
    """Of ``aggregate.SKETCHES``: duration, ttft, overhead. Of answers that succeeded and came from no cache."""
    is_distinct_users: bool = False
    is_counted_only: bool = True
    """Leave out rows that do not count in analytics."""


GroupKey: TypeAlias = tuple[Value | None, ...]


class Sums(Struct):
    """What the rows of one group add up to, with ``first_seen_us`` and ``last_seen_us``."""

    values: dict[str, int]
    sketches: dict[str, Sketch]
    users: set[int]
    """Hashes of distinct end users; the smallest ``aggregate.MAX_USERS`` of them."""


class Table(Struct, frozen=True):
    """Sums by slot (its start in microseconds; 0 without slots) and key."""

    groups: Mapping[tuple[int, GroupKey], Sums]


class Facet(Struct, frozen=True):
    """A value of a column and how many rows have it."""

    value: Value | None
    count: int


class Appended(Struct, frozen=True):
    """What became of rows: those whose id was there already, or that a deletion covers, are not new."""

    new: int
    known: int = 0
    deleted: int = 0


class Restored(Exception):
    """Rows that were kept are gone, and the store has made again what it could: the journal is to be shipped again."""


class Feedback(Struct, frozen=True, kw_only=True):
    """What somebody thinks of a trace."""

    id: str
    trace_id: str
    workspace_id: str | None
    value: int
    weight: float = 1.0
    metadata: Mapping[str, str] = {}
    source: str = "api"
    created_us: int
    updated_us: int


class Receipt(Struct, frozen=True, kw_only=True):
    """What a deletion did, or has still to do. ``rows_hidden`` from the moment it was asked for."""

    id: str
    reason: str
    created_us: int
    is_done: bool = False
    finished_us: int | None = None
    rows_hidden: int = 0
    rows_removed: int = 0
    bodies_removed: int = 0
    files_rewritten: int = 0


class Dropped(Struct, frozen=True):
    """What a retention run unlinked."""

    days: int
    files: int
    freed_bytes: int


class RecordReader(Protocol):
    """What lists, charts, exports and traces ask."""

    def page(self, query: PageQuery) -> Page:
        """Return a page. Raises InvalidRequest for a cursor that is none, Unavailable when it takes too long."""
        ...

    def get(self, id: str, scope: Scope) -> Entry | None:
        """Return the row of a record id."""
        ...

    def find(self, some_id: str, scope: Scope, *, limit: int = 100) -> Sequence[Row]:
        """Return rows by any id that belongs to them: record, request, trace, span, session, response, ..."""
        ...

    def trace(self, trace_id: str, scope: Scope, *, limit: int = 20_000) -> Sequence[Row]:
        """Return the rows of a trace in the order of time."""
        ...

    def rows_of_traces(
        self, trace_ids: Sequence[str], scope: Scope, *, where: Node = EVERYTHING, limit: int = 100_000
    ) -> Sequence[Row]:
        """Return the rows of many traces that a filter selects, to join feedback with what it is about."""
        ...

    def tail(self, scope: Scope, where: Node, position: str | None, *, limit: int = 20) -> Tail:
        """Return rows that arrived after a position; None: from now on."""
        ...

    def aggregate(self, spec: AggregateSpec) -> Table:
        """Return sums. Raises InvalidRequest for a dimension that does not exist, Unavailable."""
        ...

    def facets(self, column: str, query: PageQuery, *, limit: int = 50) -> Sequence[Facet]:
        """Return the most frequent values of a column among the rows of a query, the most frequent first."""
        ...

    def count(self, query: PageQuery) -> int:
        """Return how many rows a query selects; its cursor and limit do not matter."""
        ...

    def scan(self, query: PageQuery) -> Iterator[Sequence[Entry]]:
        """Yield all rows of a query in batches, the oldest first, as they stood when the scan began."""
        ...

    def feedback(self, scope: Scope, *, from_us: int = 0, to_us: int = FAR_FUTURE_US) -> Sequence[Feedback]:
        """Return feedback by the time it was given."""
        ...

    def feedback_of(self, trace_ids: Sequence[str], scope: Scope) -> Sequence[Feedback]:
        """Return the feedback on traces."""
        ...

    def receipts(self) -> Sequence[Receipt]:
        """Return the receipts of deletions, the newest first."""
        ...


class RecordWriter(Protocol):
    """What the shipper and the administration do. One process at a time."""

    def append(self, rows: Sequence[Row]) -> Appended:
        """Keep rows; idempotent by id. When this returns they are on disk and every reader sees them.

        Raises Restored, having kept nothing.
        """
        ...

    def append_previews(self, previews: Sequence[Preview]) -> None:
        """Keep what lists show and searches find; the row may come before or after. Idempotent by id.

        Raises Restored.
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

    def drop_before(self, us: int) -> Dropped:
        """Forget whole days that ended before, by unlinking their files; sums by hour stay."""
        ...

    def delete_where(self, where: Node, scope: Scope, *, reason: str, now_us: int) -> Receipt:
        """Hide rows at once; ``apply_deletions`` removes them from every file."""
        ...

    def apply_deletions(self, now_us: int) -> Sequence[Receipt]:
        """Rewrite the files that hold deleted rows; returns the receipts of what is done now."""
        ...


class RecordStore(RecordReader, RecordWriter, Protocol):
    """Both sides."""


class Position(Struct, frozen=True):
    """After which row the next page begins."""

    value: int
    id: str


def record_id_of(request_id: str) -> str | None:
    """Return the record of a request, by the id that its answer has in ``x-portkey-request-id``; None for other ids."""
    return "rec_" + request_id.replace("-", "").lower() if _REQUEST_ID.match(request_id) else None


def write_cursor(position: Position) -> str:
    """Return a cursor that fits into a URL."""
    return base64.urlsafe_b64encode(f"{position.value}:{position.id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> Position | None:
    """Return the position of a cursor. Raises InvalidRequest."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        value, colon, id = text.partition(":")
        if not colon:
            raise ValueError
        return Position(int(value), id)
    except (ValueError, binascii.Error):
        raise InvalidRequest("The cursor is not one that a page gave", path="cursor") from None
