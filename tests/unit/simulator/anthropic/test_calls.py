import pytest

from tests.unit.simulator.checker import fits
from tests.unit.simulator.driver import ask, user

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "The weather of a city.", "input_schema": SCHEMA}
MAIL = {"name": "send_mail", "input_schema": {"type": "object"}}
TOOLS = [MAIL, WEATHER]


def called(text="Hello", *, tools=TOOLS, **body):
    answer = ask(messages=user(text), tools=tools, **body)
    assert answer.status == 200, answer.body
    blocks = [block for block in answer.json["content"] if block["type"] == "tool_use"]
    assert (answer.json["stop_reason"] == "tool_use") is bool(blocks)
    return [block["name"] for block in blocks]


@pytest.mark.parametrize(
    "text, choice, names",
    [
        ("Hello", None, []),
        ("What is the weather?", None, ["get_weather"]),
        ("Please send_mail now", None, ["send_mail"]),
        ("What is the weather?", {"type": "none"}, []),
        ("Hello", {"type": "tool", "name": "get_weather"}, ["get_weather"]),
        ("weather", {"type": "any"}, ["get_weather"]),
        ("Hello [[sim: tool=get_weather]]", None, ["get_weather"]),
        ("Hello [[sim: tool=get_weather, parallel=3]]", None, ["get_weather"] * 3),
        ("weather [[sim: parallel=2]]", None, ["get_weather", "send_mail"]),
        (
            "weather [[sim: parallel=2]]",
            {"type": "auto", "disable_parallel_tool_use": True},
            ["get_weather"],
        ),
    ],
)
def test_tools_are_called_when_asked_for(text, choice, names):
    assert called(text, tool_choice=choice) == names


@pytest.mark.parametrize("order", ["tool=1", "stop_reason=tool_use", "parallel=1"])
def test_some_tool_is_called_when_no_name_is_given(order):
    assert len(called(f"Hello [[sim: {order}]]")) == 1


def test_any_forces_one():
    assert len(called("Hello", tool_choice={"type": "any"})) == 1


def test_arguments_satisfy_the_schema():
    for word in "abcdef":
        block = ask(messages=user(f"weather {word}"), tools=TOOLS).json["content"][-1]
        assert fits(block["input"], SCHEMA, SCHEMA)


def test_arguments_may_be_ordered_word_for_word():
    text = 'weather [[sim: args="{\\"city\\": 1}"]]'
    assert ask(messages=user(text), tools=TOOLS).json["content"][-1]["input"] == {"city": 1}


def test_an_unknown_tool_cannot_be_ordered():
    refused = ask(messages=user("[[sim: tool=other]] x"), tools=TOOLS)
    assert (refused.status, refused.message) == (400, "simulator: tool=other: no such tool is offered")


def test_a_forced_call_has_no_text_before_it():
    forced = ask(messages=user("x"), tools=TOOLS, tool_choice={"type": "any"}).json["content"]
    assert [block["type"] for block in forced] == ["tool_use"]
    free = ask(messages=user("weather"), tools=TOOLS).json["content"]
    assert [block["type"] for block in free] == ["text", "tool_use"]


@pytest.mark.parametrize(
    "tool, name, toolset",
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash", None),
        ({"type": "memory_20250818", "name": "memory"}, "memory", None),
        ({"type": "computer_toolset_20260801"}, "left_click", "computer_toolset_20260801"),
        ({"type": "browser_toolset_20260801"}, "find", "browser_toolset_20260801"),
    ],
)
def test_tools_that_anthropic_defines_are_called_too(tool, name, toolset):
    answer = ask(messages=user(f"x [[sim: tool={name}]]"), tools=[tool])
    block = answer.json["content"][-1]
    assert block["name"] == name
    assert block.get("toolset_name") == toolset
    assert block["input"]


def test_an_impossible_schema_gets_empty_arguments():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2, "maximum": 1}}, "required": ["a"]}
    answer = ask(messages=user("x"), tools=[{"name": "t", "input_schema": schema}], tool_choice={"type": "any"})
    assert answer.json["content"][0]["input"] == {}


def test_results_are_answered_with_text():
    first = ask(messages=user("weather"), tools=TOOLS).json["content"]
    result = {"type": "tool_result", "tool_use_id": first[-1]["id"], "content": "12 degrees"}
    messages = [*user("weather"), {"role": "assistant", "content": first}, *user([result])]
    answer = ask(messages=messages, tools=TOOLS).json
    assert answer["stop_reason"] == "end_turn"
    assert answer["content"][0]["text"].startswith("Simulated answer from 1 tool result: 12 degrees.")
