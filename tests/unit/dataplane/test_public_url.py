import pytest
from msgspec import structs

from lockgate.dataplane.public_url import public_url
from tests.unit.dataplane.fakes import World


@pytest.mark.parametrize(
    "changes, headers, scheme, expected",
    [
        ({}, {b"host": b"gw.example:8787"}, "http", "http://gw.example:8787"),
        ({}, {b"host": b"[::1]:8787"}, "https", "https://[::1]:8787"),
        ({}, {b"host": b"a b"}, "http", ""),
        ({}, {b"host": b"a/..?x"}, "http", ""),
        ({}, {b"x-forwarded-host": b"a.b"}, "http", ""),
        ({"trusts_forwarded": True}, {b"host": b"x", b"x-forwarded-host": b"a.b:1, c"}, "http", "http://a.b:1"),
        ({"trusts_forwarded": True}, {b"host": b"x", b"x-forwarded-proto": b"HTTPS"}, "http", "https://x"),
        ({"trusts_forwarded": True}, {b"host": b"x", b"x-forwarded-proto": b"gopher"}, "http", "http://x"),
        ({"public_url": "https://ai.example"}, {b"host": b"x"}, "http", "https://ai.example"),
    ],
)
def test_where_a_client_reaches_us(changes, headers, scheme, expected):
    snapshot = structs.replace(World().plane.snapshot, **changes)
    assert public_url(snapshot, headers, scheme) == expected
