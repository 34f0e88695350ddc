import pytest

from lockgate.simulator.anthropic.errors import from_fault, from_shape, type_for, write_path, write_stream_error
from lockgate.simulator.directives import Fault
from lockgate.simulator.shapes import ShapeError, Tag
from tests.unit.simulator.driver import ask, user


@pytest.mark.parametrize(
    "status, type",
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_each_status_has_its_type(status, type):
    assert type_for(status) == type
    answer = ask(messages=user(f"x [[sim: status={status}]]"))
    assert answer.status == status
    assert answer.json["error"]["type"] == type
    assert answer.json["error"]["message"]
    assert answer.json["request_id"] == answer.headers["request-id"]


def test_an_error_may_be_worded():
    text = '[[sim: status=400, error_type=odd_error, message="Too, odd", error_code=odd, should_retry=false]] x'
    answer = ask(messages=user(text))
    assert answer.json["error"] == {"type": "odd_error", "message": "Too, odd", "details": {"error_code": "odd"}}
    assert answer.headers["x-should-retry"] == "false"


def test_the_refusal_of_a_thread_names_nothing_unsupported():
    error = from_fault(Fault(status=400, error_code="thread_unsupported_request"))
    assert error.details == {"error_code": "thread_unsupported_request", "unsupported": []}


def test_an_error_body_may_be_html_or_empty():
    html = ask(messages=user("[[sim: status=502, html=1]] x"))
    assert html.headers["content-type"] == "text/html"
    assert html.body.startswith(b"<html>")
    assert ask(messages=user("[[sim: status=502, empty=1]] x")).body == b""


def test_a_stream_error_has_the_words_of_its_status():
    frame = write_stream_error(Fault(stream_error="overloaded_error", error_code="c"), "req_1")
    assert frame.startswith(b"event: error\ndata: {")
    assert b'"message":"Overloaded"' in frame
    assert b'"details":{"error_code":"c"}' in frame
    assert b'"message":"Internal server error"' in write_stream_error(Fault(stream_error="new_error"), "r")


@pytest.mark.parametrize(
    "error, message",
    [
        (ShapeError("too_short", "a", least=1, value=""), "a: String should have at least 1 character"),
        (ShapeError("too_few", "a", least=2, value=[]), "a: List should have at least 2 items after validation, not 0"),
        (
            ShapeError("too_many", "a", most=1, value=[1, 2]),
            "a: List should have at most 1 item after validation, not 2",
        ),
        (ShapeError("type", expected="object", value=1), "Input should be a valid dictionary or object to extract"),
        (ShapeError("strange", "a"), "a: Input is not valid"),
    ],
)
def test_faults_of_shape_are_worded(error, message):
    assert from_shape(error).message.startswith(message)


def test_a_path_names_variants():
    assert write_path(["messages", 0, "content", 1, Tag("text"), "foo"]) == "messages.0.content.1.text.foo"
