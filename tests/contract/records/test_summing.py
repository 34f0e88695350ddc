"""Sums, slots, percentiles and distinct users, against what a slow and simple program adds up."""

from __future__ import annotations

import math

import msgspec
import pytest

from lockgate.errors import InvalidRequest
from lockgate.records.aggregate import FIRST, LAST, MEASURES, count_users, fold
from lockgate.records.embedded.rollup import measure
from lockgate.records.query.language import parse
from lockgate.records.query.matching import matcher
from lockgate.records.sketch import percentile
from lockgate.records.store import ALL, AggregateSpec, PageQuery, Scope
from tests.contract.records.world import DAY, END, HOUR, START

RANGES = {
    "all": (START, END),
    "odd ends": (START + 1234567, END - 7654321),
    "inside an hour": (START + DAY + HOUR + 60_000_000, START + DAY + HOUR + 60_000_000 * 41),
    "hours": (START + 5 * HOUR, START + 90 * HOUR),
    "far": (0, END + 1000 * DAY),
}
STEPS = [0, 60_000_000, 900_000_000, HOUR, DAY]
FILTERS = [
    "",
    "workspace:ws_a",
    "model:claude*",
    "status>=500",
    "meta.team=search",
    "stream:true",
    "key:key_1 -status:200",
]
DIMENSIONS = [
    (),
    ("model",),
    ("provider", "model"),
    ("api_key_id",),
    ("status_code",),
    ("meta.team",),
    ("end_user", "model"),
]


def value_of(row, name):
    return row.metadata.get(name.removeprefix("meta.")) if name.startswith("meta.") else getattr(row, name)


def brute(world, spec):
    test = matcher(spec.filter)
    groups = {}
    for row in world.rows:
        if not spec.from_us <= row.started_us < spec.to_us or not spec.scope.admits(row):
            continue
        if (spec.is_counted_only and not row.is_counted) or not test(row, world.previews.get(row.id)):
            continue
        slot = row.started_us // spec.step_us * spec.step_us if spec.step_us else 0
        groups.setdefault((slot, tuple(value_of(row, name) for name in spec.dimensions)), []).append(row)
    return groups


def sums_of(rows):
    total = dict.fromkeys(MEASURES, 0)
    for row in rows:
        for name, value in measure(row).items():
            total[name] += value
    return total | {FIRST: min(r.started_us for r in rows), LAST: max(r.started_us for r in rows)}


def is_served(row):
    return not row.is_error and not row.is_client_gone and row.cache_status not in ("hit", "semantic_hit")


def check(world, spec):
    found, want = world.store.aggregate(spec), brute(world, spec)
    assert found.groups.keys() == want.keys()
    for key, rows in want.items():
        names = spec.measures or tuple(MEASURES)
        expected = sums_of(rows)
        assert found.groups[key].values == {name: expected[name] for name in (*names, FIRST, LAST)}
        if "duration" in spec.sketches:
            served = [r for r in rows if is_served(r) and r.duration_us is not None]
            assert sum(found.groups[key].sketches.get("duration", {}).values()) == len(served)
        if spec.is_distinct_users:
            assert count_users(found.groups[key].users) == len({r.end_user for r in rows} - {None})


SLOTTED = [(name, step) for name in RANGES for step in STEPS if not (step and name == "far")]


@pytest.mark.parametrize("name, step", SLOTTED)
def test_slots_add_up_in_every_range(world, name, step):
    bounds = RANGES[name]
    check(
        world,
        AggregateSpec(scope=ALL, from_us=bounds[0], to_us=bounds[1], step_us=step, sketches=("duration", "overhead")),
    )


@pytest.mark.parametrize("dimensions", DIMENSIONS, ids=str)
@pytest.mark.parametrize("text", FILTERS)
def test_groups_add_up_under_every_filter(world, dimensions, text):
    low, high = RANGES["odd ends"]
    check(
        world,
        AggregateSpec(
            scope=ALL,
            filter=parse(text),
            from_us=low,
            to_us=high,
            dimensions=dimensions,
            step_us=DAY,
            sketches=("duration",),
        ),
    )


@pytest.mark.parametrize("dimensions", [(), ("model",), ("meta.team",)])
def test_distinct_users_are_counted_across_files(world, dimensions):
    for step in (0, DAY):
        spec = AggregateSpec(
            scope=ALL, from_us=START, to_us=END, dimensions=dimensions, step_us=step, is_distinct_users=True
        )
        check(world, spec)


def test_rows_that_do_not_count_are_left_out_unless_asked_for(world):
    for counted in (True, False):
        check(world, AggregateSpec(scope=ALL, from_us=START, to_us=END, is_counted_only=counted))


def test_only_the_measures_that_are_asked_for_come(world):
    for dimensions in ((), ("meta.team",)):
        check(
            world,
            AggregateSpec(
                scope=ALL, from_us=START, to_us=END, dimensions=dimensions, measures=("cost_nano", "requests")
            ),
        )


@pytest.mark.parametrize(
    "scope", [Scope(frozenset({"ws_a"})), Scope(None, frozenset({"key_2"})), Scope(frozenset())], ids=str
)
def test_sums_keep_to_the_scope(world, scope):
    check(world, AggregateSpec(scope=scope, from_us=START, to_us=END, step_us=DAY, sketches=("duration",)))


@pytest.mark.parametrize("text", ['"refund policy"', "退款政策", '-"refund policy" status:200'])
def test_texts_select_rows_for_sums(world, text):
    check(world, AggregateSpec(scope=ALL, filter=parse(text), from_us=START, to_us=END, dimensions=("model",)))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99, 1.0])
def test_percentiles_are_within_one_per_cent_and_never_averaged(world, share):
    spec = AggregateSpec(scope=ALL, from_us=START + 17, to_us=END, step_us=HOUR, sketches=("duration",))
    whole = fold(world.store.aggregate(spec).groups.values())
    rows = [r for rows in brute(world, spec).values() for r in rows if is_served(r) and r.duration_us is not None]
    exact = sorted(r.duration_us for r in rows)[max(1, math.ceil(share * len(rows))) - 1]
    assert abs(percentile(whole.sketches["duration"], share) - exact) <= 0.01 * exact


def test_a_sum_equals_the_count_of_its_rows(world):
    for text in FILTERS:
        node = parse(f"{text} counted:true")
        spec = AggregateSpec(scope=ALL, filter=parse(text), from_us=START, to_us=END, step_us=DAY)
        total = sum(sums.values["requests"] for sums in world.store.aggregate(spec).groups.values())
        assert total == world.store.count(PageQuery(scope=ALL, filter=node, from_us=START, to_us=END))


@pytest.mark.parametrize(
    "change",
    [
        {"dimensions": ("nothing",)},
        {"dimensions": ("tool_names",)},
        {"dimensions": ("model", "provider", "status_code")},
        {"dimensions": ("attempts_json",)},
        {"measures": ("nothing",)},
        {"sketches": ("nothing",)},
        {"step_us": 1},
    ],
    ids=str,
)
def test_what_cannot_be_summed_is_refused(world, change):
    spec = msgspec.structs.replace(AggregateSpec(scope=ALL, from_us=START, to_us=END), **change)
    with pytest.raises(InvalidRequest):
        world.store.aggregate(spec)
