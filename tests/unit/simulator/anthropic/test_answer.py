import json

import pytest

from lockgate.simulator.app import Simulator, SimulatorSettings
from lockgate.simulator.tokens import count_text
from tests.unit.simulator.checker import fits
from tests.unit.simulator.driver import HAIKU, PNG, ask, user

OPUS = "claude-opus-5-5"
TOOL = {"name": "get_weather", "input_schema": {"type": "object"}}
BUDGET = {"type": "enabled", "budget_tokens": 1024}


def kinds(answer):
    return [block["type"] for block in answer.json["content"]]


def text_of(answer):
    return "".join(block["text"] for block in answer.json["content"] if block["type"] == "text")


def test_the_same_seed_gives_the_same_bytes():
    assert ask().body == ask().body
    assert ask(stream=True).body == ask(stream=True).body


def test_another_seed_gives_other_bytes():
    other = Simulator(SimulatorSettings(seed=1))
    assert ask().body != ask(other).body


def test_another_question_gets_another_id():
    assert ask().json["id"] != ask(messages=user("Other")).json["id"]


def test_the_answer_echoes_the_question_and_counts_what_it_saw():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    answer = ask(messages=user([image, {"type": "text", "text": "What is this?"}]))
    assert text_of(answer).startswith("Simulated answer to: What is this? (saw 1 image).")


def test_the_message_has_the_shape_of_the_api():
    message = ask().json
    assert message["id"].startswith("msg_01")
    assert (message["type"], message["role"], message["model"]) == ("message", "assistant", "claude-haiku-4-5-20251001")
    assert (message["stop_reason"], message["stop_sequence"], message["stop_details"]) == ("end_turn", None, None)
    assert message["usage"]["service_tier"] == "standard"
    assert message["usage"]["output_tokens"] == count_text(message["content"][0]["text"])


# --- how it ends --------------------------------------------------------------------------------------------------


def test_a_small_limit_cuts_the_text():
    answer = ask(max_tokens=5)
    assert text_of(answer) == "Simulated answer to:"
    assert answer.json["stop_reason"] == "max_tokens"
    assert answer.json["usage"]["output_tokens"] == 5


def test_no_tokens_at_all_only_fill_the_cache():
    answer = ask(max_tokens=0).json
    assert (answer["content"], answer["stop_reason"], answer["usage"]["output_tokens"]) == ([], "max_tokens", 0)


def test_a_limit_cuts_arguments_too():
    answer = ask(messages=user("x"), tools=[TOOL], tool_choice={"type": "any"}, max_tokens=3)
    assert answer.json["stop_reason"] == "max_tokens"
    assert answer.json["content"][0]["input"] == {}


def test_a_stop_sequence_is_honoured():
    answer = ask(messages=user("one two three"), stop_sequences=["three", "two"])
    assert text_of(answer) == "Simulated answer to: one "
    assert (answer.json["stop_reason"], answer.json["stop_sequence"]) == ("stop_sequence", "two")


def test_a_stop_sequence_at_the_start_leaves_nothing():
    assert ask(stop_sequences=["Simulated"]).json["content"] == []


@pytest.mark.parametrize("reason", ["pause_turn", "model_context_window_exceeded", "max_tokens", "end_turn"])
def test_a_reason_may_be_ordered(reason):
    assert ask(messages=user(f"x [[sim: stop_reason={reason}]]")).json["stop_reason"] == reason


def test_an_ordered_stop_sequence_is_one_of_those_given():
    answer = ask(messages=user("x [[sim: stop_reason=stop_sequence]]"), stop_sequences=["zzz"]).json
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", "zzz")


def test_a_refusal_explains_itself():
    answer = ask(messages=user("x [[sim: stop_reason=refusal, category=cyber]]")).json
    assert (answer["content"], answer["stop_reason"]) == ([], "refusal")
    assert answer["stop_details"] == {"type": "refusal", "category": "cyber", "explanation": "Simulated refusal."}
    partial = ask(messages=user('x [[sim: stop_reason=refusal, text="I was"]]')).json
    assert (partial["content"][0]["text"], partial["stop_details"]["category"]) == ("I was", None)


# --- what it says -------------------------------------------------------------------------------------------------


def test_the_text_may_be_ordered():
    assert text_of(ask(messages=user('x [[sim: text="Hi, [you]"]]'))) == "Hi, [you]"


def test_a_text_may_be_as_large_as_ordered():
    assert len(text_of(ask(messages=user("x [[sim: big=5000]]"), max_tokens=4000))) == 5000


def test_a_stream_may_have_as_many_events_as_ordered():
    answer = ask(messages=user("x [[sim: events=300]]"), stream=True, max_tokens=4000)
    assert sum(event["type"] == "content_block_delta" for event in answer.events) == 300


def test_usage_may_be_ordered():
    text = "x [[sim: input_tokens=1, output_tokens=2, cache_read=3, cache_creation=4]]"
    usage = ask(messages=user(text)).json["usage"]
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    assert tuple(usage[name] for name in names) == (1, 2, 3, 4)
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0}


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    "required": ["name", "tags"],
    "additionalProperties": False,
}


def test_a_structured_answer_satisfies_its_schema():
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    for word in "abcd":
        answer = ask(messages=user(word), output_config=config, tools=[TOOL])
        assert fits(json.loads(text_of(answer)), SCHEMA, SCHEMA)


def test_a_schema_that_cannot_be_satisfied_gets_null():
    config = {"format": {"type": "json_schema", "schema": {"anyOf": [False]}}}
    assert text_of(ask(output_config=config)) == "null"


# --- thinking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model, thinking, shown",
    [
        (HAIKU, None, None),
        (HAIKU, BUDGET, True),
        (HAIKU, {**BUDGET, "display": "omitted"}, False),
        ("claude-opus-4-6", {"type": "adaptive"}, True),
        ("claude-opus-4-7", None, None),
        ("claude-opus-4-7", {"type": "adaptive"}, False),
        ("claude-opus-4-7", {"type": "adaptive", "display": "summarized"}, True),
        (OPUS, None, False),
        (OPUS, {"type": "adaptive", "display": "summarized"}, True),
        ("claude-sonnet-5-5", {"type": "between_tools"}, None),
        ("claude-haiku-5-5", {"type": "disabled"}, None),
        ("claude-opus-5", None, False),
    ],
)
def test_each_model_thinks_when_it_should_and_shows_what_it_should(model, thinking, shown):
    answer = ask(model=model, thinking=thinking, max_tokens=3000)
    block = answer.json["content"][0]
    assert (block["type"] == "thinking") is (shown is not None)
    if shown is not None:
        assert bool(block["thinking"]) is shown
        assert block["signature"]
        assert answer.json["usage"]["output_tokens_details"]["thinking_tokens"] > 0


def test_thinking_may_be_ordered():
    block = ask(messages=user('x [[sim: think="Aha."]]'), thinking=BUDGET, max_tokens=3000).json["content"][0]
    assert block["thinking"] == "Aha."


def result_turn(**body):
    call = {"type": "tool_use", "id": "a", "name": "get_weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "12"}
    messages = [*user("weather"), {"role": "assistant", "content": [call]}, *user([result])]
    return ask(messages=messages, tools=[TOOL], max_tokens=3000, **body)


def test_thinking_after_a_tool_depends_on_its_kind():
    assert kinds(result_turn(model="claude-opus-4-6", thinking={"type": "adaptive"}))[0] == "thinking"
    assert kinds(result_turn(model="claude-sonnet-5-5", thinking={"type": "between_tools"}))[0] == "thinking"


def test_a_forced_tool_is_called_without_thinking():
    assert kinds(ask(model="claude-opus-5", tools=[TOOL], tool_choice={"type": "any"})) == ["tool_use"]


# --- extras -------------------------------------------------------------------------------------------------------


def test_extras_come_with_what_asks_for_them():
    plain = ask().json
    assert {"container", "context_management", "diagnostics"} & set(plain) == set()
    assert ask(container="container_1").json["container"]["id"] == "container_1"
    assert ask(container={"skills": []}).json["container"]["id"].startswith("container_01")
    beta = "context-management-2025-06-27"
    assert ask(context_management={"edits": []}, beta=beta).json["context_management"] == {"applied_edits": []}
    assert ask(diagnostics={"previous_message_id": "msg_1"}).json["diagnostics"]["cache_miss_reason"]
    assert ask(model=OPUS, speed="fast").json["usage"]["speed"] == "fast"
    assert ask(inference_geo="eu").json["usage"]["inference_geo"] == "eu"


def test_a_compaction_is_the_whole_answer():
    answer = ask(compaction={"type": "summarize"}, beta="compact-2026-09-04")
    assert kinds(answer) == ["compaction"]
    assert answer.json["stop_reason"] == "compaction"


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_limit_may_be_written_with_a_point(is_stream):
    answer = ask(max_tokens=3.0, stream=is_stream)
    assert answer.status == 200
    assert b'"output_tokens":3' in answer.body
