"""Errors for clients, and errors of providers in whatever shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.dialects.openai_chat import DIALECT
from lockgate.dialects.openai_chat.errors import read_stream_error
from lockgate.errors import Internal, InvalidRequest, Rejected, TimedOut, Unauthenticated
from tests.unit.dialects.openai_chat.samples import encode, raw, shape


def write(error, provider=None):
    return json.loads(DIALECT.write_error(error, request_id="req_1", provider=provider))


def test_an_error_of_ours_is_one_that_every_sdk_understands():
    error = Unauthenticated("Portkey Error: Invalid API Key. Error Code: 03", wire_code="03")
    assert write(error) == {
        "status": "failure",
        "message": "Portkey Error: Invalid API Key. Error Code: 03",
        "error": {
            "message": "Portkey Error: Invalid API Key. Error Code: 03",
            "type": "authentication_error",
            "param": None,
            "code": "03",
        },
    }


def test_the_path_of_a_fault_is_the_param():
    body = write(InvalidRequest("messages[0].role: x", path="messages[0].role"), provider="anthropic")
    assert body["error"]["param"] == "messages[0].role"
    assert body["status"] == "failure"


def test_a_time_limit_of_ours_is_an_error_of_ours():
    assert write(TimedOut("no answer", phase="first_byte"), provider="openai")["message"] == "no answer"


def test_a_providers_error_stands_under_its_name():
    error = Rejected(
        "max_tokens: too large", status=400, kind="invalid_request_error", param="max_tokens", wire_code="3"
    )
    assert write(error, provider="anthropic") == {
        "error": {
            "message": "anthropic error: max_tokens: too large",
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "3",
        },
        "provider": "anthropic",
    }


def test_an_error_whose_provider_is_not_named_keeps_its_words():
    assert write(Rejected("Overloaded", status=529, kind="overloaded_error")) == {
        "error": {"message": "Overloaded", "type": "overloaded_error", "param": None, "code": None}
    }


@pytest.mark.parametrize("error", [Internal(""), Rejected("", status=500, kind="api_error")])
def test_there_is_always_a_message(error):
    assert write(error)["error"]["message"]


KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "request_too_large",
    418: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    501: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    520: "api_error",
    526: "api_error",
    529: "overloaded_error",
    307: "api_error",
}


@pytest.mark.parametrize("status", KINDS)
def test_the_kind_follows_the_status(status):
    error = DIALECT.read_error(status, encode({"error": {"message": "m", "type": "whatever"}}))
    assert (error.status, error.kind, error.message) == (status, KINDS[status], "m")


SHAPES = {
    "OpenAI": (
        {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}},
        {"message": "m", "param": "p", "wire_code": "c"},
    ),
    "code that is a number": ({"error": {"message": "m", "code": 3}}, {"message": "m", "wire_code": "3"}),
    "null code": ({"error": {"message": "m", "code": None, "param": None}}, {"message": "m"}),
    "error that is text": ({"error": "m"}, {"message": "m"}),
    "message alone": ({"message": "m"}, {"message": "m"}),
    "detail": ({"detail": "m"}, {"message": "m"}),
    "detail that is a list": ({"detail": [{"loc": ["body"], "msg": "m"}]}, {"message": "m"}),
    "list of errors": ([{"error": {"message": "m"}}], {"message": "m"}),
    "errors": ({"errors": [{"message": "m"}]}, {"message": "m"}),
    "text": ("m", {"message": "m"}),
    "vLLM": ({"object": "error", "message": "m", "code": 40303}, {"message": "m", "wire_code": "40303"}),
    "Anthropic": (
        {"type": "error", "error": {"type": "t", "message": "m", "details": {"error_code": "e"}}},
        {"message": "m", "wire_code": "e"},
    ),
    "OAuth": ({"error": "invalid", "error_description": "m"}, {"message": "invalid"}),
    "nothing that we know": ({"foo": 1}, {"message": "status 500"}),
    "error without a message": ({"error": {"code": "c"}}, {"message": "status 500", "wire_code": "c"}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_error_of_any_shape_is_read(name):
    body, found = SHAPES[name]
    error = DIALECT.read_error(500, encode(body))
    assert {key: getattr(error, key) for key in found} == found
    assert error.body == encode(body)


PAGES = {
    "page": (
        b"<html><head><style>p{}</style></head><body><h1>502</h1><p>Bad&nbsp;gateway</p></body></html>",
        "502 Bad gateway",
    ),
    "script": (b"<script>alert('x')</script>Try again<!-- hidden -->", "Try again"),
    "text": (b"upstream connect error", "upstream connect error"),
    "nothing": (b"", "status 502"),
    "spaces": (b" \n ", "status 502"),
    "JSON cut short": (b'{"error":', '{"error":'),
    "not UTF-8": (b"\xff\xfe", "\ufffd\ufffd"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_without_its_tags(name):
    body, message = PAGES[name]
    assert DIALECT.read_error(502, body).message == message


def test_a_long_page_is_cut():
    assert len(DIALECT.read_error(500, b"x" * 100_000).message) == 500


@given(st.binary(max_size=60), st.integers(300, 599))
def test_no_body_is_too_odd(body, status):
    error = DIALECT.read_error(status, body)
    assert error.message
    assert error.status == status


OVERFLOWS = [
    {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"},
    {"message": "Input too big", "code": "context_length_exceeded"},
    {"message": "This model's maximum context length is 4096 tokens"},
    {"message": "The request exceeds the available context size"},
]


@pytest.mark.parametrize("error", OVERFLOWS)
def test_a_full_context_is_said_in_anthropics_words(error):
    assert DIALECT.read_error(400, encode({"error": error})).message == f"prompt is too long: {error['message']}"
    assert read_stream_error(raw({"error": error})).message == f"prompt is too long: {error['message']}"


def test_anthropics_words_are_not_said_twice():
    assert (
        DIALECT.read_error(400, encode({"error": {"message": "prompt is too long: 9 > 8"}})).message
        == "prompt is too long: 9 > 8"
    )


def test_a_spent_quota_is_a_rate_limit_whatever_the_status():
    assert (
        DIALECT.read_error(403, encode({"error": {"message": "m", "code": "insufficient_quota"}})).kind
        == "rate_limit_error"
    )


STREAM_ERRORS = {
    "code": ({"message": "m", "code": "rate_limit_exceeded"}, "rate_limit_error"),
    "server": ({"message": "m", "type": "server_error", "code": None}, "api_error"),
    "context": ({"message": "m", "code": "context_length_exceeded"}, "invalid_request_error"),
    "Anthropic's type": ({"message": "m", "type": "overloaded_error"}, "overloaded_error"),
    "number": ({"message": "m", "code": 429}, "rate_limit_error"),
    "number as text": ({"message": "m", "code": "503"}, "overloaded_error"),
    "a number of many digits": ({"message": "m", "code": "9" * 5000}, "api_error"),
    "a digit of another script": ({"message": "m", "code": "\u0664\u0662\u0669"}, "api_error"),
    "a small number": ({"message": "m", "code": 7}, "api_error"),
    "nothing": ({"message": "m"}, "api_error"),
    "text": ("m", "api_error"),
}


@pytest.mark.parametrize("name", STREAM_ERRORS)
def test_an_error_in_a_stream_is_of_the_kind_that_it_says(name):
    error, kind = STREAM_ERRORS[name]
    found = read_stream_error(raw({"error": error}))
    assert (found.kind, found.message[-1]) == (kind, "m")


def test_an_error_in_a_stream_always_has_a_message():
    assert shape(read_stream_error(raw({"error": {}})))["message"]
