import json

import pytest

from tests.unit.simulator.checker import fits
from tests.unit.simulator.driver import chat, user

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def function(name, **facts):
    return {"type": "function", "function": {"name": name, **facts}}


WEATHER = function("get_weather", description="The weather.", parameters=SCHEMA)
TOOLS = [function("send_mail"), WEATHER]


def calls(text="Hello", **body):
    answer = chat(messages=user(text), **{"tools": TOOLS, **body})
    assert answer.status == 200, answer.body
    choice = answer.json["choices"][0]
    found = choice["message"].get("tool_calls", [])
    assert (choice["finish_reason"] == "tool_calls") is bool(found)
    return [call[call["type"]]["name"] for call in found]


@pytest.mark.parametrize(
    "text, body, names",
    [
        ("Hello", {}, []),
        ("What is the weather?", {}, ["get_weather"]),
        ("send_mail please", {}, ["send_mail"]),
        ("weather", {"tool_choice": "none"}, []),
        ("weather", {"tool_choice": "required"}, ["get_weather"]),
        ("x", {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, ["get_weather"]),
        ("x [[sim: tool=get_weather, parallel=2]]", {}, ["get_weather", "get_weather"]),
        ("weather [[sim: parallel=2]]", {}, ["get_weather", "send_mail"]),
        ("weather [[sim: parallel=2]]", {"parallel_tool_calls": False}, ["get_weather"]),
        (
            "weather",
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [function("send_mail")]},
                }
            },
            ["send_mail"],
        ),
    ],
)
def test_tools_are_called_when_asked_for(text, body, names):
    assert calls(text, **body) == names


def test_required_forces_one():
    assert len(calls("x", tool_choice="required")) == 1
    assert len(calls("x [[sim: stop_reason=tool_calls]]")) == 1


def test_arguments_satisfy_the_schema():
    for word in "abcdef":
        message = chat(messages=user(f"weather {word}"), tools=TOOLS).json["choices"][0]["message"]
        arguments = json.loads(message["tool_calls"][0]["function"]["arguments"])
        assert fits(arguments, SCHEMA, SCHEMA)


def test_an_unknown_tool_cannot_be_ordered():
    refused = chat(messages=user("x [[sim: tool=other]]"), tools=TOOLS)
    assert refused.message == "simulator: tool=other: no such tool is offered"


def test_a_custom_tool_gets_text():
    tools = [{"type": "custom", "custom": {"name": "run_code"}}]
    call = chat(messages=user("run_code"), tools=tools).json["choices"][0]["message"]["tool_calls"][0]
    assert (call["type"], call["custom"]) == ("custom", {"name": "run_code", "input": "Simulated input for run_code."})


def test_the_old_functions_are_called_in_the_old_way():
    choice = chat(messages=user("x"), functions=[{"name": "f"}], function_call={"name": "f"}).json["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}


def test_an_impossible_schema_gets_empty_arguments():
    schema = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    choice = chat(tools=[function("f", parameters=schema)], tool_choice="required").json["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_results_are_answered_with_text():
    message = chat(messages=user("weather"), tools=TOOLS).json["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "12 degrees"}
    answer = chat(messages=[*user("weather"), message, result], tools=TOOLS).json["choices"][0]
    assert answer["finish_reason"] == "stop"
    assert "12 degrees" in answer["message"]["content"]
