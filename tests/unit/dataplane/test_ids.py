import uuid

from lockgate.dataplane.ids import new_request_id


def test_request_ids_are_uuids_in_the_order_of_time():
    ids = [new_request_id(1_700_000_000 + i) for i in range(100)]
    assert ids == sorted(ids)
    assert all(uuid.UUID(i).version == 7 and uuid.UUID(i).variant == uuid.RFC_4122 for i in ids)
    assert len({new_request_id(1.0) for _ in range(1000)}) == 1000
