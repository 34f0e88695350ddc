from datetime import UTC, datetime, timedelta, timezone

import pytest

from lockgate.admin.times import normal_time, write_time, write_time_or_none
from lockgate.errors import InvalidRequest


def test_times_are_utc_with_milliseconds():
    moment = datetime(2026, 8, 21, 11, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert write_time(moment) == "2026-08-21T09:30:00.123Z"
    assert write_time_or_none(None) is None
    assert write_time_or_none(datetime(2026, 8, 21, tzinfo=UTC)) == "2026-08-21T00:00:00.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-21T09:30:00.000Z",
        "2026-08-21T09:30:00",
        "2026-08-21 09:30:00",
        "2026-08-21T09:30",
        "2026-08-21T15:00:00+05:30",
        "2026-08-21T15:00:00 05:30",
        "2026-08-21T15:00:00.000 05:30",
        "2026-08-21T15:00:00 0530",
        " 2026-08-21T04:30:00-05:00 ",
    ],
)
def test_every_spelling_of_the_same_moment(text):
    assert normal_time(text, "at") == "2026-08-21T09:30:00+00:00"


def test_a_date_is_its_midnight():
    assert normal_time("2026-08-21", "at") == "2026-08-21T00:00:00+00:00"


def test_what_is_no_time_is_left_for_the_typed_reading():
    assert normal_time("soon", "at") == "soon"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_moment_outside_of_the_calendar_is_refused(text):
    with pytest.raises(InvalidRequest, match="at: the time is out of range"):
        normal_time(text, "at")
