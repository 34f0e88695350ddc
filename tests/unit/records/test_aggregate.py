from __future__ import annotations

import random

import pytest

from lockgate.errors import InvalidRequest
from lockgate.records import aggregate
from lockgate.records.aggregate import FIRST, LAST, MAX_USERS, MEASURES, Adder, column_of, count_users, dimension, fold
from lockgate.records.query.sql import DuckSpeech, Sql, SqliteSpeech
from lockgate.records.store import ALL, AggregateSpec, Sums

SPEC = AggregateSpec(scope=ALL, from_us=0, to_us=10, measures=("requests", "cost_nano"), dimensions=("model",))


def test_parts_of_several_sources_make_one_answer():
    adder = Adder(SPEC)
    adder.take("sums", [(0, "m", 2, 30, 5, 7), (0, None, 1, 1, 6, 6)])
    adder.take("sums", [(0, "m", 1, 4, 2, 9)])
    adder.take("duration", [(0, "m", 100, 2), (0, "m", 101, 1)])
    adder.take_rollup(0, ("m",), {}, {"duration": {100: 5}})
    adder.take("users", [(0, "m", 77), (0, "m", 77), (0, "m", 78)])
    groups = adder.table().groups
    assert groups[0, ("m",)] == Sums(
        {"requests": 3, "cost_nano": 34, FIRST: 2, LAST: 9}, {"duration": {100: 7, 101: 1}}, {77, 78}
    )
    assert groups[0, (None,)].values == {"requests": 1, "cost_nano": 1, FIRST: 6, LAST: 6}


def test_folding_adds_sums_and_keeps_ends():
    whole = fold(
        [
            Sums({"requests": 1, FIRST: 5, LAST: 5}, {"ttft": {1: 1}}, {1}),
            Sums({"requests": 2, FIRST: 3, LAST: 4}, {}, {1, 2}),
        ]
    )
    assert whole == Sums({"requests": 3, FIRST: 3, LAST: 5}, {"ttft": {1: 1}}, {1, 2})
    assert fold([]).values == {}


def test_too_many_groups_are_refused(monkeypatch):
    monkeypatch.setattr(aggregate, "MAX_GROUPS", 3)
    adder = Adder(SPEC)
    with pytest.raises(InvalidRequest):
        adder.take("sums", [(0, str(n), 1, 1, 1, 1) for n in range(4)])


def test_users_are_exact_up_to_a_bound_and_close_above_it():
    assert count_users(set(range(17))) == 17
    dice = random.Random(1)
    hashes = {dice.getrandbits(63) for _ in range(3 * MAX_USERS)}
    smallest = set(sorted(hashes)[:MAX_USERS])
    assert abs(count_users(smallest) - len(hashes)) < 0.01 * len(hashes)


def test_the_table_keeps_the_smallest_hashes(monkeypatch):
    monkeypatch.setattr(aggregate, "MAX_USERS", 2)
    adder = Adder(SPEC)
    adder.take("users", [(0, "m", n) for n in (9, 1, 5)])
    assert adder.table().groups[0, ("m",)].users == {1, 5}


@pytest.mark.parametrize("speech", [SqliteSpeech(), DuckSpeech()])
def test_dimensions_are_columns_or_keys_and_nothing_else(speech):
    assert dimension("status", speech) == Sql("status_code")
    assert dimension("meta.a'b", speech).parameters == ("a'b",)
    for name in ("1; DROP TABLE rows", "tool_names", "attempts_json", "extra", "end_user_hash", "meta.", ""):
        with pytest.raises(InvalidRequest):
            dimension(name, speech)


def test_the_column_of_a_dimension():
    assert column_of("model") == "model"
    assert column_of("status") == "status_code"
    assert column_of("meta.team") is None


def test_every_measure_is_a_name_of_its_own():
    assert len(MEASURES) == len(set(MEASURES))
    assert not {FIRST, LAST} & MEASURES.keys()
