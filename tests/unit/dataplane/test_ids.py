import uuid

import pytest

from lockgate.dataplane.ids import new_request_id, trace_id_of


def test_request_ids_are_uuids_in_the_order_of_time():
    ids = [new_request_id(1_700_000_000 + i) for i in range(100)]
    assert ids == sorted(ids)
    assert all(uuid.UUID(i).version == 7 and uuid.UUID(i).variant == uuid.RFC_4122 for i in ids)
    assert len({new_request_id(1.0) for _ in range(1000)}) == 1000


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, b"fallback"),
        ({b"x-portkey-trace-id": b"mine"}, b"mine"),
        ({b"x-portkey-trace-id": b"  "}, b"fallback"),
        ({b"x-portkey-trace-id": b"x" * 300}, b"x" * 128),
        ({b"traceparent": TRACE}, b"0af7651916cd43dd8448eb211c80319c"),
        ({b"traceparent": TRACE, b"x-portkey-trace-id": b"mine"}, b"mine"),
        ({b"traceparent": b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"}, b"fallback"),
        ({b"traceparent": b"garbage"}, b"fallback"),
    ],
)
def test_trace_ids(headers, expected):
    assert trace_id_of(headers, "fallback") == expected
