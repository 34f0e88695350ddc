"""Answers to aggregations: sums made beforehand where they fit, sealed files by DuckDB, fresh rows by SQLite.

The range is cut so that every row is in exactly one part: the inside from rollups, or else sealed hours and days from
Parquet and the rest from SQLite, all by the manifest of one moment.
"""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.errors import InvalidRequest
from lockgate.records.aggregate import MEASURES, SKETCHES, Adder, Source, dimension, selects
from lockgate.records.embedded import rollup, sealed
from lockgate.records.embedded.duck import Duck
from lockgate.records.embedded.layout import Layout
from lockgate.records.embedded.manifest import DAY_US, HOUR_US, Contents, Sealed
from lockgate.records.embedded.pages import previews_head
from lockgate.records.embedded.sqlite import reading
from lockgate.records.query.sql import DuckSpeech, Sql, SqliteSpeech, compile_filter
from lockgate.records.query.tree import Node, Text, walk
from lockgate.records.store import AggregateSpec, Table

MAX_SLOTS = 100_000


class Summing:
    """Sums up. One for each answer."""

    def __init__(self, layout: Layout, duck: Duck, contents: Contents, timeout_s: float) -> None:
        self._layout = layout
        self._duck = duck
        self._contents = contents
        self._timeout_s = timeout_s

    def table(self, spec: AggregateSpec, where: Node) -> Table:
        """Return the sums of a range. Raises InvalidRequest for what cannot be asked."""
        check(spec)
        adder = Adder(spec)
        how = rollup.plan(spec, where)
        if how is None or (how.resolution_us < HOUR_US and spec.from_us < self._contents.minutes_since_us):
            self._add_rows(spec, where, spec.from_us, spec.to_us, adder)
            return adder.table()
        unit = how.resolution_us
        low, high = -(-spec.from_us // unit) * unit, spec.to_us // unit * unit
        if low >= high:
            self._add_rows(spec, where, spec.from_us, spec.to_us, adder)
            return adder.table()
        self._add_rows(spec, where, spec.from_us, low, adder)
        self._add_rollups(spec, where, how, (low, high), adder)
        self._add_rows(spec, where, high, spec.to_us, adder)
        return adder.table()

    def _add_rollups(
        self, spec: AggregateSpec, where: Node, how: rollup.Plan, bounds: tuple[int, int], adder: Adder
    ) -> None:
        with reading(self._layout.manifest, self._timeout_s) as connection:
            rollup.read(connection, spec, where, how, bounds, adder)
        for day in self._fresh_days(*bounds):
            with reading(self._layout.day(day), self._timeout_s) as connection:
                rollup.read(connection, spec, where, how, bounds, adder)

    def _add_rows(self, spec: AggregateSpec, where: Node, low: int, high: int, adder: Adder) -> None:
        if low >= high:
            return
        # texts of a hot day lie in SQLite only, so its sealed hours are no help
        has_text = any(isinstance(leaf, Text) for leaf in walk(where))
        self._add_sealed(
            spec, where, [f for f in self._sealed(has_text) if f.max_us >= low and f.min_us < high], (low, high), adder
        )
        for day, start, end in self._fresh_ranges(low, high, has_text):
            with reading(self._layout.day(day), self._timeout_s) as connection:
                condition = _within(compile_filter(where, SqliteSpeech()), spec, start, end)
                for select in selects(Source("rows", condition), spec, SqliteSpeech(), divide="/"):
                    adder.take(select.kind, connection.execute(select.sql.text, select.sql.parameters))

    def _add_sealed(
        self, spec: AggregateSpec, where: Node, files: list[Sealed], bounds: tuple[int, int], adder: Adder
    ) -> None:
        if not files:
            return
        condition = _within(compile_filter(where, DuckSpeech()), spec, *bounds)
        head = previews_head(self._layout, self._contents, where, {file.day for file in files})
        source = Source(sealed.table(self._layout.cold, files, sealed.ROW_TYPES), condition)
        for select in selects(source, spec, DuckSpeech(), divide="//"):
            adder.take(select.kind, self._duck.rows(Sql(head + select.sql.text, select.sql.parameters)))

    def _sealed(self, has_text: bool) -> list[Sealed]:
        return [f for f in self._contents.files if f.kind == "rows" or (f.kind == "hour" and not has_text)]

    def _fresh_days(self, low: int, high: int) -> Iterator[int]:
        for day, state in self._contents.days.items():
            if state != "cold" and day * DAY_US < high and (day + 1) * DAY_US > low:
                yield day

    def _fresh_ranges(self, low: int, high: int, has_text: bool) -> Iterator[tuple[int, int, int]]:
        """Yield day, start and end of what only SQLite has."""
        hours = {file.hour for file in self._contents.files if file.kind == "hour" and not has_text}
        for day in self._fresh_days(low, high):
            start, end = max(low, day * DAY_US), min(high, (day + 1) * DAY_US)
            if self._contents.days[day] == "late":
                yield day, start, end
                continue
            at = start
            for hour in range(day * 24, day * 24 + 24):
                if hour in hours:
                    if at < min(end, hour * HOUR_US):
                        yield day, at, min(end, hour * HOUR_US)
                    at = max(at, (hour + 1) * HOUR_US)
            if at < end:
                yield day, at, end


def check(spec: AggregateSpec) -> None:
    """Raises InvalidRequest for measures, dimensions or ranges that cannot be asked for."""
    for name in spec.dimensions:
        dimension(name, SqliteSpeech())
    if unknown := [name for name in spec.measures if name not in MEASURES]:
        raise InvalidRequest(f"There is no measure {unknown[0]!r}", path="measures")
    if unknown := [name for name in spec.sketches if name not in SKETCHES]:
        raise InvalidRequest(f"There is no sketch {unknown[0]!r}", path="sketches")
    if spec.step_us and (spec.to_us - spec.from_us) // spec.step_us > MAX_SLOTS:
        raise InvalidRequest(f"The range has more than {MAX_SLOTS} slots", path="step_us")
    if len(spec.dimensions) > 2:
        raise InvalidRequest("At most two dimensions can be asked for", path="dimensions")


def _within(where: Sql, spec: AggregateSpec, low: int, high: int) -> Sql:
    counted = " AND is_counted" if spec.is_counted_only else ""
    return Sql(f"{where.text} AND started_us >= ? AND started_us < ?{counted}", (*where.parameters, low, high))
