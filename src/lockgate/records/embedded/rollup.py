"""Sums made beforehand, by minute and by hour, so that overviews cost the same however many rows there are.

A cube is a set of dimensions that sums are kept for. A question is answered from the smallest cube that has all its
dimensions and all columns of its filter, when its range fits the resolution; else rows are read. Sums of a hot day lie
beside its rows and are written in the same transaction: each row counts once, whatever crashes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec
from msgspec import Struct

from lockgate.records.aggregate import FIRST, LAST, MEASURES, Adder, column_of, measures_of
from lockgate.records.query.sql import Sql, SqliteSpeech, compile_filter
from lockgate.records.query.tree import Compare, Node, walk
from lockgate.records.row import COLUMNS, FAR_FUTURE_US, Row
from lockgate.records.sketch import Sketch, add, merge_written, read_sketch, write_sketch
from lockgate.records.store import AggregateSpec

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
RESOLUTIONS = (MINUTE_US, HOUR_US)
CUBES: Mapping[str, tuple[str, ...]] = {
    "total": ("workspace_id",),
    "model": ("workspace_id", "provider", "provider_slug", "model"),
    "key": ("workspace_id", "api_key_id"),
    "result": ("workspace_id", "status_code", "outcome", "error_origin", "cache_status", "is_error"),
}
"""From the smallest to the largest."""
BY_MINUTE = frozenset({"total"})
"""Cubes that are kept by minute too; the others would have a cell for nearly each row. Rows answer instead."""
SKETCH_NAMES = ("duration", "ttft", "overhead")
_COLUMNS = tuple(dict.fromkeys(column for cube in CUBES.values() for column in cube))
_NUMBERS = (*MEASURES, FIRST, LAST)
_encode = msgspec.json.Encoder().encode
_dimensions_of = attrgetter(*_COLUMNS)


def _type(column: str) -> str:
    return "TEXT" if COLUMNS[column] == "text" else "INTEGER"


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS rollup (
  resolution_us INTEGER NOT NULL, cube TEXT NOT NULL, slot_us INTEGER NOT NULL, cell TEXT NOT NULL,
  {", ".join(f"{column} {_type(column)}" for column in _COLUMNS)},
  {", ".join(f"{name} INTEGER NOT NULL" for name in _NUMBERS)},
  {", ".join(f"{name}_sketch BLOB" for name in SKETCH_NAMES)},
  PRIMARY KEY (resolution_us, cube, slot_us, cell)) WITHOUT ROWID;
"""
_ALL = ("resolution_us", "cube", "slot_us", "cell", *_COLUMNS, *_NUMBERS, *(f"{name}_sketch" for name in SKETCH_NAMES))
ALL_COLUMNS = _ALL
KEY = ("resolution_us", "cube", "slot_us", "cell")
_UPSERT = f"""
INSERT INTO rollup ({", ".join(_ALL)}) VALUES ({", ".join("?" * len(_ALL))})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in MEASURES)},
  {FIRST} = MIN({FIRST}, excluded.{FIRST}), {LAST} = MAX({LAST}, excluded.{LAST}),
  {", ".join(f"{n}_sketch = sketch_merge({n}_sketch, excluded.{n}_sketch)" for n in SKETCH_NAMES)}
"""


class Plan(Struct, frozen=True):
    """How a question is answered from sums: which cube, at which resolution."""

    cube: str
    resolution_us: int


def teach(connection: sqlite3.Connection) -> None:
    """Let a connection add up sketches."""
    connection.create_function("sketch_merge", 2, lambda a, b: merge_written((a, b)), deterministic=True)


def plan(spec: AggregateSpec, where: Node) -> Plan | None:
    """Return how sums can answer, None when only rows can."""
    if spec.is_distinct_users or not spec.is_counted_only:
        return None
    needed = set()
    for name in spec.dimensions:
        needed.add(column_of(name))
    for leaf in walk(where):
        needed.add(leaf.field if isinstance(leaf, Compare) and leaf.key is None else None)
    for name, columns in CUBES.items():
        fitting = [us for us in resolutions_of(name) if not spec.step_us or spec.step_us % us == 0]
        if needed <= set(columns) and fitting:
            return Plan(name, fitting[-1])
    return None


def resolutions_of(cube: str) -> tuple[int, ...]:
    """Return by what a cube is kept, the finest first."""
    return RESOLUTIONS if cube in BY_MINUTE else (HOUR_US,)


class _Sum:
    """What rows add up to: of one minute and equal in all dimensions, or of one cell of a cube."""

    __slots__ = ("first", "last", "sketches", "sums")

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}
        self.first, self.last = FAR_FUTURE_US, 0
        self.sketches: dict[str, Sketch] = {name: {} for name in SKETCH_NAMES}

    def add_row(self, row: Row) -> None:
        """Add a row."""
        sums = self.sums
        for name, value in measure(row).items():
            sums[name] = sums.get(name, 0) + value
        self.first, self.last = min(self.first, row.started_us), max(self.last, row.started_us)
        for name, bucket in _buckets(row):
            sketch = self.sketches[name]
            sketch[bucket] = sketch.get(bucket, 0) + 1

    def add(self, other: _Sum) -> None:
        """Add what others add up to."""
        for name, value in other.sums.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        for name, sketch in other.sketches.items():
            add(self.sketches[name], sketch)


def add_rows(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add rows to the sums, inside the transaction that keeps the rows."""
    # most rows of a batch are alike in all dimensions, so that each is added up once and not once for each cube
    alike: dict[tuple[int, tuple[object, ...]], _Sum] = {}
    for row in rows:
        if row.is_counted:
            key = (row.started_us // MINUTE_US, _dimensions_of(row))
            found = alike.get(key)
            if found is None:
                found = alike[key] = _Sum()
            found.add_row(row)
    cells: dict[tuple[int, str, int, tuple[object, ...]], _Sum] = {}
    for (minute, values), members in alike.items():
        by_name = dict(zip(_COLUMNS, values, strict=True))
        for cube, columns in CUBES.items():
            own = tuple([by_name[column] for column in columns])
            for resolution in resolutions_of(cube):
                slot = minute * MINUTE_US // resolution * resolution
                cells.setdefault((resolution, cube, slot, own), _Sum()).add(members)
    connection.executemany(_UPSERT, [_cell(*key, members) for key, members in cells.items()])


def read(
    connection: sqlite3.Connection, spec: AggregateSpec, where: Node, how: Plan, bounds: tuple[int, int], into: Adder
) -> None:
    """Add the sums of a range to an answer; the range fits the resolution."""
    condition = compile_filter(where, SqliteSpeech())
    columns = [column_of(name) or "" for name in spec.dimensions]
    names = [f"{name}_sketch" for name in spec.sketches]
    step = spec.step_us
    slot = f"slot_us / {step} * {step}" if step else "0"
    # numbers are added by SQLite, sketches here: one row for each cell would cost more than the sum
    heads = ", ".join([slot, *columns])
    groups = ", ".join(str(number) for number in range(1, len(columns) + 2))
    base = Sql(
        f"FROM rollup WHERE resolution_us = ? AND cube = ? AND slot_us >= ? AND slot_us < ? AND {condition.text}",
        (how.resolution_us, how.cube, *bounds, *condition.parameters),
    )
    sums = ", ".join([*(f"SUM({name})" for name in measures_of(spec)), f"MIN({FIRST})", f"MAX({LAST})"])
    into.take("sums", connection.execute(f"SELECT {heads}, {sums} {base.text} GROUP BY {groups}", base.parameters))
    if not names:
        return
    for row in connection.execute(f"SELECT {heads}, {', '.join(names)} {base.text}", base.parameters):
        key = tuple(row[1 : len(columns) + 1])
        sketches = dict(zip(spec.sketches, map(read_sketch, row[len(columns) + 1 :]), strict=True))
        into.take_rollup(row[0], key, {}, sketches)


def copy(source: sqlite3.Connection, target: sqlite3.Connection, bounds: tuple[int, int]) -> None:
    """Replace the sums of a range by those of another file, inside the caller's transaction."""
    target.execute("DELETE FROM rollup WHERE slot_us >= ? AND slot_us < ?", bounds)
    add_written(source, target)


def add_written(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Add the sums of another file, inside the caller's transaction."""
    target.executemany(_UPSERT, source.execute(f"SELECT {', '.join(_ALL)} FROM rollup"))


def _cell(resolution: int, cube: str, slot: int, values: tuple[object, ...], members: _Sum) -> tuple[object, ...]:
    """Return a cell as its table has it."""
    of = dict(zip(CUBES[cube], values, strict=True))
    sums = (members.sums.get(name, 0) for name in MEASURES)
    written = (write_sketch(members.sketches[name]) for name in SKETCH_NAMES)
    cell = _encode(values).decode()
    return (
        resolution, cube, slot, cell, *(of.get(c) for c in _COLUMNS), *sums, members.first, members.last, *written
    )  # fmt: skip


def _is_served(row: Row) -> bool:
    return not row.is_error and not row.is_client_gone and row.cache_status not in ("hit", "semantic_hit")


def _buckets(row: Row) -> list[tuple[str, int]]:
    found = []
    if _is_served(row):
        if row.duration_bucket is not None:
            found.append(("duration", row.duration_bucket))
        if row.ttft_bucket is not None:
            found.append(("ttft", row.ttft_bucket))
    if row.overhead_bucket is not None:
        found.append(("overhead", row.overhead_bucket))
    return found


def measure(row: Row) -> dict[str, int]:
    """Return what a row adds to each measure that it adds anything to; the same as the SQL of ``MEASURES``."""
    is_hit, is_semantic = row.cache_status == "hit", row.cache_status == "semantic_hit"
    is_served = _is_served(row)
    found = {
        "requests": 1,
        "errors": row.is_error,
        "client_errors": row.is_error and row.error_origin == "client",
        "provider_errors": row.is_error and row.error_origin == "provider",
        "disconnects": row.is_client_gone,
        "streams": row.is_stream,
        "attempts": row.attempt_count,
        "failed_attempts": row.failed_attempts,
        "rescued_retry": row.rescued_by == "retry",
        "rescued_fallback": row.rescued_by == "fallback",
        "cost_nano": row.cost_nano,
        "priced": row.cost_nano is not None,
        "unpriced": row.cost_status in ("unpriced", "partially_priced"),
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "total_tokens": row.total_tokens,
        "in_cache_read": row.in_cache_read,
        "in_cache_write": (row.in_cache_write_5m or 0) + (row.in_cache_write_1h or 0),
        "out_reasoning": row.out_reasoning,
        "with_tokens": row.total_tokens is not None,
        "with_user": row.end_user is not None,
        "cache_hits": is_hit,
        "cache_semantic_hits": is_semantic,
        "cache_misses": row.cache_status in ("miss", "semantic_miss"),
        "cache_saved_nano": row.cache_saved_nano if is_hit else 0,
        "cache_semantic_saved_nano": row.cache_saved_nano if is_semantic else 0,
        "cache_hit_duration_us": row.duration_us if is_hit or is_semantic else 0,
        "served": is_served and row.duration_us is not None,
        "served_duration_us": row.duration_us if is_served else 0,
        "request_bytes": row.request_bytes,
        "response_bytes": row.response_bytes,
    }
    return {name: int(value) for name, value in found.items() if value}
