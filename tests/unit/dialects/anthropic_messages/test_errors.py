"""Errors of every shape are read, and written so that every client's SDK understands them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lockgate.dialects.anthropic_messages.errors import read_error, read_stream_error, write_error
from lockgate.errors import InvalidRequest, Rejected, Unauthenticated


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (408, "timeout_error"),
        (409, "invalid_request_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
        (520, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_a_status_has_its_kind(status, kind):
    assert read_error(status, b"").kind == kind


@pytest.mark.parametrize(
    "status, body, kind, message, code",
    [
        (
            400,
            b'{"type":"error","error":{"type":"invalid_request_error","message":"bad"},"request_id":"req_1"}',
            "invalid_request_error",
            "bad",
            None,
        ),
        (
            400,
            b'{"type":"error","error":{"type":"invalid_request_error","message":"no","details":{"error_code":"thread_x"}}}',
            "invalid_request_error",
            "no",
            "thread_x",
        ),
        (429, b'{"error":{"message":"slow","code":"c"}}', "rate_limit_error", "slow", "c"),
        (500, b'{"error":"plain"}', "api_error", "plain", None),
        (500, b'{"error":{"type":"overloaded_error"}}', "overloaded_error", "Internal server error", None),
        (400, b'{"message":"from the cloud"}', "invalid_request_error", "from the cloud", None),
        (400, b'{"Message":"from the cloud"}', "invalid_request_error", "from the cloud", None),
        (404, b'{"detail":"gone"}', "not_found_error", "gone", None),
        (
            429,
            b'[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]',
            "rate_limit_error",
            "quota",
            None,
        ),
        (502, b"", "api_error", "Bad gateway", None),
        (502, b"  ", "api_error", "Bad gateway", None),
        (521, b"", "api_error", "Error 521", None),
        (529, b"{}", "overloaded_error", "Overloaded", None),
        (
            413,
            b"<html><head><title>x</title></head><body><h1>413</h1>Too &amp; large</body></html>",
            "request_too_large",
            "413 Too & large",
            None,
        ),
        (503, b"upstream connect error", "overloaded_error", "upstream connect error", None),
        (500, b'{"error":{"message":5,"type":[]}}', "api_error", "Internal server error", None),
    ],
)
def test_any_shape_is_read(status, body, kind, message, code):
    error = read_error(status, body)
    assert (error.status, error.kind, error.message, error.wire_code, error.body) == (status, kind, message, code, body)


def test_a_page_is_quoted_in_part_only():
    assert len(read_error(502, b"<p>" + b"x" * 9000 + b"</p>").message) == 500


@given(st.integers(100, 999), st.binary(max_size=200))
def test_reading_an_error_never_raises(status, body):
    assert read_error(status, body).message
    assert read_error(status, b'{"error":' + body + b"}").message


@pytest.mark.parametrize(
    "error, kind, message, code",
    [
        (b'{"type":"overloaded_error","message":"Overloaded"}', "overloaded_error", "Overloaded", None),
        (b'{"message":"m","details":{"error_code":"c"}}', "api_error", "m", "c"),
        (b'"plain"', "api_error", "plain", None),
        (b"", "api_error", "The provider reported an error", None),
        (b"null", "api_error", "The provider reported an error", None),
    ],
)
def test_an_error_event_is_read(error, kind, message, code):
    found = read_stream_error(Raw(error))
    assert (found.kind, found.message, found.code) == (kind, message, code)


def test_an_error_of_ours_serves_every_sdk():
    error = Unauthenticated("Portkey Error: Invalid API Key. Error Code: 03", wire_code="03")
    assert msgspec.json.decode(write_error(error, request_id="req_1", provider=None)) == {
        "type": "error",
        "error": {
            "type": "authentication_error",
            "message": "Portkey Error: Invalid API Key. Error Code: 03",
            "param": None,
            "code": "03",
        },
        "request_id": "req_1",
        "status": "failure",
        "message": "Portkey Error: Invalid API Key. Error Code: 03",
    }


def test_the_path_of_a_fault_is_the_param():
    body = msgspec.json.decode(write_error(InvalidRequest("no", path="model"), request_id="r", provider=None))
    assert body["error"]["param"] == "model"


def test_a_providers_error_names_the_provider():
    error = Rejected("too many", status=429, kind="rate_limit_error")
    body = msgspec.json.decode(write_error(error, request_id="req_1", provider="openai"))
    assert body["error"]["message"] == "openai error: too many"
    assert body["provider"] == "openai"


def test_a_code_in_words_is_where_the_sdk_looks_for_it():
    error = InvalidRequest("no threads", wire_code="thread_unsupported_request")
    body = msgspec.json.decode(write_error(error, request_id="r", provider=None))
    assert body["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": []}
    other = InvalidRequest("no", wire_code="thread_not_found")
    body = msgspec.json.decode(write_error(other, request_id="r", provider=None))
    assert body["error"]["details"] == {"error_code": "thread_not_found"}


def test_a_context_overflow_begins_as_anthropics_does():
    error = Rejected("maximum context", status=400, kind="invalid_request_error", wire_code="context_length_exceeded")
    body = msgspec.json.decode(write_error(error, request_id="r", provider="openai"))
    assert body["error"]["message"] == "prompt is too long: openai error: maximum context"


def test_a_message_is_never_empty():
    error = Rejected("", status=500, kind="api_error")
    assert msgspec.json.decode(write_error(error, request_id="r", provider=None))["error"]["message"]
