from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.money import (
    MAX_NANOS,
    cents_text,
    divide,
    divide_up,
    dollars_text,
    exact,
    nanos_of,
    rate_as_cents,
    rate_as_per_million,
    rate_in_cents,
    rate_in_dollars,
    rate_per_million,
    total,
)


@pytest.mark.parametrize(
    "above, below, found", [(5, 10, 0), (15, 10, 2), (25, 10, 2), (26, 10, 3), (0, 7, 0), (7, 7, 1), (-5, 10, 0)]
)
def test_a_half_goes_to_the_even_side(above, below, found):
    assert divide(above, below) == found


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**15))
def test_division_is_that_of_exact_numbers(above, below):
    assert divide(above, below) == round(Fraction(above, below))
    assert divide_up(above, below) >= Fraction(above, below) > divide_up(above, below) - 1


@given(st.integers(-MAX_NANOS, MAX_NANOS))
def test_amounts_survive_their_text(nanos):
    assert nanos_of(dollars_text(nanos)) == nanos
    assert Decimal(cents_text(nanos)) * 10_000_000 == nanos


@pytest.mark.parametrize(
    "dollars, nanos",
    [
        ("0.009012", 9_012_000),
        (0.3, 300_000_000),
        ("1e-9", 1),
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        (12, 12 * 10**9),
    ],
)
def test_dollars_are_taken_as_they_are_written(dollars, nanos):
    assert nanos_of(dollars) == nanos


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-inf", "1,5"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError):
        exact(text)


def test_sums_beyond_64_bits_are_an_error_and_never_wrap():
    assert total([MAX_NANOS - 1, 1]) == MAX_NANOS
    with pytest.raises(OverflowError):
        total([MAX_NANOS, 1])
    with pytest.raises(ValueError):
        nanos_of("9300000000")


@pytest.mark.parametrize("read", [rate_per_million, rate_in_dollars, rate_in_cents])
@pytest.mark.parametrize("price", ["-1", "-0.000001", "1e30", "nan", ""])
def test_a_price_is_a_finite_number_that_is_not_below_zero(read, price):
    with pytest.raises(ValueError):
        read(price)


def test_three_spellings_of_three_dollars_per_million():
    assert rate_per_million(3) == rate_in_cents("0.0003") == rate_in_dollars("0.000003") == 3_000_000


@given(st.integers(0, 10**15))
def test_rates_survive_both_spellings(picos):
    assert rate_in_cents(rate_as_cents(picos)) == picos
    assert rate_per_million(rate_as_per_million(picos)) == picos
