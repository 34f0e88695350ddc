"""What the record store has, against what clients got and what the simulator did. Each check returns its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lockgate.records.bodies.store import BodyReader
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.reader import EmbeddedReader
from lockgate.records.row import FAR_FUTURE_US, Row
from lockgate.records.store import ALL, AggregateSpec, PageQuery
from lockgate.telemetry.journal import read_journal
from tools.outage.load import MARK, Call

_SHOWN = 5


@dataclass(kw_only=True)
class Books:
    """A record store at rest."""

    ids: Counter[str] = field(default_factory=Counter)
    """How often each record is in it."""
    by_tag: dict[str, list[Row]] = field(default_factory=dict)
    nanos: int = 0
    summed_requests: int = 0
    """What the sums say that charts read."""
    summed_nanos: int = 0

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(self.ids.values())


def read_books(records: Path) -> Books:
    """Read a whole store."""
    books = Books()
    reader = EmbeddedReader(records)
    try:
        for entries in reader.scan(PageQuery(scope=ALL)):
            for entry in entries:
                books.ids[entry.row.id] += 1
                books.nanos += entry.row.cost_nano or 0
                if (entry.row.trace_id or "").startswith(MARK):
                    books.by_tag.setdefault(entry.row.trace_id or "", []).append(entry.row)
        spec = AggregateSpec(
            scope=ALL, from_us=0, to_us=FAR_FUTURE_US, measures=("requests", "cost_nano"), is_counted_only=False
        )
        for sums in reader.aggregate(spec).groups.values():
            books.summed_requests += sums.values["requests"]
            books.summed_nanos += sums.values["cost_nano"]
    finally:
        reader.close()
    return books


def count_rows(records: Path) -> int:
    """Return how many records a store has, also while a gateway writes to it."""
    reader = EmbeddedReader(records)
    try:
        return reader.count(PageQuery(scope=ALL))
    finally:
        reader.close()


def check_store(books: Books) -> list[str]:
    """Nothing twice; charts agree with rows."""
    found = []
    twice = [id for id, count in books.ids.items() if count > 1]
    if twice:
        found.append(f"{len(twice)} records are there twice: {_some(twice)}")
    again = [tag for tag, rows in books.by_tag.items() if len(rows) > 1]
    if again:
        found.append(f"{len(again)} requests have more than one record: {_some(again)}")
    if (books.summed_requests, books.summed_nanos) != (books.records, books.nanos):
        found.append(
            f"charts say {books.summed_requests} requests of {books.summed_nanos} nano-dollars, "
            f"rows {books.records} of {books.nanos}"
        )
    return found


def check_calls(calls: Iterable[Call], books: Books) -> list[str]:
    """Exactly one record for each answer whose last byte a client got, under the id that the answer named."""
    missing, other = [], []
    for call in calls:
        if call.outcome != "whole" or not call.request_id:
            continue
        rows = books.by_tag.get(call.tag, [])
        if not rows:
            missing.append(call.tag)
        elif rows[0].id != "rec_" + call.request_id.replace("-", ""):
            other.append(call.tag)
    found = []
    if missing:
        found.append(f"{len(missing)} answers that clients have got have no record: {_some(missing)}")
    if other:
        found.append(f"{len(other)} answers have a record of another id than they said: {_some(other)}")
    return found


def check_journal(journal: Path, books: Books) -> list[str]:
    """Everything that the journal still has is in the store, and in the journal once."""
    ids = Counter(record.id for record in read_journal(journal))
    missing = [id for id in ids if id not in books.ids]
    twice = [id for id, count in ids.items() if count > 1]
    found = []
    if missing:
        found.append(f"{len(missing)} records of the journal are not in the store: {_some(missing)}")
    if twice:
        found.append(f"{len(twice)} records are in the journal twice: {_some(twice)}")
    return found


def check_contents(records: Path, books: Books) -> tuple[int, list[str]]:
    """Return how many records have no bodies, and what is wrong with those of the others: each is whole and its own."""
    reader = BodyReader(Layout(records))
    without, wrong = 0, []
    for tag, rows in books.by_tag.items():
        try:
            bodies = reader.get(rows[0].id, rows[0].started_us)
        except OSError as error:
            wrong.append(f"{tag} ({error})")
            continue
        if bodies is None:
            without += 1
        elif "request" not in bodies.views or tag.encode() not in bodies.views["request"].data:
            wrong.append(tag)
    told = f"{len(wrong)} records have bodies that are not whole or not theirs: {_some(wrong)}"
    return without, [told] if wrong else []


@dataclass(frozen=True, kw_only=True)
class Provided:
    """The simulator's count against the ledger's."""

    received: int
    """Requests that reached the simulator."""
    completed: int
    """Answers that it sent to the end."""
    recorded: int
    """Requests that reached it and have a record."""
    in_flight: int
    """Those without: they were under way when their gateway was killed."""
    problems: tuple[str, ...]


def check_simulator(received: Mapping[str, str], calls: Sequence[Call], books: Books) -> Provided:
    """Compare by tag. ``received``: what became of each request at the simulator.

    The record is written once the provider's last byte is there and before ours leaves. So a request that the simulator
    received is recorded, unless the gateway was killed in between; then its client was cut off.
    """
    by_tag = {call.tag: call for call in calls}
    problems = []
    recorded = [tag for tag in received if tag in books.by_tag]
    lost = [tag for tag in received if tag not in books.by_tag]
    answered = [tag for tag in lost if tag not in by_tag or by_tag[tag].outcome == "whole"]
    if answered:
        problems.append(
            f"{len(answered)} requests reached the simulator, were answered and have no record: {_some(answered)}"
        )
    sent = {tag for tag, rows in books.by_tag.items() if any(row.upstream_us for row in rows)}
    unknown = sorted(sent - received.keys())
    if unknown:
        problems.append(f"{len(unknown)} records tell of requests that never reached the simulator: {_some(unknown)}")
    good = [tag for tag, rows in books.by_tag.items() if any(row.outcome == "success" for row in rows)]
    early = [tag for tag in good if received.get(tag) != "completed"]
    if early:
        problems.append(f"{len(early)} records tell of answers that the simulator did not complete: {_some(early)}")
    return Provided(
        received=len(received),
        completed=sum(outcome == "completed" for outcome in received.values()),
        recorded=len(recorded),
        in_flight=len(lost),
        problems=tuple(problems),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", ..." if len(items) > _SHOWN else "")
