import pytest

from lockgate.simulator.directives import Fault
from lockgate.simulator.openai.errors import from_shape, write_path, write_stream_error
from lockgate.simulator.shapes import ShapeError, Tag
from tests.unit.simulator.driver import chat, user

SHAPES = [
    ({"model": None}, "you must provide a model parameter", None, None),
    ({"messages": None}, "Missing required parameter: 'messages'.", "messages", "missing_required_parameter"),
    ({"foo": 1}, "Unrecognized request argument supplied: foo", None, None),
    ({"foo": 1, "bar": 2}, "Unrecognized request arguments supplied: foo, bar", None, None),
    ({"messages": [{"role": "user", "content": "x", "foo": 1}]}, "Unknown parameter: 'messages[0].foo'.",
     "messages[0].foo", "unknown_parameter"),
    ({"messages": [{"role": "user"}]}, "Missing required parameter: 'messages[0].content'.", "messages[0].content",
     "missing_required_parameter"),
    ({"temperature": "hot"}, "Invalid type for 'temperature': expected a decimal, but got a string instead.",
     "temperature", "invalid_type"),
    ({"stream": "yes"}, "Invalid type for 'stream': expected a boolean, but got a string instead.", "stream",
     "invalid_type"),
    ({"n": True}, "Invalid type for 'n': expected an integer, but got a boolean instead.", "n", "invalid_type"),
    ({"messages": {}}, "Invalid type for 'messages': expected an array of objects, but got an object instead.",
     "messages", "invalid_type"),
    ({"messages": user(None)},
     "Invalid type for 'messages[0].content': expected a string or an array of objects, but got null instead.",
     "messages[0].content", "invalid_type"),
    ({"messages": [{"role": "judge", "content": "x"}]},
     "Invalid value: 'judge'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and "
     "'developer'.", "messages[0].role", "invalid_value"),
    ({"messages": user([{"type": "video"}])},
     "Invalid value: 'video'. Supported values are: 'text', 'image_url', 'input_audio', and 'file'.",
     "messages[0].content[0].type", "invalid_value"),
    ({"service_tier": 3}, "Invalid value: an integer. Supported values are: 'auto', 'default', 'flex', 'scale', "
     "'priority', and 'fast'.", "service_tier", "invalid_value"),
    ({"temperature": 3}, "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 "
     "instead.", "temperature", "decimal_above_max_value"),
    ({"n": 0}, "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.", "n",
     "integer_below_min_value"),
    ({"messages": []}, "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty "
     "array instead.", "messages", "empty_array"),
    ({"stop": list("abcde")}, "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an "
     "array with length 5 instead.", "stop", "array_above_max_length"),
    ({"user": "u" * 65}, "Invalid 'user': string too long. Expected a string with maximum length 64, but got a string "
     "with length 65 instead.", "user", "string_above_max_length"),
    ({"messages": [{"role": "user", "content": "x", "name": "a b"}]},
     r"Invalid 'messages[0].name': string does not match pattern. Expected a string that matches the pattern "
     r"'^[^\s<|\\/>]+$'.", "messages[0].name", "invalid_value"),
]  # fmt: skip


@pytest.mark.parametrize("change, message, param, code", SHAPES)
def test_faults_of_shape_are_worded(change, message, param, code):
    answer = chat(**{"model": "gpt-4o", **change}) if change != {"model": None} else chat(model=None)
    assert answer.status == 400
    expected = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    assert answer.json == {"error": expected}


@pytest.mark.parametrize(
    "error, message",
    [
        (
            ShapeError("too_short", "a", least=1, value=""),
            "Invalid 'a': string too short. Expected a string with minimum",
        ),
        (
            ShapeError("too_few", "a", least=2, value=[1]),
            "Invalid 'a': array too short. Expected an array with minimum",
        ),
        (
            ShapeError("type", "a", expected="integer", value=1.5),
            "Invalid type for 'a': expected an integer, but got a",
        ),
        (
            ShapeError("type", "a", expected="object", value=[]),
            "Invalid type for 'a': expected an object, but got an ar",
        ),
        (ShapeError("tag", key="t", value="x", choices=("a",)), "Invalid value: 'x'. Supported values are: 'a'."),
    ],
)
def test_rarer_faults_of_shape_are_worded_too(error, message):
    assert from_shape(error).message.startswith(message)


def test_a_path_does_not_name_variants():
    assert write_path(["messages", 0, Tag("user"), "content", 1, Tag("text"), "text"]) == "messages[0].content[1].text"


@pytest.mark.parametrize(
    "status, type, code",
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (429, "requests", "rate_limit_exceeded"),
        (500, "server_error", None),
        (503, "server_error", "overloaded"),
        (529, "server_error", None),
    ],
)
def test_each_status_has_its_type_and_code(status, type, code):
    answer = chat(messages=user(f"x [[sim: status={status}]]"))
    error = answer.json["error"]
    assert (answer.status, error["type"], error["code"]) == (status, type, code)
    assert error["message"]


def test_an_error_may_be_worded():
    text = (
        "[[sim: status=429, error_type=insufficient_quota, error_code=insufficient_quota, message=Pay, retry_after=9]]"
    )
    answer = chat(messages=user(text))
    assert answer.json["error"] == {
        "message": "Pay", "type": "insufficient_quota", "param": None, "code": "insufficient_quota",
    }  # fmt: skip
    assert answer.headers["retry-after"] == "9"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_stream_error_is_an_error_object():
    frame = write_stream_error(Fault(stream_error="server_error", message="Gone"))
    assert frame == b'data: {"error":{"message":"Gone","type":"server_error","param":null,"code":null}}\n\n'
