import pytest

from lockgate.simulator.app import Simulator
from tests.unit.simulator.driver import ask, user

BETA = "message-threads-2026-08-12"
OPUS = "claude-opus-5-5"
TOOLS = [{"name": "get_weather", "input_schema": {"type": "object"}}]


@pytest.fixture
def opened():
    """Return a simulator with a thread whose first answer calls a tool."""
    simulator = Simulator()
    body = {
        "model": OPUS,
        "messages": user("weather"),
        "tools": TOOLS,
        "system": "Be brief.",
        "thread": {"type": "create"},
    }
    answer = ask(simulator, **body, beta=BETA, max_tokens=4000)
    assert answer.status == 200, answer.body
    return simulator, answer.json


def go_on(simulator, first, **more):
    result = {"type": "tool_result", "tool_use_id": first["content"][-1]["id"], "content": "12 degrees"}
    thread = {"type": "continue", "previous_message_id": first["id"]}
    body = {"model": OPUS, "max_tokens": 4000, "messages": user([result]), "thread": thread, **more}
    return ask(simulator, **body, beta=BETA)


def test_a_turn_sends_only_what_is_new(opened):
    simulator, first = opened
    answer = go_on(simulator, first)
    assert answer.status == 200, answer.body
    assert "12 degrees" in answer.json["content"][-1]["text"]
    assert answer.json["usage"]["input_tokens"] > first["usage"]["input_tokens"]


def test_a_thread_goes_on_and_on(opened):
    simulator, first = opened
    second = go_on(simulator, first).json
    thread = {"type": "continue", "previous_message_id": second["id"]}
    third = ask(simulator, model=OPUS, messages=user("Thanks"), thread=thread, beta=BETA, max_tokens=4000)
    assert third.status == 200, third.body


@pytest.mark.parametrize("change", [{"model": "claude-opus-5"}, {"system": "Be long."}, {"tools": []}])
def test_what_must_stay_the_same_must_stay_the_same(opened, change):
    refused = go_on(*opened, **change)
    assert refused.status == 400
    assert refused.json["error"]["details"] == {"error_code": "thread_fingerprint_mismatch"}


def test_an_answer_is_continued_once(opened):
    go_on(*opened)
    refused = go_on(*opened)
    assert (refused.status, refused.json["error"]["details"]["error_code"]) == (400, "thread_already_continued")


def test_a_lost_thread_is_not_found(opened):
    simulator, first = opened
    simulator.reset()
    refused = go_on(simulator, first)
    assert (refused.status, refused.json["error"]["type"]) == (404, "not_found_error")
    assert refused.json["error"]["details"] == {"error_code": "thread_not_found"}


def test_some_features_do_not_go_with_threads():
    beta = f"{BETA},context-management-2025-06-27"
    refused = ask(thread={"type": "create"}, context_management={"edits": []}, beta=beta)
    expected = {"error_code": "thread_unsupported_request", "unsupported": ["context_management"]}
    assert refused.json["error"]["details"] == expected


def test_old_threads_are_forgotten():
    simulator = Simulator()
    first = ask(simulator, messages=user("0"), thread={"type": "create"}, beta=BETA).json
    for number in range(1, 1001):
        ask(simulator, messages=user(str(number)), thread={"type": "create"}, beta=BETA)
    thread = {"type": "continue", "previous_message_id": first["id"]}
    assert ask(simulator, messages=user("x"), thread=thread, beta=BETA).status == 404
