"""A stream is put together by a small accumulator of our own and compared with the whole answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.simulator.app import Simulator, SimulatorSettings
from tests.unit.simulator.driver import ask, user

TOOLS = [
    {
        "name": "get_weather",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 100000}, "ok": {}},
            "required": ["city", "days"],
        },
    },
    {"type": "web_search_20250305", "name": "web_search"},
]


def assemble(events):
    """Put a message together from its events, checking their grammar on the way."""
    first, ping, *middle, delta, stop = events
    assert (first["type"], ping["type"]) == ("message_start", "ping")
    assert (delta["type"], stop["type"]) == ("message_delta", "message_stop")
    message = first["message"]
    arguments = {}
    open_index = None
    for event in middle:
        if event["type"] == "content_block_start":
            assert open_index is None
            assert event["index"] == len(message["content"])
            open_index = event["index"]
            message["content"].append(event["content_block"])
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_index
            add_delta(message["content"][open_index], event["delta"], arguments, open_index)
        else:
            assert (event["type"], event["index"]) == ("content_block_stop", open_index)
            open_index = None
    for index, text in arguments.items():
        message["content"][index]["input"] = json.loads(text)
    assert open_index is None
    message["usage"].update(delta.pop("usage"))
    message.update(delta.pop("delta"))
    del delta["type"]
    return {**message, **delta}


def add_delta(block, delta, arguments, index):
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "citations_delta":
            block["citations"].append(delta["citation"])
        case "input_json_delta":
            arguments[index] = arguments.get(index, "") + delta["partial_json"]
        case "compaction_delta":
            block["content"] = delta["content"]
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": user("weather?"), "tools": TOOLS},
        {"messages": user("weather? [[sim: parallel=2, tool=get_weather]]"), "tools": TOOLS},
        {"messages": user("search"), "tools": TOOLS},
        {"messages": user("search [[sim: stop_reason=pause_turn]]"), "tools": TOOLS},
        {"model": "claude-opus-5-5", "max_tokens": 4000},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
        {"messages": user("x [[sim: redacted=1]]"), "thinking": {"type": "enabled", "budget_tokens": 1024},
         "max_tokens": 4000},
        {"max_tokens": 5},
        {"messages": user("x [[sim: stop_reason=refusal]]")},
        {"compaction": {"type": "summarize"}, "beta": "compact-2026-09-04"},
        {"container": "c", "context_management": {"edits": []}, "diagnostics": {"previous_message_id": "m"},
         "beta": "context-management-2025-06-27"},
        {"messages": user([{"type": "document", "source": {"type": "content", "content": "x"},
                            "citations": {"enabled": True}}])},
    ],
)  # fmt: skip
def test_a_stream_makes_the_whole_answer(body):
    whole = ask(**body)
    streamed = ask(**body, stream=True)
    assert whole.status == 200, whole.body
    assert assemble(streamed.events) == whole.json


@given(st.integers(0, 50), st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.booleans())
def test_every_stream_makes_its_whole_answer(seed, text, calls):
    text = f"{text.replace('[[', '')} {'weather' * calls} ?"
    simulator = Simulator(SimulatorSettings(seed=seed))
    body = {"messages": user(text), "tools": TOOLS[:1], "max_tokens": 4000}
    assert assemble(ask(simulator, **body, stream=True).events) == ask(simulator, **body).json


def test_events_are_named_and_end_with_a_blank_line():
    lines = ask(stream=True).body.decode().split("\n")
    assert lines[0] == "event: message_start"
    assert lines[1].startswith('data: {"type":"message_start",')
    assert lines[2] == ""


def test_a_stream_starts_with_a_first_count_and_ends_with_the_last():
    events = ask(stream=True).events
    assert events[0]["message"]["usage"]["output_tokens"] == 1
    assert events[-2]["usage"]["output_tokens"] > 1
    assert events[0]["message"]["stop_reason"] is None


def test_some_events_are_escaped_and_some_are_torn_inside_a_character():
    escaped, raw, torn = 0, 0, 0
    for word in range(40):
        answer = ask(messages=user(f"Zürich {word} 日本"), stream=True)
        escaped += b"\\u65e5" in answer.body
        raw += "日".encode() in answer.body
        torn += sum(part[:1] != b"e" and bool(part) for part in answer.parts)
    assert min(escaped, raw, torn) > 0


def test_the_id_may_be_left_out():
    assert "id" not in ask(messages=user("x [[sim: no_id=1]]")).json
    streamed = ask(messages=user("x [[sim: no_id=1]]"), stream=True)
    assert "id" not in streamed.events[0]["message"]
    assert "request-id" not in streamed.headers
