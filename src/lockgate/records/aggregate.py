"""Sums over rows: one list of measures, written as SQL that SQLite and DuckDB both understand, and added up here.

Every measure adds up (or is a least or greatest), so that parts counted in different files, by different engines or
beforehand in rollups make one answer. Averages, rates and percentiles are made of sums at the end, never averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from lockgate.errors import InvalidRequest
from lockgate.records.query.fields import METADATA_PREFIXES, find_field
from lockgate.records.query.sql import Parameter, Speech, Sql
from lockgate.records.row import COLUMNS
from lockgate.records.sketch import Sketch, add
from lockgate.records.store import AggregateSpec, GroupKey, Sums, Table

PartKey: TypeAlias = tuple[int, GroupKey]

_SERVED = "is_error = FALSE AND is_client_gone = FALSE AND COALESCE(cache_status, '') NOT IN ('hit', 'semantic_hit')"
_HIT = "cache_status IN ('hit', 'semantic_hit')"


def _count(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


MEASURES: Mapping[str, str] = {
    "requests": "1",
    "errors": _count("is_error"),
    "client_errors": _count("is_error AND error_origin = 'client'"),
    "provider_errors": _count("is_error AND error_origin = 'provider'"),
    "disconnects": _count("is_client_gone"),
    "streams": _count("is_stream"),
    "attempts": "COALESCE(attempt_count, 0)",
    "failed_attempts": "COALESCE(failed_attempts, 0)",
    "rescued_retry": _count("rescued_by = 'retry'"),
    "rescued_fallback": _count("rescued_by = 'fallback'"),
    "cost_nano": "COALESCE(cost_nano, 0)",
    "priced": _count("cost_nano IS NOT NULL"),
    "unpriced": _count("cost_status IN ('unpriced', 'partially_priced')"),
    "input_tokens": "COALESCE(input_tokens, 0)",
    "output_tokens": "COALESCE(output_tokens, 0)",
    "total_tokens": "COALESCE(total_tokens, 0)",
    "in_cache_read": "COALESCE(in_cache_read, 0)",
    "in_cache_write": "COALESCE(in_cache_write_5m, 0) + COALESCE(in_cache_write_1h, 0)",
    "out_reasoning": "COALESCE(out_reasoning, 0)",
    "with_tokens": _count("total_tokens IS NOT NULL"),
    "with_user": _count("end_user IS NOT NULL"),
    "cache_hits": _count("cache_status = 'hit'"),
    "cache_semantic_hits": _count("cache_status = 'semantic_hit'"),
    "cache_misses": _count("cache_status IN ('miss', 'semantic_miss')"),
    "cache_saved_nano": "CASE WHEN cache_status = 'hit' THEN COALESCE(cache_saved_nano, 0) ELSE 0 END",
    "cache_semantic_saved_nano": (
        "CASE WHEN cache_status = 'semantic_hit' THEN COALESCE(cache_saved_nano, 0) ELSE 0 END"
    ),
    "cache_hit_duration_us": f"CASE WHEN {_HIT} THEN COALESCE(duration_us, 0) ELSE 0 END",
    "served": _count(f"{_SERVED} AND duration_us IS NOT NULL"),
    "served_duration_us": f"CASE WHEN {_SERVED} THEN COALESCE(duration_us, 0) ELSE 0 END",
    "request_bytes": "COALESCE(request_bytes, 0)",
    "response_bytes": "COALESCE(response_bytes, 0)",
}
"""Measures that add up, each as what one row adds."""
FIRST, LAST = "first_seen_us", "last_seen_us"
SKETCHES: Mapping[str, str] = {
    "duration": f"duration_bucket IS NOT NULL AND {_SERVED}",
    "ttft": f"ttft_bucket IS NOT NULL AND {_SERVED}",
    "overhead": "overhead_bucket IS NOT NULL",
}
"""Percentiles that can be asked for, and the rows that they are of."""
MAX_USERS = 100_000
"""Up to this many distinct users of a group are counted exactly, above it by the smallest hashes."""
MAX_GROUPS = 200_000
_HASHES = 2**63


class Source(Struct, frozen=True):
    """Where rows are read from: what stands after FROM, and a condition."""

    table: str
    where: Sql


class Select(Struct, frozen=True):
    """A statement, and what its rows mean: sums, counts of a sketch's buckets, or users."""

    sql: Sql
    kind: str


def dimension(name: str, speech: Speech) -> Sql:
    """Return the expression of a dimension. Raises InvalidRequest when there is none of that name."""
    field = find_field(name)
    if field is None or COLUMNS.get(field.column) in (None, "list", "json"):
        raise InvalidRequest(f"There is no dimension {name!r}", path="dimensions")
    return speech.metadata(field.key or "") if field.kind == "map" else Sql(field.column)


def column_of(name: str) -> str | None:
    """Return the column of a dimension, None for a key of the metadata."""
    field = find_field(name)
    return None if field is None or name.startswith(METADATA_PREFIXES) else field.column


def measures_of(spec: AggregateSpec) -> tuple[str, ...]:
    """Return the measures that are asked for, in the order of the statements' columns."""
    return spec.measures or tuple(MEASURES)


def selects(source: Source, spec: AggregateSpec, speech: Speech, *, divide: str) -> list[Select]:
    """Return the statements that count a source. ``divide`` is the engine's division of whole numbers."""
    step_us = spec.step_us
    dimensions = [dimension(name, speech) for name in spec.dimensions]
    slot = f"(started_us {divide} {step_us}) * {step_us}" if step_us else "0"
    heads = Sql(", ".join([slot, *(d.text for d in dimensions)]), tuple(p for d in dimensions for p in d.parameters))
    groups = ", ".join(str(number) for number in range(1, len(dimensions) + 2))
    sums = ", ".join(f"SUM({MEASURES[name]})" for name in measures_of(spec))
    ends = "MIN(started_us), MAX(started_us)"

    def select(what: str, condition: str, by: str) -> Sql:
        where = f"{source.where.text} AND {condition}" if condition else source.where.text
        text = f"SELECT {heads.text}, {what} FROM {source.table} WHERE {where} GROUP BY {groups}{by}"
        return Sql(text, (*heads.parameters, *source.where.parameters))

    after = len(dimensions) + 2
    found = [Select(select(f"{sums}, {ends}", "", ""), "sums")]
    found += [Select(select(f"{name}_bucket, COUNT(*)", SKETCHES[name], f", {after}"), name) for name in spec.sketches]
    if spec.is_distinct_users:
        found.append(Select(select("end_user_hash", "end_user_hash IS NOT NULL", f", {after}"), "users"))
    return found


class Adder:
    """Adds up parts. One for each answer."""

    def __init__(self, spec: AggregateSpec) -> None:
        self.groups: dict[PartKey, Sums] = {}
        self._heads = len(spec.dimensions) + 1
        self._names = (*measures_of(spec), FIRST, LAST)

    def take(self, kind: str, rows: Iterable[Sequence[Parameter]]) -> None:
        """Add what a statement of ``selects`` returned. Raises InvalidRequest when there are too many groups."""
        for row in rows:
            sums = self._group(_slot(row[0]), tuple(row[1 : self._heads]))
            rest = row[self._heads :]
            if kind == "sums":
                self._add_sums(sums, rest)
            elif kind == "users":
                sums.users.add(_slot(rest[0]))
            else:
                add(sums.sketches.setdefault(kind, {}), {_slot(rest[0]): _slot(rest[1])})

    def take_rollup(self, slot: int, key: GroupKey, values: Mapping[str, int], sketches: Mapping[str, Sketch]) -> None:
        """Add what was summed up beforehand."""
        sums = self._group(slot, key)
        _merge_values(sums.values, values)
        for name, sketch in sketches.items():
            add(sums.sketches.setdefault(name, {}), sketch)

    def table(self) -> Table:
        """Return the sums of all parts."""
        for sums in self.groups.values():
            if len(sums.users) > MAX_USERS:
                sums.users = set(sorted(sums.users)[:MAX_USERS])
        return Table(self.groups)

    def _group(self, slot: int, key: GroupKey) -> Sums:
        sums = self.groups.get((slot, key))
        if sums is None:
            if len(self.groups) >= MAX_GROUPS:
                raise InvalidRequest(f"There are more than {MAX_GROUPS} groups; narrow the filter or the range of time")
            sums = self.groups[slot, key] = Sums({}, {}, set())
        return sums

    def _add_sums(self, sums: Sums, row: Sequence[Parameter]) -> None:
        _merge_values(sums.values, dict(zip(self._names, map(_slot, row), strict=True)))


def fold(sums: Iterable[Sums]) -> Sums:
    """Return the sum of sums."""
    whole = Sums({}, {}, set())
    for part in sums:
        _merge_values(whole.values, part.values)
        for name, sketch in part.sketches.items():
            add(whole.sketches.setdefault(name, {}), sketch)
        whole.users |= part.users
    return whole


def count_users(users: set[int]) -> int:
    """Return how many distinct users the hashes stand for: exact below MAX_USERS, else within half a per cent."""
    if len(users) < MAX_USERS:
        return len(users)
    smallest = sorted(users)[:MAX_USERS]
    return round((MAX_USERS - 1) * _HASHES / smallest[-1])


def _merge_values(into: dict[str, int], other: Mapping[str, int]) -> None:
    for name, value in other.items():
        have = into.get(name)
        if have is None:
            into[name] = value
        elif name == FIRST:
            into[name] = min(have, value)
        elif name == LAST:
            into[name] = max(have, value)
        else:
            into[name] = have + value


def _slot(value: object) -> int:
    return int(value)  # type: ignore[call-overload, no-any-return]  # whole numbers of an engine
