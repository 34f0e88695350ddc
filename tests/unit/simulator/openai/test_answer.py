import json

import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from tests.unit.simulator.checker import fits
from tests.unit.simulator.driver import PNG, chat, user

TOOLS = [{"type": "function", "function": {"name": "get_weather"}}]


def choice(**body):
    answer = chat(**body)
    assert answer.status == 200, answer.body
    return answer.json["choices"][0]


def order(directive, **body):
    return choice(messages=user(f"x [[sim: {directive}]]"), **body)


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones():
    assert chat().body == chat().body != chat(Simulator(SimulatorSettings(seed=1))).body
    assert chat(stream=True).body == chat(stream=True).body


def test_the_completion_has_the_shape_of_the_api():
    completion = chat().json
    assert completion["id"].startswith("chatcmpl-")
    assert (completion["object"], completion["model"], completion["created"]) == (
        "chat.completion",
        "gpt-4o",
        1767225600,
    )
    assert completion["choices"][0]["finish_reason"] == "stop"
    usage = completion["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_answer_echoes_the_question_and_counts_what_it_saw():
    parts = [{"type": "text", "text": "See?"},
             {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]  # fmt: skip
    assert choice(messages=user(parts))["message"]["content"].startswith("Simulated answer to: See? (saw 1 image).")


def test_each_choice_is_another():
    choices = chat(n=3).json["choices"]
    assert [one["index"] for one in choices] == [0, 1, 2]
    assert len({one["message"]["content"] for one in choices}) == 3


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_small_limit_cuts_the_text(name):
    found = chat(**{name: 5}).json
    assert found["choices"][0]["message"]["content"] == "Simulated answer to:"
    assert (found["choices"][0]["finish_reason"], found["usage"]["completion_tokens"]) == ("length", 5)


def test_a_limit_cuts_arguments_too():
    assert choice(messages=user("weather"), tools=TOOLS, max_tokens=1)["finish_reason"] == "length"
    cut = choice(messages=user('x [[sim: tool=get_weather, args="{abcdefgh}"]]'), tools=TOOLS, max_tokens=4)
    assert cut["message"]["tool_calls"][0]["function"]["arguments"] == "{abc"
    assert cut["finish_reason"] == "length"


def test_a_stop_sequence_is_honoured():
    for stop in ("two", ["three", "two"]):
        found = choice(messages=user("one two three"), stop=stop)
        assert found["message"]["content"] == "Simulated answer to: one "
        assert found["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "directive, reason",
    [
        ("stop_reason=content_filter", "content_filter"),
        ("stop_reason=length", "length"),
        ("stop_reason=max_tokens", "length"),
        ("stop_reason=end_turn", "stop"),
        ("stop_reason=refusal", "stop"),
    ],
)
def test_a_reason_may_be_ordered(directive, reason):
    assert order(directive)["finish_reason"] == reason


def test_a_refusal_has_no_content():
    message = order("stop_reason=refusal")["message"]
    assert (message["content"], message["refusal"]) == (None, "Simulated refusal.")
    assert order("stop_reason=refusal, text=No")["message"]["refusal"] == "No"


def test_the_text_may_be_ordered():
    assert order('text="Hi, [you]"')["message"]["content"] == "Hi, [you]"
    assert len(order("big=5000")["message"]["content"]) == 5000
    assert order("text=Wait, tool=get_weather", tools=TOOLS)["message"]["content"] == "Wait"


def test_usage_may_be_ordered():
    text = "x [[sim: input_tokens=10, output_tokens=2, cache_read=3, cache_creation=4]]"
    usage = chat(messages=user(text)).json["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 2, 12)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 3, "audio_tokens": 0, "cache_write_tokens": 4}


@pytest.mark.parametrize(
    "body, tokens",
    [
        ({}, 0),
        ({"model": "gpt-5"}, 64),
        ({"model": "gpt-5", "reasoning_effort": "high"}, 128),
        ({"model": "gpt-5.1"}, 0),
        ({"model": "gpt-5", "max_completion_tokens": 10}, 10),
    ],
)
def test_reasoning_is_counted(body, tokens):
    assert chat(**body).json["usage"]["completion_tokens_details"]["reasoning_tokens"] == tokens


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def test_structured_answers_satisfy_their_schema():
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}
    assert fits(json.loads(choice(response_format=wanted)["message"]["content"]), SCHEMA, SCHEMA)
    free = choice(messages=user("json"), response_format={"type": "json_object"})["message"]["content"]
    assert isinstance(json.loads(free), dict)
    odd = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": odd}}
    assert choice(response_format=wanted)["message"]["content"] == "null"


def test_a_search_model_cites():
    found = choice(model="gpt-4o-search-preview")["message"]["annotations"]
    assert found[0]["type"] == "url_citation"


def test_a_tier_is_named():
    assert chat(service_tier="auto").json["service_tier"] == "default"
    assert chat(service_tier="flex").json["service_tier"] == "flex"


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "body",
    [{"n": 2}, {"max_tokens": 5, "n": 1}, {"max_completion_tokens": 5}, {"logprobs": True, "top_logprobs": 2}],
    ids=lambda body: "-".join(body),
)
def test_a_whole_number_may_be_written_with_a_point(body, is_stream):
    pointed = {name: float(value) if type(value) is int else value for name, value in body.items()}
    (whole, other) = (chat(stream=is_stream, **given) for given in (body, pointed))
    assert (whole.status, other.status) == (200, 200)
    if not is_stream:
        assert [len(each.json["choices"]) for each in (whole, other)] == [body.get("n", 1)] * 2
