import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from tests.unit.simulator.driver import ask

KEYED = SimulatorSettings(api_keys=("right",))


@pytest.mark.parametrize(
    "headers, status, message",
    [
        ({"x-api-key": "right"}, 200, ""),
        ({"x-api-key": "", "authorization": "Bearer right"}, 200, ""),
        ({"x-api-key": ""}, 401, "x-api-key header is required"),
        ({"x-api-key": "wrong"}, 401, "invalid x-api-key"),
        ({"x-api-key": "", "authorization": "Bearer wrong"}, 401, "Invalid bearer token"),
        ({"x-api-key": "", "authorization": "Bearer "}, 401, "Invalid bearer token"),
        ({"x-api-key": "", "authorization": "Basic right"}, 401, "Invalid bearer token"),
    ],
)
def test_a_key_is_needed(headers, status, message):
    answer = ask(Simulator(KEYED), headers=headers)
    assert answer.status == status
    if status == 401:
        assert (answer.json["error"]["type"], answer.message) == ("authentication_error", message)


def test_any_key_opens_when_none_are_set():
    assert ask(headers={"x-api-key": "anything"}).status == 200


@pytest.mark.parametrize(
    "headers, message",
    [
        ({"anthropic-version": ""}, "anthropic-version: header is required"),
        ({"anthropic-version": "2020-01-01"}, 'anthropic-version: "2020-01-01" is not a valid version'),
        ({"anthropic-beta": "made-up-2026-01-01"}, "Unexpected value(s) `made-up-2026-01-01` for the `anthropic-beta`"),
        ({"content-type": "text/plain"}, "content-type: header must be application/json"),
        ({"content-type": "application/json; charset=latin-1"}, "content-type: charset latin-1 is not supported"),
    ],
)
def test_a_header_that_is_wrong_is_refused(headers, message):
    answer = ask(headers=headers)
    assert answer.status == 400
    assert answer.message.startswith(message)


@pytest.mark.parametrize(
    "headers",
    [
        {"anthropic-version": "2026-10-21"},
        {"anthropic-beta": "prompt-caching-2024-07-31, ,context-1m-2025-08-07"},
        {"content-type": 'Application/JSON; charset="UTF-8"'},
    ],
)
def test_headers_that_are_right_are_accepted(headers):
    assert ask(headers=headers).status == 200


def test_an_answer_carries_the_headers_of_the_api():
    headers = ask().headers
    assert headers["x-lockgate-simulated"] == "true"
    assert headers["request-id"].startswith("req_")
    assert headers["anthropic-organization-id"]
    assert headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert headers["anthropic-ratelimit-output-tokens-reset"] == "2026-01-01T00:00:00Z"


def test_nothing_remains_of_a_limit_that_is_reached():
    headers = ask(messages=[{"role": "user", "content": "[[sim: status=429, retry_after=3]] x"}]).headers
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["retry-after"] == "3"
