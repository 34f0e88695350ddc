import pytest

from lockgate.simulator.anthropic.errors import ApiError
from lockgate.simulator.anthropic.messages import answer_message, count_usage, read_count, read_message, threads_of
from lockgate.simulator.directives import AnswerPlan
from lockgate.simulator.provider import Usage, World
from lockgate.simulator.settings import SimulatorSettings
from lockgate.simulator.shapes import Scope
from tests.unit.simulator.driver import HAIKU, user

SCOPE = Scope(version="2023-06-01")
BODY = {"model": HAIKU, "max_tokens": 500, "messages": user("Hello")}


def test_a_right_request_becomes_a_prompt_and_an_answer():
    world = World(SimulatorSettings())
    prompt = read_message(BODY, SCOPE, world)
    assert (prompt.tokens, prompt.asked.text, prompt.model.id) == (6, "Hello", "claude-haiku-4-5-20251001")
    answer, _ = answer_message(prompt, AnswerPlan(), world)
    assert answer.usage["service_tier"] == "standard"
    assert count_usage(answer) == Usage(6, answer.output_tokens)


def test_whether_the_answer_is_streamed_does_not_change_it():
    answers = []
    for more in ({}, {"stream": True}):
        world = World(SimulatorSettings())
        answers.append(answer_message(read_message({**BODY, **more}, SCOPE, world), AnswerPlan(), world)[0])
    assert answers[0] == answers[1]


def test_the_tier_of_an_answer_is_told():
    world = World(SimulatorSettings())
    answer, _ = answer_message(read_message(BODY, SCOPE, world), AnswerPlan(), world, service_tier="batch")
    assert answer.usage["service_tier"] == "batch"


@pytest.mark.parametrize(
    "change, status",
    [
        ({"model": "none"}, 404),
        ({"messages": []}, 400),
        ({"max_tokens": 1_000_000}, 400),
        ({"system": [{"type": "text", "text": " "}]}, 400),
        ({"messages": user("x" * 1_000_000)}, 400),
    ],
)
def test_a_wrong_request_is_refused(change, status):
    with pytest.raises(ApiError) as caught:
        read_message({**BODY, **change}, SCOPE, World(SimulatorSettings()))
    assert caught.value.status == status


def test_counting_needs_no_limit():
    body = {key: value for key, value in BODY.items() if key != "max_tokens"}
    assert read_count(body, SCOPE, World(SimulatorSettings())).tokens == 6


def test_an_answer_may_begin_a_thread():
    world = World(SimulatorSettings())
    prompt = read_message({**BODY, "thread": {"type": "create"}}, SCOPE, world)
    answer, _ = answer_message(prompt, AnswerPlan(), world)
    thread = {"type": "continue", "previous_message_id": answer.id}
    assert len(threads_of(world).resolve({"messages": user("More"), "thread": thread})["messages"]) == 3
