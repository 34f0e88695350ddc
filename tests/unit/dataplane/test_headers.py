import pytest

from lockgate.dataplane.headers import (
    flag_of,
    forwarded_headers,
    is_strict,
    limits_for_chat,
    list_of,
    provider_of,
    read_headers,
    relayed_headers,
    retry_headers,
    spent_headers,
    text_of,
)
from lockgate.errors import InvalidRequest


def never(value):
    return False


def test_repeated_headers_are_joined_and_empty_ones_left_out():
    pairs = [(b"anthropic-beta", b"a"), (b"x", b""), (b"anthropic-beta", b"b,c")]
    assert read_headers(pairs) == {b"anthropic-beta": b"a, b,c"}


@pytest.mark.parametrize(
    "value, expected",
    [(b"true", True), (b"TRUE", True), (b" false ", False), (b"1", None), (b"yes", None), (b"", None)],
)
def test_booleans(value, expected):
    assert flag_of({b"f": value}, b"f") is expected


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, True),
        ({b"x-portkey-strict-open-ai-compliance": b"false"}, False),
        ({b"x-portkey-strict-open-ai-compliance": b"False"}, False),
        ({b"x-portkey-strict-openai-compliance": b"false"}, False),
        ({b"x-portkey-strict-open-ai-compliance": b"true"}, True),
        ({b"x-portkey-strict-open-ai-compliance": b"nonsense"}, True),
    ],
)
def test_strict_unless_the_client_says_false(headers, expected):
    assert is_strict(headers) is expected


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({}, None),
        ({b"x-portkey-provider": b"@a"}, "@a"),
        ({b"x-portkey-mode": b"proxy openai"}, "openai"),
        ({b"x-portkey-mode": b"proxy openai", b"x-portkey-provider": b"anthropic"}, "anthropic"),
        ({b"x-portkey-mode": b"single"}, None),
        ({b"x-portkey-mode": b"proxy"}, None),
    ],
)
def test_the_provider_in_headers(headers, expected):
    assert provider_of(headers) == expected


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, ()),
        ("a, b ,,c", ("a", "b", "c")),
        ('["a", "b"]', ("a", "b")),
        ("['a', 'b']", ("a", "b")),
        ("[a, b]", ("a", "b")),
        ("[]", ()),
    ],
)
def test_lists_in_three_syntaxes(value, expected):
    assert list_of(value) == expected


@pytest.mark.parametrize("value, expected", [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café")])
def test_text_is_utf8_else_latin1(value, expected):
    assert text_of({b"n": value}, b"n") == expected


@pytest.mark.parametrize(
    "listed, received, expected",
    [
        (b"x-custom-header", b"x-custom-header", [(b"x-custom-header", b"v")]),
        (b"X-Custom-Header", b"x-custom-header", [(b"x-custom-header", b"v")]),
        (b"CustomHeader,Other", b"-custom-header", [(b"custom-header", b"v")]),
        (b"['custom_header']", b"custom-header", [(b"custom_header", b"v")]),
        (b"host", b"host", []),
        (b"cookie", b"cookie", []),
        (b"metadata-flavor", b"metadata-flavor", []),
        (b"x-portkey-trace-id", b"x-portkey-trace-id", []),
        (b"absent", b"other", []),
    ],
)
def test_forwarded_headers_match_on_letters_and_digits(listed, received, expected):
    headers = {b"x-portkey-forward-headers": listed, received: b"v"}
    assert forwarded_headers(headers, never) == expected


@pytest.mark.parametrize(
    "listed", [b"MetadataFlavor", b"AcceptEncoding", b"Content_Length", b"HOST", b"Proxy-Authorization"]
)
def test_no_spelling_gets_a_forbidden_header_through(listed):
    names = (b"metadata-flavor", b"accept-encoding", b"content-length", b"host", b"proxy-authorization")
    headers = {b"x-portkey-forward-headers": listed, **dict.fromkeys(names, b"v")}
    assert forwarded_headers(headers, never) == []


def test_a_header_that_holds_a_gateway_key_is_never_forwarded():
    headers = {b"x-portkey-forward-headers": b"x-leak, x-api-key", b"x-leak": b"gk", b"x-api-key": b"own"}
    assert forwarded_headers(headers, lambda value: value == b"gk") == [(b"x-api-key", b"own")]


def test_the_list_may_not_name_itself():
    with pytest.raises(InvalidRequest):
        forwarded_headers({b"x-portkey-forward-headers": b"x-portkey-forward-headers"}, never)


def test_what_the_provider_names_in_connection_is_not_relayed():
    upstream = [(b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"request-id", b"r")]
    assert relayed_headers(upstream) == [(b"request-id", b"r"), (b"x-request-id", b"r")]


def test_two_waits_over_the_cap_are_one():
    assert retry_headers([(b"retry-after", b"600"), (b"retry-after-ms", b"600000")]) == [(b"retry-after", b"60")]


@pytest.mark.parametrize(
    "upstream, expected",
    [
        ([(b"retry-after", b"518400")], [(b"x-should-retry", b"false")]),
        ([(b"retry-after", b"5")], [(b"x-should-retry", b"false")]),
        ([(b"x-should-retry", b"true")], []),
    ],
)
def test_a_spent_credential_is_not_to_be_asked_again(upstream, expected):
    assert spent_headers(upstream) == expected


def test_what_belongs_to_a_connection_is_not_relayed():
    kept = [(b"request-id", b"r"), (b"anthropic-ratelimit-requests-limit", b"1"), (b"openai-version", b"2")]
    dropped = [
        (b"content-length", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"a=b"),
        (b"server", b"x"),
        (b"x-portkey-trace-id", b"theirs"),
        (b"cf-ray", b"1"),
        (b"access-control-allow-origin", b"*"),
        (b"content-type", b"a/b"),
    ]
    assert relayed_headers(kept + dropped) == [*kept, (b"x-request-id", b"r")]


@pytest.mark.parametrize(
    "name, value, expected",
    [
        (b"retry-after", b"7", [(b"retry-after", b"7")]),
        (b"retry-after", b"0.5", [(b"retry-after", b"0.5")]),
        (b"retry-after", b"600", [(b"retry-after", b"60")]),
        (b"retry-after", b"inf", [(b"retry-after", b"60")]),
        (b"retry-after-ms", b"1500", [(b"retry-after-ms", b"1500")]),
        (b"retry-after-ms", b"999999", [(b"retry-after", b"60")]),
        (b"retry-after", b"-5", [(b"retry-after", b"60")]),
        (b"retry-after", b"Wed, 21 Oct 2026 07:28:00 GMT", []),
        (b"other", b"1", []),
    ],
)
def test_waits_are_capped_at_a_minute(name, value, expected):
    assert retry_headers([(name, value)]) == expected


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("requests-limit", "50", [("x-ratelimit-limit-requests", "50")]),
        ("requests-remaining", "49", [("x-ratelimit-remaining-requests", "49")]),
        ("tokens-limit", "1000", [("x-ratelimit-limit-tokens", "1000")]),
        ("tokens-reset", "1970-01-01T00:01:00Z", [("x-ratelimit-reset-tokens", "50s")]),
        ("requests-reset", "1970-01-01T00:00:10.5+00:00", [("x-ratelimit-reset-requests", "1s")]),
        ("requests-reset", "1970-01-01T00:00:00Z", [("x-ratelimit-reset-requests", "0s")]),
        ("requests-reset", "soon", []),
        ("requests-reset", "\u00e4", []),
        ("input-tokens-limit", "7", []),
    ],
)
def test_limits_of_claude_are_told_in_openais_words(name, value, expected):
    upstream = [(f"anthropic-ratelimit-{name}".encode(), value.encode())]
    assert [(n.decode(), v.decode()) for n, v in limits_for_chat(upstream, 10.0)] == expected


def test_limits_in_openais_words_are_not_told_twice():
    upstream = [(b"anthropic-ratelimit-requests-limit", b"5"), (b"x-ratelimit-limit-requests", b"6")]
    assert limits_for_chat(upstream, 0.0) == []
