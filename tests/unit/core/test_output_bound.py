"""What a body may be charged for at most, however leniently a server reads it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.body import peek
from lockgate.core.output_bound import MOST_OUTPUT, check_single, output_bound
from lockgate.errors import InvalidRequest

DEFAULT = 1000


def bound(zero_is_none=True, **members):
    return output_bound(peek(json.dumps(members).encode()), DEFAULT, zero_is_none=zero_is_none)


@pytest.mark.parametrize(
    "members, most",
    [
        ({}, DEFAULT),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": None, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 50, "max_completion_tokens": 7}, 50),
        ({"max_tokens": 5, "n": 3}, 15),
        ({"max_tokens": 5, "n": None}, 5),
        ({"max_tokens": 5, "n": 0}, 5),
        ({"max_tokens": 5, "n": -4}, 5),
        ({"max_tokens": 5, "n": 100.0}, 500),
        ({"max_tokens": 5, "n": 1.2}, 10),
        ({"max_tokens": 5, "n": 10_000}, 50_000),
        ({"max_tokens": 5.5}, 6),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": -1}, DEFAULT),
        ({"max_tokens": 5, "best_of": 9, "n": 2}, 45),
        ({"max_tokens": 5, "num_return_sequences": 4}, 20),
        ({"max_tokens": 5, "max_new_tokens": 70}, 70),
        ({"max_tokens": 5, "n_predict": -1}, DEFAULT),
        ({"max_output_tokens": 5}, DEFAULT),
        ({"max_output_tokens": 5_000}, 5_000),
        ({"max_tokens": 5, "prediction": {"content": "x"}}, 5 + len('{"content": "x"}')),
    ],
)
def test_the_bound_is_the_most_that_any_member_allows(members, most):
    assert bound(**members) == most


def test_where_a_server_takes_zero_for_no_limit_it_is_none():
    assert bound(zero_is_none=False, max_tokens=0) == DEFAULT


@pytest.mark.parametrize(
    "members, path",
    [
        ({"max_tokens": 5, "n": "100"}, "n"),
        ({"max_tokens": 5, "n": True}, "n"),
        ({"max_tokens": 5, "n": [3]}, "n"),
        ({"max_tokens": 5, "best_of": "7"}, "best_of"),
        ({"max_tokens": 5, "num_return_sequences": {}}, "num_return_sequences"),
        ({"max_tokens": 5, "max_new_tokens": "7"}, "max_new_tokens"),
        ({"max_tokens": 5, "n": 10**30}, "n"),
        ({"n": 10**9}, "n"),
        ({"max_tokens": 5, "n": 1e300}, "n"),
        ({"max_tokens": 10**11}, "max_tokens"),
        ({"max_tokens": 1e300}, "max_tokens"),
        ({"max_completion_tokens": 10**40}, "max_completion_tokens"),
        ({"max_tokens": 5, "n_predict": 10**20}, "n_predict"),
    ],
)
def test_what_has_no_bound_is_refused_by_its_path(members, path):
    with pytest.raises(InvalidRequest) as caught:
        bound(**members)
    assert caught.value.path == path
    assert str(caught.value).startswith(path)


def lenient(value):
    """What a server that takes anything for a number reads, None when nothing."""
    try:
        return math.ceil(float(value)) if value is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | numbers.map(str) | st.text(max_size=5) | st.integers(1, 20_000)
limits = st.none() | numbers | st.integers(1, 20_000)


@given(
    max_tokens=limits,
    max_completion_tokens=limits,
    n=values,
    best_of=values,
    max_new_tokens=values,
)
def test_no_lenient_server_reads_more_than_the_bound(**members):
    body = json.dumps(members)
    try:
        most = bound(**members)
    except InvalidRequest as error:
        assert error.path in members
        return
    assert 0 <= most <= MOST_OUTPUT
    for limit in ("max_tokens", "max_completion_tokens", "max_new_tokens"):
        for count in ("n", "best_of"):
            asked = lenient(members[limit])
            if asked is not None and asked > 0 and (limit != "max_new_tokens"):
                assert asked * max(1, lenient(members[count]) or 1) <= most, body


@pytest.mark.parametrize(
    "body, path",
    [
        (b'{"n": 1, "max_tokens": 5, "n": 100}', "n"),
        (rb'{"max\u005ftokens": 5000, "max_tokens": 5}', "max_tokens"),
        (b'{"model": "a", "messages": [], "model" : "b"}', "model"),
        (b'{"messages": [1], "messages": [%s]}' % b",".join([b'{"content": "x"}'] * 50), "messages"),
        (b'{"messages": [%s], "n": 1, "n": 2}' % b",".join([b'{"n": "x"}'] * 50), "n"),
    ],
)
def test_a_member_that_comes_twice_is_refused(body, path):
    with pytest.raises(InvalidRequest, match="comes twice") as caught:
        check_single(body, peek(body))
    assert caught.value.path == path


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 1, "tools": [{"n": 2, "model": 1}], "model": "m", "x": 1, "x": 2}',
        b'{"n": 1, "messages": [%s]}' % b",".join([b'{"n": "\\u006e", "model": 3}'] * 50),
        rb'{"n": 1, "user": "\u00e9 \"n\": 5"}',
    ],
)
def test_what_only_looks_like_a_repeated_member_passes(body):
    check_single(body, peek(body))
