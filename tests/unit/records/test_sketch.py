"""The sketch keeps its promise of one per cent, however it was put together."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.sketch import (
    ZERO_BUCKET,
    add,
    bucket_of,
    merge_written,
    percentile,
    read_sketch,
    value_of,
    write_sketch,
)

values = st.lists(st.integers(0, 10**11), min_size=1, max_size=200)


def sketch_of(numbers):
    found = {}
    for number in numbers:
        add(found, {bucket_of(number): 1})
    return found


@given(st.integers(1, 10**15))
def test_a_bucket_stands_for_its_values_within_one_per_cent(value):
    assert abs(value_of(bucket_of(value)) - value) <= 0.010001 * value


@given(values, st.floats(0.01, 1.0))
def test_percentiles_are_within_one_per_cent_of_the_nearest_rank(numbers, share):
    exact = sorted(numbers)[max(1, math.ceil(share * len(numbers))) - 1]
    assert abs(percentile(sketch_of(numbers), share) - exact) <= 0.010001 * exact


@given(values, values)
def test_parts_add_up_exactly(left, right):
    whole = sketch_of(left + right)
    assert read_sketch(merge_written([write_sketch(sketch_of(left)), None, write_sketch(sketch_of(right))])) == whole


def test_nothing_has_no_percentile():
    assert percentile({}, 0.5) is None
    assert read_sketch(None) == read_sketch(b"") == {}


def test_zero_is_zero():
    assert bucket_of(0) == ZERO_BUCKET
    assert percentile({ZERO_BUCKET: 3}, 0.5) == 0.0
