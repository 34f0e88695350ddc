from __future__ import annotations

import pytest

from lockgate.records.aggregate import FIRST, LAST, MEASURES, Adder
from lockgate.records.embedded import rollup
from lockgate.records.embedded.rollup import HOUR_US, MINUTE_US, Plan, measure, plan
from lockgate.records.embedded.sqlite import writing
from lockgate.records.query.language import parse
from lockgate.records.store import ALL, AggregateSpec
from tests.unit.records.rows import START, row


def spec(**changes):
    return AggregateSpec(**({"scope": ALL, "from_us": START, "to_us": START + 24 * HOUR_US} | changes))


@pytest.mark.parametrize(
    "changes, text, how",
    [
        ({}, "", Plan("total", HOUR_US)),
        ({"step_us": 60 * MINUTE_US}, "workspace:a", Plan("total", HOUR_US)),
        ({"step_us": 15 * MINUTE_US}, "", Plan("total", MINUTE_US)),
        ({"step_us": 1_000_000}, "", None),
        ({"dimensions": ("model",)}, "", Plan("model", HOUR_US)),
        ({"dimensions": ("model",)}, "provider:x", Plan("model", HOUR_US)),
        ({"dimensions": ("model",), "step_us": MINUTE_US}, "", None),
        ({"dimensions": ("api_key_id",)}, "", Plan("key", HOUR_US)),
        ({}, "status>=500 cache:hit", Plan("result", HOUR_US)),
        ({"dimensions": ("model",)}, "status:500", None),
        ({"dimensions": ("meta.team",)}, "", None),
        ({}, "meta.team=x", None),
        ({}, '"text"', None),
        ({"is_distinct_users": True}, "", None),
        ({"is_counted_only": False}, "", None),
    ],
    ids=str,
)
def test_the_smallest_cube_that_can_answer_is_taken(changes, text, how):
    assert plan(spec(**changes), parse(text)) == how


TOTAL = Plan("total", HOUR_US)


@pytest.fixture
def connection(tmp_path):
    found = writing(tmp_path / "r.db", rollup.SCHEMA, is_durable=False)
    rollup.teach(found)
    yield found
    found.close()


def total(connection, how=TOTAL, **changes):
    asked = spec(sketches=("duration",), **changes)
    adder = Adder(asked)
    rollup.read(connection, asked, parse(""), how, (START, START + 24 * HOUR_US), adder)
    return adder.table().groups


def test_batches_add_up(connection):
    rows = [row(n, at=n * MINUTE_US) for n in range(1, 90)]
    for at in range(0, len(rows), 7):
        rollup.add_rows(connection, rows[at : at + 7])
    found = total(connection)[0, ()]
    assert found.values["requests"] == 89
    assert found.values["cost_nano"] == sum(range(1, 90))
    assert (found.values[FIRST], found.values[LAST]) == (rows[0].started_us, rows[-1].started_us)
    assert found.sketches["duration"] == {rows[0].duration_bucket: 89}
    assert {key[0] for key in total(connection, step_us=HOUR_US)} == {START, START + HOUR_US}
    assert len(total(connection, Plan("total", MINUTE_US), step_us=MINUTE_US)) == 89


def test_rows_that_do_not_count_are_left_out(connection):
    rollup.add_rows(connection, [row(1, is_counted=False)])
    assert total(connection) == {}


def test_copying_replaces_and_adding_adds(connection, tmp_path):
    other = writing(tmp_path / "o.db", rollup.SCHEMA, is_durable=False)
    rollup.teach(other)
    rollup.add_rows(connection, [row(1), row(2)])
    for _ in range(2):
        rollup.copy(connection, other, (START, START + 24 * HOUR_US))
        assert total(other)[0, ()].values["requests"] == 2
    rollup.add_written(connection, other)
    assert total(other)[0, ()].values["requests"] == 4
    assert total(other)[0, ()].sketches["duration"] == {row(1).duration_bucket: 4}
    other.close()


def test_what_a_row_adds_names_measures_only():
    assert measure(row(1, is_error=True, error_origin="client", rescued_by="retry")).keys() <= MEASURES.keys()
