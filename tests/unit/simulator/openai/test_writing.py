"""A stream is put together by a small accumulator of our own and compared with the whole answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.app import Simulator, SimulatorSettings
from lockgate.simulator.openai.writing import split_tokens
from tests.unit.simulator.driver import chat, user

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "n": {"type": "integer", "minimum": 10**6}},
                "required": ["city", "n"],
            },
        },
    },
    {"type": "custom", "custom": {"name": "run_code"}},
]


def assemble(chunks):
    """Put a completion together from its chunks, checking their grammar on the way."""
    usage = chunks.pop()["usage"]
    choices = {}
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["usage"] is None
        assert chunk["obfuscation"]
        (piece,) = chunk["choices"]
        made = choices.setdefault(piece["index"], {"index": piece["index"], "message": None, "logprobs": None})
        assert "finish_reason" not in made, "something follows the finish reason"
        if piece["finish_reason"]:
            assert piece["delta"] == {}
            made["finish_reason"] = piece["finish_reason"]
        elif made["message"] is None:
            made["message"] = {**piece["delta"], "annotations": []}
        else:
            add_delta(made, piece)
    first = {key: chunks[0][key] for key in ("id", "created", "model", "service_tier", "system_fingerprint")}
    return {**first, "object": "chat.completion", "choices": [choices[key] for key in sorted(choices)], "usage": usage}


def add_delta(made, piece):
    message, delta = made["message"], piece["delta"]
    for key in ("content", "refusal"):
        if key in delta:
            message[key] = (message[key] or "") + delta[key]
    message["annotations"] += delta.get("annotations", [])
    if piece["logprobs"]:
        made["logprobs"] = made["logprobs"] or {"content": [], "refusal": None}
        made["logprobs"]["content"] += piece["logprobs"]["content"]
    if "function_call" in delta:
        call = message.setdefault("function_call", {"name": "", "arguments": ""})
        for key, value in delta["function_call"].items():
            call[key] += value
    for part in delta.get("tool_calls", ()):
        calls = message.setdefault("tool_calls", [])
        index = part.pop("index")
        if index == len(calls):
            calls.append(part)
            continue
        kind = calls[index]["type"]
        for key, value in part[kind].items():
            calls[index][kind][key] += value


BODIES = [
    {},
    {"n": 2},
    {"model": "gpt-5", "messages": user("weather"), "tools": TOOLS},
    {"messages": user("weather [[sim: parallel=2]]"), "tools": TOOLS},
    {"messages": user("weather"), "functions": [{"name": "get_weather"}]},
    {"messages": user("x [[sim: stop_reason=refusal]]")},
    {"max_tokens": 5},
    {"logprobs": True, "top_logprobs": 2},
    {"model": "gpt-4o-search-preview"},
]


@pytest.mark.parametrize("body", BODIES)
def test_a_stream_makes_the_whole_answer(body):
    streamed = chat(**body, stream=True, stream_options={"include_usage": True})
    assert streamed.status == 200, streamed.body
    assert assemble(streamed.events) == chat(**body).json


@given(st.integers(0, 50), st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.booleans())
def test_every_stream_makes_its_whole_answer(seed, text, calls):
    simulator = Simulator(SimulatorSettings(seed=seed))
    body = {"messages": user(f"{text.replace('[[', '')} {'weather' * calls}"), "tools": TOOLS[:1]}
    streamed = chat(simulator, **body, stream=True, stream_options={"include_usage": True})
    assert assemble(streamed.events) == chat(simulator, **body).json


def test_a_stream_ends_with_its_mark():
    answer = chat(stream=True)
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert "usage" not in answer.events[-1]


def test_obfuscation_may_be_switched_off():
    answer = chat(stream=True, stream_options={"include_obfuscation": False})
    assert not any("obfuscation" in chunk for chunk in answer.events)


def test_the_id_may_be_left_out():
    assert "id" not in chat(messages=user("x [[sim: no_id=1]]")).json
    streamed = chat(messages=user("x [[sim: no_id=1]]"), stream=True)
    assert not any("id" in chunk for chunk in streamed.events)
    assert "x-request-id" not in streamed.headers


@given(st.text())
def test_tokens_make_the_text(text):
    assert "".join(split_tokens(text)) == text
