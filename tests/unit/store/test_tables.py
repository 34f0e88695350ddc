from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import sqlite

from lockgate.store.tables import Moment

T = datetime(2026, 8, 1, 1, 2, 3, 456000, tzinfo=UTC)


@pytest.mark.parametrize(
    "given, milliseconds",
    [
        (T, int(T.timestamp() * 1000)),
        (T.astimezone(timezone(timedelta(hours=5, minutes=30))), int(T.timestamp() * 1000)),
        (T + timedelta(microseconds=999), int(T.timestamp() * 1000)),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -1000),
        (datetime(9999, 12, 31, tzinfo=UTC), 253402214400000),
    ],
)
def test_a_time_is_whole_milliseconds(given, milliseconds):
    moment = Moment()
    assert moment.process_bind_param(given, sqlite.dialect()) == milliseconds
    back = moment.process_result_value(milliseconds, sqlite.dialect())
    assert back.tzinfo is UTC
    assert timedelta(0) <= given - back < timedelta(milliseconds=1)


def test_no_time_is_nothing():
    moment = Moment()
    assert moment.process_bind_param(None, sqlite.dialect()) is None
    assert moment.process_result_value(None, sqlite.dialect()) is None
