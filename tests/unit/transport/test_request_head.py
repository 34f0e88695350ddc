"""The bytes of a request's head, and all that must not get into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.http import Origin, UpstreamRequest
from lockgate.errors import InvalidRequest
from lockgate.transport.request_head import HeadWriter, authority_of

ORIGIN = Origin(scheme="https", host="api.example", port=443)


def request(**changes) -> UpstreamRequest:
    """A request, with some of it changed."""
    return UpstreamRequest(
        **{"method": "POST", "origin": ORIGIN, "target": b"/v1/x", "headers": [], "body": b"", **changes}
    )


def test_a_head_has_all_that_it_needs():
    head = HeadWriter(ORIGIN).write(request(headers=[(b"x-api-key", b"k"), (b"accept", b"*/*")], body=b"12345"))
    assert head == (
        b"POST /v1/x HTTP/1.1\r\nhost: api.example\r\nx-api-key: k\r\naccept: */*\r\ncontent-length: 5\r\n\r\n"
    )


def test_a_writer_gives_the_same_bytes_every_time():
    writer = HeadWriter(ORIGIN)
    asked = request(headers=[(b"a", b"b")], body=b"x")
    assert len({writer.write(asked) for _ in range(3)}) == 1


@pytest.mark.parametrize("headers", [[], [(b"a", b"b")]])
@pytest.mark.parametrize(
    "method,length", [("POST", b"content-length: 0"), ("PUT", b"content-length: 0"), ("GET", b""), ("HEAD", b"")]
)
def test_an_empty_body_has_a_length_where_one_is_expected(method, length, headers):
    head = HeadWriter(ORIGIN).write(request(method=method, headers=headers))
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    assert (length in head) if length else (b"content-length" not in head)


@pytest.mark.parametrize(
    "scheme,host,port,expected",
    [
        ("https", "api.example", 443, "api.example"),
        ("https", "api.example", 80, "api.example:80"),
        ("http", "api.example", 80, "api.example"),
        ("http", "127.0.0.1", 8000, "127.0.0.1:8000"),
        ("https", "::1", 443, "[::1]"),
        ("http", "[::1]", 8000, "[::1]:8000"),
        ("http", "my_host", 80, "my_host"),
    ],
)
def test_the_host_header_names_the_port_only_when_it_is_unusual(scheme, host, port, expected):
    assert authority_of(Origin(scheme=scheme, host=host, port=port)) == expected


@pytest.mark.parametrize("host", ["", "a b", "a\r\nx: y", "a/b", "a@b", "bücher.example", "a\0", "a:b:c:zz"])
def test_a_host_that_does_not_fit_a_header_is_refused(host):
    with pytest.raises(InvalidRequest):
        HeadWriter(Origin(scheme="http", host=host, port=80))


def test_a_proxy_is_asked_in_absolute_form_with_its_own_authorization():
    writer = HeadWriter(
        Origin(scheme="http", host="api.example", port=81), is_absolute=True, proxy_authorization="Basic x"
    )
    assert writer.write(request(method="GET")) == (
        b"GET http://api.example:81/v1/x HTTP/1.1\r\nhost: api.example:81\r\nproxy-authorization: Basic x\r\n\r\n"
    )


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b", b"\r\n", b"\r\n\r\nGET / HTTP/1.1"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_value_with_a_line_break_is_refused(value, place):
    headers = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
    headers[place] = (headers[place][0], value)
    writer = HeadWriter(ORIGIN)
    for _ in range(2):
        with pytest.raises(InvalidRequest) as caught:
            writer.write(request(headers=headers))
        assert "GET" not in caught.value.message


@pytest.mark.parametrize(
    "name", [b"", b"a b", b"a:", b"a\r\nb", b"a\nb", b"a\0", b"X-Upper", b"caf\xe9", b"a\t", b"(a)"]
)
def test_a_name_that_is_no_token_in_lower_case_is_refused(name):
    writer = HeadWriter(ORIGIN)
    for _ in range(2):
        with pytest.raises(InvalidRequest):
            writer.write(request(headers=[(b"ok", b"1"), (name, b"2")]))


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"expect"])
def test_headers_of_the_transport_are_refused(name):
    with pytest.raises(InvalidRequest, match=name.decode()):
        HeadWriter(ORIGIN).write(request(headers=[(name, b"x")]))


@pytest.mark.parametrize(
    "target", [b"", b"v1", b"/a b", b"/a\r\nb", b"/\xc3\xa9", b"http://other.example/", b"/a\0", b"*"]
)
def test_a_target_that_is_not_an_encoded_path_is_refused(target):
    with pytest.raises(InvalidRequest):
        HeadWriter(ORIGIN).write(request(target=target))


@pytest.mark.parametrize("method", ["", "post", "GET ", "GET /x", "G\r\nT", "CONNECT", "GÉT"])
def test_a_method_that_is_no_method_is_refused(method):
    with pytest.raises(InvalidRequest):
        HeadWriter(ORIGIN).write(request(method=method))


def test_what_is_remembered_is_bounded():
    writer = HeadWriter(ORIGIN)
    for number in range(1000):
        writer.write(request(target=b"/%d" % number, headers=[(b"x-%d" % number, b"1")]))
    writer.write(request(target=b"/" + b"a" * 5000))
    assert len(writer._prefixes) <= 256
    assert len(writer._known_names) <= 256
    assert max(len(target) for _, target in writer._prefixes) < 300


pieces = st.binary(max_size=12) | st.sampled_from([b"host", b"a", b"x\r\ny: z", b"\r\n", b"v\nw", b"\0"])


@given(st.lists(st.tuples(pieces, pieces), max_size=5), pieces, st.binary(max_size=20))
def test_whatever_goes_in_exactly_these_headers_come_out(headers, path, body):
    target = b"/" + path
    try:
        head = HeadWriter(ORIGIN).write(request(headers=headers, target=target, body=body))
    except InvalidRequest:
        return
    lines = head.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    assert lines[0] == b"POST " + target + b" HTTP/1.1"
    assert lines[1] == b"host: api.example"
    assert lines[2:-3] == [name + b": " + value for name, value in headers]
    assert lines[-3] == b"content-length: %d" % len(body)
    assert head.count(b"\n") == head.count(b"\r") == len(headers) + 4
