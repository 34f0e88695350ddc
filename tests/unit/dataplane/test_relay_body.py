import pytest

from lockgate.errors import Malformed
from tests.unit.dataplane.fakes import FakeResponse, World

PATH = "/v1/files/f/content"
LENGTH = (b"content-length", b"3")


@pytest.mark.parametrize(
    "headers, pieces, parts",
    [
        ([LENGTH], [b"abc"], [b"abc"]),
        ([LENGTH], [b"a", b"bc"], [b"a", b"bc"]),
        ([(b"content-length", b"0")], [], [b""]),
        ([], [b"a", b"bc"], [b"a", b"bc", b""]),
        ([], [], [b""]),
    ],
)
def test_the_record_is_there_before_the_last_byte(headers, pieces, parts):
    world = World()
    world.upstream.will(FakeResponse(200, headers, *pieces))
    got = world.call(PATH, method="GET", x_portkey_provider="@anthropic")
    assert (got.parts, got.is_complete) == (parts, True)
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers.get("content-length") == (headers[0][1].decode() if headers else None)
    assert world.record.bytes_out == sum(map(len, pieces))


def test_headers_of_the_connection_stay_behind():
    world = World()
    headers = [(b"connection", b"close"), (b"set-cookie", b"a"), (b"request-id", b"r"), (b"content-type", b"a/b")]
    world.upstream.will(FakeResponse(200, headers, b"x"))
    got = world.call(PATH, method="GET", x_portkey_provider="@anthropic")
    assert (got.headers["request-id"], got.headers["content-type"]) == ("r", "a/b")
    assert not {"connection", "set-cookie"} & set(got.headers)


def test_a_coding_that_was_not_asked_for_is_an_error_with_a_status():
    world = World()
    world.upstream.will(FakeResponse(200, [(b"content-encoding", b"br")], b"x"))
    got = world.call(PATH, method="GET", x_portkey_provider="@anthropic")
    assert got.status == Malformed.status
