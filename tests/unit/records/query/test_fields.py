from __future__ import annotations

import pytest

from lockgate.records.query.fields import (
    ALIASES,
    HIDDEN,
    Field,
    between,
    check_pattern,
    compare,
    find_field,
    read_moment,
    read_value,
)
from lockgate.records.query.tree import Compare, Not
from lockgate.records.row import COLUMNS

NOW = 1_800_000_000_000_000


def test_every_alias_leads_to_a_column_and_hides_none():
    assert set(ALIASES.values()) <= set(COLUMNS) - HIDDEN
    assert not ALIASES.keys() & (COLUMNS.keys() - HIDDEN)


@pytest.mark.parametrize("name", ["", "nothing", "metadata", "meta.", "extra", "end_user_hash", "started_us; --"])
def test_there_is_no_such_field(name):
    assert find_field(name) is None


def test_every_other_column_is_a_field():
    for name in set(COLUMNS) - HIDDEN - {"metadata"}:
        assert find_field(name).column == name
    assert find_field("meta.a.b") == find_field("metadata.a.b") == Field("metadata", "map", key="a.b")


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("cost", "0.05", 50_000_000), ("cost", "$12", 12_000_000_000), ("cost", "0.000000001", 1),
        ("duration", "250", 250_000), ("duration", "250ms", 250_000), ("duration", "1.5s", 1_500_000),
        ("duration", "2m", 120_000_000), ("duration", "7us", 7), ("request_size", "10kb", 10_000), ("request_size", "1.5MB", 1_500_000),
        ("status", "429", 429), ("tokens", "1e3", 1000), ("tps", "12.5", 12.5), ("stream", "yes", True), ("stream", "FALSE", False),
        ("model", "gpt-5", "gpt-5"), ("time", "2027-01-15T08:00:00Z", NOW), ("time", "2027-01-15T09:00:00+01:00", NOW),
        ("time", "2027-01-15T08:00:00", NOW), ("time", "-1h", NOW - 3_600_000_000), ("time", "-7d", NOW - 7 * 86_400_000_000),
    ],
)  # fmt: skip
def test_values_carry_their_units(name, text, value):
    found = read_value(find_field(name), text, NOW)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "name, text",
    [("cost", "x"), ("cost", "nan"), ("cost", "1e99"), ("duration", "5 parsecs"), ("duration", "1y"), ("status", "2.5"),
     ("status", ""), ("stream", "maybe"), ("time", "yesterday"), ("time", "-5"), ("request_size", "1tb"), ("tps", "inf"),
     ("duration", "9" * 40)],
)  # fmt: skip
def test_values_of_the_wrong_kind_are_refused(name, text):
    with pytest.raises(ValueError):
        read_value(find_field(name), text, NOW)


@pytest.mark.parametrize(
    "name, operator, texts, node",
    [
        ("status", "=", ("5xx",), Compare("status_code", "in", tuple(range(500, 600)))),
        ("status", "=", ("200", "404"), Compare("status_code", "in", (200, 404))),
        ("status", "!=", ("200",), Not(Compare("status_code", "in", (200,)))),
        ("tool", "=", ("a", "b"), Compare("tool_names", "has_any", ("a", "b"))),
        ("tool", "exists", (), Compare("tool_names", "exists")),
        ("meta.team", "*=", ("x",), Compare("metadata", "contains", ("x",), "team")),
        ("model", "!~", ("^a",), Not(Compare("model", "matches", ("^a",)))),
        ("cost", ">=", ("1",), Compare("cost_nano", "ge", (10**9,))),
        ("feedback_value", ">", ("3",), Compare("feedback_value", "gt", (3.0,))),
    ],
)
def test_comparisons(name, operator, texts, node):
    assert compare(find_field(name), operator, texts) == node


@pytest.mark.parametrize(
    "name, operator, texts",
    [("model", ">", ("a",)), ("status", "~", ("a",)), ("tool", "^=", ("a",)), ("model", "~", ("(",)), ("model", "~", ("a" * 2000,)),
     ("cost", ">", ("1", "2")), ("stream", "<", ("true",)), ("model", "=", ("a",) * 10_001)],
)  # fmt: skip
def test_operators_that_do_not_fit_are_refused(name, operator, texts):
    with pytest.raises(ValueError):
        compare(find_field(name), operator, texts)


@pytest.mark.parametrize("pattern", ["(a", "[z-a]", "a{2,1}", "(?<!x)y", r"\1"])
def test_patterns_that_the_linear_engine_refuses(pattern):
    with pytest.raises(ValueError, match="not a regular expression"):
        check_pattern(pattern)


def test_a_range_has_both_ends():
    low, high = between(find_field("status"), 200, 299)
    assert (low.op, low.values, high.op, high.values) == ("ge", (200,), "le", (299,))


def test_moments_keep_microseconds():
    assert read_moment("2027-01-15T08:00:00.000001Z", 0) == NOW + 1
