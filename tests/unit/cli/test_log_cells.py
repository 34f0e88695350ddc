import pytest

from lockgate.cli.log_cells import cell, columns_of, one_line, shown_moment, shown_money, shown_time
from lockgate.errors import InvalidRequest
from lockgate.records.query.fields import Field
from lockgate.records.store import Entry
from tests.unit.records.rows import preview, row


@pytest.mark.parametrize(
    "nanos, text",
    [(0, "$0.00"), (35_000, "$0.000035"), (1_500_000_000, "$1.50"), (1, "$0.000000001"), (10**11 + 1, "$100.00")],
)
def test_money_has_as_many_places_as_it_needs(nanos, text):
    assert shown_money(nanos) == text


@pytest.mark.parametrize(
    "us, text",
    [
        (12, "12 us"),
        (1500, "1.5 ms"),
        (250_000, "250 ms"),
        (999_900, "1 s"),
        (1_234_000, "1.23 s"),
        (125_000_000, "2 min 5 s"),
    ],
)
def test_times_have_the_unit_that_fits(us, text):
    assert shown_time(us) == text


def test_moments_are_in_utc():
    assert shown_moment(1_796_000_001_250_999) == "2026-11-30 00:53:21.250"


@pytest.mark.parametrize(
    "value, text",
    [(None, ""), ((), ""), (True, "yes"), (7, "7"), (("a", "b"), "a, b"), ({"k": "v"}, "k=v"), ("x", "x")],
)
def test_cells(value, text):
    assert cell(Field("x", "text"), value) == text


def test_columns_are_fields_metadata_and_previews():
    entry = Entry(row(1, metadata={"team": "search"}, status_code=429), preview(1))
    assert [c.read(entry) for c in columns_of("status, meta.team,meta.no,request_preview,cost,")] == [
        "429", "search", "", "p1", "$0.000000001",
    ]  # fmt: skip
    assert columns_of("request_preview")[0].read(Entry(row(1))) == ""


@pytest.mark.parametrize("name", ["nothing", "feedback_value", "metadata", "meta."])
def test_a_column_that_is_none(name):
    with pytest.raises(InvalidRequest, match="There is no column"):
        columns_of(name)


@pytest.mark.parametrize(
    "name, hint",
    [
        ("feedback_value", "a filter may ask for it, but it is not a part of the record"),
        ("statu", "did you mean status?"),
        ("zzz", "columns are the fields of a record by the names of filters, meta.KEY, request_preview and"),
    ],
)
def test_what_is_said_of_a_column_that_is_none(name, hint):
    with pytest.raises(InvalidRequest) as raised:
        columns_of(name)
    assert raised.value.message.startswith(f"There is no column {name!r}; {hint}")


def test_nothing_steers_the_terminal():
    assert one_line("a\x1b[31m\nb\x00\u202ec") == "a [31m b  c"
