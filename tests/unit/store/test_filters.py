from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from lockgate.store.filters import conditions
from lockgate.store.tables import providers


def sql(**equals):
    query = select(providers.c.id).where(*conditions(providers, equals))
    return str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})).partition("WHERE ")[2]


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ("a", "providers.slug IN ('a')"),
        (None, "providers.slug IS NULL"),
        (["a", "b"], "providers.slug IN ('a', 'b')"),
        (("a", "nul\0"), "providers.slug IN ('a')"),
        ("it's", "providers.slug IN ('it''s')"),
    ],
)
def test_a_filter_is_a_condition_on_a_column(wanted, expected):
    assert sql(slug=wanted) == expected


@pytest.mark.parametrize("wanted", [[], "nul\0"])
def test_what_nothing_can_equal_matches_nothing(wanted):
    assert "1!=1" in sql(slug=wanted)


def test_what_is_no_column_is_an_error_of_the_caller():
    with pytest.raises(KeyError):
        conditions(providers, {"document": "x", "no_column": "x"})
