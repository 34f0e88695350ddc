"""The long history says the same in both dialects, and is one that a provider would take."""

import json

from bench.history import ROUNDS, TOOLS
from bench.payloads import Shape, write_body
from tests.unit.simulator.driver import ask, chat


def body_of(api: str) -> dict:
    return json.loads(write_body(Shape(api=api, size="history"), "claude-haiku-4-5"))


def test_both_dialects_hold_the_same_calls_and_results():
    chat, messages = body_of("chat"), body_of("messages")
    blocks = [block for turn in messages["messages"] for block in turn["content"]]
    calls = [call for message in chat["messages"] for call in message.get("tool_calls", ())]
    results = [message for message in chat["messages"] if message["role"] == "tool"]
    assert len(calls) == len(results) == ROUNDS
    assert len(chat["tools"]) == len(messages["tools"]) == TOOLS
    assert [(call["id"], json.loads(call["function"]["arguments"])) for call in calls] == [
        (block["id"], block["input"]) for block in blocks if block["type"] == "tool_use"
    ]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        (block["tool_use_id"], block["content"]) for block in blocks if block["type"] == "tool_result"
    ]


def test_providers_take_it_and_count_about_100_000_tokens():
    answer = ask(**body_of("messages"))
    assert answer.status == 200, answer.body[:500]
    usage = answer.json["usage"]
    assert 90_000 < usage["input_tokens"] + usage["cache_creation_input_tokens"] < 110_000
    marked = json.loads(json.dumps(body_of("chat")).replace(', "cache_control": {"type": "ephemeral"}', ""))
    answer = chat(**{**marked, "model": "gpt-4.1"})
    assert answer.status == 200, answer.body[:500]
    assert 90_000 < answer.json["usage"]["prompt_tokens"] < 110_000
