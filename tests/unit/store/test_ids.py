from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from lockgate.store.ids import new_id

NOW = datetime(2026, 8, 1, 1, 2, 3, 456000, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_7_with_its_time():
    made = uuid.UUID(new_id(NOW))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_sort_by_time_and_count():
    ids = [new_id(NOW + timedelta(milliseconds=ms), count) for ms in range(3) for count in range(100)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 300


def test_two_ids_of_one_moment_differ():
    assert new_id(NOW) != new_id(NOW)
